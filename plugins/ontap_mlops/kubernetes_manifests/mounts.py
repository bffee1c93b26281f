"""An ONTAP volume as a pod mounts it: by its server, from a folder of the node, or through a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.kubernetes_manifests.jobs import owned_by


def nfs(server: str, path: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return a volume that the node mounts by NFS."""
    return {"nfs": {"server": server, "path": path, **({"readOnly": True} if read_only else {})}}


def host_path(path: str) -> dict[str, Any]:
    """Return a folder of the node; the pod waits while it is not there."""
    return {"hostPath": {"path": path, "type": "Directory"}}


def claimed(claim: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return the volume behind a claim."""
    return {"persistentVolumeClaim": {"claimName": claim, **({"readOnly": True} if read_only else {})}}


def static_volume(
    *,
    name: str,
    namespace: str,
    claim: str,
    source: Mapping[str, Any],
    options: Sequence[str],
    labels: Mapping[str, str],
) -> dict[str, Any]:
    """Return a volume for one claim, which it waits for; what it shows stays when it is deleted."""
    spec: dict[str, Any] = {
        # Kubernetes asks for a size and compares it with the claim's; the volume itself has its own.
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim},
        **source,
    }
    if options:
        spec["mountOptions"] = list(options)
    metadata = {"name": name, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def static_claim(
    *, name: str, namespace: str, volume: str, labels: Mapping[str, str], owner: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the claim on a static volume, which goes with its owner."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(labels)}
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": volume,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    metadata["ownerReferences"] = [owned_by(owner)]
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
