"""Workloads of two processes with torch.distributed over real pods."""

from __future__ import annotations

import pytest

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import Resources, State
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from tests.kubernetes.programs import result, workload
from tests.kubernetes.test_one_pod import ended, log_of, nothing_left, place
from tests.kubernetes.waiting import wait_until

pytestmark = pytest.mark.timeout(600)
NEEDS = Resources(cpus=0.4, memory_gib=1)
SUM = (
    "import torch, torch.distributed as d; d.init_process_group('gloo'); t = torch.tensor([d.get_rank() + 1.0]); "
    "d.all_reduce(t); print('rank', d.get_rank(), 'of', d.get_world_size(), 'sum', t.item(), flush=True); "
)


@pytest.fixture
def runner(cluster: Cluster) -> KubernetesRunner:
    return KubernetesRunner(place(restarts=1), lambda: cluster)


def test_two_processes_find_each_other_and_the_first_ones_result_counts(runner, cluster):
    one = workload(SUM + result("{'rank': d.get_rank(), 'sum': t.item()}"), processes=2, resources=NEEDS)
    runner.submit(one)
    assert runner.submit(one) == one.name
    status = ended(runner, one.name, 240)
    assert status.state is State.SUCCEEDED, (status, log_of(runner, one.name))
    assert runner.result(one.name) == {"rank": 0, "sum": 3.0}
    text = log_of(runner, one.name)
    assert "[0] rank 0 of 2 sum 3.0\n" in text and "[1] rank 1 of 2 sum 3.0\n" in text
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_a_process_that_fails_is_named_and_the_rest_go_with_it(runner, cluster):
    fails = SUM + "import os, sys; d.get_rank() or time.sleep(600); print('no such folder', flush=True); os._exit(2)"
    one = workload(f"import time; {fails}", processes=2, resources=NEEDS)
    runner.submit(one)
    status = ended(runner, one.name, 240)
    assert (status.state, status.exit_code, status.message) == (State.FAILED, 2, "no such folder")
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_when_the_cluster_takes_one_away_all_begin_again_and_after_the_last_time_it_is_said(runner, cluster):
    one = workload(SUM + "import time; time.sleep(600)", processes=2, resources=NEEDS)
    runner.submit(one)
    for restart in range(2):
        wait_until(lambda: runner.status(one.name) and "[1] rank 1 of 2 sum 3.0" in log_of(runner, one.name))
        pods = cluster.select("Pod", {**labels(workload=one.name), "ontap-mlops/rank": "1"})
        (pod,) = [each for each in pods if each["metadata"]["labels"]["ontap-mlops/restart"] == str(restart)]
        cluster.delete("Pod", pod["metadata"]["name"], grace_s=0)
        if restart == 0:
            wait_until(lambda: "begin again (1 of 1 times)" in runner.status(one.name).message)
    status = ended(runner, one.name, 60)
    assert status.state is State.FAILED and "after 1 restarts for such reasons" in status.message
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_cancelling_stops_every_process(runner, cluster):
    one = workload(SUM + "import time; time.sleep(600)", processes=2, resources=NEEDS)
    runner.submit(one)
    wait_until(lambda: runner.status(one.name) and "[1] rank 1 of 2" in log_of(runner, one.name))
    runner.cancel(one.name)
    assert runner.status(one.name).state is State.MISSING
    nothing_left(cluster, one.name)


def test_processes_that_find_no_room_wait_together(runner, cluster):
    one = workload(SUM, processes=2, resources=Resources(cpus=4000))
    runner.submit(one)
    status = wait_until(lambda: (s := runner.status(one.name)).message.startswith("process 0 of 2 waits: 0/") and s)
    assert status.pending_since and status.state is State.PENDING
    runner.cancel(one.name)
    nothing_left(cluster, one.name)
