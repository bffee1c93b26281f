"""What stays and answers over HTTP, as manifests: a Deployment of one pod, its Service, and a Secret for its token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ontap_mlops.kubernetes_manifests import mounts
from ontap_mlops.kubernetes_manifests.labels import SERVER, labels
from ontap_mlops.kubernetes_manifests.pods import Terms, gib

Manifest = dict[str, Any]
UNTIL = "ontap-mlops/until"
"""Annotation: when the server's time is over, as an ISO 8601 time in UTC."""
TOKEN = "JUPYTER_TOKEN"
REPOSITORY = "/models"
HTTP, GRPC, METRICS = 8000, 8001, 8002
JUPYTER = 8888

# Loads what has been published as a whole: a model whose config.pbtxt names the version to serve. Others wait for an
# explicit load.
_PUBLISHED = """
repository=$1; shift
for each in "$repository"/*/config.pbtxt; do
  if [ -f "$each" ]; then set -- "$@" "--load-model=$(basename "$(dirname "$each")")"; fi
done
exec "$@"
""".strip()


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A claim that the server sees as a folder; ``part`` of it where not the whole is to be seen."""

    claim: str
    path: str
    part: str = ""
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Server:
    """One pod that stays. ``ports`` by name, the first of them is asked at ``probe`` whether it is ready.

    ``secret`` names the Secret whose entries become variables; ``together``: may two pods be there while it is changed.
    """

    name: str
    namespace: str
    image: str
    command: Sequence[str]
    ports: Mapping[str, int]
    probe: str
    folders: Sequence[Folder] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    shm_gib: float | None = None
    together: bool = True
    labels: Mapping[str, str] = field(default_factory=labels)
    annotations: Mapping[str, str] = field(default_factory=dict)
    terms: Terms = Terms()  # noqa: RUF009 - frozen


def selector(name: str) -> dict[str, str]:
    """Return the label by which a server's pods are found."""
    return {SERVER: name}


def deployment(server: Server) -> Manifest:
    """The Deployment, which replaces a pod that ends, is evicted or loses its node."""
    mine, terms = selector(server.name), server.terms
    pod: Manifest = {
        "automountServiceAccountToken": bool(terms.service_account),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": round(terms.grace_s),
        "containers": [_container(server)],
        "volumes": _volumes(server),
    }
    more = {
        "serviceAccountName": terms.service_account,
        "imagePullSecrets": [{"name": name} for name in terms.pull_secrets],
        "nodeSelector": dict(terms.node_selector),
        "tolerations": [dict(each) for each in terms.tolerations],
        "schedulerName": terms.scheduler_name,
        "hostNetwork": terms.host_network,
        "securityContext": _security(terms),
    }
    pod |= {key: value for key, value in more.items() if value}
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(server, server.annotations),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": mine},
            "strategy": rolling if server.together else {"type": "Recreate"},
            "template": {
                "metadata": {"labels": {**server.labels, **mine}, **_notes(terms.annotations)},
                "spec": pod,
            },
        },
    }


def service(server: Server, kind: str = "ClusterIP") -> Manifest:
    """The address under which the pod is found in the cluster; ``kind`` NodePort or LoadBalancer shows it outside."""
    ports = [{"name": name, "port": port, "targetPort": port} for name, port in server.ports.items()]
    spec = {"type": kind, "selector": selector(server.name), "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(server), "spec": spec}


def token(server: Server, value: str) -> Manifest:
    """The Secret with the token that visitors show."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**_metadata(server), "name": server.secret},
        "type": "Opaque",
        "stringData": {TOKEN: value},
    }


def jupyter_command(folder: str) -> list[str]:
    """JupyterLab over a folder; its token is in the environment."""
    flags = [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=0.0.0.0", f"--ServerApp.port={JUPYTER}"]
    return ["jupyter", "lab", "--no-browser", *flags]


def triton_command(folder: str, program: Sequence[str] = ("tritonserver",), flags: Sequence[str] = ()) -> list[str]:
    """Triton over a model repository, in which models are loaded when asked for, and at a start those published."""
    control = [f"--model-repository={folder}", "--model-control-mode=explicit"]
    ports = [f"--http-port={HTTP}", f"--grpc-port={GRPC}", f"--metrics-port={METRICS}"]
    return ["sh", "-c", _PUBLISHED, "sh", folder, *program, *control, *ports, *flags]


def _container(server: Server) -> Manifest:
    first = next(iter(server.ports.values()))
    probe = {"httpGet": {"path": server.probe, "port": first}, "periodSeconds": 2, "timeoutSeconds": 5}
    container: Manifest = {
        "name": "server",
        "image": server.image,
        "command": list(server.command),
        "ports": [{"name": name, "containerPort": port} for name, port in server.ports.items()],
        "readinessProbe": probe,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    more = {
        "imagePullPolicy": server.terms.pull_policy,
        "env": [{"name": name, "value": value} for name, value in sorted(server.environment.items())],
        "envFrom": [{"secretRef": {"name": server.secret}}] if server.secret else [],
        "resources": {"limits": dict(server.limits), "requests": dict(server.limits)} if server.limits else {},
        "volumeMounts": _mounts(server),
    }
    return container | {key: value for key, value in more.items() if value}


def _mounts(server: Server) -> list[Manifest]:
    found: list[Manifest] = []
    for number, folder in enumerate(server.folders):
        part = {"subPath": folder.part} if folder.part else {}
        only = {"readOnly": True} if folder.read_only else {}
        found.append({"name": f"folder-{number}", "mountPath": folder.path, **part, **only})
    if server.shm_gib:
        found.append({"name": "shared-memory", "mountPath": "/dev/shm"})  # noqa: S108 - the name of the device
    return found


def _volumes(server: Server) -> list[Manifest]:
    found = [
        {"name": f"folder-{number}", **mounts.claimed(folder.claim, read_only=folder.read_only)}
        for number, folder in enumerate(server.folders)
    ]
    if server.shm_gib:
        found.append({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": gib(server.shm_gib)}})
    return found


def _security(terms: Terms) -> Manifest:
    wanted = {"runAsUser": terms.user, "runAsGroup": terms.group, "fsGroup": terms.group}
    return {key: value for key, value in wanted.items() if value is not None}


def _metadata(server: Server, annotations: Mapping[str, str] | None = None) -> Manifest:
    mine = {**server.labels, **selector(server.name)}
    return {"name": server.name, "namespace": server.namespace, "labels": mine, **_notes(annotations or {})}


def _notes(annotations: Mapping[str, str]) -> Manifest:
    return {"annotations": dict(annotations)} if annotations else {}
