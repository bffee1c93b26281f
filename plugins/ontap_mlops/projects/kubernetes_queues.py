"""Projects given to a Kubernetes scheduler that knows queues, KAI Scheduler or Kueue, and read back from its pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests import kai, kueue
from ontap_mlops.kubernetes_manifests.labels import PROJECT, WORKLOAD, is_ours, labels
from ontap_mlops.kubernetes_manifests.queues import Queue, differences
from ontap_mlops.projects.changes import Change, ProjectsRefused
from ontap_mlops.projects.config import Project, Projects
from ontap_mlops.projects.jobs import Job

Scheduler = Literal["kai", "kueue"]
_KUEUE_KINDS = ("LocalQueue", "ClusterQueue", "WorkloadPriorityClass", "ResourceFlavor")
_SPECS = ("spec", "value")
_MISSING = {
    "kai": "KAI Scheduler is not installed there: it has no kind Queue of scheduling.run.ai; install its chart first",
    "kueue": "Kueue is not installed there: it has no kind ClusterQueue; install its chart first",
}


def as_queue(project: Project) -> Queue:
    return Queue(
        name=project.name,
        quota=project.quota,
        weight=project.weight,
        priority=project.priority,
        limit=project.limit,
        training_nodes=project.training.nodes,
        interactive_nodes=project.interactive.nodes,
    )


@dataclass(frozen=True)
class KubernetesQueues:
    """The projects on one cluster. Every call raises KubernetesError.

    ``gpu_resource`` is what nodes call their GPUs.
    """

    cluster: Cluster
    projects: Projects
    scheduler: Scheduler
    gpu_resource: str = "nvidia.com/gpu"

    def plan(self) -> list[Change]:
        """Return what is to be done; nothing where the cluster has the projects. Raises ProjectsRefused."""
        if not self.cluster.has(kai.KIND if self.scheduler == "kai" else _kind("ClusterQueue")):
            raise ProjectsRefused(f"cluster {self.cluster.host}: {_MISSING[self.scheduler]}")
        self._check_gpus()
        wanted = self.manifests()
        return [*(change for manifest in wanted for change in self._change(manifest)), *self._removals(wanted)]

    def manifests(self) -> list[dict[str, Any]]:
        queues = [as_queue(project) for project in self.projects.all()]
        if self.scheduler == "kai":
            return kai.manifests(queues, self.projects.gpus)
        version = self.cluster.resource(_kind("ClusterQueue")).api_version.partition("/")[2]
        return kueue.manifests(queues, self.cluster.namespace, version=version, gpu_resource=self.gpu_resource)

    def jobs(self) -> list[Job]:
        """Every workload of these projects that waits or runs, as its pods in the cluster's namespace say."""
        found: dict[str, Job] = {}
        for pod in self.cluster.select("Pod", labels()):
            job = self._job(pod)
            if job is not None and job.project in self.projects.projects:
                before = found.get(job.id)
                found[job.id] = _joined(before, job) if before else job
        return list(found.values())

    def _check_gpus(self) -> None:
        nodes = self.cluster.select("Node")
        gpus = sum(int(node["status"].get("capacity", {}).get(self.gpu_resource, 0)) for node in nodes)
        if gpus != self.projects.gpus:
            raise ProjectsRefused(
                f"projects.yaml guarantees {self.projects.gpus} GPUs and the nodes of cluster {self.cluster.host} have "
                f"{gpus} of {self.gpu_resource}: correct gpus and quotas"
            )

    def _change(self, wanted: Mapping[str, Any]) -> list[Change]:
        kind, metadata = _kind_of(wanted), wanted["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        found = self.cluster.find(kind, name, namespace)
        if found is None:
            return [Change(f"make {wanted['kind']} {name}", partial(self.cluster.ensure, wanted))]
        if not is_ours(found):
            raise ProjectsRefused(
                f"cluster {self.cluster.host} has a {wanted['kind']} {name} that was not made from projects.yaml; give "
                "the project another name, or remove that one"
            )
        changed = {key: wanted[key] for key in _SPECS if key in wanted and differences(wanted[key], found.get(key))}
        if not changed:
            return []
        told = f"change {wanted['kind']} {name}"
        return [Change(told, partial(self.cluster.patch, kind, name, changed, namespace))]

    def _removals(self, wanted: list[dict[str, Any]]) -> list[Change]:
        kinds = [kai.KIND] if self.scheduler == "kai" else [_kind(kind) for kind in _KUEUE_KINDS]
        kept = {(_kind_of(manifest), manifest["metadata"]["name"]) for manifest in wanted}
        changes = []
        for kind in kinds:
            for found in self.cluster.select(kind, labels()):
                name, namespace = found["metadata"]["name"], found["metadata"].get("namespace")
                if (kind, name) not in kept and found["metadata"]["labels"].get(PROJECT):
                    told = f"remove {kind.rpartition('/')[2]} {name}, which no project has any more"
                    uid = found["metadata"]["uid"]
                    changes.append(Change(told, partial(self.cluster.delete, kind, name, namespace, uid=uid)))
        return changes

    def _job(self, pod: Mapping[str, Any]) -> Job | None:
        metadata, status = pod["metadata"], pod.get("status") or {}
        project = metadata["labels"].get(PROJECT)
        if not project or status.get("phase") not in ("Pending", "Running"):
            return None
        share = float((metadata.get("annotations") or {}).get(kai.SHARE_ANNOTATION, 0))
        amounts = [one.get("resources", {}).get("limits", {}) for one in pod["spec"]["containers"]]
        name = metadata["labels"].get(WORKLOAD, metadata["name"])
        return Job(
            id=name,
            name=name,
            project=project,
            gpus=share or sum(float(amount.get(self.gpu_resource, 0)) for amount in amounts),
            running=status["phase"] == "Running",
            since=datetime.fromisoformat(metadata["creationTimestamp"]).timestamp(),
        )


def _joined(one: Job, other: Job) -> Job:
    """Several processes are one workload; it runs when all of them do."""
    from dataclasses import replace

    return replace(one, gpus=one.gpus + other.gpus, running=one.running and other.running)


def _kind(name: str) -> str:
    return f"{kueue.GROUP}/{name}"


def _kind_of(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['apiVersion'].partition('/')[0]}/{manifest['kind']}"
