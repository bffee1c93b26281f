"""Claims become volumes: new ones, FlexClones of a snapshot or of a claim, or volumes that were there before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from trident_stand_in.cluster import SNAPSHOTS, TRIDENT, Cluster, annotation, is_leaving
from trident_stand_in.ontap import Found, Ontap, volume_name

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
INTERNAL = "trident-stand-in/volume"
MANAGED = "trident-stand-in/managed"
PASSING_SNAPSHOT = "trident-stand-in/passing-snapshot"


class NotYet(Exception):
    """It cannot be done as things are; the sentence becomes an event, and it is tried again."""


@dataclass(frozen=True)
class World:
    """What every piece of work needs.

    :param folder: where a node sees the SVM's namespace.
    :param provisioner: whose classes it serves.
    """

    ontap: Ontap
    cluster: Cluster
    folder: Path
    provisioner: str
    backend_uuid: str


def settle(world: World, namespace: str, name: str) -> None:
    """Make the claim's volume, or its size what it asks for. Raises NotYet, and OntapRefused."""
    claim = world.cluster.claim(namespace, name)
    if claim is None or is_leaving(claim):
        return
    kind = world.cluster.storage_class(claim["spec"].get("storageClassName") or "")
    if kind is None or kind["provisioner"] != world.provisioner:
        return
    if claim["status"].get("phase") == "Bound":
        _resize(world, claim)
    elif not claim["spec"].get("volumeName") and _may_begin(claim, kind):
        _provision(world, claim, kind)


def _may_begin(claim: Mapping[str, Any], kind: Mapping[str, Any]) -> bool:
    waits = kind.get("volumeBindingMode") == "WaitForFirstConsumer"
    return not waits or bool(annotation(claim, "volume.kubernetes.io/selected-node"))


def _provision(world: World, claim: Mapping[str, Any], kind: Mapping[str, Any]) -> None:
    if claim["spec"].get("volumeMode") == "Block":
        raise NotYet("volumeMode Block is not served: the volumes are folders")
    facts = {MANAGED: "true"}
    if annotation(claim, f"{TRIDENT}/importOriginalName"):
        volume, facts[MANAGED] = _imported(world, claim)
    elif parent := _parent(world, claim):
        volume, facts[PASSING_SNAPSHOT] = _clone(world, claim, *parent)
    else:
        volume = world.ontap.ensure(volume_name(claim["metadata"]["uid"]), _asked(claim), _comment(claim))
    world.cluster.ensure_volume(_persistent(world, claim, kind, volume, facts))


def _imported(world: World, claim: Mapping[str, Any]) -> tuple[Found, str]:
    """The volume of that name, and whether it is ours from now on: then it gets our name, unless told otherwise."""
    name, backend = (annotation(claim, f"{TRIDENT}/{key}") for key in ("importOriginalName", "importBackendUUID"))
    if backend != world.backend_uuid:
        raise NotYet(f"could not import volume {name}: backend with UUID {backend!r} was not found")
    ours = volume_name(claim["metadata"]["uid"])
    volume = world.ontap.find(name) or world.ontap.find(ours)
    if volume is None:
        raise NotYet(f"could not import volume {name}: SVM {world.ontap.svm!r} has no such volume")
    if annotation(claim, f"{TRIDENT}/notManaged").lower() == "true":
        return world.ontap.mounted(volume), "false"
    if volume.name != ours and annotation(claim, f"{TRIDENT}/importNoRename").lower() != "true":
        volume = world.ontap.rename(volume, ours)
    return world.ontap.mounted(volume), "true"


def _parent(world: World, claim: Mapping[str, Any]) -> tuple[str, str] | None:
    """Volume and snapshot in ONTAP to clone; an empty snapshot is to be made. None for a claim without a source."""
    source = claim["spec"].get("dataSource") or {}
    namespace = claim["metadata"]["namespace"]
    if source.get("kind") == "VolumeSnapshot" and source.get("apiGroup") == SNAPSHOTS:
        return _of_snapshot(world, namespace, source["name"], claim)
    named = source.get("name") if source.get("kind") == "PersistentVolumeClaim" else None
    named = named or annotation(claim, f"{TRIDENT}/cloneFromPVC")
    if not named:
        return None
    return internal(_volume_of(world, namespace, named)), annotation(claim, f"{TRIDENT}/cloneFromSnapshot")


def _of_snapshot(world: World, namespace: str, name: str, claim: Mapping[str, Any]) -> tuple[str, str]:
    snapshot = world.cluster.snapshot(namespace, name)
    status = (snapshot or {}).get("status") or {}
    if not status.get("readyToUse"):
        raise NotYet(f"snapshot {name} not found or not ready to use")
    if (least := int(parse_quantity(status["restoreSize"]))) > _asked(claim):
        raise NotYet(f"requested volume size {_asked(claim)} is less than the size {least} for the source snapshot")
    content = world.cluster.content(status["boundVolumeSnapshotContentName"])
    if content is None:
        raise NotYet(f"content of snapshot {name} is gone")
    return snapshot_of(world, content)


