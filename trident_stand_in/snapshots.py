"""VolumeSnapshots become snapshots of ONTAP, and go as their content's deletion policy says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trident_stand_in import claims
from trident_stand_in.claims import NotYet, World
from trident_stand_in.cluster import SNAPSHOTS, annotation, is_leaving
from trident_stand_in.ontap import Found, volume_name

BOUND = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"
CONTENT_BOUND = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"


def settle(world: World, namespace: str, name: str) -> None:
    """Make the snapshot, or let it go. Raises NotYet, and OntapRefused; both are shown in its status too."""
    snapshot = world.cluster.snapshot(namespace, name)
    if snapshot is None:
        return
    if is_leaving(snapshot):
        _let_go(world, snapshot)
    elif not (snapshot.get("status") or {}).get("readyToUse"):
        _make(world, snapshot)


def show(world: World, namespace: str, name: str, trouble: str) -> None:
    """Write into a snapshot's status what is in the way."""
    if (snapshot := world.cluster.snapshot(namespace, name)) is not None:
        world.cluster.patch_snapshot(snapshot, {"status": {"error": _error(trouble)}}, status=True)


def show_content(world: World, name: str, trouble: str) -> None:
    """Write into a content's status what is in the way."""
    world.cluster.patch_content(name, {"status": {"error": _error(trouble)}}, status=True)


def _error(trouble: str) -> dict[str, str]:
    return {"message": trouble, "time": datetime.now().astimezone().isoformat(timespec="seconds")}


def _make(world: World, snapshot: Mapping[str, Any]) -> None:
    source = snapshot["spec"]["source"]
    if named := source.get("volumeSnapshotContentName"):
        content = _given(world, snapshot, named)
    else:
        content = _new(world, snapshot, source["persistentVolumeClaimName"])
    if content is None:
        return
    volume, name = claims.snapshot_of(world, content)
    held = world.ontap.get(volume)
    if named:
        if not (records := world.ontap.snapshots(held, name)):
            raise NotYet(f"snapshot {name} of volume {volume} was not found")
        record = records[0]
    else:
        record = world.ontap.ensure_snapshot(held, name)
    _tell(world, snapshot, content, held, record)


def _new(world: World, snapshot: Mapping[str, Any], claim_name: str) -> dict[str, Any] | None:
    """The content of a snapshot of a claim; None where another driver serves its class."""
    meta = snapshot["metadata"]
    kind = _class(world, snapshot)
    if kind["driver"] != world.provisioner:
        return None
    claim = world.cluster.claim(meta["namespace"], claim_name)
    volume = world.cluster.volume((claim or {}).get("spec", {}).get("volumeName") or "") if claim else None
    if volume is None or not claims.is_ours(world, volume):
        raise NotYet(f"claim {meta['namespace']}/{claim_name} is not there, or not bound to a volume of this driver")
    name, handle = f"snapcontent-{meta['uid']}", volume["metadata"]["name"]
    world.cluster.patch_snapshot(snapshot, {"metadata": {"finalizers": [BOUND]}})
    body = {
        "apiVersion": f"{SNAPSHOTS}/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": name, "finalizers": [CONTENT_BOUND]},
        "spec": {
            "driver": world.provisioner,
            "deletionPolicy": kind["deletionPolicy"],
            "source": {"volumeHandle": handle},
            "volumeSnapshotClassName": kind["metadata"]["name"],
            "volumeSnapshotRef": {
                "apiVersion": f"{SNAPSHOTS}/v1",
                "kind": "VolumeSnapshot",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
        },
    }
    world.cluster.ensure_content(body)
    return {**body, "status": {"snapshotHandle": f"{handle}/snapshot-{meta['uid']}"}}


def _given(world: World, snapshot: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The content that somebody made before; None where another driver serves it."""
    meta, content = snapshot["metadata"], world.cluster.content(name)
    if content is None:
        raise NotYet(f"VolumeSnapshotContent {name} is not there")
    if content["spec"]["driver"] != world.provisioner:
        return None
    reference = content["spec"]["volumeSnapshotRef"]
    if (reference.get("namespace"), reference.get("name")) != (meta["namespace"], meta["name"]) or (
        reference.get("uid") not in (None, "", meta["uid"])
    ):
        raise NotYet(f"VolumeSnapshotContent {name} belongs to {reference.get('namespace')}/{reference.get('name')}")
    world.cluster.patch_snapshot(snapshot, {"metadata": {"finalizers": [BOUND]}})
    world.cluster.patch_content(
        name, {"metadata": {"finalizers": [CONTENT_BOUND]}, "spec": {"volumeSnapshotRef": {"uid": meta["uid"]}}}
    )
    return content


def _class(world: World, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    named, known = snapshot["spec"].get("volumeSnapshotClassName"), world.cluster.snapshot_classes()
    for kind in known:
        if named == kind["metadata"]["name"] or (not named and annotation(kind, DEFAULT) == "true"):
            return kind
    if named:
        raise NotYet(f'failed to get snapshot class: volumesnapshotclass "{named}" not found')
    raise NotYet("failed to set default snapshot class: cannot find default snapshot class")


def _tell(
    world: World, snapshot: Mapping[str, Any], content: Mapping[str, Any], volume: Found, record: Mapping[str, Any]
) -> None:
    made, name = record["create_time"], content["metadata"]["name"]
    moment = made if isinstance(made, datetime) else datetime.fromisoformat(made)
    handle = (content.get("status") or {}).get("snapshotHandle") or content["spec"]["source"]["snapshotHandle"]
    known = {"snapshotHandle": handle, "creationTime": int(moment.timestamp()) * 10**9}
    world.cluster.patch_content(
        name, {"status": {**known, "readyToUse": True, "restoreSize": volume.size}}, status=True
    )
    status = {
        "boundVolumeSnapshotContentName": name,
        "creationTime": moment.astimezone().isoformat(timespec="seconds"),
        "readyToUse": True,
        "restoreSize": str(volume.size),
        "error": None,
    }
    world.cluster.patch_snapshot(snapshot, {"status": status}, status=True)


def _let_go(world: World, snapshot: Mapping[str, Any]) -> None:
    named = snapshot["spec"]["source"].get("volumeSnapshotContentName")
    named = named or f"snapcontent-{snapshot['metadata']['uid']}"
    content = world.cluster.content(named)
    if content is not None and content["spec"]["driver"] != world.provisioner:
        return
    if content is not None and content["spec"]["deletionPolicy"] == "Delete":
        world.cluster.delete_content(named)
        why = ((content.get("status") or {}).get("error") or {}).get("message") or f"content {named} is going"
        raise NotYet(why)
    world.cluster.patch_snapshot(snapshot, {"metadata": {"finalizers": None}})


def drop(world: World, name: str) -> None:
    """Remove what a content that is being deleted stands for, as its policy says, and with it what waited for that."""
    content = world.cluster.content(name)
    if content is None or not is_leaving(content) or content["spec"]["driver"] != world.provisioner:
        return
    if content["spec"]["deletionPolicy"] == "Delete" and (content.get("status") or {}).get("snapshotHandle"):
        volume, snapshot = claims.snapshot_of(world, content)
        world.ontap.delete_snapshot(volume, snapshot)
    handle = content["spec"]["source"].get("volumeHandle", "")
    if handle and world.cluster.volume(handle) is None and not claims.has_snapshots(world, handle, apart_from=name):
        world.ontap.delete(volume_name(handle.removeprefix("pvc-")))
    world.cluster.patch_content(name, {"metadata": {"finalizers": None}})
