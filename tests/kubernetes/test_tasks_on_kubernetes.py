"""Tasks of a DAG whose programs run in real pods: every way in which they end, and that nothing stays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.compute import connections, watching
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.dask import PROGRAM
from ontap_mlops.kubernetes_manifests.labels import MANAGED_BY, OURS
from ontap_mlops.operators.workload import WorkloadFailed, WorkloadOperator
from tests.kubernetes.conftest import IMAGE
from tests.kubernetes.programs import ENDLESS, ends, result
from tests.kubernetes.waiting import nothing_is_left, wait_until
from tests.ontap_mlops.operators.conftest import context  # noqa: F401 - the fixture
from tests.ontap_mlops.operators.workloads import deferred, operator, resumed


def described(namespace: str) -> dict[str, Any]:
    cluster = {"kind": "kubernetes", "namespace": namespace, "image": IMAGE, "pull_policy": "IfNotPresent"}
    cluster |= {"grace_s": 2, "resources": {"cpus": 0.2, "memory_gib": 0.5}}
    dask = {key: value for key, value in cluster.items() if key != "resources"} | {"cpus": 0.4}
    workers = {"kind": "dask", "workers": 2, "memory_gib": 1, "resources": {"cpus": 0.5, "memory_gib": 1}}
    return {
        "cluster": cluster,
        "dask": {**workers, "cluster": dask},
        "dask-nowhere": {**workers, "cluster": {**dask, "cpus": 4000, "wait_s": 5}},
        "gpu-cluster": {**cluster, "pending_limit_s": 3, "resources": {"gpus": 999}},
        "away": {**cluster, "connection": "away"},
        "nowhere": {**cluster, "namespace": "no-such-namespace"},
        "local": {"kind": "local"},
    }


AWAY = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "away", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "away", "user": {"token": "t"}}],
    "contexts": [{"name": "away", "context": {"cluster": "away", "user": "away"}}],
    "current-context": "away",
}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespace: str) -> None:
    (tmp_path / "compute.yaml").write_text(yaml.safe_dump({"places": described(namespace)}))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    for conn_id, extra in (
        ("KUBERNETES_DEFAULT", {"kube_config_path": os.environ["KUBECONFIG"]}),
        ("AWAY", {"kube_config": AWAY}),
    ):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    connections.forget_kubernetes("kubernetes_default")


def task(code: str, compute: Any = "cluster", **fields: Any) -> WorkloadOperator:
    arguments = ["-n", "1", "-r", "1", code]
    return operator(program="timeit", arguments=arguments, compute=compute, poll_interval_s=0.5, **fields)


def running(cluster: Cluster) -> str:
    """The name of the one Job whose pod runs."""

    def look() -> str:
        pods = cluster.select("Pod", {MANAGED_BY: OURS})
        return next((p["metadata"]["labels"]["job-name"] for p in pods if p["status"]["phase"] == "Running"), "")

    return wait_until(look)


def test_the_result_is_kept_by_the_task_when_the_cluster_has_forgotten_all(context, cluster):  # noqa: F811
    assert task(result("{'a': 1}")).execute(context) == {"a": 1}
    nothing_is_left(cluster)
    again = task(result("{'a': 2}"))
    assert again.execute(context) == {"a": 1}, "the worker died before it could tell: nothing runs again"
    assert not cluster.select("Pod", {MANAGED_BY: OURS})


def test_the_triggerer_waits_and_the_task_returns_with_the_result(context, cluster):  # noqa: F811
    made = task(result("{'a': 3}"), deferrable=True)
    left = deferred(made, context)
    assert resumed(task(result("{'a': 3}"), deferrable=True), context, left) == {"a": 3}
    nothing_is_left(cluster)


def test_a_retry_joins_what_the_dead_worker_began(context, cluster):  # noqa: F811
    left = deferred(task(ENDLESS, deferrable=True), context)
    job = running(cluster)
    again = deferred(task(ENDLESS, deferrable=True), context)
    assert again.kwargs["job"]["workload"] == left.kwargs["job"]["workload"] == job
    assert len(cluster.select("Pod", {MANAGED_BY: OURS})) == 1
    killed(task(ENDLESS), context)
    nothing_is_left(cluster)


def killed(made: WorkloadOperator, context: Any) -> None:  # noqa: F811
    """As when a user marks the task as failed while its worker waits."""
    made._submission = made._submissions(context, context["task_state_store"]["workload"])
    made.on_kill()


def test_bad_input_fails_at_once_and_another_failure_may_be_tried_again(context, cluster):  # noqa: F811
    with pytest.raises(AirflowFailException, match="cannot work with its input: give a folder"):
        task(ends(2, "give a folder")).execute(context)
    nothing_is_left(cluster)
    with pytest.raises(WorkloadFailed, match="exit code 3: no luck"):
        task(ends(3, "no luck")).execute(context)
    nothing_is_left(cluster)
    assert task(result("{'luck': 1}")).execute(context) == {"luck": 1}
    nothing_is_left(cluster)


def test_a_cleared_task_begins_anew_and_its_former_pod_is_gone(context, cluster):  # noqa: F811
    deferred(task(ENDLESS, deferrable=True), context)
    former = running(cluster)
    context["ti"].max_tries += 2
    assert task(result("{'anew': 1}")).execute(context) == {"anew": 1}
    wait_until(lambda: cluster.find("Job", former) is None)
    nothing_is_left(cluster)


def test_where_no_gpu_is_free_the_next_place_takes_it_and_the_reason_is_shown(context, cluster, caplog):  # noqa: F811
    assert task(result("{'a': 4}"), ["gpu-cluster", "local"]).execute(context) == {"a": 4}
    assert "gpu-cluster: no room within 3 s (0/" in caplog.text
    assert "Insufficient nvidia.com/gpu" in caplog.text
    assert context["task_state_store"]["workload"]["place"] == "local"
    nothing_is_left(cluster)


SPREAD = """
import os, time
if "DASK_CLUSTER" in os.environ:
    from tasks.ctr.engines.cluster import connected
    with connected(os.environ["DASK_CLUSTER"], "", "127.0.0.1:0", None) as client:
        total = sum(client.gather(client.map(lambda number: number + 1, range(10))))
        time.sleep({stay})
