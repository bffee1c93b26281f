"""PersistentVolumeClaims: made once, grown, waited for with a limit, and deleted only when nothing uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import (
    InUse,
    InvalidRequest,
    NameTaken,
    NotFound,
    NotReady,
    sentence,
)
from ontap_mlops.kubernetes.quantities import bytes_in
from ontap_mlops.kubernetes.waits import not_yet, told_before
from ontap_mlops.kubernetes_manifests import storage
from ontap_mlops.kubernetes_manifests.labels import is_ours
from ontap_mlops.kubernetes_manifests.storage import Source

KIND, VOLUME = "PersistentVolumeClaim", "PersistentVolume"
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_OVER = ("Succeeded", "Failed")


def ensure(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    size_bytes: int,
    labels: Mapping[str, str],
    storage_class: str | None = None,
    access_modes: Sequence[str] = (storage.READ_WRITE_MANY,),
    source: Source | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return the claim of this name, made now or by an earlier try; ``look`` tells when it is bound.

    Raises NotFound for a storage class or a source that there is not, and NameTaken when the claim that is there began
    as something else, is of another class, or is smaller.
    """
    wanted = storage.claim(
        name=name,
        namespace=namespace,
        size_bytes=size_bytes,
        labels=labels,
        storage_class=storage_class,
        access_modes=access_modes,
        source=source,
        annotations=annotations,
    )
    found = cluster.find(KIND, name, namespace)
    if found is None:
        require_class(cluster, storage_class, asked=f"make claim {namespace}/{name}")
        if source is not None:
            get(cluster, source.kind, source.name, namespace, asked=f"make claim {namespace}/{name} of it")
    return _same(cluster, cluster.ensure(wanted), wanted)


def require_class(cluster: Cluster, named: str | None, *, asked: str) -> Manifest:
    """Return the storage class of that name, or the default one. Raises NotFound, naming those there are."""
    known = cluster.select("StorageClass")
    for each in known:
        notes = each["metadata"].get("annotations") or {}
        if each["metadata"]["name"] == named or (named is None and any(notes.get(key) == "true" for key in _DEFAULT)):
            return each
    names = ", ".join(sorted(each["metadata"]["name"] for each in known)) or "none"
    missing = f"there is no StorageClass {named!r}" if named else "no StorageClass is the default one"
    raise sentence(NotFound, cluster.host, asked, f"{missing}; there are: {names}")


def get(cluster: Cluster, kind: str, name: str, namespace: str, *, asked: str) -> Manifest:
    """Raises NotFound, saying what it was needed for."""
    found = cluster.find(kind, name, namespace)
    if found is None:
        raise sentence(NotFound, cluster.host, asked, f"there is no {kind} {namespace}/{name}")
    return found


def look(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    uid: str,
    size_bytes: int = 0,
    deadline: float | None = None,
    cursor: str | None = None,
) -> Manifest:
    """Tell whether the claim is bound to a volume and has its size, as a PollingTrigger asks.

    One whose class waits for its first pod is ready before it is bound. Raises NotReady past the deadline, with the
    cluster's last warning, after a claim that never got a volume has been withdrawn.
    """
    found = cluster.find(KIND, name, namespace)
    if found is None or found["metadata"]["uid"] != uid:
        raise sentence(NotFound, cluster.host, f"bind claim {namespace}/{name}", "it was deleted meanwhile")
    status = found.get("status") or {}
    size = bytes_in((status.get("capacity") or {}).get("storage"))
    if status.get("phase") == "Bound" and size >= size_bytes:
        return {"done": True, "payload": facts(found)}
    if status.get("phase") != "Bound" and _waits_for_a_pod(cluster, found):
        return {"done": True, "payload": facts(found)}
    bound = status.get("phase") == "Bound"
    state = f"it has {size} of {size_bytes} bytes" if bound else f"it is {status.get('phase') or 'new'}"
    asked = f"{'enlarge' if bound else 'bind'} claim {namespace}/{name}"
    try:
        return told_before(not_yet(cluster, found, asked=asked, state=state, deadline=deadline), cursor)
    except NotReady:
        withdraw(cluster, name=name, namespace=namespace, uid=uid)
        raise


def withdraw(cluster: Cluster, *, name: str, namespace: str, uid: str, **_: Any) -> bool:
    """Delete a claim of ours that has never got a volume; anything else stays."""
    found = cluster.find(KIND, name, namespace)
    if found is None or found["metadata"]["uid"] != uid or not is_ours(found) or found["spec"].get("volumeName"):
        return False
    return cluster.delete(KIND, name, namespace, uid=uid)


