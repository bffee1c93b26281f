"""Volumes: made once, found again by name and comment, removed only with our mark on them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InUse, JobStillRunning, NameTaken, NotFound, NotOurs, OntapError
from ontap_mlops.ontap.marks import is_ours
from ontap_mlops.pauses import looks

log = logging.getLogger(__name__)

# Named one by one: fields that are not asked for by name may be missing from an answer.
FIELDS = (
    "uuid,name,svm.name,state,type,size,comment,create_time,nas.path,nas.unix_permissions,space.used,space.available,"
    "space.size,is_svm_root,clone.is_flexclone,clone.parent_volume.name,clone.parent_volume.uuid,clone.parent_snapshot.name"
)


@dataclass(frozen=True, kw_only=True)
class Volume:
    """Sizes in bytes; a fact ONTAP did not tell is None. ``created_at`` is ISO 8601 by ONTAP's clock."""

    uuid: str
    name: str
    svm: str
    type: str | None = None
    """``rw``, or ``dp`` for the destination of a mirror, which is read-only until the mirror is broken."""
    state: str | None = None
    size_bytes: int | None = None
    used_bytes: int | None = None
    available_bytes: int | None = None
    junction_path: str | None = None
    unix_permissions: int | None = None
    comment: str = ""
    created_at: str | None = None
    is_svm_root: bool = False
    is_clone: bool = False
    parent_volume: str | None = None
    parent_volume_uuid: str | None = None
    parent_snapshot: str | None = None

    @property
    def is_ours(self) -> bool:
        return is_ours(self.comment)

    @property
    def is_read_only(self) -> bool:
        """The destination of a mirror, until that is broken off."""
        return self.type == "dp"


def find(client: Client, *, svm: str, name: str) -> Volume | None:
    found = client.records(
        "Volume", asked=f"look up {_called(name, svm)}", fields=FIELDS, name=name, **{"svm.name": svm}
    )
    return next((of_record(record, svm) for record in found if record.get("name") == name), None)


def get(client: Client, *, svm: str, name: str) -> Volume:
    """Raises NotFound, saying whether the volume or the SVM is missing."""
    volume = find(client, svm=svm, name=name)
    if volume is None:
        cluster.svm_uuid(client, svm=svm)
        raise NotFound(f"There is no {_called(name, svm)} on ONTAP at {client.address}. Check the name.")
    return volume


def by_uuid(client: Client, *, uuid: str) -> Volume:
    return of_record(client.record("Volume", {"uuid": uuid}, asked=f"read volume {uuid}", fields=FIELDS), "")


def at(client: Client, *, svm: str, path: str) -> Volume:
    """Return the volume that holds this path of the SVM's namespace. Raises NotFound when nothing is mounted there.

    Never the SVM's root volume: it holds every path there is, and nothing of ours.
    """
    mounted = [v for v in list_volumes(client, svm=svm) if v.junction_path and not v.is_svm_root]
    holding = [v for v in mounted if (path.rstrip("/") + "/").startswith((v.junction_path or "").rstrip("/") + "/")]
    if not holding:
        raise NotFound(f"No volume of SVM {svm!r} is mounted at {path}. Make the volume with that junction path first.")
    return max(holding, key=lambda v: len(v.junction_path or ""))


def list_volumes(client: Client, *, svm: str | None = None, name: str | None = None, **query: Any) -> list[Volume]:
    """Return the volumes that match; ``name`` may hold ``*``. Queries as ``**{"clone.parent_volume.uuid": ...}``."""
    query |= {"svm.name": svm} if svm else {}
    query |= {"name": name} if name else {}
    return [of_record(r, svm or "") for r in client.records("Volume", asked="list volumes", fields=FIELDS, **query)]


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    name: str,
    size_bytes: int,
    comment: str,
    junction_path: str | None = None,
    unix_permissions: str | None = None,
    aggregate: str | None = None,
    export_policy: str | None = None,
    snapshot_policy: str = "none",
) -> Volume:
    """Return the volume of this name, made now or by an earlier try; grown to the size, never shrunk.

    :param comment: our mark (``marks.mark``); a volume of this name with another comment is somebody else's.
    :param unix_permissions: of the volume's root, as in ``chmod``: "777" lets S3 and NFS users write.
    :param aggregate: where to put it; the aggregate with the most free space if not given.
    """
    volume = find(client, svm=svm, name=name)
    if volume is None:
        body = {
            "name": name,
            "svm": {"name": svm},
            "size": size_bytes,
            "comment": comment,
            "aggregates": [{"name": aggregate or cluster.roomiest_aggregate(client, svm=svm)}],
            "snapshot_policy": {"name": snapshot_policy},
            "guarantee": {"type": "none"},
            "nas": nas_of(junction_path, unix_permissions, export_policy),
        }
        volume = create_once(client, body, svm=svm, name=name)
    require_ours(volume, comment=comment)
    return _as_asked(client, volume, size_bytes=size_bytes, junction_path=junction_path)


