"""Noise is learned and attacked, an ALPHA is chosen, and the server that gets the tail is used in three ways."""

from __future__ import annotations

import json

import pytest

from scripts import demo
from scripts.systems.private import SYSTEM
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

PICTURES = 60
# Nothing of it is good after so few steps; that everything is there and joined is what is asked here.
QUICK = {"epochs": 6, "alphas": [0, 0.9], "noise_steps": 3, "attack_steps": 40, "most_lost": 0.99, "promote": "always"}


def test_a_server_finds_faces_in_what_is_sent_and_gets_neither_head_nor_noise(world: World):
    world.ready(SYSTEM)
    world.step("Faces make a version; noise is fitted for each ALPHA, and one is chosen and deployed")
    SYSTEM.fill_lake(world.stack, 1, demo.options(["private", f"--count={PICTURES}"]))
    world.run(SYSTEM.ingest_dag)
    run_id = world.run(SYSTEM.train_dag, QUICK)
    summary = world.api.xcom(SYSTEM.train_dag, run_id, "summary")
    assert summary["alpha"] == 0.9 and set(summary["points"]) == {"learned", "gaussian", "blur"}
    version = summary["deployment"]["model_version"]
    assert version["model"] == "private_inference" and summary["deployment"]["proof"]["alpha"] == 0.9

    world.step("On demand, in a batch and served, each says what it found")
    assert summary["notebook"]["pictures"] == 3
    assert len(summary["folds"]["noisy"]["ap"]["folds"]) == len(summary["folds"]["clear"]["ap_halved"]["folds"]) == 10
    assert summary["served"]["pictures"] > 0 and 0 < summary["served"]["cost"]["noise_share"] < 1

    world.step("The server has the tail alone; head and noise are where the clients take them from")
    served = world.files("models") / "triton" / "private_inference" / str(version["version"])
    assert {file.name for file in served.iterdir()} == {"model.onnx", "config.json"}
    kept = world.files(version["volume"]) / version["folder"]
    assert {"head.onnx", "noise.npz", "model.onnx"} <= {file.name for file in kept.iterdir()}
    assert json.loads((kept / "model.json").read_text())["alpha"] == 0.9

    world.step("The network of that run is taken, and only its noise is fitted anew")
    again = {**QUICK, "network_of": summary["run_key"], "alphas": [0, 0.8], "promote": "never"}
    second = world.api.xcom(SYSTEM.train_dag, world.run(SYSTEM.train_dag, again), "summary")
    assert second["alpha"] == 0.8 and second["points"]["learned"][0][1] == summary["points"]["learned"][0][1]
    assert world.workspaces() == set()
