"""The tasks of the DAG `jupyterlab` on a cluster and an emulated ONTAP; no scheduler.

In JupyterLab's place a small program answers, which asks for the token too (see ``test_servers_on_the_cluster``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from ontap_mlops.ontap import dataset_versions, volumes
from ontap_mlops.ontap.client import Client
from tests.conftest import REPOSITORY
from tests.kubernetes.conftest import IMAGE
from tests.kubernetes.storage.conftest import Storage
from tests.kubernetes.storage.test_servers_on_the_cluster import ANSWERS, token_of
from tests.kubernetes.waiting import wait_until
from tests.ontap_mlops.conftest import GIB, Ontap

VOLUME = "lab_tyres"
WHOSE = {"dataset": VOLUME, "name": "first_look", "person": "Ada"}
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def version(storage: Storage) -> str:
    """A dataset with one version, whose file has changed since."""
    emulator = storage.emulator
    login = {"username": emulator.user, "password": emulator.password, "verify": emulator.ca}
    with Client(host=emulator.host, port=emulator.port, **login) as client:
        where = {"junction_path": f"/{VOLUME}", "unix_permissions": "777"}
        volumes.ensure(client, svm=emulator.svm, name=VOLUME, size_bytes=GIB, comment="tyres", **where)
        folder = emulator.namespace / VOLUME
        (folder / "tyre").write_text("round\n")
        facts = {
            "dataset": VOLUME,
            "source": "s3://lake",
            "digest": "sha256:" + "a" * 64,
            "files": 1,
            "size": 6,
            "run_key": "r1",
        }
        made = dataset_versions.freeze(client, svm=emulator.svm, volume=VOLUME, **facts)
        (folder / "tyre").write_text("flat\n")
    return made.version.id


@pytest.fixture
def run(storage: Storage, version: str, kubernetes_connection: None, tmp_path: Path, monkeypatch) -> Run:
    """Run the tasks of one choice in the DAG's form, one after the other, and return what each has returned."""
    from airflow.dag_processing.dagbag import DagBag

    reach = {"default": {"host_path": str(storage.emulator.namespace)}}
    place = {"kind": "kubernetes", "image": IMAGE, "pull_policy": "IfNotPresent", "grace_s": 1, "namespaces": reach}
    (tmp_path / "compute.yaml").write_text(yaml.safe_dump({"places": {"cluster": place}}))
    (tmp_path / "datasets.yaml").write_text(
        yaml.safe_dump({"datasets": {VOLUME: {"source": "s3://lake/", "volume": VOLUME}}})
    )
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    with storage.emulator.client() as http:
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", Ontap(storage.emulator, http).connection())
    bag = DagBag(str(REPOSITORY / "dags" / "jupyterlab.py"))
    assert bag.import_errors == {}
    return lambda what, **params: played(bag.dags["jupyterlab"], {"what": what, **WHOSE, "image": IMAGE, **params})


def played(dag: Any, params: dict[str, Any]) -> dict[str, Any]:
    values, results = {name: param.value for name, param in dag.params.items()} | params, {}
    first = dag.get_task(dag.get_task("what").python_callable(values))
    wanted = {first.task_id, *first.get_flat_relative_ids(upstream=False)}
    for task in dag.topological_sort():
        if task.task_id not in wanted:
            continue
        if task.is_mapped:
            given = dict(task.partial_kwargs) | {"task_id": task.task_id}
            claims = results["collect"]
            results[task.task_id] = [
                executed(task.operator_class(**(given | {"claim": one})), dag, values, results) for one in claims
            ]
        else:
            results[task.task_id] = executed(task, dag, values, results)
    return results


def executed(task: Any, dag: Any, params: dict[str, Any], results: dict[str, Any]) -> Any:
    tried = copy.copy(task)
    tried.first_wait_s, tried.poll_interval_s = 3600.0, 0.3  # no triggerer is there
    if task.task_id == "lab":
        tried.command, tried.folder = ["python3", "-c", ANSWERS, "8888", "/data"], "/data"
    ti = SimpleNamespace(
        task_id=task.task_id, xcom_pull=lambda task_ids, key="return_value", **_: results.get(task_ids)
    )
    run = SimpleNamespace(dag_id=dag.dag_id, run_id="manual__1", run_after=datetime.now(UTC))
    context: Any = {"dag": dag, "ti": ti, "dag_run": run, "params": params}
    tried.render_template_fields(context)
    return tried.execute(context)


def left(storage: Storage) -> list[str]:
    kinds = ("Deployment", "Service", "Secret", "PersistentVolumeClaim")
    found = [one["metadata"]["name"] for kind in kinds for one in storage.cluster.select(kind)]
    volumes = storage.cluster.select("PersistentVolume")  # the whole cluster's
    found += [one["metadata"]["name"] for one in volumes if storage.namespace in one["metadata"]["name"]]
    return [name for name in found if "for-ada--first-look" in name]


def copies(storage: Storage) -> list[str]:
    with storage.emulator.client() as client:
        found = client.get("/api/storage/volumes", params={"name": "mlops_for_ada__*"}).json()["records"]
    return [one["name"] for one in found]


def test_a_lab_shows_a_copy_of_the_version_and_is_ended_with_all_of_it(storage: Storage, run: Run, version: str):
    made = run("make")
    assert made["copy"]["version"] == version
    assert made["lab"]["name"] == "for-ada--first-look"
    shown = {"Authorization": f"token {token_of(storage, made['lab'])}"}
    assert httpx.get(f"{made['lab']['pod_url']}/tyre").status_code == 403
    assert httpx.get(f"{made['lab']['pod_url']}/tyre", headers=shown).text == "round\n", "as it was in the version"
    again = run("make", days=9)
    assert again["lab"]["pod_url"] == made["lab"]["pod_url"], "a later end starts nothing anew"
    assert again["lab"]["until"] > made["lab"]["until"]
    run("end")
    assert left(storage) == [] and copies(storage) == []
    assert (storage.emulator.namespace / VOLUME / "tyre").read_text() == "flat\n"
    run("end")  # of one that is not there


def test_a_lab_whose_time_is_over_is_ended_and_others_stay(storage: Storage, run: Run):
    run("make")
    kept = run("collect")
    assert "for-ada--first-look" not in kept["collect"] and left(storage)
    run("make", days=0.00001)
    wait_until(lambda: "for-ada--first-look" in run("collect")["collect"])
    assert left(storage) == []
    run("end")
    assert copies(storage) == []
