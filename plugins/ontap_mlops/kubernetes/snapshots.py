"""VolumeSnapshots: made once, waited for with a limit, kept or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ontap_mlops.kubernetes import claims
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import InUse, NameTaken, NotFound, NotReady, sentence, short
from ontap_mlops.kubernetes.quantities import bytes_in
from ontap_mlops.kubernetes.waits import not_yet, told_before
from ontap_mlops.kubernetes_manifests import storage
from ontap_mlops.kubernetes_manifests.labels import is_ours

KIND, CONTENT, CLASS = "VolumeSnapshot", "VolumeSnapshotContent", "VolumeSnapshotClass"
_DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"


def ensure(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    claim: str,
    labels: Mapping[str, str],
    snapshot_class: str | None = None,
) -> Manifest:
    """Return the snapshot of this name, made now or by an earlier try; ``look`` tells when it can be used.

    Raises NotFound for a class or a claim that there is not, and NameTaken for a snapshot of another claim.
    """
    asked = f"make snapshot {namespace}/{name} of claim {claim}"
    found = cluster.find(KIND, name, namespace)
    if found is None:
        require_class(cluster, snapshot_class, asked=asked)
        claims.get(cluster, claims.KIND, claim, namespace, asked=asked)
        wanted = storage.snapshot(
            name=name, namespace=namespace, claim=claim, labels=labels, snapshot_class=snapshot_class
        )
        found = cluster.ensure(wanted)
    if not is_ours(found):
        raise sentence(NameTaken, cluster.host, asked, "one of that name exists that does not carry our label")
    if (theirs := found["spec"]["source"].get("persistentVolumeClaimName")) != claim:
        raise sentence(NameTaken, cluster.host, asked, f"one of that name is there, of claim {theirs}")
    return found


def require_class(cluster: Cluster, named: str | None, *, asked: str) -> Manifest:
    """Return the snapshot class of that name, or the default one. Raises NotFound, naming those there are."""
    known = cluster.select(CLASS)
    for each in known:
        notes = each["metadata"].get("annotations") or {}
        if each["metadata"]["name"] == named or (named is None and notes.get(_DEFAULT) == "true"):
            return each
    names = ", ".join(sorted(each["metadata"]["name"] for each in known)) or "none"
    missing = f"there is no {CLASS} {named!r}" if named else f"no {CLASS} is the default one"
    raise sentence(NotFound, cluster.host, asked, f"{missing}; there are: {names}")


def look(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    uid: str,
    keep: bool = False,
    deadline: float | None = None,
    cursor: str | None = None,
) -> Manifest:
    """Tell whether the snapshot can be used, as a PollingTrigger asks, and with ``keep`` see that it stays.

    Raises NotReady past the deadline, with what the cluster says is in the way, after the snapshot has been withdrawn.
    """
    found = cluster.find(KIND, name, namespace)
    asked = f"make snapshot {namespace}/{name}"
    if found is None or found["metadata"]["uid"] != uid:
        raise sentence(NotFound, cluster.host, asked, "it was deleted meanwhile")
    status = found.get("status") or {}
    if status.get("readyToUse"):
        return {"done": True, "payload": _ready(cluster, found, keep)}
    error = short((status.get("error") or {}).get("message") or "")
    state = f"it is not ready to use: {error}" if status.get("error") else "it is not ready to use"
    try:
        return told_before(not_yet(cluster, found, asked=asked, state=state, deadline=deadline), cursor)
    except NotReady:
        withdraw(cluster, name=name, namespace=namespace, uid=uid)
        raise


def withdraw(cluster: Cluster, *, name: str, namespace: str, uid: str, **_: Any) -> bool:
    """Delete a snapshot of ours that was never ready; anything else stays."""
    found = cluster.find(KIND, name, namespace)
    if found is None or found["metadata"]["uid"] != uid or not is_ours(found):
        return False
    if (found.get("status") or {}).get("readyToUse"):
        return False
    return cluster.delete(KIND, name, namespace, uid=uid)


def delete(cluster: Cluster, *, name: str, namespace: str, even_kept: bool = False) -> Manifest:
    """Begin to delete a snapshot of ours and return the arguments of ``look_gone``.

    Raises InUse while a claim is being made from it, and NameTaken for one without our label or, unless ``even_kept``,
    one that is kept.
    """
    asked = f"delete snapshot {namespace}/{name}"
    after: Manifest = {"name": name, "namespace": namespace, "uid": "", "content": ""}
    found = cluster.find(KIND, name, namespace)
    if found is None:
        return after
    if not is_ours(found):
        raise sentence(NameTaken, cluster.host, asked, "it does not carry our label, so it was not made here")
    for each in cluster.select(claims.KIND, namespace=namespace):
        source, phase = each["spec"].get("dataSource") or {}, (each.get("status") or {}).get("phase")
        if (source.get("kind"), source.get("name")) == (KIND, name) and phase != "Bound":
            raise sentence(InUse, cluster.host, asked, f"claim {each['metadata']['name']} is being made from it")
    content = _content(cluster, found)
    if content is not None and content["spec"]["deletionPolicy"] == "Retain":
        if not even_kept:
            said = "it is kept (deletionPolicy Retain): ask for even_kept to have it deleted"
            raise sentence(NameTaken, cluster.host, asked, said)
        cluster.patch(CONTENT, content["metadata"]["name"], {"spec": {"deletionPolicy": "Delete"}})
    cluster.delete(KIND, name, namespace, uid=found["metadata"]["uid"])
    held = content["metadata"]["name"] if content is not None else ""
    return {**after, "uid": found["metadata"]["uid"], "content": held}


def look_gone(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    uid: str,
    content: str,
    deadline: float | None = None,
    cursor: str | None = None,
) -> Manifest:
    """Tell whether snapshot and content are gone, as a PollingTrigger asks.

    Raises NotReady past the deadline: the last warning says what holds it, such as a FlexClone that stands on it.
    """
    found = cluster.find(KIND, name, namespace) if uid else None
    if found is not None and found["metadata"]["uid"] != uid:
        found = None
    held = cluster.find(CONTENT, content) if content else None
    left = held or found
    if left is None:
        return {"done": True, "payload": {"name": name, "namespace": namespace}}
    said = ((left.get("status") or {}).get("error") or {}).get("message")
    state = f"it is going: {short(said)}" if said else "it is going"
    look = not_yet(cluster, left, asked=f"delete snapshot {namespace}/{name}", state=state, deadline=deadline)
    return told_before(look, cursor)


def restore_size(cluster: Cluster, *, name: str, namespace: str, asked: str) -> int:
    """Return the bytes that a claim made from it needs at least. Raises NotFound, and NotReady."""
    found = claims.get(cluster, KIND, name, namespace, asked=asked)
    status = found.get("status") or {}
    if not status.get("readyToUse"):
        raise sentence(NotReady, cluster.host, asked, f"snapshot {namespace}/{name} is not ready to use")
    return bytes_in(status.get("restoreSize"))


def _ready(cluster: Cluster, snapshot: Manifest, keep: bool) -> Manifest:
    content = _content(cluster, snapshot)
    if content is None:
        asked = f"tell of snapshot {snapshot['metadata']['name']}"
        raise sentence(NotFound, cluster.host, asked, "its content is gone")
    if keep and content["spec"]["deletionPolicy"] != "Retain":
        content = cluster.patch(CONTENT, content["metadata"]["name"], {"spec": {"deletionPolicy": "Retain"}})
    return {
        "name": snapshot["metadata"]["name"],
        "namespace": snapshot["metadata"]["namespace"],
        "uid": snapshot["metadata"]["uid"],
        "claim": snapshot["spec"]["source"].get("persistentVolumeClaimName") or "",
        "content": content["metadata"]["name"],
        "handle": (content.get("status") or {}).get("snapshotHandle") or "",
        "kept": content["spec"]["deletionPolicy"] == "Retain",
        "created_at": snapshot["status"].get("creationTime") or "",
        "size_bytes": bytes_in(snapshot["status"].get("restoreSize")),
    }


def _content(cluster: Cluster, snapshot: Manifest) -> Manifest | None:
    name = (snapshot.get("status") or {}).get("boundVolumeSnapshotContentName")
    return cluster.find(CONTENT, name) if name else None
