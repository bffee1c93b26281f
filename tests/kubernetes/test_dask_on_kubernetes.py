"""Programs whose Dask workers are pods: the workers come when they are asked for, and are gone in every end."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import Mount, PlaceRefused, Resources, State, Workload
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests import dask
from ontap_mlops.kubernetes_manifests.labels import WORKLOAD, labels
from tasks.ctr import generate, synthetic
from tests.kubernetes.conftest import connect
from tests.kubernetes.machine import is_a_node
from tests.kubernetes.programs import result, workload
from tests.kubernetes.test_one_pod import ended, log_of, nothing_left, place
from tests.kubernetes.waiting import wait_until

pytestmark = pytest.mark.timeout(1200)
NEEDS = Resources(cpus=0.5, memory_gib=1)
WORKERS = dask.Workers(number=2, cpus=0.5, memory_gib=0.5, wait_s=180)
SPREAD = """
import os, time
from tasks.ctr.engines.cluster import connected
with connected(os.environ["DASK_CLUSTER"], "", "127.0.0.1:0", None) as client:
    {inside}
{after}
"""
SUM = "total = sum(client.gather(client.map(lambda number: number + 1, range(10))))"
STAY = "print('spread', flush=True); time.sleep(3600)"


@pytest.fixture
def at(cluster: Cluster) -> Callable[..., KubernetesRunner]:
    def made(workers: dict[str, object] | None = None, **values: object) -> KubernetesRunner:
        few = dataclasses.replace(WORKERS, **(workers or {}))
        return KubernetesRunner(place(**values), lambda: cluster, few)

    return made


def program(inside: str, after: str = "", **more: object) -> Workload:
    return workload(SPREAD.format(inside=inside, after=after), resources=NEEDS, **more)


def workers_of(cluster: Cluster, name: str) -> list[dict]:
    pods = cluster.select("Pod", labels(workload=name))
    return [pod for pod in pods if dask.PROGRAM in pod["metadata"]["labels"]]


def spread(runner: KubernetesRunner, name: str) -> None:
    wait_until(lambda: runner.status(name) and "spread" in log_of(runner, name), 400)


def test_workers_come_when_a_program_asks_and_end_with_it(at, cluster):
    runner, one = at(), program(SUM, result("{'total': total}"))
    runner.submit(one)
    status = ended(runner, one.name, 500)
    assert status.state is State.SUCCEEDED, (status, log_of(runner, one.name))
    assert runner.result(one.name) == {"total": 55}
    assert "Dask: 2 workers, 2 threads" in log_of(runner, one.name)
    wait_until(lambda: {pod["status"]["phase"] for pod in workers_of(cluster, one.name)} == {"Succeeded"})
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_a_program_that_wants_no_workers_gets_none(at, cluster):
    runner, one = at(), workload(result("{'asked': False}"))
    runner.submit(one)
    assert ended(runner, one.name).state is State.SUCCEEDED
    assert len(cluster.select("Job", labels(workload=one.name))) == 1
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_a_program_that_fails_takes_its_workers_along(at, cluster):
    runner, one = at(), program("time.sleep(1); os.write(2, b'the forest is empty\\n'); os._exit(2)")
    runner.submit(one)
    status = ended(runner, one.name, 500)
    assert (status.state, status.exit_code, status.message) == (State.FAILED, 2, "the forest is empty")
    assert workers_of(cluster, one.name)
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_a_cancelled_one_is_gone_with_its_workers_whoever_cancels_it(at, cluster):
    one = program(STAY)
    at().submit(one)
    spread(at(), one.name)
    assert len(workers_of(cluster, one.name)) == 2
    at().cancel(one.name)
    assert at().status(one.name).state is State.MISSING
    assert not [pod for pod in workers_of(cluster, one.name) if pod["status"]["phase"] == "Running"]
    nothing_left(cluster, one.name)


def test_a_worker_that_is_taken_away_is_replaced_and_a_program_that_is_begins_with_new_ones(at, cluster):
    runner, one = at(), program(STAY)
    runner.submit(one)
    spread(runner, one.name)
    first = {pod["metadata"]["uid"] for pod in workers_of(cluster, one.name)}
    cluster.delete("Pod", workers_of(cluster, one.name)[0]["metadata"]["name"], grace_s=0)
    wait_until(lambda: {pod["metadata"]["uid"] for pod in workers_of(cluster, one.name)} - first)
    assert runner.status(one.name).state is State.RUNNING
    (own,) = [pod for pod in cluster.select("Pod", labels(workload=one.name)) if dask.PROGRAM not in labels_of(pod)]
    (before,) = cluster.select("Job", {WORKLOAD: one.name, dask.PROGRAM: owner_of(own)})
    cluster.delete("Pod", own["metadata"]["name"], grace_s=0)

    def others() -> bool:
        runner.status(one.name)
        jobs = cluster.select("Job", {WORKLOAD: one.name, dask.PROGRAM: owner_of(own)})
        return bool(jobs) and before["metadata"]["uid"] not in [job["metadata"]["uid"] for job in jobs]

    wait_until(others, 400)
    runner.cancel(one.name)
    nothing_left(cluster, one.name)


def labels_of(pod: dict) -> dict[str, str]:
    return pod["metadata"]["labels"]


def owner_of(pod: dict) -> str:
    return pod["metadata"]["ownerReferences"][0]["uid"]


def test_workers_that_never_come_are_told_with_the_limit_and_the_last_event(at, cluster):
    runner, one = at({"cpus": 4000, "wait_s": 10}), program(SUM)
    runner.submit(one)
    waiting = wait_until(lambda: (s := runner.status(one.name)).message.startswith("none of its 2 Dask") and s, 400)
    assert waiting.state is State.PENDING
    status = ended(runner, one.name)
    assert (status.state, status.no_room) == (State.FAILED, True)
    assert re.match(
        r"none of its 2 Dask workers has started within 10 s: 0/\d+ nodes.*Insufficient cpu", status.message
    )
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_what_could_never_come_is_refused_before_anything_is_made(at, cluster):
    one = program(SUM)
    with pytest.raises(PlaceRefused, match='namespaces "no-such-namespace" not found'):
        at(namespace="no-such-namespace").submit(one)
    where, admin = f"{cluster.namespace}-dask", connect()
    admin.create({"kind": "Namespace", "metadata": {"name": where}})
    try:
        spec = {"hard": {"limits.memory": "1100Mi"}}
        admin.create({"kind": "ResourceQuota", "metadata": {"name": "small", "namespace": where}, "spec": spec})
        wait_until(lambda: (admin.find("ResourceQuota", "small", where) or {}).get("status", {}).get("hard"))
        wait_until(lambda: admin.find("ServiceAccount", "default", where))
        with pytest.raises(PlaceRefused, match="take a Dask worker of workload .*exceeded quota: small.*Ask for less"):
            at({"memory_gib": 2}, namespace=where).submit(one)
        nothing_left(cluster.within(where), one.name)
    finally:
        admin.delete("Namespace", where)
    nothing_left(cluster, one.name)


@pytest.fixture
def clicks() -> Iterator[Path]:
    if not is_a_node(connect()):
        pytest.skip("no node of the cluster is this machine")
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-clicks-") as name:
        world = synthetic.world(5, 0, generate.CLICK_RATE, generate.DRIFT)
        (Path(name) / "clicks").mkdir()
        (Path(name) / "clicks" / "day_0").write_bytes(synthetic.block(world, 0, 3000)[0])
        yield Path(name)


def test_the_click_through_training_spreads_over_workers_in_pods(at, cluster, clicks):
    """As the DAG runs it: the engine takes the cluster that the place names."""
    runner = at(user=0, namespaces={"default": {"host_path": str(clicks)}})
    flags = ("--engine=dask", "--day=day_0", "--trees=2", "--depth=4", "--test-rows=500")
    one = Workload(
        name=workload("pass").name,
        program="tasks.ctr.train",
        arguments=("--data={clicks}", "--output={clicks}/out", *flags),
        mounts={"clicks": Mount(svm="s", junction_path="/clicks")},
        resources=NEEDS,
    )
    runner.submit(one)
    status = ended(runner, one.name, 600)
    log = log_of(runner, one.name)
    assert status.state is State.SUCCEEDED, (status, log)
    assert re.search(r"Dask: 2 workers, 2 threads, 0\.9 GiB", log)
    assert runner.result(one.name) and (clicks / "clicks" / "out" / "report.json").is_file()
    runner.remove(one.name)
    nothing_left(cluster, one.name)
