"""The rights that docs/kubernetes.md asks for are enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable, Resources, State
from ontap_mlops.kubernetes.api import Cluster
from tests.kubernetes.conftest import connect
from tests.kubernetes.programs import ENDLESS, result, workload
from tests.kubernetes.test_dask_on_kubernetes import SUM, WORKERS, program
from tests.kubernetes.test_one_pod import ended, log_of, nothing_left, place
from tests.kubernetes.waiting import wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kubernetes.md"


@pytest.fixture(scope="module")
def account(namespace: str) -> Iterator[Cluster]:
    """A client with the account that the page makes, in a namespace of the tests."""
    (told,) = re.findall(r"^```yaml\n(apiVersion: v1\nkind: Namespace\n.*?)^```", PAGE.read_text(), re.M | re.S)
    admin = connect(namespace)
    for manifest in yaml.safe_load_all(told.replace("namespace: ml", f"namespace: {namespace}")):
        if manifest["kind"] != "Namespace":
            admin.create(manifest)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    path = admin.resource("ServiceAccount").path(namespace, "airflow") + "/token"
    token = admin.call("POST", path, body=asked, asked="give a token")["status"]["token"]
    other = connect(namespace)
    configuration = other.client.configuration
    configuration.api_key = {"authorization": f"Bearer {token}"}
    configuration.cert_file = configuration.key_file = None
    yield other


@pytest.mark.parametrize("processes", [1, 2])
def test_they_are_enough_for_a_run_and_its_end(account, cluster, processes):
    runner = KubernetesRunner(place(), lambda: account)
    needs = Resources(cpus=0.3, memory_gib=1)
    one = workload(result("{'a': 1}"), run={"k": 1}, secrets={"S": "s"}, processes=processes, resources=needs)
    runner.submit(one)
    assert ended(runner, one.name, 240).state is State.SUCCEEDED, log_of(runner, one.name)
    runner.submit(one, fresh=True)
    runner.cancel(one.name)
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_they_are_enough_for_dask_workers_in_pods(account, cluster):
    runner = KubernetesRunner(place(), lambda: account, WORKERS)
    one = program(SUM)
    runner.submit(one)
    assert ended(runner, one.name, 500).state is State.SUCCEEDED, log_of(runner, one.name)
    runner.remove(one.name)
    nothing_left(cluster, one.name)


def test_they_are_enough_to_say_why_something_waits_and_to_stop_it(account, cluster):
    runner = KubernetesRunner(place(), lambda: account)
    one = workload(ENDLESS)
    runner.submit(one)
    wait_until(lambda: "begun" in log_of(runner, one.name))
    runner.cancel(one.name)
    nothing_left(cluster, one.name)


def test_a_token_that_has_expired_is_refused_before_and_waited_for_while_something_runs(cluster):
    other = connect(cluster.namespace)
    other.client.configuration.api_key = {"authorization": "Bearer expired"}
    other.client.configuration.cert_file = other.client.configuration.key_file = None
    runner = KubernetesRunner(place(), lambda: other)
    with pytest.raises(PlaceRefused, match="Renew the token or certificate of the connection"):
        runner.submit(workload("pass"))
    with pytest.raises(PlaceUnavailable, match="Renew the token or certificate of the connection"):
        runner.status("r1-train")


def test_without_them_it_is_said_who_may_not_do_what(account):
    runner = KubernetesRunner(place(namespace="default"), lambda: account)
    with pytest.raises(PlaceRefused, match="cannot get resource.*Give the connection's account a Role that allows it"):
        runner.submit(workload("pass"))
