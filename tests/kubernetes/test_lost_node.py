"""A node that stops to answer: what ran there waits for another, and is let go of although nobody there confirms it.

The node is one by name only: the test writes what its kubelet would, and then falls silent.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import State
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from tests.kubernetes.conftest import connect
from tests.kubernetes.programs import ENDLESS, workload
from tests.kubernetes.test_one_pod import nothing_left, place
from tests.kubernetes.waiting import wait_until

ROOM = {"cpu": "4", "memory": "8Gi", "pods": "10"}


def written(cluster: Cluster, kind: str, name: str, status: dict[str, Any]) -> None:
    path = cluster.resource(kind).path(cluster.namespace, name) + "/status"
    merge = "application/merge-patch+json"
    cluster.call("PATCH", path, body={"status": status}, asked=f"write the status of {name}", content_type=merge)


@pytest.fixture
def node() -> Iterator[str]:
    name, admin = f"ontap-mlops-lost-{secrets.token_hex(3)}", connect()
    admin.create({"kind": "Node", "metadata": {"name": name, "labels": {"ontap-mlops/lost": name}}})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "Test", "lastHeartbeatTime": now, "lastTransitionTime": now}
    written(admin, "Node", name, {"capacity": ROOM, "allocatable": ROOM, "conditions": [ready]})
    yield name
    admin.delete("Node", name)


def test_what_ran_on_a_lost_node_waits_for_another_and_can_be_let_go(cluster: Cluster, node: str):
    silent = [
        {"key": f"node.kubernetes.io/{how}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2}
        for how in ("unreachable", "not-ready")
    ]
    where = place(node_selector={"ontap-mlops/lost": node}, tolerations=silent)
    runner, one = KubernetesRunner(where, lambda: cluster), workload(ENDLESS)
    runner.submit(one)

    def pods() -> list[dict[str, Any]]:
        return cluster.select("Pod", labels(workload=one.name))

    (pod,) = wait_until(lambda: [each for each in pods() if each["spec"].get("nodeName") == node])
    begun = {"name": "program", "ready": True, "restartCount": 0, "image": "", "imageID": "", "state": {"running": {}}}
    written(cluster, "Pod", pod["metadata"]["name"], {"phase": "Running", "containerStatuses": [begun]})
    assert runner.status(one.name).state is State.RUNNING
    # From here on nobody answers for the node.
    status = wait_until(lambda: (s := runner.status(one.name)).state is State.PENDING and s.pending_since and s)
    assert "nodes are available" in status.message
    assert [each for each in pods() if each["metadata"]["uid"] == pod["metadata"]["uid"]], "nobody confirmed its end"
    runner.cancel(one.name)
    assert runner.status(one.name).state is State.MISSING
    nothing_left(cluster, one.name)