def resize(cluster: Cluster, *, name: str, namespace: str, size_bytes: int) -> Manifest:
    """Ask for more room and return the claim; one that has it already stays as it is. A claim never shrinks."""
    asked = f"enlarge claim {namespace}/{name} to {size_bytes} bytes"
    found = get(cluster, KIND, name, namespace, asked=asked)
    now = bytes_in(found["spec"]["resources"]["requests"]["storage"])
    if now > size_bytes:
        raise sentence(InvalidRequest, cluster.host, asked, f"it asks for {now} bytes already, and no claim can shrink")
    if now == size_bytes:
        return found
    kind = found["spec"].get("storageClassName")
    if kind and not require_class(cluster, kind, asked=asked).get("allowVolumeExpansion"):
        raise sentence(InvalidRequest, cluster.host, asked, f"StorageClass {kind!r} does not allow volume expansion")
    changes = {"spec": {"resources": {"requests": {"storage": str(size_bytes)}}}}
    return cluster.patch(KIND, name, changes, namespace)


def share(cluster: Cluster, *, name: str, namespace: str, access_modes: Sequence[str]) -> Manifest:
    """Give the claim's volume these access modes, for what can only make claims for one node.

    The claim shows them too, after a moment. Whether many nodes may really write is up to the volume: NFS may.
    """
    asked = f"share claim {namespace}/{name}"
    found = get(cluster, KIND, name, namespace, asked=asked)
    volume = found["spec"].get("volumeName")
    if not volume:
        raise sentence(NotReady, cluster.host, asked, "it is not bound to a volume yet")
    if list(get(cluster, VOLUME, volume, "", asked=asked)["spec"]["accessModes"]) == list(access_modes):
        return found
    cluster.patch(VOLUME, volume, {"spec": {"accessModes": list(access_modes)}})
    return found


def users(cluster: Cluster, *, name: str, namespace: str) -> list[str]:
    """Return the names of the pods that mount the claim and are not over."""
    return [pod["metadata"]["name"] for pod in _pods_with(cluster, name, namespace)]


def _pods_with(cluster: Cluster, name: str, namespace: str) -> list[Manifest]:
    found = cluster.select("Pod", namespace=namespace)
    return [pod for pod in found if pod.get("status", {}).get("phase") not in _OVER and name in _claims_of(pod)]


def delete(cluster: Cluster, *, name: str, namespace: str) -> Manifest:
    """Begin to delete a claim of ours and return the arguments of ``look_gone``.

    Raises InUse while a pod mounts it that nobody has told to stop, and NameTaken for a claim without our label.
    """
    asked = f"delete claim {namespace}/{name}"
    found = cluster.find(KIND, name, namespace)
    after: Manifest = {"name": name, "namespace": namespace, "uid": "", "volume": ""}
    if found is None:
        return after
    if not is_ours(found):
        raise sentence(NameTaken, cluster.host, asked, "it does not carry our label, so it was not made here")
    mounted = _pods_with(cluster, name, namespace)
    if pods := [pod["metadata"]["name"] for pod in mounted if not pod["metadata"].get("deletionTimestamp")]:
        raise sentence(InUse, cluster.host, asked, f"it is used by {_some('pod', pods)}")
    if growing := _begun_from(cluster, name, namespace):
        raise sentence(InUse, cluster.host, asked, f"{growing} is being made from it")
    cluster.delete(KIND, name, namespace, uid=found["metadata"]["uid"])
    return {**after, "uid": found["metadata"]["uid"], "volume": found["spec"].get("volumeName") or ""}


