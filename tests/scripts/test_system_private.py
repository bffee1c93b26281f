"""What the demo of private inference tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import demo
from scripts.pipeline import Demo
from scripts.services import Stack
from scripts.systems import private

POINTS = {
    "learned": [[0.0, 0.96, 0.94, 0.98, 0.47, 0.44], [0.8, 0.93, 0.91, 0.95, 0.29, 0.12]],
    "gaussian": [[0.0, 0.96, 0.94, 0.98, 0.47, 0.44], [0.8, 0.88, 0.85, 0.91, 0.31, 0.13]],
}
BOTH = {"ap": {"mean": 0.9, "folds": [0.9] * 10}, "ap_halved": {"mean": 0.91, "folds": [0.91] * 10}}
FACTS = {
    "run_key": "r20261127t120000z0123abcd",
    "dataset_version": {
        "id": "v1",
        "files": 421,
        "bytes": 2_400_000,
        "snapshot": "mlops_v1",
        "snapshot_uuid": "u",
        "svm": "svm1",
        "volume": "faces",
        "created_at": "2026-11-27T12:00:00+00:00",
    },
    "points": POINTS,
    "at_equal_privacy": {
        "gaussian": {"gain": 0.05, "low": 0.02, "high": 0.08, "each": [[0.8, 0.05, 0.02, 0.08]]},
        "blur": {"gain": 0.3, "low": 0.2, "high": 0.4, "each": []},
    },
    "alpha": 0.8,
    "reason": "ALPHA 0.8: the greatest that loses at most 10%",
    "metrics": {"challenger": {"ap": 0.93, "ap_halved": 0.94, "ap_continuous": 0.6}},
    "evaluation": {"held_out": 160},
    "decision": {"decision": "promote", "reason": "no model is deployed yet"},
    "model_version": {"model": "private_inference", "version": 1},
    "notebook": {"faces": {"clear": 2, "noisy": 2}, "notebook": "/w/image-demo.ipynb"},
    "folds": {"clear": BOTH, "noisy": BOTH},
    "served": {
        "alpha": 0.8,
        "pictures": 60,
        "endpoint": "http://t",
        "metrics": {"ap": 0.92},
        "cost": {"noise_ms": 0.21, "noise_sd_ms": 0.05, "whole_ms": 12.3, "noise_share": 0.017},
    },
    "links": {"airflow_run": "http://a"},
    "password_file": ".local/secrets/airflow_admin",
}


def test_every_alpha_is_told_with_its_interval_and_what_the_attacker_made_of_it():
    lines = private.SYSTEM.text(FACTS).splitlines()
    (row,) = (line for line in lines if line.startswith("  gaussian"))
    assert row.split() == ["gaussian", "0.8", "0.880", "0.850", "0.910", "0.310", "13%"]
    assert sum(line.startswith("  none") for line in lines) == 1
    assert "  learned against gaussian, at equal privacy: AP +0.050 (+0.020 to +0.080)" in lines
    assert "  learned against blur, at equal privacy: AP +0.300 (+0.200 to +0.400)" in lines
    assert "  the noise took 0.21 ms (standard deviation 0.05) of 12.3 ms a picture, 1.7%" in lines
    assert max(map(len, lines)) <= 120


def test_a_run_that_deployed_nothing_says_so():
    told = private.SYSTEM.text(
        {key: value for key, value in FACTS.items() if key not in ("served", "folds", "notebook")}
    )
    assert "The model was not deployed, so it was not used." in told


def test_a_folder_that_cannot_be_meant_is_told_before_anything_starts(tmp_path: Path):
    local = tmp_path / "local"
    chosen = demo.options(["private", "--images", str(tmp_path), "--local", str(local)])
    with pytest.raises(SystemExit, match=r"holds no FDDB-fold-01-ellipseList\.txt; it must be in FDDB's layout"):
        Demo(private.SYSTEM, Stack(local), chosen).run()
    assert not local.exists()
