"""Looks at many workloads: one list answers for all that go on as they were, and nothing ends by it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from ontap_mlops.compute.kinds.kubernetes.fields import KubernetesFields
from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.kinds.kubernetes.sharing import ENOUGH, SharedLooks
from ontap_mlops.compute.workload import PlaceUnavailable, State, Status
from ontap_mlops.kubernetes.errors import NotAllowed, Unreachable
from ontap_mlops.kubernetes_manifests import jobs, labels

NAMES = [f"w{number}" for number in range(ENOUGH + 1)]


class FakeCluster:
    """Jobs and pods by name, and what was asked."""

    host, namespace = "cluster", "ml"

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict]] = {"Job": {}, "Pod": {}}
        self.asked: list[str] = []
        self.error: Exception | None = None

    def find(self, kind: str, name: str) -> dict | None:
        self.asked.append(f"{kind} {name}")
        return self.objects[kind].get(name)

    def select(self, kind: str, wanted: dict[str, str], *, remembered: bool = False) -> list[dict]:
        self.asked.append(f"all {kind}s" if remembered else f"{kind}s of one")
        if self.error is not None and remembered:
            raise self.error
        return [one for one in self.objects[kind].values() if wanted.items() <= one["metadata"]["labels"].items()]

    def events(self, uid: str) -> list[dict]:
        self.asked.append("events")
        return []

    def last_warning(self, uid: str) -> str:
        self.asked.append("events")
        return ""

    def add(self, kind: str, name: str, uid: str, **more: object) -> None:
        metadata = {"name": name, "uid": uid, "labels": labels.labels(workload=name), "creationTimestamp": now()}
        if kind == "Job":
            metadata["annotations"] = {jobs.RELEASED: str(time.time())}
        else:
            metadata["ownerReferences"] = [{"uid": self.objects["Job"][name]["metadata"]["uid"]}]
        spec = {"containers": [{"image": "tasks:1"}], "terminationGracePeriodSeconds": 30}
        self.objects[kind][name] = {"metadata": metadata, "spec": spec, "status": more}

    def asked_since(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> FakeCluster:
    shared = SharedLooks(clock)
    monkeypatch.setattr("ontap_mlops.compute.kinds.kubernetes.sharing.looks_at", lambda connection, cluster: shared)
    made = FakeCluster()
    for name in NAMES:
        made.add("Job", name, f"job-{name}")
    return made


@pytest.fixture
def runner(cluster: FakeCluster) -> KubernetesRunner:
    return KubernetesRunner(KubernetesFields(kind="kubernetes", pending_limit_s=600), lambda: cluster)


def running(cluster: FakeCluster) -> None:
    for name in NAMES:
        cluster.add("Pod", name, f"pod-{name}", phase="Running")


def seen(runner: KubernetesRunner, cluster: FakeCluster) -> None:
    """All are known, and what that asked is forgotten."""
    for _ in range(2):
        for name in NAMES:
            runner.status(name)
    cluster.asked_since()


def test_one_list_answers_for_all_and_again_when_it_is_old(runner, cluster, clock):
    running(cluster)
    seen(runner, cluster)
    assert {runner.status(name).state for name in NAMES} == {State.RUNNING}
    assert cluster.asked_since() == []
    clock.now += 5
    assert {runner.status(name).state for name in NAMES} == {State.RUNNING}
    assert cluster.asked_since() == ["all Pods"]


def test_a_few_are_looked_at_by_themselves(runner, cluster):
    running(cluster)
    for _ in range(3):
        assert runner.status(NAMES[0]).state is State.RUNNING
    assert "all Pods" not in cluster.asked_since()


def test_an_end_is_read_from_its_own_job_and_pod(runner, cluster, clock):
    running(cluster)
    seen(runner, cluster)
    clock.now += 5
    cluster.add("Pod", NAMES[0], f"pod-{NAMES[0]}", phase="Succeeded")
    assert runner.status(NAMES[0]).state is State.SUCCEEDED
    assert cluster.asked_since() == ["all Pods", f"Job {NAMES[0]}", "Pods of one"]
    assert runner.status(NAMES[1]).state is State.RUNNING
    assert cluster.asked_since() == []


def test_what_is_submitted_anew_is_not_ended_by_the_list_of_its_former_pod(runner, cluster, clock):
    running(cluster)
    seen(runner, cluster)
    cluster.add("Pod", NAMES[0], f"pod-{NAMES[0]}", phase="Failed", reason="Evicted")
    clock.now += 5
    assert runner.status(NAMES[0]).state is State.FAILED
    cluster.add("Job", NAMES[0], "another job")
    cluster.add("Pod", NAMES[0], "another pod", phase="Running")
    assert runner.status(NAMES[0]).state is State.RUNNING, "though the last list shows a pod that has failed"


def test_what_is_cancelled_here_is_not_shown_by_the_last_list(cluster, clock):
    running(cluster)
    shared = SharedLooks(clock)
    for name in NAMES:
        shared.going_on(cluster, name, None)
        shared.learn(name, cluster.objects["Job"][name], [cluster.objects["Pod"][name]], Status(state=State.RUNNING))
    assert shared.going_on(cluster, NAMES[0], None)
    shared.forget(NAMES[0])
    assert shared.going_on(cluster, NAMES[0], None) is None


def test_a_pod_that_is_gone_is_asked_for_by_itself(runner, cluster, clock):
    running(cluster)
    seen(runner, cluster)
    clock.now += 5
    del cluster.objects["Pod"][NAMES[0]], cluster.objects["Job"][NAMES[0]]
    assert runner.status(NAMES[0]).state is State.MISSING


def test_those_that_wait_without_a_pod_are_one_list_too(runner, cluster, clock):
    seen(runner, cluster)
    clock.now += 5
    assert {runner.status(name).state for name in NAMES} == {State.PENDING}
    assert cluster.asked_since() == ["all Pods", "all Jobs"]
    cluster.add("Pod", NAMES[0], f"pod-{NAMES[0]}", phase="Running")
    clock.now += 5
    assert runner.status(NAMES[0]).state is State.RUNNING


def test_one_that_waits_is_asked_now_and_then_what_for(runner, cluster, clock):
    seen(runner, cluster)
    clock.now += 40
    runner.status(NAMES[0])
    assert f"Job {NAMES[0]}" in cluster.asked_since()


def test_without_the_right_to_list_jobs_each_is_asked_for(runner, cluster, clock):
    seen(runner, cluster)
    clock.now += 5
    select = cluster.select

    def refused(kind, *arguments, **keywords):
        if kind == "Job":
            raise NotAllowed("jobs may not be listed")
        return select(kind, *arguments, **keywords)

    cluster.select = refused
    assert {runner.status(name).state for name in NAMES} == {State.PENDING}


def test_the_end_of_the_patience_is_decided_on_by_a_look_by_itself(runner, cluster, clock):
    for name in NAMES:
        cluster.add("Pod", name, f"pod-{name}", phase="Pending")
        cluster.objects["Pod"][name]["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    seen(runner, cluster)
    clock.now += 5
    assert runner.status(NAMES[0]).pending_since == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert cluster.asked_since() == ["all Pods", f"Job {NAMES[0]}", "Pods of one"]


def test_several_processes_are_looked_at_by_themselves(cluster, clock):
    shared = SharedLooks(clock)
    running(cluster)
    for name in NAMES:  # of the first of two, whose look makes the second one's pod
        job, pod = cluster.objects["Job"][name], cluster.objects["Pod"][name]
        job["metadata"]["annotations"][jobs.PROCESSES] = "2" if name == NAMES[0] else "1"
        assert shared.going_on(cluster, name, None) is None
        shared.learn(name, job, [pod], Status(state=State.RUNNING))
    going = {name for name in NAMES if shared.going_on(cluster, name, None)}
    assert going == set(NAMES[1:])


def test_a_list_that_does_not_come_is_nobodys_end(runner, cluster, clock):
    running(cluster)
    seen(runner, cluster)
    clock.now += 5
    cluster.error = Unreachable("no answer")
    for name in NAMES:
        with pytest.raises(PlaceUnavailable, match="no answer"):
            runner.status(name)
    assert cluster.asked_since() == ["all Pods"], "nor does each who waits for it ask again at once"
    cluster.error = None
    clock.now += 5
    assert {runner.status(name).state for name in NAMES} == {State.RUNNING}