def look_gone(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    uid: str,
    volume: str,
    deadline: float | None = None,
    cursor: str | None = None,
) -> Manifest:
    """Tell whether the claim is gone, and its volume where that goes with it, as a PollingTrigger asks.

    A volume that our own hands made for it goes here. Raises NotReady past the deadline: its last warning says what
    holds the volume, such as a FlexClone of it.
    """
    found = cluster.find(KIND, name, namespace) if uid else None
    if found is not None and found["metadata"]["uid"] == uid:
        pods = users(cluster, name=name, namespace=namespace)
        state = f"it is used by {_some('pod', pods)}" if pods else "it is going"
        look = not_yet(cluster, found, asked=f"delete claim {namespace}/{name}", state=state, deadline=deadline)
        return told_before(look, cursor)
    held = cluster.find(VOLUME, volume) if volume else None
    payload = {"name": name, "namespace": namespace, "volume_kept": False}
    if held is None or (held["spec"].get("claimRef") or {}).get("uid") not in (uid, None):
        return {"done": True, "payload": payload}
    if is_ours(held):
        cluster.delete(VOLUME, volume, uid=held["metadata"]["uid"])
    elif held["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
        return {"done": True, "payload": {**payload, "volume_kept": True}}
    phase = (held.get("status") or {}).get("phase")
    asked, state = f"delete volume {volume} of claim {namespace}/{name}", f"it is {phase}"
    return told_before(not_yet(cluster, held, asked=asked, state=state, deadline=deadline), cursor)


def facts(claim: Mapping[str, Any]) -> Manifest:
    """Return what later steps need of a claim, in plain values."""
    status = claim.get("status") or {}
    return {
        "name": claim["metadata"]["name"],
        "namespace": claim["metadata"]["namespace"],
        "uid": claim["metadata"]["uid"],
        "phase": status.get("phase") or "",
        "volume": claim["spec"].get("volumeName") or "",
        "storage_class": claim["spec"].get("storageClassName") or "",
        "access_modes": list(status.get("accessModes") or claim["spec"]["accessModes"]),
        "size_bytes": bytes_in((status.get("capacity") or {}).get("storage")),
    }


def _same(cluster: Cluster, found: Manifest, wanted: Manifest) -> Manifest:
    """The claim, if it is what was asked for."""
    spec, asked = found["spec"], f"make claim {found['metadata']['namespace']}/{found['metadata']['name']}"
    theirs, ours = spec.get("dataSource") or {}, wanted["spec"].get("dataSource") or {}
    if [theirs.get(key) for key in ("kind", "name")] != [ours.get(key) for key in ("kind", "name")]:
        said = f"one is there that began as {_began(theirs)}, not as {_began(ours)}"
        raise sentence(NameTaken, cluster.host, asked, said)
    kind = wanted["spec"].get("storageClassName")
    if kind is not None and spec.get("storageClassName") != kind:
        said = f"one is there of StorageClass {spec.get('storageClassName')!r}, not {kind!r}"
        raise sentence(NameTaken, cluster.host, asked, said)
    size, needed = (bytes_in(each["spec"]["resources"]["requests"]["storage"]) for each in (found, wanted))
    if size < needed:
        said = f"one is there with {size} bytes, and {needed} are asked for: enlarge it"
        raise sentence(NameTaken, cluster.host, asked, said)
    notes = {"metadata": {"annotations": {}}, **found}["metadata"].get("annotations") or {}
    for key, value in (wanted["metadata"].get("annotations") or {}).items():
        if notes.get(key) != value:
            raise sentence(NameTaken, cluster.host, asked, f"one is there with {key} {notes.get(key)!r}, not {value!r}")
    return found


def _began(source: Mapping[str, Any]) -> str:
    return f"{source['kind']} {source['name']}" if source else "an empty volume"


def _waits_for_a_pod(cluster: Cluster, claim: Manifest) -> bool:
    name = claim["spec"].get("storageClassName")
    kind = cluster.find("StorageClass", name) if name else None
    return bool(kind) and kind.get("volumeBindingMode") == "WaitForFirstConsumer"  # type: ignore[union-attr]


def _claims_of(pod: Mapping[str, Any]) -> set[str]:
    volumes = pod["spec"].get("volumes") or []
    return {each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each}


def _begun_from(cluster: Cluster, name: str, namespace: str) -> str:
    """A claim or snapshot that is still being made from this claim; empty where there is none."""
    for each in cluster.select(KIND, namespace=namespace):
        source, phase = each["spec"].get("dataSource") or {}, (each.get("status") or {}).get("phase")
        if (source.get("kind"), source.get("name")) == (KIND, name) and phase != "Bound":
            return f"claim {each['metadata']['name']}"
    if not cluster.has("VolumeSnapshot"):
        return ""
    for each in cluster.select("VolumeSnapshot", namespace=namespace):
        ready = (each.get("status") or {}).get("readyToUse")
        if each["spec"]["source"].get("persistentVolumeClaimName") == name and not ready:
            return f"snapshot {each['metadata']['name']}"
    return ""


def _some(what: str, found: Sequence[str]) -> str:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f"{what}{'s' if len(found) > 1 else ''} {', '.join(found[:3])}{more}"
