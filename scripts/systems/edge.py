"""Edge inference: a model is measured on shared storage and rolled out to three edge sites, each with its server."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx

from ontap_mlops import edge_sites, names
from ontap_mlops.operators.edge import FOLDER
from scripts.airflow_api import AirflowApi
from scripts.embedded import environment, secrets
from scripts.embedded.layout import ROOT, namespace_of
from scripts.equipment.slurm_cluster import free_ports
from scripts.follow import follow
from scripts.systems import text
from scripts.systems.chest import Chest

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

MATRIX, ROLL_OUT = "edge_inference", "model_rollout"
# Multi-stream alone would take as long as all the rest.
QUICK = {"workload": "chest", "repeats": 3, "seconds": 0.3, "samples": 32, "scenarios": ["single_stream", "offline"]}


class Edge(Chest):
    name = "edge"
    number = 8
    steps = "train and deploy at home; then the edge follows"

    def facts(self, demo: Demo) -> dict[str, Any]:
        demo.begin("matrix", f"{MATRIX}: quantise, gate, local disk against shared volume by MLCommons' LoadGen")
        measured = run(demo.api, MATRIX, {"model": self.model, **QUICK})
        demo.end()
        demo.begin("roll_out", f"{ROLL_OUT}: to one site, ten per cent, the rest")
        with servers(demo.stack, demo.api, self.model) as urls:
            rolled = run(demo.api, ROLL_OUT, {"model": self.model})
            serving = {site: served(url, self.model) for site, url in urls.items()}
        demo.end()
        links = {
            MATRIX: demo.api.run_link(MATRIX, measured),
            ROLL_OUT: demo.api.run_link(ROLL_OUT, rolled),
        }
        gate = demo.api.xcom(MATRIX, measured, "gate")
        return {"gate": gate, "matrix": demo.api.xcom(MATRIX, measured, "report"), "serving": serving, "links": links}

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(text.version(facts), _gate(facts), _matrix(facts), _sites(facts), text.links(facts))


def run(api: AirflowApi, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Run id of a run that has succeeded. Raises RunFailed."""
    api.unpause(dag_id)
    run_id = api.trigger(dag_id, dict(conf))
    follow(api, dag_id, run_id)
    return run_id


@contextlib.contextmanager
def servers(stack: Stack, api: AirflowApi, model: str) -> Iterator[dict[str, str]]:
    """A Triton for each edge site, over the site's own volume of the model, until this block ends; its URL by site."""
    processes, urls = [], {}
    token = secrets.get(stack.layout, secrets.TRITON_CONTROL)
    there = namespace_of(stack.layout.ontap_remote)
    try:
        sites = edge_sites.usable()
        first = free_ports(3 * len(sites))
        for number, (name, site) in enumerate(sites.items()):
            http, grpc, metrics = range(first + 3 * number, first + 3 * number + 3)
            folder = there / site.svm / names.edge_volume(model, name) / FOLDER
            command = [sys.executable, str(ROOT / "docker" / "triton" / "serve.py"), f"--venv={ROOT / '.venv-triton'}"]
            command += [f"--repository={folder}", f"--http-port={http}", f"--grpc-port={grpc}"]
            command += [f"--metrics-port={metrics}"]
            log = (stack.layout.local / f"{name}.log").open("ab")
            own = {**environment.clean(), "TRITON_CONTROL_TOKEN": token}
            processes.append(subprocess.Popen(command, env=own, stdout=log, stderr=log))
            log.close()
            urls[name] = f"http://{environment.HOST}:{http}"
            connect(api, site.inference_conn_id, http, token)
        # Each comes up with its first version, which brings its repository; the roll-out waits for it.
        yield urls
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def connect(api: AirflowApi, conn_id: str, port: int, token: str) -> None:
    """Have a connection of this id lead to a server on this machine, made anew or changed."""
    facts = {
        "connection_id": conn_id,
        "conn_type": "http",
        "schema": "http",
        "host": environment.HOST,
        "port": port,
        "extra": json.dumps({"token": token}),
    }
    if api.call("GET", f"connections/{conn_id}") is None:
        api.call("POST", "connections", json=facts)
    else:
        api.call("PATCH", f"connections/{conn_id}", json=facts)


def served(url: str, model: str) -> list[str]:
    """The versions of the model that a server serves, by its own word."""
    return httpx.get(f"{url}/v2/models/{model}", trust_env=False, timeout=30).raise_for_status().json()["versions"]


def _gate(facts: dict[str, Any]) -> list[str]:
    gate = facts["gate"]
    told = [f"{name} {gate['quality'][name]:.3f} ({gate['share'][name]:.1%} of FP32's)" for name in gate["quality"]]
    return [
        f"Quality by LoadGen's accuracy mode, {gate['metric']}: {', '.join(told)}; {', '.join(gate['passed'])} count"
    ]


def _matrix(facts: dict[str, Any]) -> list[str]:
    lines = [f"  {'':<26}{'local':>12}{'shared':>12}   difference (95 % interval)"]
    for cell, local, shared, cost, low, high in facts["matrix"]["rows"]:
        lines.append(f"  {cell:<26}{local:>12,.3f}{shared:>12,.3f}   {cost:+.1f} % ({low:+.1f} to {high:+.1f})")
    return ["Local disk against shared volume (ms; samples/s for offline; above 0 it costs)", *lines]


def _sites(facts: dict[str, Any]) -> list[str]:
    told = [f"{site} version {', '.join(versions)}" for site, versions in facts["serving"].items()]
    return [f"Edge sites serve {facts['matrix']['workload']}: {'; '.join(told)}"]


SYSTEM = Edge()
