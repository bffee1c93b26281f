"""Calls go from the recording to the page, and killed workers neither lose nor double one."""

from __future__ import annotations

import json
import shutil
from typing import Any

import httpx
import pytest

from scripts import demo
from scripts.systems.calls import SYSTEM, UNDERSTAND, understood
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

COUNT, TEXTS = 5, 40
# A handful of calls says little about which model is better; what decides is tested elsewhere.
QUICK = {"hint_sentences": 4, "promote": "always"}


def ask(world: World, path: str) -> Any:
    return httpx.get(f"{world.stack.urls['calls']}{path}", trust_env=False, timeout=60).raise_for_status().json()


@pytest.mark.skipif(not shutil.which("flite"), reason="needs flite, which speaks: apt-get install flite")
def test_calls_go_from_the_recording_to_the_page(world: World):
    world.stack.up(["calls"])
    world.ready(SYSTEM)
    world.wait_for_dags(UNDERSTAND)

    world.step("Before the first version there is nothing to understand, which is no failure")
    before = world.run(UNDERSTAND)
    assert set(world.states(UNDERSTAND, before).values()) == {"skipped"}
    world.pause(UNDERSTAND)  # until the test asks it

    world.step("Calls are spoken and become a version; sentiment and vocabulary are tuned, judged and deployed")
    SYSTEM.fill_lake(world.stack, 1, demo.options(["calls", f"--count={COUNT}", f"--texts={TEXTS}"]))
    version = world.api.xcom(SYSTEM.ingest_dag, world.run(SYSTEM.ingest_dag), "freeze")
    run_id = world.run(SYSTEM.train_dag, {"dataset_version": version["id"], **QUICK})
    told = world.api.xcom(SYSTEM.train_dag, run_id, "evaluate")
    assert told["held_out_spoken"] > 0 and {"challenger", "base"} <= set(told["metrics"])
    for name, (low, high) in told["intervals"].items():
        assert low <= told["metrics"][name]["pipeline_difference"] <= high
    assert told["against_base"]["low"] <= told["against_base"]["gain"] <= told["against_base"]["high"]
    proof = world.api.xcom(SYSTEM.train_dag, run_id, "deploy.prove")
    assert proof["sentiment"] in proof["scores"] and world.workspaces() == set()

    world.step("Every worker that scores a part is killed in the middle; each call is on the page, whole and once")
    world.kill({UNDERSTAND: {"plan": "end", "score": "middle"}})
    run_id = understood(world.api, part_size=2)
    summary = world.api.xcom(UNDERSTAND, run_id, "summary")
    calls = ask(world, "/api/calls")["calls"]
    assert len(calls) == COUNT and summary["refused"] == 0
    for call in calls:
        whole = ask(world, f"/api/calls/{call['call']}")
        assert whole["finished"] == len(whole["sentences"]) > 0
        assert whole["source"]["version"] == version["id"]
    parts = [task for task in world.api.tasks(UNDERSTAND, run_id) if task["task_id"] == "score"]
    assert {task["try_number"] for task in parts} == {2}, "each was killed once"

    world.step("A person corrects a sentence; the next run finds no new call, and brings the correction to the source")
    world.kill({})
    first = ask(world, f"/api/calls/{calls[0]['call']}")["sentences"][0]
    path = f"/api/calls/{first['call']}/sentences/{first['side']}/{first['index']}/correction"
    said = {"text": "Zelora has been down for a week.", "sentiment": "negative", "by": "eve"}
    httpx.put(f"{world.stack.urls['calls']}{path}", json=said, trust_env=False, timeout=60).raise_for_status()
    run_id = understood(world.api)
    assert world.api.xcom(UNDERSTAND, run_id, "summary")["calls"] == 0
    assert world.api.xcom(UNDERSTAND, run_id, "corrections") == {"corrections": 1, "changed": True}
    world.pause(SYSTEM.train_dag)  # or the version of the correction would start a whole training
    world.run(SYSTEM.ingest_dag)
    (line,) = (world.files("calls") / "data" / "corrections.jsonl").read_text().splitlines()
    assert said.items() <= json.loads(line).items()
    assert len(world.snapshots("calls")) == 2
