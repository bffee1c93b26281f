"""A whole product to be watched: ONTAP with data, MLflow, Triton, Airflow, programs with Dask, a scheduler of GPUs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import yaml

from ontap_mlops import names, settings
from ontap_mlops.compute import places
from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import Workload
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import caches, dataset_versions, marks, snapshots, volumes, workspaces
from ontap_mlops.ontap.client import Client
from ontap_mlops.projects.jobs import Job
from ontap_mlops.records import DatasetVersion, Deployment, ModelVersion
from scripts.exporter import pages, subjects
from scripts.exporter.looking import Watch
from tasks.models.repository import ServedModel
from tests.conftest import Emulator
from tests.docker.airflow_here import AirflowHere
from tests.inference_server.models import ones, write_onnx
from tests.serving import TritonServer, connection, free_ports, triton_over

DOCKER = Path(__file__).parents[2] / "docker"
GIB = 1 << 30
SVM = "svm1"

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
        with cluster, Client(cluster) as client, Progress(5000, "rows", "Growing trees", every_s=0) as progress:
            print("Dask: dashboard", cluster.dashboard_link, flush=True)
            for _ in range(5000):
                client.compute(delayed(time.sleep)(0.2)).result()
                progress.advance()
"""


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRunner]:
    """Trainings on two engines, a batch of predictions, a failure, and a program that goes on with a Dask cluster."""
    house = tmp_path_factory.mktemp("house")
    (house / "tasks" / "ctr").mkdir(parents=True)
    (house / "tasks" / "common").symlink_to(Path(__file__).parents[2] / "tasks" / "common")
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
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A model server that is asked for a prediction again and again."""
    with triton_over(tmp_path_factory.mktemp("triton")) as server:
        write_onnx(server.repository.parent / "published" / "model.onnx", 1)
        served = ServedModel(server.repository, "ctr")
        served.place(server.repository.parent / "published", 1, "", 16, {})
        served.activate(1, 3)
        server.start()
        done = threading.Event()
        asking = threading.Thread(target=_ask, args=(server, done))
        asking.start()
        yield server
        done.set()
        asking.join()


def _ask(server: TritonServer, done: threading.Event) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        while not done.wait(0.3):
            client.post("/v2/models/ctr/infer", json={"inputs": ones()}).raise_for_status()


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = Emulator(tmp_path_factory.mktemp("storage") / "ontap").start()
    yield running
    running.close()


@pytest.fixture(scope="session")
def variables(storage: Emulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the watched Airflow finds in its environment, and the exporter too: files of config/, connections."""
    config = tmp_path_factory.mktemp("config")
    (config / "datasets.yaml").write_text('datasets:\n  tyres: {source: "s3://lake/tyre/", volume: tyre}\n')
    site = "{ontap_conn_id: ontap_default, svm: svm1, cache_bytes: 400MB}"
    (config / "sites.yaml").write_text(f"sites:\n  west: {site}\n")
    (config / "compute.yaml").write_text("places:\n  local: {kind: local}\n")
    (config / "projects.yaml").write_text("gpus: 3\nprojects:\n  team-a: {quota: 1}\n  team-b: {quota: 2}\n")
    facts = {"conn_type": "ontap", "host": storage.host, "port": storage.port, "login": storage.user}
    extra = {"verify": storage.ca, "svm": SVM}
    return {
        settings.variable("config_dir"): str(config),
        "AIRFLOW_CONN_ONTAP_DEFAULT": json.dumps({**facts, "password": storage.password, "extra": extra}),
    }


@pytest.fixture(scope="session")
def airflow(
    variables: dict[str, str], storage: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowHere]:
    """With a run that made a dataset version, one that failed and one that waits."""
    with _client(storage) as client:
        comment = marks.mark("dataset tyres")
        volumes.ensure(client, svm=SVM, name="tyre", size_bytes=GIB, comment=comment, junction_path="/tyre")
    here = AirflowHere(tmp_path_factory.mktemp("airflow"), variables)
    states = here.run_dags()
    assert states == {"watched_failure": "failed", "watched_ingest": "success"}, here.said[-4000:]
    try:
        here.start()
        with here.client("admin") as api:
            waits = api.post("/api/v2/dags/watched_ingest/dagRuns", json={"logical_date": None})
            waits.raise_for_status()
        yield here
    finally:
        here.stop()


def _client(storage: Emulator) -> Client:
    facts = {"host": storage.host, "port": storage.port, "verify": storage.ca}
    return Client(username=storage.user, password=storage.password, **facts)


