"""What the demo of the storage proof asks for and tells."""

from __future__ import annotations

import argparse
import shutil
from typing import Any

import pytest

from scripts.systems.storage import SYSTEM

FACTS: dict[str, Any] = {
    "paths": [
        {"path": "volume:storage_proof", "figures": {"seq_read": 2500.0, "rand_read": 300.0}},
        {"path": "s3://lake/proof", "figures": {"large_read": 400.0}},
    ],
    "feeds": [["resnet50 on A100, batch 400", "105", "24 (2,500 MB/s)", "3 (400 MB/s)"]],
    "links": {"airflow_run": "http://127.0.0.1:8080/dags/storage_proof/runs/manual__1"},
    "password_file": ".local/secrets/airflow_admin",
}


def test_the_paths_stand_side_by_side_in_their_order() -> None:
    lines = SYSTEM.text(FACTS).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ") and len(line.split()) > 2}
    assert rows["seq_read"] == ["2,500.0", "-"] and rows["large_read"] == ["-", "400.0"]
    assert any("24 (2,500 MB/s)" in line and line.endswith("3 (400 MB/s)") for line in lines)
    assert any("storage_proof/runs/manual__1" in line for line in lines)


def test_without_fio_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="apt-get install fio"):
        SYSTEM.check(argparse.Namespace())
