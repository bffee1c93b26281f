"""docker-compose.yaml for real: twice from nothing to a deployed model, the second time with everything going wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.composing import engines
from scripts.composing.file import ROOT
from scripts.follow import follow
from tests.compose.stack import INGEST, LOOK_S, PROVISION, TRAIN, WAIT_S, World, settings, world
from tests.until import until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3600)]

KILLED = 137


def play(world: World, ingesting: Callable[[], None], training: Callable[[str], None]) -> dict[str, Any]:
    """Take the tyres from the lake to a deployed model; the arguments are what happens meanwhile."""
    follow(world.api, PROVISION, world.begin(PROVISION))
    world.api.unpause(TRAIN)  # before the version is made: a paused DAG does not hear of it
    ingest = world.begin(INGEST)
    ingesting()
    follow(world.api, INGEST, ingest)
    train = until(
        lambda: world.api.run_started_by(TRAIN, ingest) or "",
        lambda: f"the new version has started no run of {TRAIN}",
        WAIT_S,
        every_s=LOOK_S,
    )
    training(train)
    follow(world.api, TRAIN, train)
    return world.state(ingest, train)


def test_a_killed_worker_and_restarted_servers_change_nothing_in_what_comes_out(tmp_path: Path) -> None:
    build()
    told = settings(tmp_path)
    with world(told) as calm:
        check_doors(calm)
        expected = play(calm, lambda: None, lambda run_id: None)
        check_watched(calm)
        check_secrets(calm)
        check_ends(calm.engine)
    assert expected["decision"] == "promote" and expected["served"] == ["1"]
    with world(told) as stormy:

        def storm(train: str) -> None:
            until(lambda: "Epoch 1:" in stormy.said(), "the training has told no epoch", WAIT_S, every_s=LOOK_S)
            lose_host(stormy.engine, "programs")
            until(
                lambda: stormy.task(TRAIN, train, "train")["try_number"] > 1,
                lambda: "train was not tried again",
                WAIT_S,
                every_s=LOOK_S,
            )
            stormy.engine.restart("postgres")

        found = play(stormy, lambda: stormy.engine.restart("redis"), storm)
        assert "from the checkpoint of an earlier try" in stormy.said()
    assert found == expected


def check_doors(world: World) -> None:
    """Nobody comes in without the password, and a person's browser gets a page."""
    with httpx.Client(base_url=world.url("AIRFLOW"), trust_env=False, timeout=60) as stranger:
        assert stranger.get("/api/v2/dags").status_code == 401
        refused = stranger.post("/auth/token", json={"username": "admin", "password": "admin"})
        assert refused.status_code == 401, refused.text
        page = stranger.get("/", follow_redirects=True)
        assert page.is_success and "<title>" in page.text


def check_watched(world: World) -> None:
    """Prometheus reads what it should, and no rule of ours is one that it cannot evaluate."""

    def down() -> list[str]:
        targets = asked(world, "targets")["activeTargets"]
        return [f"{t['scrapeUrl']}: {t['lastError']}" for t in targets if t["health"] != "up"] or (
            [] if targets else ["there are no targets"]
        )

    until(lambda: not down(), down, WAIT_S, every_s=LOOK_S)
    rules = [rule for group in asked(world, "rules")["groups"] for rule in group["rules"]]
    assert rules and [rule["lastError"] for rule in rules if rule.get("lastError")] == []


def asked(world: World, what: str) -> Any:
    answer = httpx.get(f"{world.url('PROMETHEUS')}/api/v1/{what}", trust_env=False, timeout=60)
    return answer.raise_for_status().json()["data"]


def check_secrets(world: World) -> None:
    """None of them is in what tasks show, or in what a service prints."""
    passwords = world.passwords()
    assert len(passwords) > 6
    shown = [
        text
        for dag in (PROVISION, INGEST, TRAIN)
        for run in world.api.runs(dag)
        for text in world.said_in(dag, run["dag_run_id"])
    ]
    assert len(shown) > 60
    shown += [world.engine.log(service, 100_000) for service in world.engine.file.in_order()]
    told = [text.replace(secret, "<the secret>")[:2000] for secret in passwords for text in shown if secret in text]
    assert told == []


def check_ends(engine: engines.Engine) -> None:
    """Each service ends by itself when it is told to, however slow the machine is."""
    lasting = [service for service in reversed(engine.file.in_order()) if not engine.file.ends(service)]
    for service in lasting:
        engine.stop(service, grace_s=WAIT_S)
    codes = {service: engine.state(service)["ExitCode"] for service in lasting}
    assert [service for service, code in codes.items() if code == KILLED] == [], codes


def lose_host(engine: engines.Engine, service: str) -> None:
    """A host that is gone at once and comes back; an engine may have started it again by itself."""
    began = engine.state(service)["StartedAt"]
    engine.kill(service)
    until(
        lambda: not (s := engine.state(service))["Running"] or s["StartedAt"] != began,
        "it does not die",
        WAIT_S,
        every_s=LOOK_S,
    )
    if not engine.state(service)["Running"]:
        engine.start(service)


def build() -> None:
    assert subprocess.run([sys.executable, "-m", "scripts.images"], cwd=ROOT).returncode == 0
