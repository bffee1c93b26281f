"""Workloads as real pods: how they end, what is said of it, and what is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from ontap_mlops.compute.kinds.kubernetes.place import KubernetesPlace
from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable, Resources, State, Status
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from tests.kubernetes.conftest import IMAGE, connect
from tests.kubernetes.programs import ENDLESS, ends, result, workload
from tests.kubernetes.waiting import wait_until


def place(**values) -> KubernetesPlace:
    values = {"kind": "kubernetes", "image": IMAGE, "pull_policy": "IfNotPresent", "grace_s": 2, **values}
    return KubernetesPlace.model_validate(values)


@pytest.fixture
def at(cluster: Cluster) -> Callable[..., KubernetesRunner]:
    return lambda **values: KubernetesRunner(place(**values), lambda: cluster)


@pytest.fixture
def runner(at) -> KubernetesRunner:
    return at()


def ended(runner: KubernetesRunner, name: str, seconds: float = 240) -> Status:
    def over() -> Status | None:
        status = runner.status(name)
        return None if status.state.active else status

    return wait_until(over, seconds)


def log_of(runner: KubernetesRunner, name: str) -> str:
    return runner.logs(name)[0]


def nothing_left(cluster: Cluster, name: str) -> None:
    for kind in ("Job", "Pod", "Secret", "ConfigMap", "PersistentVolumeClaim", "PersistentVolume", "Service"):
        wait_until(lambda kind=kind: not cluster.select(kind, labels(workload=name)))


def test_a_pod_that_succeeds_hands_back_its_result_and_leaves_nothing(runner, cluster):
    code = "import os, json, pathlib; run = json.loads(pathlib.Path(os.environ['RUN_FILE']).read_text()); "
    code += "print('said', flush=True); "
    code += result("{'key': run['key'], 'plain': os.environ['PLAIN'], 'secret': os.environ['SECRET']}")
    one = workload(code, run={"key": "r1"}, environment={"PLAIN": "p"}, secrets={"SECRET": "s"})
    assert runner.status(one.name).state is State.MISSING
    assert runner.submit(one) == one.name
    assert ended(runner, one.name) == Status(state=State.SUCCEEDED, exit_code=0)
    assert runner.result(one.name) == {"key": "r1", "plain": "p", "secret": "s"}
    assert "said\n" in log_of(runner, one.name)
    assert runner.logs(one.name, runner.logs(one.name)[1])[0] == ""
    (job,) = cluster.select("Job", labels(workload=one.name, run=one.name.removesuffix("-train")))
    assert "s" not in [entry["value"] for entry in job["spec"]["template"]["spec"]["containers"][0]["env"]]
    runner.remove(one.name)
    assert runner.status(one.name).state is State.MISSING
    nothing_left(cluster, one.name)


@pytest.mark.parametrize("user", [0, 10001])
def test_our_own_programs_write_their_result_as_any_user(at, user):
    runner = at(user=user)
    one = workload("from tasks.common.result import write_result; write_result({'uid': __import__('os').getuid()})")
    runner.submit(one)
    assert ended(runner, one.name).state is State.SUCCEEDED, log_of(runner, one.name)
    assert runner.result(one.name) == {"uid": user}


def test_bad_input_is_the_programs_own_sentence(runner):
    one = workload(ends(2, "there is no folder /data; give one"))
    runner.submit(one)
    status = ended(runner, one.name)
    assert (status.state, status.exit_code, status.message) == (State.FAILED, 2, "there is no folder /data; give one")


def test_another_failure_tells_the_exit_code_and_the_last_line(runner):
    one = workload(ends(7, "the loss is not a number"))
    runner.submit(one)
    assert ended(runner, one.name).message == "exit code 7: the loss is not a number"


def test_out_of_memory_is_said_with_the_limit(runner):
    one = workload("b = bytearray(400 << 20)", resources=Resources(cpus=0.5, memory_gib=0.125))
    runner.submit(one)
    status = ended(runner, one.name)
    assert status.state is State.FAILED
    assert status.message == "killed for using more memory than its limit of 128Mi; give the program more memory_gib"


def test_the_time_limit_lets_it_stop_in_its_grace(runner):
    code = "import signal, time, os; signal.signal(15, lambda *_: (print('stopping', flush=True), os._exit(143))); "
    one = workload(code + "print('begun', flush=True); time.sleep(600)", time_limit_s=4)
    runner.submit(one)
    status = ended(runner, one.name)
    assert status.state is State.FAILED and status.out_of_time
    assert status.message == "stopped at its time limit of 4 s"


def test_cancelling_asks_first_and_returns_when_nothing_runs(at, cluster):
    runner = at(grace_s=20)
    code = "import signal, time, os; signal.signal(15, lambda *_: os._exit(143)); print('begun', flush=True); "
    one = workload(code + "time.sleep(600)")
    runner.submit(one)
    wait_until(lambda: "begun" in log_of(runner, one.name))
    assert runner.status(one.name).state is State.RUNNING
    with pytest.raises(PlaceUnavailable, match="still runs; cancel it before removing it"):
        runner.remove(one.name)
    began = time.monotonic()
    runner.cancel(one.name)
    assert time.monotonic() - began < 15, "it was killed after the grace, not asked before"
    assert runner.status(one.name).state is State.MISSING
    runner.cancel(one.name)
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_what_ignores_sigterm_is_killed_after_the_grace(runner):
    one = workload(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('begun', flush=True); time.sleep(600)"
    )
    runner.submit(one)
    wait_until(lambda: "begun" in log_of(runner, one.name))
    runner.cancel(one.name)
    assert runner.status(one.name).state is State.MISSING


def test_submitting_twice_runs_it_once_and_fresh_runs_an_ended_one_again(runner, cluster):
    one = workload(result("{'pod': os.uname().nodename}"))
    starters = [threading.Thread(target=runner.submit, args=(one,)) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    ended(runner, one.name)
    assert len(cluster.select("Pod", labels(workload=one.name))) == 1
    first = runner.result(one.name)
    runner.submit(one)
    assert runner.result(one.name) == first
    runner.submit(one, fresh=True)
    ended(runner, one.name)
    assert runner.result(one.name) != first


def test_a_running_one_is_joined_even_when_asked_fresh(runner, cluster):
    one = workload(ENDLESS)
    runner.submit(one)
    wait_until(lambda: "begun" in log_of(runner, one.name))
    runner.submit(one, fresh=True)
    assert len(cluster.select("Pod", labels(workload=one.name))) == 1
    runner.cancel(one.name)
    runner.remove(one.name)


def test_the_log_is_read_on_from_where_the_last_reader_stopped(runner):
    code = "import time; [print(f'line {n}', flush=n % 7 == 0) or time.sleep(0.02 * (n % 3 == 0)) for n in range(300)]"
    one = workload(code)
    runner.submit(one)
    lines, cursor, over = [], None, False
    while True:
        text, cursor = runner.logs(one.name, cursor)
        lines += text.splitlines()
        if over:
            break
        over = not runner.status(one.name).state.active
    assert [line for line in lines if line.startswith("line")] == [f"line {n}" for n in range(300)]


def test_a_long_log_comes_in_parts_without_a_gap(runner):
    one = workload("[print(str(n) * 30) for n in range(40000)]")
    runner.submit(one)
    ended(runner, one.name)
    text, cursor, parts = "", None, 0
    while True:
        part, after = runner.logs(one.name, cursor)
        if after == cursor:
            break
        text, cursor, parts = text + part, after, parts + 1
    assert parts > 1
    assert [line for line in text.splitlines() if "loop" not in line] == [str(n) * 30 for n in range(40000)]


def test_what_no_node_has_room_for_waits_and_says_why(runner):
    one = workload("pass", resources=Resources(cpus=4000, memory_gib=0.1))
    runner.submit(one)
    status = wait_until(lambda: (s := runner.status(one.name)).message.startswith("0/") and s)
    assert status.state is State.PENDING and "Insufficient cpu" in status.message
    assert abs(time.time() - status.pending_since) < 60
    runner.cancel(one.name)
    assert runner.status(one.name).state is State.MISSING


def test_gpus_where_there_are_none_wait_with_that_reason(runner):
    one = workload("pass", resources=Resources(gpus=999))
    runner.submit(one)
    status = wait_until(lambda: (s := runner.status(one.name)).message.startswith("0/") and s)
    assert "Insufficient nvidia.com/gpu" in status.message
    runner.cancel(one.name)


def test_an_image_that_cannot_be_pulled_is_pending_with_the_reason(at):
    runner = at(image="127.0.0.1:9/no/such:image")
    one = workload("pass")
    runner.submit(one)
    status = wait_until(
        lambda: (s := runner.status(one.name)).pending_since and "127.0.0.1:9/no/such:image" in s.message and s
    )
    assert status.state is State.PENDING and status.message.startswith(("ErrImagePull", "ImagePullBackOff"))
    runner.cancel(one.name)


def test_part_of_a_gpu_is_refused_in_a_sentence(runner):
    with pytest.raises(PlaceRefused, match=r"asks for 0.5 of a GPU, and Kubernetes gives whole ones only"):
        runner.submit(workload("pass", resources=Resources(gpus=0.5)))


def test_a_namespace_or_service_account_that_is_not_there_is_refused_before_anything_is_made(at, cluster):
    one = workload("pass")
    with pytest.raises(PlaceRefused, match='namespaces "no-such-namespace" not found'):
        at(namespace="no-such-namespace").submit(one)
    with pytest.raises(PlaceRefused, match='serviceaccount "no-such-account" not found'):
        at(service_account="no-such-account").submit(one)
    nothing_left(cluster, one.name)


def test_a_quota_that_is_too_small_is_refused_and_one_used_up_is_no_room_now(at, cluster):
    where = f"{cluster.namespace}-quota"
    admin = connect()
    admin.create({"kind": "Namespace", "metadata": {"name": where}})
    spec = {"hard": {"limits.memory": "300Mi"}}
    admin.create({"kind": "ResourceQuota", "metadata": {"name": "small", "namespace": where}, "spec": spec})
    try:
        runner, first = at(namespace=where), workload(ENDLESS)
        wait_until(lambda: (admin.find("ResourceQuota", "small", where) or {}).get("status", {}).get("hard"))
        wait_until(lambda: admin.find("ServiceAccount", "default", where))
        with pytest.raises(PlaceRefused, match="exceeded quota: small.*Ask for less"):
            runner.submit(workload("pass", resources=Resources(memory_gib=1)))
        runner.submit(first)
        wait_until(lambda: "begun" in log_of(runner, first.name))
        with pytest.raises(PlaceUnavailable, match="exceeded quota: small.*Wait for what runs in the namespace to end"):
            runner.submit(workload("pass"))
    finally:
        admin.delete("Namespace", where)


def test_a_pod_that_vanishes_is_replaced_and_a_job_that_vanishes_is_missing(runner, cluster):
    one = workload(ENDLESS)
    runner.submit(one)
    wait_until(lambda: "begun" in log_of(runner, one.name))
    (pod,) = cluster.select("Pod", labels(workload=one.name))
    cluster.delete("Pod", pod["metadata"]["name"], grace_s=0)

    def another() -> bool:
        pods = cluster.select("Pod", labels(workload=one.name))
        return any(p["metadata"]["uid"] != pod["metadata"]["uid"] for p in pods)

    wait_until(another)
    assert runner.status(one.name).state.active
    cluster.delete("Job", one.name)
    wait_until(lambda: runner.status(one.name).state is State.MISSING)  # a look may be a moment old
    nothing_left(cluster, one.name)


def test_a_pod_that_is_taken_away_too_often_is_no_longer_replaced(at, cluster):
    runner, one = at(restarts=1), workload(ENDLESS)
    runner.submit(one)
    for _ in range(2):
        wait_until(lambda: "begun" in log_of(runner, one.name))
        assert runner.status(one.name).state is State.RUNNING
        time.sleep(3)  # times of the cluster are whole seconds
        (pod,) = cluster.select("Pod", labels(workload=one.name))
        cluster.delete("Pod", pod["metadata"]["name"], grace_s=0)
        wait_until(lambda pod=pod: pod not in cluster.select("Pod", labels(workload=one.name)))
        wait_until(lambda: cluster.select("Pod", labels(workload=one.name)))
    assert "has taken its pod away 2 times" in ended(runner, one.name).message
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_an_evicted_pod_is_said_so(runner, cluster):
    """A kubelet writes this when its node runs short; here somebody else writes it for the kubelet."""
    one = workload(ENDLESS)
    runner.submit(one)
    wait_until(lambda: "begun" in log_of(runner, one.name))
    (pod,) = cluster.select("Pod", labels(workload=one.name))
    path = cluster.resource("Pod").path(cluster.namespace, pod["metadata"]["name"]) + "/status"
    said = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    change = {"status": {**said, "containerStatuses": []}}
    cluster.call("PATCH", path, body=change, asked="evict", content_type="application/merge-patch+json")
    status = ended(runner, one.name)
    assert status.message == "its pod was taken away: Evicted: The node was low on resource: memory"
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_a_job_of_somebody_else_is_left_alone(runner, cluster):
    one = workload("pass")
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": IMAGE}]}}}
    cluster.create({"kind": "Job", "metadata": {"name": one.name}, "spec": {**spec, "parallelism": 0}})
    for call in (runner.submit, lambda w: runner.status(w.name), lambda w: runner.remove(w.name)):
        with pytest.raises(PlaceRefused, match="that is not ours; remove it"):
            call(one)
    assert cluster.find("Job", one.name)
    cluster.delete("Job", one.name)


def test_a_name_too_long_for_a_pod_is_shortened_and_still_found(runner, cluster):
    one = workload(result("{'a': 1}"), name="r20261127t000000z0123abcd-a-step-with-a-name-of-63-letters-in-i")
    assert len(one.name) > 60
    runner.submit(one)
    assert ended(runner, one.name).state is State.SUCCEEDED
    assert runner.result(one.name) == {"a": 1}
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_shared_memory_is_as_large_as_the_place_says(at):
    runner = at(shm_gib=0.125)
    one = workload(result("{'mib': os.statvfs('/dev/shm').f_frsize * os.statvfs('/dev/shm').f_blocks >> 20}"))
    runner.submit(one)
    ended(runner, one.name)
    assert runner.result(one.name)["mib"] >= 100
