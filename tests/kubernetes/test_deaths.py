"""A worker that dies between any two calls, an API server that goes away: what runs, runs once, and nothing stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import PlaceUnavailable, State, Workload
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from tests.kubernetes.conftest import connect
from tests.kubernetes.programs import ENDLESS, result, workload
from tests.kubernetes.proxy import Proxy
from tests.kubernetes.test_one_pod import ended, log_of, nothing_left, place
from tests.kubernetes.waiting import wait_until

MOST_CALLS = 30


class Died(BaseException):
    """As a SIGKILL: nothing catches it."""


class Mortal(Cluster):
    """Dies at its call number ``last``: before it is sent, or when it is done and the answer is lost."""

    def __init__(self, cluster: Cluster, last: int, *, answered: bool) -> None:
        self.__dict__.update(cluster.__dict__)
        self.calls, self.last, self.answered = [0], last, answered

    def _call(self, *arguments, **options):
        self.calls[0] += 1
        if self.calls[0] == self.last and not self.answered:
            raise Died
        last = self.calls[0] == self.last
        try:
            return super()._call(*arguments, **options)
        finally:
            if last:
                raise Died


def dies(cluster: Cluster, act: Callable[[KubernetesRunner], object], last: int, answered: bool) -> bool:
    """Whether the act died; False when it needed fewer calls."""
    try:
        act(KubernetesRunner(place(), lambda: Mortal(cluster, last, answered=answered)))
    except Died:
        return True
    return False


def tried_again(runner: KubernetesRunner, one: Workload) -> None:
    """What the operator does in the next try: joins what runs or has ended well, else submits it anew."""
    if not runner.status(one.name).state.active and runner.status(one.name).state is not State.SUCCEEDED:
        runner.submit(one, fresh=True)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("answered", [False, True], ids=["before a call", "before its answer"])
def test_a_worker_that_dies_while_it_submits_leaves_what_the_next_try_goes_on_with(cluster, answered):
    runner, begun = KubernetesRunner(place(), lambda: cluster), []
    runner.status("warm-up")
    for last in range(1, MOST_CALLS):
        one = workload(result("{'a': 1}"), run={"key": "r1"}, secrets={"S": "s"})
        if not dies(cluster, lambda mortal, one=one: mortal.submit(one), last, answered):
            begun.append(one)
            break
        tried_again(runner, one)
        begun.append(one)
    assert 5 < len(begun) < MOST_CALLS - 1
    for one in begun:
        assert ended(runner, one.name, 120).state is State.SUCCEEDED
        assert len(cluster.select("Pod", labels(workload=one.name))) == 1
        assert runner.result(one.name) == {"a": 1}
        runner.remove(one.name)
    for one in begun:
        nothing_left(cluster, one.name)


@pytest.mark.timeout(900)
def test_a_worker_that_dies_while_it_cancels_leaves_nothing_that_runs_on(cluster):
    runner, begun = KubernetesRunner(place(), lambda: cluster), []
    for last in range(1, 4):
        one = workload(ENDLESS)
        runner.submit(one)
        wait_until(lambda one=one: "begun" in log_of(runner, one.name))
        assert dies(cluster, lambda mortal, one=one: mortal.cancel(one.name), last, True)
        begun.append(one)
    # Its first call looks for the Job; from the second on, the cluster goes on by itself.
    for one in begun[1:]:
        nothing_left(cluster, one.name)
    runner.cancel(begun[0].name)
    nothing_left(cluster, begun[0].name)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy(connect().client.configuration.host)
    yield made
    made.cut()


def test_an_api_server_that_goes_away_costs_nothing(cluster, proxy):
    far = KubernetesRunner(place(), lambda: connect(cluster.namespace, host=proxy.url))
    one = workload(
        "import time; [print('tick', n, flush=True) or time.sleep(1) for n in range(8)]; " + result("{'a': 1}")
    )
    far.submit(one)
    wait_until(lambda: "tick 1" in log_of(far, one.name))
    text, cursor = far.logs(one.name)
    proxy.cut()
    began = time.monotonic()
    for call in (far.status, far.logs, far.result, far.cancel, far.remove):
        with pytest.raises(PlaceUnavailable, match="no answer came"):
            call(one.name)
    assert time.monotonic() - began < 120
    time.sleep(6)
    proxy.open()
    assert ended(far, one.name).state is State.SUCCEEDED
    text += far.logs(one.name, cursor)[0]
    assert [line for line in text.splitlines() if line.startswith("tick")] == [f"tick {n}" for n in range(8)]
    assert far.result(one.name) == {"a": 1}
    far.remove(one.name)
    nothing_left(cluster, one.name)


def test_while_the_api_server_is_away_nothing_is_begun(proxy, cluster):
    proxy.cut()
    one = workload("pass")
    far = KubernetesRunner(place(), lambda: connect(cluster.namespace, host=proxy.url))
    with pytest.raises(PlaceUnavailable, match="no answer came"):
        far.submit(one)
    nothing_left(cluster, one.name)
