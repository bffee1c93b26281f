"""What the demo of two sites compares and tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.systems.two_sites import SYSTEM, contents, digest

FACTS: dict[str, Any] = {
    "dataset_version": {
        **{name: name for name in ("id", "snapshot", "snapshot_uuid", "volume", "created_at")},
        **{"svm": "svm_remote", "files": 600, "bytes": 13_000_000},
    },
    "metrics": {"challenger": {"accuracy": 0.9, "roc_auc": 0.95}},
    "decision": {"decision": "compare", "reason": "the run is at site remote"},
    "moved": [
        {"way": "SnapMirror", "bytes": 13_000_000, "seconds": 2.0, "run": "replicate/a"},
        {"way": "SnapMirror", "bytes": 800_000, "seconds": 0.4, "run": "replicate/b"},
        {"way": "SnapMirror", "bytes": 26, "seconds": 1.0, "run": "fail_over/c"},
    ],
    "equal": [["copy 1", 601, "a" * 64], ["back at home", 602, "b" * 64]],
    "restored": {"file": "tyre_00001.jpg", "safety": "mlops_before_r1"},
    "links": {"fail_over": "http://127.0.0.1:8080/dags/fail_over/runs/a", "airflow_run": "http://127.0.0.1:8080/b"},
    "password_file": ".local/secrets/airflow_admin",
}


def test_what_was_moved_and_that_both_ends_are_equal_is_told() -> None:
    told = SYSTEM.text(FACTS)
    rows = [line.split() for line in told.splitlines() if line.startswith("  SnapMirror")]
    assert [row[1:5] for row in rows] == [["13", "MB", "2", "s"], ["800", "kB", "0.4", "s"], ["26", "B", "1", "s"]]
    assert "what had changed: 800 kB of the 13 MB" in told
    assert "copy 1          601 files, sha256 aaaaaaaaaaaaaaaa" in told
    assert "tyre_00001.jpg" in told and "mlops_before_r1" in told
    assert all(len(line) <= 120 for line in told.splitlines())


def test_a_volume_is_compared_by_names_and_contents_and_without_its_snapshots(tmp_path: Path) -> None:
    for name in ("home", "site"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "a").write_text("same")
    (tmp_path / "home" / ".snapshot" / "v1").mkdir(parents=True)
    (tmp_path / "home" / ".snapshot" / "v1" / "a").write_text("of a snapshot")
    home, site = contents(tmp_path / "home"), contents(tmp_path / "site")
    assert home == site and list(home) == ["data/a"] and digest(home) == digest(site)
    (tmp_path / "site" / "data" / "a").rename(tmp_path / "site" / "data" / "b")
    assert digest(contents(tmp_path / "site")) != digest(home)
