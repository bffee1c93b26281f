"""Several processes that work together: each a pod, found by the others through the first one's address.

torchrun joins them by its static rendezvous: the process of rank 0 listens, the others come to it. Where the cluster
numbers the pods of a Job itself (``indexed``), a service without an address of its own gives them names; elsewhere we
make the pods, and the others learn the address of the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.kubernetes_manifests.jobs import owned_by
from ontap_mlops.kubernetes_manifests.labels import MANAGED_BY
from ontap_mlops.kubernetes_manifests.pods import CONTAINER

RANK = "ontap-mlops/rank"
RESTART = "ontap-mlops/restart"
INDEX = "batch.kubernetes.io/job-completion-index"
_RANK_VARIABLE, _MASTER_VARIABLE = "ONTAP_MLOPS_RANK", "ONTAP_MLOPS_MASTER"
_WAIT_S = 900  # for which the processes wait for each other


def launcher(processes: int, port: int, *, rank: str = "", master: str = "") -> tuple[str, ...]:
    """Return the beginning of each process's command; Kubernetes puts the values of variables into it."""
    return (
        *("python", "-m", "torch.distributed.run"),
        *(f"--nnodes={processes}", "--nproc-per-node=1", f"--node-rank={rank or f'$({_RANK_VARIABLE})'}"),
        *(f"--master-addr={master or f'$({_MASTER_VARIABLE})'}", f"--master-port={port}"),
        *(f"--rdzv-conf=timeout={_WAIT_S}", "-m"),
    )


def port(job: str) -> int:
    """Return a port of the job's own, since pods on the network of one node share its ports."""
    return 20000 + int(hashlib.sha256(job.encode()).hexdigest(), 16) % 10000


def pod(job: Mapping[str, Any], *, name: str, rank: int, restart: int, master: str = "") -> dict[str, Any]:
    """Return the pod of one process, from the Job's own template; the first finds its address out by itself."""
    template = job["spec"]["template"]
    ours = {key: value for key, value in template["metadata"]["labels"].items() if is_ours(key)}
    where = {"value": master} if master else {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    variables = [{"name": _RANK_VARIABLE, "value": str(rank)}, {"name": _MASTER_VARIABLE, **where}]
    containers = [
        {**each, "env": [*each.get("env", []), *variables]} if each["name"] == CONTAINER else each
        for each in template["spec"]["containers"]
    ]
    metadata = {
        "name": name,
        "namespace": job["metadata"]["namespace"],
        "labels": {**ours, RANK: str(rank), RESTART: str(restart)},
        "annotations": dict(template["metadata"].get("annotations") or {}),
        "ownerReferences": [{**owned_by(job), "blockOwnerDeletion": True}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {**template["spec"], "containers": containers},
    }


def is_ours(label: str) -> bool:
    """The Job's controller would take a pod with its own labels for one that it made, and end it."""
    return label == MANAGED_BY or not (
        label in ("controller-uid", "job-name") or label.startswith("batch.kubernetes.io/")
    )


def indexed(job: Mapping[str, Any], *, processes: int, failures: int, service: str) -> dict[str, Any]:
    """Return the Job as one whose pods the cluster numbers, and begins again up to ``failures`` times together."""
    template = job["spec"]["template"]
    spec = {
        **job["spec"],
        "completionMode": "Indexed",
        "completions": processes,
        "backoffLimit": failures,
        "template": {**template, "spec": {**template["spec"], "subdomain": service}},
    }
    return {**job, "spec": spec}


def service(
    *, name: str, namespace: str, labels: Mapping[str, str], selected: Mapping[str, str], owner: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the service that gives each pod of an Indexed Job a name, also before it is ready."""
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels), "ownerReferences": [owned_by(owner)]}
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": dict(selected)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def by_rank(pods: Sequence[Mapping[str, Any]], restart: int | None) -> dict[int, list[Mapping[str, Any]]]:
    """Return the pods of each rank, of one restart or, for an Indexed Job (None), of all."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for each in pods:
        labels, notes = each["metadata"].get("labels") or {}, each["metadata"].get("annotations") or {}
        rank = labels.get(RANK) if restart is not None else notes.get(INDEX)
        if rank is not None and (restart is None or labels.get(RESTART) == str(restart)):
            found.setdefault(int(rank), []).append(each)
    return found
