"""Days of clicks without drift raise no alarm, also in a backfill; a turned relation does, and an approval trains."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from scripts import demo
from scripts.follow import follow
from scripts.systems.drift import APPROVE, NEW, SYSTEM, WATCH, until_decided
from tests.journey.world import TODAY, World, noon, wait_for

TRAIN, INGEST = SYSTEM.train_dag, SYSTEM.ingest_dag
ROWS = 9_000  # two days fit into the rows that a comparison reads
QUICK = {"engines": ["pandas"], "trees": 4, "depth": 6}

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


def test_drift_is_found_and_a_stable_stream_raises_no_alarm(world: World):
    world.ready(SYSTEM)
    world.wait_for_dags(WATCH)
    world.step("A champion is trained on two days; it hears no more of new versions")
    world.set_clock(noon(2) + timedelta(hours=1))  # later than those of the journey of clicks
    options = demo.options(["drift", f"--rows={ROWS}"])
    SYSTEM.fill_lake(world.stack, 1, options)
    version = version_of(world)
    world.run(TRAIN, {"dataset_version": version["id"], "promote": "always", **QUICK})
    world.pause(TRAIN)

    world.step("Two days without drift become versions")
    stable = [
        next_day(world, "nothing", number, made_at)
        for number, made_at in enumerate((noon(2) + timedelta(hours=2), noon(1)))
    ]

    world.step("The run of today and a backfill compare what was current at their dates, and raise no alarm")
    today = world.api.run_that_is_due(WATCH)
    assert today, "a daily DAG that is unpaused runs for today"
    follow(world.api, WATCH, today)
    world.run_what_events_wait_for(WATCH)
    before, yesterday = backfill(world, TODAY - timedelta(days=2), TODAY - timedelta(days=1))
    assert before is None, "on that date there was nothing newer than the champion's own version"
    assert yesterday and (yesterday["drift"], yesterday["new_rows"]) == ("none", ROWS), yesterday
    told = world.api.xcom(WATCH, today, "compare")
    assert (told["drift"], told["new_rows"]) == ("none", 2 * ROWS) and told["mlflow_url"], told

    world.step("A turned relation is an alarm, for which a person is asked; approved, it starts the training")
    turned = next_day(world, "relation", 2, None)
    run_id = wait_for(
        lambda: world.api.run_started_by(WATCH, turned["run_id"]), lambda: f"the version has started no run of {WATCH}"
    )
    assert until_decided(world.api, run_id) == APPROVE
    told = world.api.xcom(WATCH, run_id, "compare")
    assert told["drift"] == "concept" and told["unexplained"][2] < -0.03
    asked = world.api.asks(WATCH, run_id, APPROVE)
    assert asked and "Concept drift: log loss" in asked["body"]
    world.api.unpause(TRAIN)
    world.api.answer(WATCH, run_id, APPROVE, "Approve")
    follow(world.api, WATCH, run_id)
    alarm = world.api.xcom(WATCH, run_id, "raise_alarm")
    assert alarm["approved_by"] and alarm["drift"] == "concept"
    training = wait_for(
        lambda: world.api.run_started_by(TRAIN, run_id), lambda: f"the alarm has started no run of {TRAIN}"
    )
    follow(world.api, TRAIN, training)
    assert world.api.xcom(TRAIN, training, "choose")["dataset_version"]["id"] == turned["id"] != stable[-1]["id"]
    world.pause(TRAIN)
    world.pause(WATCH)
    world.set_clock(None)


def version_of(world: World) -> dict[str, Any]:
    run_id = world.run(INGEST)
    return {**world.api.xcom(INGEST, run_id, "freeze"), "run_id": run_id}


def next_day(world: World, kind: str, number: int, made_at: datetime | None) -> dict[str, Any]:
    """A version with one more day of clicks, by ONTAP's clock made at this time; None is now."""
    world.set_clock(made_at)
    SYSTEM.plant(world.stack, kind, NEW + number, ROWS)
    return version_of(world)


def backfill(world: World, first: Any, last: Any) -> list[dict[str, Any] | None]:
    """What the runs of these dates have found, oldest first; None of one that was skipped."""
    asked = {"dag_id": WATCH, "from_date": f"{first:%Y-%m-%d}T00:00:00Z", "to_date": f"{last:%Y-%m-%d}T00:00:00Z"}
    world.api.call("POST", "backfills", json={**asked, "max_active_runs": 2})
    found: list[dict[str, Any] | None] = []
    day = first
    while day <= last:
        run_id = wait_for(lambda at=day: world.api.run_of_date(WATCH, at.date()), lambda: "the backfill has no run")
        follow(world.api, WATCH, run_id)
        found.append(world.api.xcom(WATCH, run_id, "compare"))
        day += timedelta(days=1)
    return found
