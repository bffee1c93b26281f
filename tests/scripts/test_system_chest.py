"""What the chest system fills its lake with, and what its demo tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import demo
from scripts.pipeline import Demo
from scripts.services import Stack
from scripts.systems import chest

READS = {"site": "remote", "reason": "", "source_bytes": 8_400_000, "fill_seconds": 1.25, "data_seconds": 2.5}
AREAS = {"auroc_edema": 0.99, "auroc_mass": 0.91, "mean_auroc": 0.95}
FACTS = {
    "run_key": "r20261121t120000z0123abcd",
    "dataset_version": {
        "id": "v1",
        "files": 803,
        "bytes": 8_400_000,
        "snapshot": "mlops_v1",
        "snapshot_uuid": "u",
        "svm": "svm1",
        "volume": "chest_xray",
        "created_at": "2026-11-21T12:00:00+00:00",
    },
    "reads": READS,
    "reads_again": {**READS, "source_bytes": 0, "fill_seconds": 0.0},
    "metrics": {"challenger": AREAS},
    "evaluation": {"held_out": 190, "held_out_patients": 80, "intervals": {"challenger": [0.93, 0.97]}},
    "decision": {"decision": "promote", "reason": "no model is deployed yet"},
    "deployed_model": {"model": "chest_xray", "version": 1},
    "prediction": {"endpoint": "http://t", "image": "/d/1.png", "predicted": ["Mass"], "actual": ["Mass", "Nodule"]},
    "links": {"airflow_run": "http://a"},
    "password_file": ".local/secrets/airflow_admin",
}


def test_the_summary_sets_both_runs_side_by_side():
    lines = chest.SYSTEM.text(FACTS).splitlines()
    place = lines.index("Data, read from the cache at site remote")
    head, first, second = lines[place + 1 : place + 4]
    assert first.startswith("  first run") and "8,400,000 bytes" in first and first.endswith("2.5 s")
    assert second.startswith("  second run") and " 0 bytes" in second and len(first) == len(second) == len(head)
    assert "Area under the ROC curve, 190 pictures of 80 patients; mean 0.930 to 0.970" in lines
    assert "  Mass; its table says Mass, Nodule" in lines
    assert max(map(len, lines)) <= 120


def test_a_run_of_the_source_is_told_as_such():
    text = chest.SYSTEM.text({**FACTS, "reads": {**READS, "site": ""}})
    assert "Data, read from the source" in text


def test_a_folder_that_cannot_be_meant_is_told_before_anything_starts(tmp_path: Path):
    local = tmp_path / "local"
    chosen = demo.options(["chest", "--images", str(tmp_path), "--local", str(local)])
    with pytest.raises(SystemExit, match=r"holds no Data_Entry_2017\.csv; it must be in NIH's layout"):
        Demo(chest.SYSTEM, Stack(local), chosen).run()
    assert not local.exists()
