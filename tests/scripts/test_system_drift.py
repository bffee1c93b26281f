"""What the demo of drift tells of its three days, and of the training that the last one starts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scripts import days, demo
from scripts.follow import RunFailed
from scripts.systems.drift import PLANTED, ROWS_OF_STREAM, STREAM, SYSTEM
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


def test_past_days_have_a_line_each_and_their_alarms_are_counted() -> None:
    judged = {"columns": {"I3": 0.012, "I4": 0.034}, "unexplained": [-0.004, -0.02, 0.01]}
    stable = [
        {"date": "2026-11-25", "drift": "none", "alarm": False, "new_rows": 5000, **judged},
        {"date": "2026-11-26", "drift": "concept", "alarm": True, "new_rows": 10_000, **judged},
        {"date": "2026-11-27", "drift": "not known", "alarm": False, "new_rows": 50},
    ]
    told = SYSTEM.text({**FACTS, "stable": stable}).splitlines()
    assert "3 days without drift, compared by a backfill of drift_ctr: 1 alarms" in told
    assert ["2026-11-25", "none", "5,000", "0.034", "-0.004"] in [line.split() for line in told]
    assert ["2026-11-27", "not", "known", "50", "-", "-"] in [line.split() for line in told]
    assert "backfill" not in SYSTEM.text(FACTS)


class Run:
    """A demo whose versions are counted, and whose planted days are noted with the number of versions before them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *flags: str, known: int = 0) -> None:
        self.options, self.stack = demo.options(["drift", *flags]), None
        self.made, self.planted = known, []
        created = "2026-11-20T08:00:00+00:00"
        self.versions = lambda: [SimpleNamespace(id=f"v{n + 1}", created_at=created) for n in range(self.made)]
        monkeypatch.setattr(days, "make_versions", self.make_versions)
        monkeypatch.setattr(SYSTEM, "plant", lambda stack, *told: self.planted.append((self.made, *told)))

    def make_versions(self, run: Any, count: int, next_day: Any) -> None:
        for _ in range(count):
            self.made += 1
            next_day()


def test_each_past_day_brings_one_more_day_of_clicks_and_today_none(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, "--days=3")
    assert SYSTEM.make_past(run) == "v1", "the champion is trained on it"  # type: ignore[arg-type]
    assert run.made == 4, "the champion's own version comes before them"
    assert run.planted == [(made, "nothing", STREAM + made - 1, ROWS_OF_STREAM) for made in (1, 2, 3)]


def test_where_versions_are_there_is_no_past_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunFailed, match=r"ctr_days has 2 versions already, the first of 2026-11-20.*`make clean`"):
        SYSTEM.make_past(Run(monkeypatch, "--days=3", known=2))  # type: ignore[arg-type]
