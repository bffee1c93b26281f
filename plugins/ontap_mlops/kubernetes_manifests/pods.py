"""The pod in which one process of a workload runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONTAINER = "program"
RESULT_FILE = "/tmp/ontap-mlops-result.json"  # noqa: S108 - the container's own; anybody in it may write there
FILES = "/etc/ontap-mlops"
RUN_FILE = "run.json"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all pods of one place have in common. Empty leaves it to the cluster."""

    pull_policy: str = ""
    service_account: str = ""
    pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    host_network: bool = False
    shm_gib: float | None = None
    user: int | None = None
    group: int | None = None
    grace_s: float = 30.0
    scheduler_name: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A volume that a program sees as ``/mnt/<key>``; ``source`` is the volume as Kubernetes describes it."""

    key: str
    source: Mapping[str, Any]
    read_only: bool = False

    @property
    def path(self) -> str:
        return f"/mnt/{self.key}"


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process: what it runs, with what, and what it may use (``limits`` as Kubernetes writes amounts).

    ``secret`` and ``files`` name the Secret whose entries become variables and the ConfigMap whose entries become files
    below ``FILES``; empty where there is none.
    """

    image: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    folders: Sequence[Folder] = ()
    secret: str = ""
    files: str = ""
    time_limit_s: float | None = None
    host_name: str = ""
    subdomain: str = ""


def pod(process: Process, terms: Terms, labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return a pod's ``metadata`` and ``spec``, as a Job's template or, with kind and name, as a pod."""
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": round(terms.grace_s),
        "automountServiceAccountToken": bool(terms.service_account),
        "enableServiceLinks": False,
        "containers": [_container(process, terms)],
        "volumes": _volumes(process, terms),
        "serviceAccountName": terms.service_account,
        "imagePullSecrets": [{"name": name} for name in terms.pull_secrets],
        "nodeSelector": dict(terms.node_selector),
        "tolerations": [dict(one) for one in terms.tolerations],
        "schedulerName": terms.scheduler_name,
        "hostname": process.host_name,
        "subdomain": process.subdomain,
        "securityContext": _without_empty(
            {"runAsUser": terms.user, "runAsGroup": terms.group, "fsGroup": terms.group}, keep_zero=True
        ),
    }
    if process.time_limit_s is not None:
        spec["activeDeadlineSeconds"] = max(1, round(process.time_limit_s))
    if terms.host_network:
        spec |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    told = {**terms.annotations, **annotations}
    metadata = {"labels": dict(labels), **({"annotations": told} if told else {})}
    kept = ("automountServiceAccountToken", "enableServiceLinks", "terminationGracePeriodSeconds")
    return {"metadata": metadata, "spec": {key: value for key, value in spec.items() if value or key in kept}}


def _container(process: Process, terms: Terms) -> dict[str, Any]:
    variables = {**process.environment, "RESULT_FILE": RESULT_FILE, "PYTHONUNBUFFERED": "1"}
    container = {
        "name": CONTAINER,
        "image": process.image,
        "imagePullPolicy": terms.pull_policy,
        "command": list(process.command),
        "env": [{"name": name, "value": value} for name, value in sorted(variables.items())],
        "envFrom": [{"secretRef": {"name": process.secret}}] if process.secret else [],
        "resources": {"limits": dict(process.limits), "requests": dict(process.limits)} if process.limits else {},
        "volumeMounts": _mounts(process, terms),
        "terminationMessagePath": RESULT_FILE,
        # Of a program that failed, and so has no result, the last lines it printed.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return _without_empty(container)


def _mounts(process: Process, terms: Terms) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": f"mount-{number}", "mountPath": folder.path, **({"readOnly": True} if folder.read_only else {})}
        for number, folder in enumerate(process.folders)
    ]
    if process.files:
        mounts.append({"name": "files", "mountPath": FILES, "readOnly": True})
    if terms.shm_gib:
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})  # noqa: S108 - the name of the device
    return mounts


def _volumes(process: Process, terms: Terms) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": f"mount-{number}", **folder.source} for number, folder in enumerate(process.folders)
    ]
    if process.files:
        volumes.append({"name": "files", "configMap": {"name": process.files}})
    if terms.shm_gib:
        memory = {"medium": "Memory", "sizeLimit": gib(terms.shm_gib)}
        volumes.append({"name": "shared-memory", "emptyDir": memory})
    return volumes


def limits(
    cpus: float | None, memory_gib: float | None, gpus: int, gpu_resource: str = "nvidia.com/gpu"
) -> dict[str, str]:
    """Return amounts as Kubernetes writes them; what is None or 0 is left out."""
    amounts = {
        "cpu": f"{round(cpus * 1000)}m" if cpus else "",
        "memory": gib(memory_gib) if memory_gib else "",
        gpu_resource: str(gpus) if gpus else "",
    }
    return {name: amount for name, amount in amounts.items() if amount}


def gib(amount: float) -> str:
    """Return GiB in whole MiB, as an amount."""
    return f"{round(amount * 1024)}Mi"


def _without_empty(values: dict[str, Any], *, keep_zero: bool = False) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value or (keep_zero and value == 0 and value is not None)}