@repeatable
def grow(client: Client, *, volume: Volume, size_bytes: int) -> Volume:
    """Grow the volume to at least this size; it is never shrunk."""
    if volume.size_bytes is not None and volume.size_bytes >= size_bytes:
        return volume
    asked = f"grow {_called(volume.name, volume.svm)} to {size_bytes} bytes"
    client.modify("Volume", {"uuid": volume.uuid}, {"size": size_bytes}, asked=asked)
    return by_uuid(client, uuid=volume.uuid)


@repeatable
def mount(client: Client, *, volume: Volume, junction_path: str) -> Volume:
    """Mount the volume at this path of the SVM's namespace."""
    if volume.junction_path == junction_path:
        return volume
    asked = f"mount {_called(volume.name, volume.svm)} at {junction_path}"
    client.modify("Volume", {"uuid": volume.uuid}, {"nas": {"path": junction_path}}, asked=asked)
    return by_uuid(client, uuid=volume.uuid)


@repeatable
def unmount(client: Client, *, volume: Volume) -> Volume:
    """Take the volume out of the SVM's namespace: no client reaches its files any more, through a bucket neither."""
    if volume.junction_path is None:
        return volume
    asked = f"unmount {_called(volume.name, volume.svm)} from {volume.junction_path}"
    client.modify("Volume", {"uuid": volume.uuid}, {"nas": {"path": ""}}, asked=asked)
    return by_uuid(client, uuid=volume.uuid)


@repeatable
def set_unix_permissions(client: Client, *, volume: Volume, unix_permissions: str) -> Volume:
    """Set the permissions of the volume's root: octal digits as in ``chmod``."""
    if volume.is_svm_root:
        raise NotOurs(
            f"The UNIX permissions of {_called(volume.name, volume.svm)} were not set to {unix_permissions}: it is the "
            "root volume, and they hold for the whole namespace. Set them by hand if that is meant."
        )
    if volume.unix_permissions == int(unix_permissions):
        return volume
    asked = f"set the UNIX permissions of {_called(volume.name, volume.svm)} to {unix_permissions}"
    client.modify("Volume", {"uuid": volume.uuid}, {"nas": {"unix_permissions": int(unix_permissions)}}, asked=asked)
    return by_uuid(client, uuid=volume.uuid)


@repeatable
def set_comment(client: Client, *, volume: Volume, comment: str) -> Volume:
    if volume.comment == comment:
        return volume
    asked = f"set the comment of {_called(volume.name, volume.svm)} to {comment!r}"
    client.modify("Volume", {"uuid": volume.uuid}, {"comment": comment}, asked=asked)
    return by_uuid(client, uuid=volume.uuid)


@repeatable
def delete(client: Client, *, svm: str, name: str, comment: str | None = None, not_ours_too: bool = False) -> bool:
    """Remove it; False if it was gone already. ONTAP takes it offline by itself and keeps it in a recovery queue.

    :param comment: if given, only a volume with exactly this comment is removed.
    :param not_ours_too: remove it even without our mark.
    """
    volume = find(client, svm=svm, name=name)
    if volume is None:
        return False
    require_removable(volume, comment=comment, not_ours_too=not_ours_too)
    try:
        client.remove("Volume", {"uuid": volume.uuid}, asked=f"remove {_called(name, svm)}")
    except NotFound:
        return False
    except InUse as error:
        raise _with_clones_named(client, volume, error) from error
    return True


def clones_of(client: Client, *, volume_uuid: str, snapshot: str | None = None) -> list[Volume]:
    """Return the FlexClones that still share blocks with the volume, or with one snapshot of it."""
    query = {"clone.parent_volume.uuid": volume_uuid} | ({"clone.parent_snapshot.name": snapshot} if snapshot else {})
    asked = f"list clones of volume {volume_uuid}"
    found = client.records("Volume", asked=asked, fields=FIELDS, **{"clone.is_flexclone": "true"}, **query)
    return [of_record(record, "") for record in found]


