"""A model is measured by LoadGen, rolled out to three edge servers, stopped by a bad site, and put back."""

from __future__ import annotations

import json

import pytest

from ontap_mlops import names
from ontap_mlops.operators.edge import FOLDER
from scripts import demo
from scripts.embedded.environment import REMOTE_SVM
from scripts.embedded.layout import namespace_of
from scripts.follow import RunFailed
from scripts.systems import edge
from scripts.systems.edge import MATRIX, ROLL_OUT, SYSTEM
from tests.journey.test_chest import site
from tests.journey.world import World

__all__ = ["site"]
pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

PICTURES = 160
MODEL = SYSTEM.model
MEASURED = {"workload": "chest", "repeats": 2, "seconds": 0.1, "samples": 16, "scenarios": ["single_stream"]}


def test_a_model_is_measured_rolled_out_stopped_by_a_bad_site_and_put_back(world: World, site):
    world.wait_for_dags(SYSTEM.ingest_dag, SYSTEM.train_dag, MATRIX, ROLL_OUT)
    world.pause(SYSTEM.train_dag)

    world.step("A model is trained and deployed at home")
    SYSTEM.fill_lake(world.stack, 1, demo.options(["edge", f"--count={PICTURES}"]))
    world.run(SYSTEM.ingest_dag)
    trained = {"epochs": 1, "promote": "always", "cache_at": "source"}
    first = deployed(world, trained)

    world.step("LoadGen measures it on the shared volume and on the local disk, FP32 and, if it passes the gate, INT8")
    measured = world.run(MATRIX, {"model": MODEL, **MEASURED})
    gate, report = (world.api.xcom(MATRIX, measured, task) for task in ("gate", "report"))
    assert "fp32" in gate["passed"] and gate["share"]["fp32"] == 1
    assert {row[0] for row in report["rows"]} | {text.split()[0] for text in report["void"]} == set(gate["cells"])
    logs = world.files("edge_matrix") / run_folder(world) / "logs"
    assert "Result is : " in next(logs.glob("fp32-single_stream-1-*/mlperf_log_summary.txt")).read_text()

    world.step("It is rolled out to three sites: a cache, a mirror and a copy")
    with edge.servers(world.stack, world.api, MODEL) as urls:
        edge.run(world.api, ROLL_OUT, {"model": MODEL})
        assert {edge.served(url, MODEL)[0] for url in urls.values()} == {str(first)}

        world.step("The next version meets a site where other files are: the run stops, says why, and puts back")
        second = deployed(world, {**trained, "seed": 2})
        there = namespace_of(world.stack.layout.ontap_remote) / REMOTE_SVM
        bad = there / names.edge_volume(MODEL, "edge_3") / FOLDER / MODEL / str(second)
        bad.mkdir()
        (bad / "model.onnx").write_bytes(b"not this model")
        (bad / "config.json").write_text(json.dumps({}))
        with pytest.raises(RunFailed):
            edge.run(world.api, ROLL_OUT, {"model": MODEL})
        assert {edge.served(url, MODEL)[0] for url in urls.values()} == {str(first)}
        for path in bad.iterdir():
            path.unlink()
        bad.rmdir()

        world.step("Once the site is mended it goes everywhere, and one action puts it back")
        edge.run(world.api, ROLL_OUT, {"model": MODEL})
        assert {edge.served(url, MODEL)[0] for url in urls.values()} == {str(second)}
        edge.run(world.api, ROLL_OUT, {"model": MODEL, "what": "put_back"})
        assert {edge.served(url, MODEL)[0] for url in urls.values()} == {str(first)}


def deployed(world: World, conf: dict) -> int:
    run_id = world.run(SYSTEM.train_dag, conf)
    return world.api.xcom(SYSTEM.train_dag, run_id, "summary")["deployment"]["model_version"]["version"]


def run_folder(world: World) -> str:
    (folder,) = [path.name for path in world.files("edge_matrix").iterdir() if path.name.startswith("r")]
    return folder
