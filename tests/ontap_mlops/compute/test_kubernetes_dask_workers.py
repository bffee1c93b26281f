"""Dask workers in pods: when they are made, and what is said when none comes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.kinds.kubernetes import dask_workers
from ontap_mlops.compute.kinds.kubernetes.place import KubernetesPlace
from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.kinds.kubernetes.submitting import Making
from ontap_mlops.compute.workload import State, Status, Workload
from ontap_mlops.config_file import ConfigError
from ontap_mlops.kubernetes.errors import NotAllowed, OverQuota
from ontap_mlops.kubernetes_manifests import dask, labels

WORKERS = dask.Workers(number=2, cpus=1, memory_gib=0.5, wait_s=100)
PLACE = {"kind": "kubernetes", "image": "tasks:1", "namespace": "ml"}
RUNNING = Status(state=State.RUNNING)


class FakeCluster:
    """What is made of one workload, and what its events say."""

    host, namespace = "cluster", "ml"

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: list[dict[str, Any]] = []
        self.warning = ""
        self.refuses: Exception | None = None

    def version(self) -> tuple[int, int]:
        return 1, 20

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        return self.jobs.get(name)

    def select(self, kind: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
        found = self.pods if kind == "Pod" else list(self.jobs.values())
        return [one for one in found if wanted.items() <= one["metadata"]["labels"].items()]

    def ensure(self, manifest: dict[str, Any]) -> dict[str, Any]:
        if self.refuses:
            raise self.refuses
        name = manifest["metadata"]["name"]
        more = {"uid": f"uid-{name}", "creationTimestamp": at(time.time())}
        return self.jobs.setdefault(name, {**manifest, "metadata": {**manifest["metadata"], **more}})

    def delete(self, kind: str, name: str, **_: Any) -> None:
        del self.jobs[name]

    def last_warning(self, uid: str) -> str:
        return self.warning


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def program(cluster: FakeCluster) -> dict[str, Any]:
    place = KubernetesPlace.of(PLACE, "the place")
    workload = Workload(name="r1-train", program="tasks.ctr.train")
    return cluster.ensure(Making(place, cluster, workload, "abc", WORKERS).job())  # type: ignore[arg-type]


def pod(uid: str = "11111-2", *, ready: bool = True) -> dict[str, Any]:
    container = {"name": "program", "ready": ready, "state": {"running": {}}}
    return {"metadata": {"uid": uid}, "status": {"podIP": "10.0.0.9", "containerStatuses": [container]}}


def worker(cluster: FakeCluster, **status: Any) -> None:
    (job,) = [one for one in cluster.jobs.values() if dask.PROGRAM in one["metadata"]["labels"]]
    template = job["spec"]["template"]
    metadata = {**template["metadata"], "name": f"w{len(cluster.pods)}", "uid": f"w{len(cluster.pods)}"}
    metadata |= {"ownerReferences": [{"uid": job["metadata"]["uid"]}], "creationTimestamp": at(time.time())}
    cluster.pods.append({"metadata": metadata, "spec": template["spec"], "status": status})


def made_since(cluster: FakeCluster, seconds: float) -> None:
    for one in cluster.jobs.values():
        one["metadata"]["creationTimestamp"] = at(time.time() - seconds)


def look(cluster: FakeCluster, program: dict[str, Any], its_pod: dict[str, Any] | None = None) -> Status:
    return dask_workers.status(cluster, program, its_pod or pod(), RUNNING)  # type: ignore[arg-type]


def test_a_program_that_does_not_wait_for_workers_gets_none(cluster, program):
    assert look(cluster, program, pod(ready=False)) == RUNNING
    assert list(cluster.jobs) == ["r1-train"]


def test_one_that_waits_gets_them_once_and_runs_when_the_first_has_begun(cluster, program):
    assert look(cluster, program).state is State.PENDING
    assert list(cluster.jobs) == ["r1-train", "r1-train-abc-11111"]
    made = cluster.jobs["r1-train-abc-11111"]
    assert made["spec"]["parallelism"] == 2 and made["metadata"]["ownerReferences"][0]["uid"] == "uid-r1-train"
    worker(cluster, phase="Pending")
    assert look(cluster, program).message == "none of its 2 Dask workers has started yet: no node was chosen yet"
    cluster.pods[0]["status"] = {"containerStatuses": [{"name": "program", "state": {"running": {}}}]}
    assert look(cluster, program, pod(ready=False)) == RUNNING
    assert len(cluster.jobs) == 2


def test_what_keeps_them_from_starting_is_told_and_after_the_limit_there_was_no_room(cluster, program):
    look(cluster, program)
    placed = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}
    worker(cluster, phase="Pending", conditions=[placed])
    status = look(cluster, program)
    assert status.state is State.PENDING and status.pending_since and "3 Insufficient cpu" in status.message
    made_since(cluster, 101)
    status = look(cluster, program)
    assert (status.state, status.no_room) == (State.FAILED, True)
    assert status.message == (
        "none of its 2 Dask workers has started within 100 s: 0/3 nodes are available: 3 Insufficient cpu"
    )


def test_without_pods_the_last_event_of_their_job_is_told(cluster, program):
    look(cluster, program)
    made_since(cluster, 50)
    cluster.warning = "FailedCreate: admission webhook says no"
    status = look(cluster, program)
    assert status.message.endswith("has started yet: FailedCreate: admission webhook says no") and status.pending_since


def test_a_quota_too_small_for_one_ends_it_at_once(cluster, program):
    look(cluster, program)
    cluster.warning = (
        'FailedCreate: pods "w" is forbidden: exceeded quota: q, requested: limits.memory=512Mi, '
        "used: limits.memory=0, limited: limits.memory=100Mi"
    )
    status = look(cluster, program)
    assert status.state is State.FAILED and status.message.endswith("Ask for less, or have the quota raised")


@pytest.mark.parametrize(("error", "no_room"), [(NotAllowed("not allowed"), False), (OverQuota("full"), True)])
def test_what_the_cluster_refuses_is_said(cluster, program, error, no_room):
    cluster.refuses = error
    status = look(cluster, program)
    assert (status.state, status.message, status.no_room) == (State.FAILED, f"no Dask workers: {error}", no_room)


def test_workers_that_fail_again_and_again_end_the_program_with_the_reason(cluster, program):
    look(cluster, program)
    end = {"exitCode": 137, "reason": "OOMKilled"}
    worker(cluster, phase="Failed", containerStatuses=[{"name": "program", "state": {"terminated": end}}])
    cluster.jobs["r1-train-abc-11111"]["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
    status = look(cluster, program)
    assert status.state is State.FAILED
    assert status.message == (
        "its Dask workers have failed: killed for using more memory than its limit of 512Mi; give the program more "
        "memory_gib"
    )


def test_a_pod_that_replaces_the_programs_gets_workers_of_its_own(cluster, program):
    look(cluster, program)
    look(cluster, program, pod("22222-3"))
    assert list(cluster.jobs) == ["r1-train", "r1-train-abc-22222"]


def test_what_stops_or_has_ended_gets_none(cluster, program):
    for status in (Status(state=State.RUNNING, stopping=True), Status(state=State.SUCCEEDED)):
        assert dask_workers.status(cluster, program, pod(), status) is status
    assert list(cluster.jobs) == ["r1-train"]


def test_workers_share_the_programs_secret_which_holds_their_keys(cluster, program):
    place = KubernetesPlace.of(PLACE, "the place")
    workload = Workload(name="r1-train", program="tasks.ctr.train", secrets={"TOKEN": "t"})
    making = Making(place, cluster, workload, "abc", WORKERS)  # type: ignore[arg-type]
    (secret,) = making.parts(program)
    assert {"TOKEN", "DASK_DISTRIBUTED__COMM__TLS__CA_FILE"} <= set(secret["stringData"])
    worker_pod = dask.template(making.job(), WORKERS, "10.0.0.9")
    assert worker_pod["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "r1-train-abc"}}]
    several = Making(place, cluster, Workload(name="r1-train", program="p", processes=2), "abc", WORKERS)  # type: ignore[arg-type]
    assert several.workers is None and dask.WORKERS not in several.job()["metadata"]["annotations"]
    assert labels.is_ours(worker_pod)


DASK = {"kind": "dask", "workers": 4, "memory_gib": 8, "slots": 2, "cluster": {**PLACE, "cpus": 2, "wait_s": 60}}


def test_a_dask_place_on_kubernetes_is_that_place_with_workers():
    place = places.place(DASK)
    runner = place.runner()
    assert isinstance(runner, KubernetesRunner) and not place.keeps_ended and runner.host is None
    assert runner.workers == dask.Workers(number=4, cpus=2, memory_gib=2, wait_s=60)
    assert (runner.place.namespace, runner.place.image, runner.place.slots) == ("ml", "tasks:1", 2)
    assert places.place({"kind": "dask"}).keeps_ended


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"python": "/venv/bin/python", "namespace_roots": {}}, "namespace_roots and python: of this machine, while"),
        ({"scheduler": "tcp://a:1"}, "leave one of them out"),
        ({"cluster": {"kind": "kubernetes", "workers": 3}}, "unknown key .*workers"),
        ({"cluster": {"kind": "kubernets"}}, "'kubernets' is not one of kubernetes, slurm"),
        ({"cluster": {"kind": "kubernetes", "namespaces": {"s": {}}}}, "give one of nfs"),
    ],
)
def test_a_mistake_in_such_a_place_is_said_in_a_sentence(values, message):
    with pytest.raises(ConfigError, match=message):
        places.place({**DASK, **values})