def create_once(client: Client, body: dict[str, Any], *, svm: str, name: str) -> Volume:
    """POST, then return the volume as it is. A name that is taken may be our own earlier try, still being made."""
    taken: NameTaken | None = None
    try:
        client.create("Volume", body, asked=f"create {_called(name, svm)}")
    except NameTaken as error:
        taken = error
    for _ in looks(client.job_timeout_s if taken is None else 10.0):
        volume = find(client, svm=svm, name=name)
        if volume is not None and volume.state in (None, "online"):
            return volume
    if taken is not None and volume is None:
        raise taken
    raise JobStillRunning(f"{_called(name, svm).capitalize()} was asked for but is not online yet. Try again.")


def require_removable(volume: Volume, *, comment: str | None = None, not_ours_too: bool = False) -> None:
    """Raises NotOurs for what ``delete`` would not remove."""
    if volume.is_svm_root:
        raise NotOurs(
            f"{_called(volume.name, volume.svm).capitalize()} was not removed: it is the root volume, which stays."
        )
    if not not_ours_too and (not volume.is_ours or comment not in (None, volume.comment)):
        raise NotOurs(
            f"Volume {volume.name!r} of SVM {volume.svm!r} was not removed: its comment is {volume.comment!r}, not "
            f"{comment or 'our mark'!r}. Remove it by hand if it is yours to remove."
        )


def require_ours(volume: Volume, *, comment: str) -> None:
    if volume.comment != comment:
        raise NameTaken(
            f"Volume {volume.name!r} of SVM {volume.svm!r} exists and is not ours to use: its comment is "
            f"{volume.comment!r}, not {comment!r}. {NameTaken.advice}.",
            code="917526",
        )


def _as_asked(client: Client, volume: Volume, *, size_bytes: int, junction_path: str | None) -> Volume:
    volume = grow(client, volume=volume, size_bytes=size_bytes)
    return mount(client, volume=volume, junction_path=junction_path) if junction_path else volume


def nas_of(junction_path: str | None, unix_permissions: str | None, export_policy: str | None) -> dict[str, Any]:
    nas: dict[str, Any] = {"security_style": "unix"}
    nas |= {"path": junction_path} if junction_path else {}
    nas |= {"unix_permissions": int(unix_permissions)} if unix_permissions else {}
    return nas | ({"export_policy": {"name": export_policy}} if export_policy else {})


def _with_clones_named(client: Client, volume: Volume, error: InUse) -> OntapError:
    clones = sorted(clone.name for clone in clones_of(client, volume_uuid=volume.uuid))
    if not clones:
        return error
    return InUse(
        f"Volume {volume.name!r} of SVM {volume.svm!r} cannot be removed while it has clones: {', '.join(clones)}. "
        "Remove or split them first.",
        code=error.code,
        http_status=error.http_status,
    )


def _called(name: str, svm: str) -> str:
    return f"volume {name!r} of SVM {svm!r}"


def of_record(record: dict[str, Any], svm: str) -> Volume:
    nas, space, clone = record.get("nas") or {}, record.get("space") or {}, record.get("clone") or {}
    parent = clone.get("parent_volume") or {}
    return Volume(
        uuid=record["uuid"],
        name=record.get("name", ""),
        svm=(record.get("svm") or {}).get("name", svm),
        type=record.get("type"),
        state=record.get("state"),
        size_bytes=record.get("size", space.get("size")),
        used_bytes=space.get("used"),
        available_bytes=space.get("available"),
        junction_path=nas.get("path") or None,
        unix_permissions=_number(nas.get("unix_permissions")),
        comment=record.get("comment") or "",
        created_at=record.get("create_time"),
        is_svm_root=bool(record.get("is_svm_root")) or nas.get("path") == "/",
        is_clone=bool(clone.get("is_flexclone")),
        parent_volume=parent.get("name"),
        parent_volume_uuid=parent.get("uuid"),
        parent_snapshot=(clone.get("parent_snapshot") or {}).get("name"),
    )


def _number(value: Any) -> int | None:
    return int(value) if str(value or "").isdigit() else None