@pytest.fixture(scope="session")
def data(airflow: AirflowHere, storage: Emulator) -> DatasetVersion:
    """The version that the run made; with it a cache, workspaces, and clones and snapshots of ours."""
    with _client(storage) as client:
        (version,) = dataset_versions.list_versions(client, svm=SVM, volume="tyre", dataset="tyres")
        used = marks.mark(f"cache of tyres {version.id} at west, used 2026-11-20T07:00:00+00:00")
        # One cluster is both home and site here, where a cache cannot have the name of a clone that it shows.
        shown = {"svm": SVM, "name": names.cache_volume(version.id), "origin_svm": SVM, "origin_volume": "tyre"}
        cache = caches.ensure(client, **shown, comment=used, size_bytes=GIB >> 3)
        reads = {"client_requested_blocks": 200, "cache_miss_blocks": 30}
        storage.control("PUT", f"/caches/{cache.uuid}/reads", reads)
        run = {"svm": SVM, "parent_volume": "tyre", "parent_snapshot": version.snapshot, "with_bucket": False}
        key = "r20261120t070000z0123abcd"
        workspaces.ensure(client, run_key=key, airflow_run="watched_ingest/manual", **run)
        workspaces.keep(client, svm=SVM, run_key=key)
        home = volumes.get(client, svm=SVM, name="tyre")
        snapshots.ensure(client, volume_uuid=home.uuid, name="by_hand", comment=marks.mark("by hand"))
    return version


@pytest.fixture(scope="module")
def registry(mlflow_port: int, data: DatasetVersion, predictions: TritonServer) -> Iterator[pytest.MonkeyPatch]:
    """Version 1 of the model serves, and another is being loaded; the environment leads to all of it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", connection(mlflow_port))
        environment.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(predictions.http))
        mlflow = MlflowHook()
        first, second = (mlflow.register(_version(mlflow, data, number)) for number in (1, 2))
        url = f"{predictions.url}/v2/models/ctr/infer"
        deployed = {"endpoint": url, "previous_version": None, "proof": {}, "deployed_at": data.created_at}
        mlflow.mark_deployed(Deployment(model_version=first, **deployed))
        mlflow.note_serving(first, "serving", kind="triton", options={})
        mlflow.note_serving(second, "loading", kind="triton", options={})
        yield environment


def _version(mlflow: MlflowHook, data: DatasetVersion, number: int) -> ModelVersion:
    run = mlflow.service.part("POST", "runs/create", "begin a run", "run", json={"experiment_id": "0", "start_time": 1})
    key = f"r20261120t06300{number}z0123abcd"
    return ModelVersion(
        model="ctr",
        version=0,
        run_key=key,
        mlflow_run_id=run["info"]["run_id"],
        dataset_version=data,
        svm=SVM,
        volume="ctr_models",
        folder=key,
        digest="sha256:02",
        snapshot=f"mlops_{key}",
        snapshot_uuid="u3",
        created_at=data.created_at,
        code_commit="abc1234",
    )


@pytest.fixture(scope="module")
def exporter(
    workloads: LocalRunner, airflow: AirflowHere, registry: pytest.MonkeyPatch, variables: dict[str, str]
) -> Iterator[int]:
    """The real exporter, as its command makes it, that has looked at everything; its port."""
    for name, value in variables.items():
        registry.setenv(name, value)
    registry.setenv("AIRFLOW_CONN_AIRFLOW_API", airflow.connection())
    jobs = [
        Job(id="1", name="holder", project="team-a", gpus=0, held=1.0, running=True),
        Job(id="2", name="half", project="team-a", gpus=0.5, holder="1", running=True),
        Job(id="3", name="late", project="team-b", gpus=2, running=False, since=1.0),
    ]
    # No scheduler of GPUs is started for this: what one answers is told.
    far = SimpleNamespace(projects=lambda: SimpleNamespace(jobs=lambda: jobs))
    known = places.places
    registry.setattr(places, "places", lambda: {**known(), "far": far})
    watch = Watch(subjects.chosen())
    watch.look()
    with pages.server(workloads.folder, "127.0.0.1", 0, watch.start()) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving.server_port
        watch.stop()
        serving.shutdown()


@pytest.fixture(scope="module")
def prometheus(
    exporter: int, predictions: TritonServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """The shipped configuration with this test's ports, which scrapes by now."""
    folder = tmp_path_factory.mktemp("prometheus")
    (own,) = free_ports(1)
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "evaluation_interval": "1s"}
    text = yaml.safe_dump(config).replace("refresh_interval: 5s", "refresh_interval: 1s")
    for usual, port in {"9108": exporter, "8102": predictions.metrics}.items():
        text = text.replace(usual, str(port))
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(DOCKER / "prometheus" / "rules.yml", folder)
    options = [f"--web.listen-address=127.0.0.1:{own}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", *options]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield httpx.Client(base_url=f"http://127.0.0.1:{own}", trust_env=False, timeout=60)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
