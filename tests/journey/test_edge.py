"""A model is measured by LoadGen and rolled out to three edge servers, whose inputs come home as a dataset version."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ontap_mlops import names
from ontap_mlops.operators.edge import FOLDER
from scripts import demo
from scripts.embedded import environment
from scripts.embedded.environment import REMOTE_SVM
from scripts.embedded.layout import ROOT, namespace_of
from scripts.equipment.slurm_cluster import free_ports
from scripts.follow import RunFailed, follow
from scripts.systems import edge
from scripts.systems.edge import MATRIX, ROLL_OUT, SYSTEM
from tests.journey.test_chest import site
from tests.journey.world import World, wait_for

__all__ = ["site"]
pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

INPUTS, ASKED = "edge_inputs", 3
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
    there = namespace_of(world.stack.layout.ontap_remote) / REMOTE_SVM
    with edge.servers(world.stack, world.api, MODEL) as urls:
        edge.run(world.api, ROLL_OUT, {"model": MODEL})
        assert {edge.served(url, MODEL)[0] for url in urls.values()} == {str(first)}

        world.step("A site is asked about pictures while the next version is trained, and what it was asked comes home")
        home = {"model": MODEL, "groups": ["first"]}
        world.api.unpause(f"ingest_{INPUTS}")
        edge.run(world.api, INPUTS, home)  # it makes the site's volume
        inputs = there / names.edge_inputs_volume(MODEL, "edge_1")
        asked = ask(world, urls["edge_1"], inputs)
        bringing = world.start(INPUTS, home)
        second = deployed(world, {**trained, "seed": 2})
        follow(world.api, INPUTS, bringing)
        assert world.api.xcom(INPUTS, bringing, "end") == {"inputs": ASKED, "sites": 1, "away": []}
        version = world.api.xcom(INPUTS, bringing, "version")
        snapshot = world.files(version["volume"]) / ".snapshot" / version["snapshot"] / "data" / MODEL / "edge_1"
        kept = [json.loads(line) for path in snapshot.glob("*/inputs.jsonl") for line in path.read_text().splitlines()]
        assert {row["request"]: (row["version"], row["outputs"]) for row in kept} == asked
        assert list((inputs / "closed").iterdir()) == [], "there is room at the site again"

        world.step("The next version meets a site where other files are: the run stops, says why, and puts back")
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


def ask(world: World, server: str, inputs: Path) -> dict[str, tuple[str, list]]:
    """Show pictures to a front of edge_1, which ends then; returns version and outputs of each answer, by request."""
    pictures = sorted(world.files(SYSTEM.dataset).glob("data/**/*.png"))[:ASKED]
    with front(server, inputs) as client:
        told = [client.post("/pictures", content=path.read_bytes()).raise_for_status().json() for path in pictures]
    return {answer["request"]: (answer["version"], answer["outputs"]) for answer in told}


@contextlib.contextmanager
def front(server: str, inputs: Path) -> Iterator[httpx.Client]:
    port = free_ports(1)
    command = [sys.executable, "-m", "services.edge.serve", f"--port={port}", f"--server={server}", f"--model={MODEL}"]
    command += ["--workload=chest", "--site=edge_1", f"--inputs={inputs}", "--most=100MB"]
    process = subprocess.Popen(command, env=environment.clean(), cwd=ROOT)
    try:
        with httpx.Client(base_url=f"http://{environment.HOST}:{port}", trust_env=False, timeout=60) as client:
            wait_for(lambda: answers(client), lambda: "the front of edge_1 does not answer")
            yield client
    finally:
        process.terminate()
        process.wait(60)


def answers(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get("/health").raise_for_status().is_success
    return False


def deployed(world: World, conf: dict) -> int:
    run_id = world.run(SYSTEM.train_dag, conf)
    return world.api.xcom(SYSTEM.train_dag, run_id, "summary")["deployment"]["model_version"]["version"]


def run_folder(world: World) -> str:
    (folder,) = [path.name for path in world.files("edge_matrix").iterdir() if path.name.startswith("r")]
    return folder