else:
    total = 0
"""


def spread(compute: Any = "dask", stay: float = 0, **fields: Any) -> WorkloadOperator:
    return task(SPREAD.format(stay=stay) + result("{'total': total}"), compute, **fields)


def workers_of(cluster: Cluster) -> list[Any]:
    return [job for job in cluster.select("Job", {MANAGED_BY: OURS}) if PROGRAM in job["metadata"]["labels"]]


def test_a_task_gets_the_dask_workers_that_its_place_names(context, cluster):  # noqa: F811
    left = deferred(spread(deferrable=True), context)
    assert resumed(spread(deferrable=True), context, left) == {"total": 55}
    nothing_is_left(cluster)


def test_dask_workers_of_a_task_that_is_cleared_or_killed_are_gone(context, cluster):  # noqa: F811
    def with_workers(made: WorkloadOperator) -> Any:
        job = deferred(made, context).kwargs["job"]
        wait_until(lambda: watching.look("dask", job["workload"]) and workers_of(cluster))
        return workers_of(cluster)[0]["metadata"]["uid"]

    former = with_workers(spread(stay=3600, deferrable=True))
    context["ti"].max_tries += 2
    later = with_workers(spread(stay=3600, deferrable=True))
    assert former != later and [job["metadata"]["uid"] for job in workers_of(cluster)] == [later]
    killed(spread(), context)
    nothing_is_left(cluster)


def test_where_no_dask_worker_finds_room_the_next_place_takes_it(context, cluster, caplog):  # noqa: F811
    assert spread(["dask-nowhere", "local"]).execute(context) == {"total": 0}
    assert "dask-nowhere: none of its 2 Dask workers has started within 5 s: 0/" in caplog.text
    assert "Insufficient cpu" in caplog.text
    nothing_is_left(cluster)


def test_a_cluster_that_does_not_answer_is_passed_over(context, caplog):  # noqa: F811
    assert task(result("{'a': 5}"), ["away", "local"]).execute(context) == {"a": 5}
    assert "127.0.0.1:9" in caplog.text and "no answer came" in caplog.text


def test_a_namespace_that_is_not_there_fails_the_task_at_once(context):  # noqa: F811
    with pytest.raises(AirflowFailException, match='namespaces "no-such-namespace" not found'):
        task("pass", "nowhere").execute(context)