def snapshot_of(world: World, content: Mapping[str, Any]) -> tuple[str, str]:
    """The volume and the snapshot in ONTAP that a VolumeSnapshotContent stands for."""
    handle = (content.get("status") or {}).get("snapshotHandle") or content["spec"]["source"].get("snapshotHandle", "")
    volume, _, name = handle.partition("/")
    if not name:
        raise NotYet(f"snapshot handle {handle!r} is not of the form volume/snapshot")
    found = world.cluster.volume(volume)
    held = internal(found) if found else volume_name(volume.removeprefix("pvc-"))
    return held, annotation(content, f"{TRIDENT}/internalSnapshotName") or name


def _volume_of(world: World, namespace: str, name: str) -> dict[str, Any]:
    claim = world.cluster.claim(namespace, name)
    volume = world.cluster.volume(claim["spec"].get("volumeName") or "") if claim else None
    if volume is None or not annotation(volume, INTERNAL):
        raise NotYet(f"cloning from claim {namespace}/{name} not possible: it is not there, or not bound to a volume")
    return volume


def _clone(world: World, claim: Mapping[str, Any], parent: str, snapshot: str) -> tuple[Found, str]:
    """The clone, and what was made for it alone: a snapshot that goes with the clone."""
    uid, passing = claim["metadata"]["uid"], ""
    if not snapshot:
        snapshot = passing = f"clone-{uid}"
        if world.ontap.find(volume_name(uid)) is None:
            world.ontap.ensure_snapshot(world.ontap.get(parent), snapshot)
    made = world.ontap.ensure_clone(volume_name(uid), parent, snapshot, _asked(claim), _comment(claim))
    return made, f"{parent}/{passing}" if passing else ""


def _persistent(
    world: World, claim: Mapping[str, Any], kind: Mapping[str, Any], volume: Found, facts: Mapping[str, str]
) -> dict[str, Any]:
    meta = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{meta['uid']}",
            "annotations": {PROVISIONED_BY: world.provisioner, INTERNAL: volume.name, **facts},
        },
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": str(max(volume.size, _asked(claim)))},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "hostPath": {"path": f"{world.folder}{volume.path}", "type": "Directory"},
            "persistentVolumeReclaimPolicy": kind.get("reclaimPolicy") or "Delete",
            "storageClassName": kind["metadata"]["name"],
            "volumeMode": "Filesystem",
        },
    }


def _resize(world: World, claim: Mapping[str, Any]) -> None:
    meta, asked = claim["metadata"], _asked(claim)
    has = (claim["status"].get("capacity") or {}).get("storage", "0")
    volume = world.cluster.volume(claim["spec"]["volumeName"])
    if volume is None or not is_ours(world, volume) or asked <= parse_quantity(has):
        return
    if asked > parse_quantity(volume["spec"]["capacity"]["storage"]):
        world.ontap.grow(world.ontap.get(internal(volume)), asked)
        body = {"spec": {"capacity": {"storage": str(asked)}}}
        world.cluster.core.patch_persistent_volume(volume["metadata"]["name"], body)
    status = {"status": {"capacity": {"storage": str(asked)}, "conditions": None}}
    world.cluster.core.patch_namespaced_persistent_volume_claim_status(meta["name"], meta["namespace"], status)


def release(world: World, name: str) -> None:
    """Remove a volume that no claim has any more, as its reclaim policy says. Raises OntapRefused.

    One with snapshots goes with the last of them (see ``snapshots.drop``).
    """
    volume = world.cluster.volume(name)
    if volume is None or is_leaving(volume) or not is_ours(world, volume):
        return
    if (volume["status"].get("phase"), volume["spec"]["persistentVolumeReclaimPolicy"]) != ("Released", "Delete"):
        return
    if annotation(volume, MANAGED) == "true" and not has_snapshots(world, name):
        world.ontap.delete(internal(volume))
    parent, _, snapshot = annotation(volume, PASSING_SNAPSHOT).partition("/")
    if snapshot:
        world.ontap.delete_snapshot(parent, snapshot)
    world.cluster.delete_volume(name)


def has_snapshots(world: World, volume: str, apart_from: str = "") -> bool:
    """Whether a VolumeSnapshotContent stands on the persistent volume of that name."""
    for content in world.cluster.contents():
        source = content["spec"]["source"]
        handle = source.get("volumeHandle") or source.get("snapshotHandle", "").partition("/")[0]
        if handle == volume and content["metadata"]["name"] != apart_from:
            return True
    return False


def is_ours(world: World, volume: Mapping[str, Any]) -> bool:
    return annotation(volume, PROVISIONED_BY) == world.provisioner


def internal(volume: Mapping[str, Any]) -> str:
    """Name of a persistent volume in ONTAP."""
    return annotation(volume, INTERNAL)


def _asked(claim: Mapping[str, Any]) -> int:
    return int(parse_quantity(claim["spec"]["resources"]["requests"]["storage"]))


def _comment(claim: Mapping[str, Any]) -> str:
    return f"trident_stand_in for {claim['metadata']['namespace']}/{claim['metadata']['name']}"
