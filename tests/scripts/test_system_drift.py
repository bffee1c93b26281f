"""What the demo of drift tells of its three days, and of the training that the last one starts."""

from __future__ import annotations

from typing import Any

from scripts.systems.drift import PLANTED, SYSTEM
from tasks.drift.plant import KINDS

FOUND = [
    {"planted": "nothing", "alarm": False, "drift": "none", "reason": "The inputs are as they were."},
    {"planted": "inputs", "alarm": True, "drift": "data", "reason": "Data drift: I8 (0.22) of 13 columns."},
    {"planted": "relation", "alarm": True, "drift": "concept", "reason": "Concept drift: log loss 0.5 then, 0.9 now."},
]
FACTS: dict[str, Any] = {
    "champion": 1,
    "found": FOUND,
    "training": {
        "dataset_version": {"id": "v2"},
        "decision": {"decision": "promote", "reason": "the challenger is better: held-out auc 0.7 against 0.5"},
    },
    "links": {"drift": "http://127.0.0.1:8080/dags/drift_ctr/runs/a", "airflow_run": "http://127.0.0.1:8080/b"},
    "password_file": ".local/secrets/airflow_admin",
}


def test_each_day_is_told_with_its_verdict() -> None:
    told = SYSTEM.text(FACTS)
    assert "like the others: No alarm" in told
    assert "other values in six columns: Alarm (data drift)" in told
    assert "the opposite to a click: Alarm (concept drift)" in told
    assert "has trained on version v2" in told and "Promoted: the challenger is better" in told
    assert all(len(line) <= 120 for line in told.splitlines())


def test_every_kind_that_can_be_planted_is_shown() -> None:
    assert tuple(kind for kind, _ in PLANTED) == KINDS
