"""The tyre system in pods of our image, by a real scheduler: how it ends well, badly, cleared and killed.

Its volumes come to the pods as claims that the Trident stand-in serves from the emulator, or as a folder of the node.
The pods reach the services of this machine by the node's network. So this needs a cluster whose node is this machine;
on any other it is skipped.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import MANAGED_BY, OURS
from scripts.embedded import environment
from scripts.follow import follow
from scripts.systems.tyre import SYSTEM
from tests.journey.world import TRAIN, World, end, wait_for
from tests.kubernetes.conftest import IMAGE, connect
from tests.kubernetes.machine import is_a_node
from tests.kubernetes.trident import stand_in
from tests.kubernetes.waiting import nothing_is_left, wait_until

pytestmark = pytest.mark.timeout(3000)
QUICK = {"epochs": 1, "limit": 60}
PLACES = """
  cluster:
    kind: kubernetes
    namespace: {namespace}
    image: {image}
    pull_policy: IfNotPresent
    host_network: true
    user: 0
    grace_s: 5
    resources: {{cpus: 0.5, memory_gib: 3}}
    namespaces:
      default: {{host_path: {root}}}
  trident:
    kind: kubernetes
    namespace: {namespace}
    image: {image}
    pull_policy: IfNotPresent
    host_network: true
    user: 0
    grace_s: 5
    namespaces:
      default: {{trident: {backend}, storage_class: {backend}}}
  small:
    kind: kubernetes
    namespace: {namespace}
    image: {image}
    pull_policy: IfNotPresent
    host_network: true
    user: 0
    resources: {{cpus: 0.5, memory_gib: 0.1}}
    namespaces:
      default: {{host_path: {root}}}
  gpu-cluster:
    kind: kubernetes
    namespace: {namespace}
    image: {image}
    pull_policy: IfNotPresent
    pending_limit_s: 5
    resources: {{gpus: 64}}
    host_network: true
    namespaces:
      default: {{host_path: {root}}}
"""


class OnKubernetes(World):
    """The services of a journey, with places on the cluster."""

    def __init__(self, folder: Path, namespace: str) -> None:
        super().__init__(folder)
        self.backend, self.volumes_folder = f"{namespace}-trident", self.stack.layout.namespace / "svm1"
        with (self.house / "config" / "compute.yaml").open("a") as file:
            facts = {"namespace": namespace, "image": IMAGE, "root": self.volumes_folder, "backend": self.backend}
            file.write(PLACES.format(**facts))
        connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": os.environ["KUBECONFIG"]}}
        self.settings |= {"AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(connection)}
        self.stack = type(self.stack)(folder / "local", self.settings)

    def trident(self) -> dict[str, Any]:
        """What the stand-in needs to know of the emulator."""
        ontap = environment.connections(self.stack.layout, self.stack.ports)["ontap_default"]
        facts = {"url": f"https://{ontap['host']}:{ontap['port']}", "ca": ontap["extra"]["verify"]}
        return facts | {"password": ontap["password"], "folder": self.volumes_folder}


@pytest.fixture(scope="module")
def world(namespace: str) -> Iterator[OnKubernetes]:
    if not is_a_node(connect()):
        pytest.skip("no node of the cluster is this machine")
    folder = Path(tempfile.mkdtemp(prefix="ontap-mlops-kubernetes-"))
    made = OnKubernetes(folder, namespace)
    try:
        made.up()
        with stand_in(connect(made.backend), made.backend, **made.trident(), log=folder / "stand_in.log"):
            made.with_a_version()
            made.ready(SYSTEM)
            yield made
    finally:
        end(made, folder)


def running_pod(cluster: Cluster) -> Any:
    def look() -> Any:
        pods = cluster.select("Pod", {MANAGED_BY: OURS})
        return next((pod for pod in pods if pod["status"]["phase"] == "Running"), None)

    return wait_until(look)


def test_a_model_is_trained_from_claims_judged_and_served_and_nothing_is_left(world, cluster):
    run_id = world.start(TRAIN, {**QUICK, "promote": "always", "compute": ["trident"]})
    served = wait_until(lambda: served_by_trident(cluster, world.backend), 600)
    follow(world.api, TRAIN, run_id)
    assert any(name.startswith("ontap-mlops-mlops-ws-") for name in served), "a clone of the dataset version"
    summary = world.api.xcom(TRAIN, run_id, "summary")
    assert summary["dataset_version"]["snapshot"] in world.snapshots("tyre_images")
    assert summary["model_version"]
    assert world.workspaces() == set()
    nothing_is_left(cluster)


def served_by_trident(cluster: Cluster, backend: str) -> list[str]:
    """Names of the claims with a volume of the stand-in's."""
    found = cluster.select("PersistentVolumeClaim", {MANAGED_BY: OURS})
    return [one["metadata"]["name"] for one in found if one["spec"]["storageClassName"] == backend and _bound(one)]


def _bound(claim: Any) -> bool:
    return (claim.get("status") or {}).get("phase") == "Bound"


def test_where_no_gpu_is_free_the_next_place_takes_it_and_the_reason_is_shown(world, cluster):
    run_id = world.run(TRAIN, {**QUICK, "compute": ["gpu-cluster", "local"]})
    said = " ".join(world.api.log(world.tasks(TRAIN, run_id)["train"]))
    assert "gpu-cluster: no room within 5 s (0/" in said
    assert "Insufficient nvidia.com/gpu" in said
    assert "runs tasks.tyre.train at local" in said
    nothing_is_left(cluster)


def test_a_program_that_needs_too_much_memory_is_told_so_and_leaves_nothing(world, cluster):
    run_id = world.start(TRAIN, {**QUICK, "compute": ["small"]})
    states = ("failed", "up_for_retry")
    wait_for(lambda: world.states(TRAIN, run_id).get("train") in states, lambda: str(world.states(TRAIN, run_id)), 900)
    said = " ".join(world.api.log(world.tasks(TRAIN, run_id)["train"]))
    assert "killed for using more memory than its limit of 102Mi" in said
    nothing_is_left(cluster)
    give_up(world, run_id)


def test_a_cleared_task_begins_anew_and_a_killed_one_ends_with_its_pod(world, cluster):
    run_id = world.start(TRAIN, {"epochs": 500, "limit": 100, "compute": ["cluster"]})
    first = running_pod(cluster)["metadata"]["uid"]
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["train"], "only_failed": False}
    world.api.call("POST", f"dags/{TRAIN}/clearTaskInstances", json=body)
    wait_until(lambda: running_pod(cluster)["metadata"]["uid"] != first)
    wait_until(lambda: len(cluster.select("Job", {MANAGED_BY: OURS})) == 1)
    give_up(world, run_id)
    nothing_is_left(cluster)
    assert world.states(TRAIN, run_id)["train"] == "failed"


def give_up(world: OnKubernetes, run_id: str) -> None:
    """As a user marks the run as failed; its teardown goes on."""
    world.api.call("PATCH", f"dags/{TRAIN}/dagRuns/{run_id}", json={"state": "failed"})
