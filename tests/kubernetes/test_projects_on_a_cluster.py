"""Projects applied to the queues of a real API server; the kinds are as KAI Scheduler and Kueue define them.

The schedulers themselves are not there: what is tested is that the manifests fit the kinds' schemas, that applying
twice changes nothing, and that only what was made here is changed or removed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from ontap_mlops.projects.changes import ProjectsRefused, make_all
from ontap_mlops.projects.config import Projects
from ontap_mlops.projects.kubernetes_queues import KubernetesQueues
from tests.kubernetes.conftest import connect
from tests.kubernetes.waiting import wait_until

NUMBER, TEXT, COUNT = {"type": "number"}, {"type": "string"}, {"type": "integer"}
TEXTS = {"type": "array", "items": TEXT}
AMOUNT = {"x-kubernetes-int-or-string": True, "anyOf": [COUNT, TEXT]}


def thing(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


def one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


PART = thing(quota=NUMBER, limit=NUMBER, overQuotaWeight=NUMBER)
RESOURCE = thing(("name", "nominalQuota"), name=TEXT, nominalQuota=AMOUNT, borrowingLimit=AMOUNT, lendingLimit=AMOUNT)
FLAVOR = thing(("name", "resources"), name=TEXT, resources=listed(RESOURCE))
PREEMPTION = thing(
    reclaimWithinCohort=one_of("Never", "LowerPriority", "Any"),
    withinClusterQueue=one_of("Never", "LowerPriority", "LowerOrNewerEqualPriority"),
)
CLUSTER_QUEUE = thing(
    cohort=TEXT,
    namespaceSelector={"type": "object", "properties": {"matchLabels": {"type": "object"}}},
    queueingStrategy=one_of("StrictFIFO", "BestEffortFIFO"),
    preemption=PREEMPTION,
    fairSharing=thing(weight=AMOUNT),
    resourceGroups=listed(
        thing(("coveredResources", "flavors"), coveredResources=listed(TEXT), flavors=listed(FLAVOR))
    ),
)
KINDS: dict[str, list[tuple[str, str, str, str, dict[str, Any]]]] = {
    "kai": [
        (
            "scheduling.run.ai",
            "v2",
            "Queue",
            "Cluster",
            thing(
                spec=thing(
                    displayName=TEXT,
                    parentQueue=TEXT,
                    priority=COUNT,
                    resources=thing(cpu=PART, memory=PART, gpu=PART),
                )
            ),
        )
    ],
    "kueue": [
        ("kueue.x-k8s.io", "v1beta1", "ClusterQueue", "Cluster", thing(spec=CLUSTER_QUEUE)),
        ("kueue.x-k8s.io", "v1beta1", "LocalQueue", "Namespaced", thing(spec=thing(clusterQueue=TEXT))),
        ("kueue.x-k8s.io", "v1beta1", "ResourceFlavor", "Cluster", thing(spec=thing(nodeLabels={"type": "object"}))),
        ("kueue.x-k8s.io", "v1beta1", "WorkloadPriorityClass", "Cluster", thing(("value",), value=COUNT)),
    ],
}


def definition(group: str, version: str, kind: str, scope: str, schema: dict[str, Any]) -> dict[str, Any]:
    plural = f"{kind.lower()}es" if kind.endswith("s") else f"{kind.lower()}s"
    known = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": labels()},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "scope": scope,
            "versions": [known],
        },
    }


@pytest.fixture(scope="module")
def gpu_resource() -> Iterator[str]:
    """Sixteen GPUs on one node, under a name of this run's own."""
    cluster, name = connect(), f"example.com/gpu-{secrets.token_hex(3)}"
    node = cluster.select("Node")[0]["metadata"]["name"]
    path, merge = f"/api/v1/nodes/{node}/status", "application/merge-patch+json"
    for_all: dict[str, Any] = {"asked": "say how many GPUs its node has", "content_type": merge}
    cluster.call("PATCH", path, body={"status": {"capacity": {name: "16"}}}, **for_all)
    yield name
    cluster.call("PATCH", path, body={"status": {"capacity": {name: None}}}, **for_all)


@pytest.fixture(scope="module", params=["kai", "kueue"])
def scheduler(request: pytest.FixtureRequest) -> Iterator[str]:
    cluster = connect()
    made = [definition(*kind) for kind in KINDS[request.param]]
    for each in made:
        cluster.ensure(each)
    group = made[-1]["spec"]["group"]
    for each in made:
        kind = each["spec"]["names"]["kind"]
        wait_until(lambda kind=kind: connect().has(f"{group}/{kind}"))  # type: ignore[misc]
    yield request.param
    for each in made:
        cluster.delete("CustomResourceDefinition", each["metadata"]["name"])


def projects(**quotas: int) -> Projects:
    entries = {name.replace("_", "-"): {"quota": quota} for name, quota in quotas.items()}
    return Projects.of({"gpus": 16, "projects": entries}, "projects of a test")


def queues(cluster: Cluster, scheduler: Any, gpu_resource: str, wanted: Projects) -> KubernetesQueues:
    return KubernetesQueues(cluster, wanted, scheduler, gpu_resource)


def test_projects_are_applied_once_changed_and_removed(cluster: Cluster, scheduler: str, gpu_resource: str) -> None:
    said: list[str] = []
    first = queues(cluster, scheduler, gpu_resource, projects(team_a=4, team_d=12))
    make_all(first.plan(), said.append)
    kind = "Queue" if scheduler == "kai" else "ClusterQueue"
    assert f"make {kind} team-d" in said
    assert first.plan() == [], "applied twice, it changes nothing"
    then = queues(cluster, scheduler, gpu_resource, projects(team_a=8, team_b=8))
    planned = [change.sentence for change in then.plan()]
    assert f"change {kind} team-a" in planned
    assert f"remove {kind} team-d, which no project has any more" in planned
    make_all(then.plan(), said.append)
    wait_until(lambda: then.plan() == [])


def test_a_queue_of_somebody_else_is_left_alone(cluster: Cluster, scheduler: str, gpu_resource: str) -> None:
    name = "team-theirs"
    theirs = queues(cluster, scheduler, gpu_resource, projects(team_theirs=16)).manifests()
    manifest = next(one for one in theirs if one["metadata"]["name"] == name)
    manifest["metadata"] = {key: value for key, value in manifest["metadata"].items() if key != "labels"}
    made = cluster.create(manifest)
    with pytest.raises(
        ProjectsRefused, match=rf"has a {made['kind']} team-theirs that was not made from projects.yaml"
    ):
        queues(cluster, scheduler, gpu_resource, projects(team_theirs=16)).plan()
    kind = f"{made['apiVersion'].partition('/')[0]}/{made['kind']}"
    assert cluster.find(kind, name) is not None
    cluster.delete(kind, name)


def test_a_cluster_with_other_gpus_than_the_file_says_is_refused(cluster: Cluster, scheduler: str) -> None:
    with pytest.raises(
        ProjectsRefused, match=r"guarantees 16 GPUs and the nodes of cluster .* have 0 of example\.com/"
    ):
        queues(cluster, scheduler, "example.com/no-such", projects(team_a=16)).plan()


def test_a_cluster_without_the_scheduler_is_one_sentence(cluster: Cluster, gpu_resource: str) -> None:
    without = connect()
    without.has = lambda kind: False  # type: ignore[method-assign]
    with pytest.raises(ProjectsRefused, match="Kueue is not installed there"):
        queues(without, "kueue", gpu_resource, projects(team_a=16)).plan()
