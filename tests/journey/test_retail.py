"""The retail assistant's day: conversations are answered, trained on, and the new model serves; nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts import demo
from scripts.follow import follow
from scripts.systems.retail import COLLECT, SYSTEM
from tests.journey.world import World
from tests.speech import speaker, write_wav
from tests.until import until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

TRAIN = SYSTEM.train_dag
QUESTIONS, TALKS = 400, 30
QUICK = {"epochs": 30, "promote": "always"}


@pytest.fixture
def talking(world: World) -> Iterator[httpx.Client]:
    """The running dialog service."""
    world.stack.up(["triton"], optional=["dialog"])
    with httpx.Client(base_url=world.stack.urls["dialog"], trust_env=False, timeout=60) as client:
        yield client


def say(talking: httpx.Client, talk: str, text: str, message: str) -> dict[str, Any]:
    answer = talking.post(f"/api/conversations/{talk}/messages", json={"text": text, "message": message})
    return dict(answer.raise_for_status().json())


def test_what_people_said_is_trained_on_and_the_new_model_serves(world: World, talking: httpx.Client, tmp_path: Path):
    world.ready(SYSTEM)
    world.step("Questions make a version; the model is trained, deployed, and holds a conversation as proof")
    SYSTEM.fill_lake(world.stack, 1, demo.options(["retail", f"--count={QUESTIONS}"]))
    world.run(SYSTEM.ingest_dag)
    first = world.api.xcom(TRAIN, world.run(TRAIN, QUICK), "summary")
    assert first["held_out_dialogs"] > 0 and 0 < first["metrics"]["challenger"]["dialogs_ended"] <= 1
    asked, answered = first["conversation"]["turns"]
    assert asked["slots"]["item.type"] == "pasta" and answered["says"].endswith("of 5.")

    world.step("The server is killed in the middle of a conversation; it comes back and loses no message")
    talk = talking.post("/api/conversations").json()["conversation"]
    says = say(talking, talk, "where can i get the best pasta", "m1")["says"]
    assert says[-1]["text"] == "Near which city?"
    killed = world.stack.supervisor.processes()["dialog"]["pid"]
    os.kill(killed, signal.SIGKILL)
    until(lambda: world.stack.supervisor.processes()["dialog"]["pid"] not in (0, killed), "the server is not back")
    world.stack.wait_ready(["dialog"])
    last = say(talking, talk, "in Boston", "m2")
    assert last["slots"]["location"] == "Boston" and "Boston; rated" in last["says"][0]["text"]
    again = say(talking, talk, "in Boston", "m2")
    assert again == last, "sent again, answered once"
    turns = talking.get(f"/api/conversations/{talk}").json()["turns"]
    assert [turn.get("heard") for turn in turns] == [None, "where can i get the best pasta", "in Boston"]

    world.step("What is said aloud is recognised, answered, and kept as spoken")
    voice = write_wav(tmp_path / "said.wav", speaker(tmp_path)("What is the weather in Boston?"))
    spoken = talking.post(f"/api/conversations/{talk}/recordings?message=m3", content=voice.read_bytes())
    told = spoken.raise_for_status().json()
    assert told["heard"] == "What is the weather in Boston?" and told["channel"] == "speech" and told["says"]

    world.step("People talk and label; the day is masked and brought home, and becomes a version")
    SYSTEM.talk(world.stack, TALKS, seed=3)
    world.run_what_is_due(COLLECT)
    today = str(datetime.now(UTC).date())
    collected = world.run(COLLECT, {"day": today, "days_back": 0})
    day = world.api.xcom(COLLECT, collected, "collect")
    assert day["changed"] == [today] and day["conversations"] == TALKS + 2 and day["labelled_by_people"] > TALKS / 2
    version = world.api.xcom(SYSTEM.ingest_dag, f"conversations__{collected}", "freeze")

    world.step("The loop trains on it from the champion's weights, and the new model serves")
    asked_for = {**QUICK, "epochs": 4, "start": "champion", "dataset_version": version["id"]}
    run_id = world.api.trigger(TRAIN, asked_for)
    follow(world.api, TRAIN, run_id)
    second = world.api.xcom(TRAIN, run_id, "summary")
    served = second["deployment"]["model_version"]
    assert served["version"] > first["deployment"]["model_version"]["version"]
    headers = {"Authorization": f"Bearer {SYSTEM.dialog(world.stack)['DIALOG_TOKEN']}"}
    lines = talking.get(f"/api/days/{today}", headers=headers).text
    assert f'"version": "{served["version"]}"' in lines, "what suggests is what serves"
    assert [each["heard"] for each in map(json.loads, lines.splitlines()) if each.get("channel") == "speech"] == [
        told["heard"]
    ]

    world.step("A day on which nothing new was said ends with a sentence, and makes no version")
    quiet = world.run(COLLECT, {"day": "2026-01-01", "days_back": 0})
    assert world.states(COLLECT, quiet)["ingest"] == "skipped"

    world.step("The run that the day's version has started by itself is over too, and leaves nothing behind")
    world.run_of(SYSTEM, f"conversations__{collected}")
    assert world.workspaces() == set()
