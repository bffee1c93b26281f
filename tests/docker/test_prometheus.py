"""Rules and dashboard on a real Prometheus that scrapes the real exporter, a real Dask cluster and a real Triton."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import httpx
import pytest
import yaml

from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import Workload
from tasks.models.repository import ServedModel
from tests.inference_server.models import ones, write_onnx
from tests.serving import TritonServer, free_ports, triton_over

DOCKER = Path(__file__).parents[2] / "docker"
DASHBOARD = json.loads((DOCKER / "grafana" / "dashboards" / "ctr.json").read_text())
WAIT_S = 120

pytestmark = [
    pytest.mark.triton,
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="There is no Prometheus on this machine; `apt-get install prometheus` brings it.",
    ),
]

# Fire or not, as things are.
MAY_BE_EMPTY = ("ALERTS",)

TRAINED = """
    import json, os, sys
    engine = sys.argv[1]
    speed = {"pandas": 1000.0, "dask": 4000.0}[engine]
    figures = {"accuracy": 0.78, "auc": 0.75, "log_loss": 0.5, "calibration_error": 0.01}
    result = {"engine": engine, "rows_per_s": speed, "memory": {"peak": 10**9}, "seconds": {"load": 1, "train": 2}}
    open(os.environ["RESULT_FILE"], "w").write(json.dumps(result | {"metrics": figures}))
"""
SCORED = """
    import json, os
    result = {"rows": 500, "metrics": {"auc": 0.7, "click_rate": 0.25}}
    open(os.environ["RESULT_FILE"], "w").write(json.dumps(result))
"""
FAILED = "raise SystemExit(1)"
WATCHED = """
    import time
    from dask import delayed
    from distributed import Client, LocalCluster
    from tasks.common.progress import Progress

    if __name__ == "__main__":
        cluster = LocalCluster(2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0")
        with cluster, Client(cluster) as client, Progress(1000, "rows", "Growing trees", every_s=0) as progress:
            print("Dask: dashboard", cluster.dashboard_link, flush=True)
            for _ in range(1000):
                client.compute(delayed(time.sleep)(0.2)).result()
                progress.advance()
"""


@pytest.fixture(scope="module")
def workloads(tmp_path_factory):
    """Trainings on two engines, a batch of predictions, a failure, and a program that goes on with a Dask cluster."""
    house = tmp_path_factory.mktemp("house")
    (house / "tasks" / "ctr").mkdir(parents=True)
    common = Path(__file__).parents[2] / "tasks" / "common"
    (house / "tasks" / "common").symlink_to(common)
    runner = LocalRunner(folder=house / "workloads", working_directory=house, python=sys.executable, grace_s=2)
    for name, program in {"train": TRAINED, "score": SCORED, "convert": FAILED, "watched": WATCHED}.items():
        (house / "tasks" / "ctr" / f"{name}.py").write_text(textwrap.dedent(program))
    for name, program, labels in (
        ("r1-train-0", "train", {"engine": "pandas"}),
        ("r1-train-1", "train", {"engine": "dask"}),
        ("r1-score", "score", {}),
        ("r1-convert", "convert", {}),
        ("r1-watched", "watched", {}),
    ):
        arguments = tuple(labels.values())
        runner.submit(Workload(name=name, program=f"tasks.ctr.{program}", arguments=arguments, labels=labels))
    yield runner
    runner.cancel("r1-watched")


@pytest.fixture(scope="module")
def predictions(tmp_path_factory):
    """A model server that is asked for a prediction again and again."""
    with triton_over(tmp_path_factory.mktemp("triton")) as server:
        write_onnx(server.repository.parent / "published" / "model.onnx", 1)
        served = ServedModel(server.repository, "ctr")
        served.place(server.repository.parent / "published", 1, "", 16, {})
        served.activate(1, 3)
        server.start()
        done = threading.Event()
        asking = threading.Thread(target=ask, args=(server, done))
        asking.start()
        yield server
        done.set()
        asking.join()


def ask(server: TritonServer, done: threading.Event) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=10) as client:
        while not done.wait(0.3):
            client.post("/v2/models/ctr/infer", json={"inputs": ones()}).raise_for_status()


@pytest.fixture(scope="module")
def prometheus(workloads, predictions, tmp_path_factory):
    """The shipped configuration with this test's ports; the address of a Prometheus that has scraped some times."""
    folder = tmp_path_factory.mktemp("prometheus")
    exporter, own = free_ports(2)
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "evaluation_interval": "1s"}
    text = yaml.safe_dump(config).replace("refresh_interval: 5s", "refresh_interval: 1s")
    for usual, port in {"9108": exporter, "8102": predictions.metrics}.items():
        text = text.replace(usual, str(port))
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(DOCKER / "prometheus" / "rules.yml", folder)
    log = (folder / "log").open("wb")
    place = ["--folder", str(workloads.folder), "--port", str(exporter)]
    place += [f"--no-{each}" for each in ("storage", "airflow", "serving", "projects")]
    options = [f"--web.listen-address=127.0.0.1:{own}", f"--storage.tsdb.path={folder / 'data'}"]
    commands = [
        [sys.executable, "-m", "scripts.exporter", *place],
        ["prometheus", f"--config.file={folder / 'prometheus.yml'}", *options],
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = [subprocess.Popen(command, stdout=log, stderr=log, env=environment) for command in commands]
    yield httpx.Client(base_url=f"http://127.0.0.1:{own}", trust_env=False, timeout=10)
    for process in running:
        process.send_signal(signal.SIGTERM)
    for process in running:
        process.wait(20)
    log.close()


def query(prometheus, expression: str) -> list[dict]:
    answer = prometheus.get("/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
    return answer["data"]["result"]


def wait_for(prometheus, expression: str) -> list[dict]:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            if found := query(prometheus, expression):
                return found
        except httpx.TransportError:  # it is just starting
            pass
        assert time.monotonic() < deadline, f"{expression} gave nothing within {WAIT_S} s"
        time.sleep(0.5)


def queries() -> list[tuple[str, str]]:
    return [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


@pytest.mark.parametrize(("title", "expression"), queries())
def test_every_query_of_the_dashboard_answers(prometheus, title, expression):
    if any(word in expression for word in MAY_BE_EMPTY):
        wait_for(prometheus, "vector(1)")
        query(prometheus, expression)
    else:
        assert wait_for(prometheus, expression)


def test_the_ratio_between_engines_is_that_of_their_rows_per_second(prometheus):
    found = wait_for(prometheus, 'ctr:speedup:ratio{engine="dask"}')
    assert float(found[0]["value"][1]) == 4


def test_a_failed_program_raises_an_alert(prometheus):
    found = wait_for(prometheus, 'ALERTS{alertname="WorkloadFailed",alertstate="firing"}')
    assert found[0]["metric"]["workload"] == "r1-convert"


def test_the_workers_of_a_programs_own_cluster_are_scraped(prometheus):
    assert len(wait_for(prometheus, 'up{job="dask",component="worker"} == 1')) in (1, 2)
    assert wait_for(prometheus, 'up{job="dask",component="scheduler"} == 1')


def test_the_configuration_and_the_rules_we_ship_are_valid():
    done = subprocess.run(
        ["promtool", "check", "config", str(DOCKER / "prometheus" / "prometheus.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
