"""Claims, persistent volumes and snapshots, as manifests. Sizes are whole bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ontap_mlops.kubernetes_manifests import mounts

Manifest = dict[str, Any]
SNAPSHOTS = "snapshot.storage.k8s.io"
TRIDENT = "trident.netapp.io"
READ_WRITE_MANY = "ReadWriteMany"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a claim begins as: a VolumeSnapshot or another claim (PersistentVolumeClaim) of its namespace."""

    kind: str
    name: str

    def reference(self) -> Manifest:
        group = {"apiGroup": SNAPSHOTS} if self.kind == "VolumeSnapshot" else {}
        return {"kind": self.kind, "name": self.name, **group}


def claim(
    *,
    name: str,
    namespace: str,
    size_bytes: int,
    labels: Mapping[str, str],
    storage_class: str | None = None,
    access_modes: Sequence[str] = (READ_WRITE_MANY,),
    source: Source | None = None,
    annotations: Mapping[str, str] | None = None,
    volume_name: str | None = None,
) -> Manifest:
    """A PersistentVolumeClaim. Without a class, the cluster's default one serves it; ``""`` means none at all."""
    spec: Manifest = {"accessModes": list(access_modes), "resources": {"requests": {"storage": str(size_bytes)}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    if source is not None:
        spec["dataSource"] = source.reference()
    if volume_name is not None:
        spec["volumeName"] = volume_name
    metadata: Manifest = {"name": name, "namespace": namespace, "labels": dict(labels)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def import_annotations(
    *, volume: str, backend_uuid: str, managed: bool = False, keep_name: bool = False
) -> dict[str, str]:
    """What tells Trident to serve a claim with a volume that is there already.

    ``managed`` hands the volume over: Trident renames it, unless ``keep_name``, and deletes it with its claim.
    """
    said = {"importOriginalName": volume, "importBackendUUID": backend_uuid, "notManaged": str(not managed).lower()}
    said |= {"importNoRename": "true"} if managed and keep_name else {}
    return {f"{TRIDENT}/{key}": value for key, value in said.items()}


def snapshot(
    *, name: str, namespace: str, claim: str, labels: Mapping[str, str], snapshot_class: str | None = None
) -> Manifest:
    """A VolumeSnapshot of a claim. Without a class, the default one of the claim's driver serves it."""
    spec: Manifest = {"source": {"persistentVolumeClaimName": claim}}
    if snapshot_class is not None:
        spec["volumeSnapshotClassName"] = snapshot_class
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": f"{SNAPSHOTS}/v1", "kind": "VolumeSnapshot", "metadata": metadata, "spec": spec}


def static_volume(
    *,
    name: str,
    namespace: str,
    claim: str,
    size_bytes: int,
    labels: Mapping[str, str],
    source: Mapping[str, Any],
    access_modes: Sequence[str] = (READ_WRITE_MANY,),
    mount_options: Sequence[str] = (),
) -> Manifest:
    """A PersistentVolume for one claim, over what is there already; to delete it never deletes the data."""
    made = mounts.static_volume(
        name=name, namespace=namespace, claim=claim, source=source, options=mount_options, labels=labels
    )
    made["spec"] |= {"accessModes": list(access_modes), "capacity": {"storage": str(size_bytes)}}
    return made
