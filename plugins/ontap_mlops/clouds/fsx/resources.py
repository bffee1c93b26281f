"""What the five kinds of objects have in common: found by id, name or tag, followed to their state, told plainly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.clouds.fsx.calls import call, pages
from ontap_mlops.clouds.marks import TAG


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How FSx calls one kind. ``ready``: states in which it can be used; ``reason`` says why it is in another."""

    word: str
    describe: str
    ids: str
    list_key: str
    id_key: str
    ready: frozenset[str]
    reason: str = "LifecycleTransitionReason"


def _kind(word: str, stem: str, *ready: str, reason: str = "LifecycleTransitionReason") -> Kind:
    """One that FSx calls ``stem`` throughout, as it does all but access points."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", stem).lower()
    return Kind(
        word=word,
        describe=f"describe_{snake}s",
        ids=f"{stem}Ids",
        list_key=f"{stem}s",
        id_key=f"{stem}Id",
        ready=frozenset(ready),
        reason=reason,
    )


FILE_SYSTEM, SVM, VOLUME, ACCESS_POINT, BACKUP = "file_system", "svm", "volume", "access_point", "backup"
KINDS = {
    FILE_SYSTEM: _kind("file system", "FileSystem", "AVAILABLE", "UPDATING", reason="FailureDetails"),
    SVM: _kind("SVM", "StorageVirtualMachine", "CREATED"),
    VOLUME: _kind("volume", "Volume", "CREATED", "AVAILABLE"),
    ACCESS_POINT: Kind(
        word="S3 access point",
        describe="describe_s3_access_point_attachments",
        ids="Names",
        list_key="S3AccessPointAttachments",
        id_key="Name",
        ready=frozenset({"AVAILABLE"}),
    ),
    BACKUP: _kind("backup", "Backup", "AVAILABLE", reason="FailureDetails"),
}
_FAILED = frozenset({"FAILED", "MISCONFIGURED", "MISCONFIGURED_UNAVAILABLE"})


def tags(name: str) -> list[dict[str, str]]:
    """Those of an object made here; its name is AWS's own tag too, for the console."""
    return [{"Key": "Name", "Value": name}, {"Key": TAG, "Value": name}]


def mark_of(record: Mapping[str, Any]) -> str | None:
    """Return the name under which it was made here; None for somebody else's."""
    return next((tag["Value"] for tag in record.get("Tags") or [] if tag["Key"] == TAG), None)


def get(client: Any, kind: str, id_: str) -> dict[str, Any]:
    """Raises NotFound."""
    known = KINDS[kind]
    found = call(client, known.describe, known.list_key, asked=f"show {known.word} {id_!r}", **{known.ids: [id_]})
    if not found:
        raise errors.NotFound(
            f"FSx in {client.meta.region_name} has no {known.word} {id_!r}. Check the id, and region and account of "
            "the connection."
        )
    return found[0]


def list_all(client: Any, kind: str, **filters: str) -> list[dict[str, Any]]:
    """Return all of a kind; ``filters`` by FSx's names, with underscores."""
    known = KINDS[kind]
    wanted = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
    more = {"Filters": wanted} if wanted else {}
    return pages(client, known.describe, known.list_key, asked=f"list the {known.word}s", **more)


def require_ours(client: Any, kind: str, record: Mapping[str, Any]) -> None:
    """Raises NotOurs for an object without our tag."""
    known = KINDS[kind]
    if mark_of(record) is None:
        raise errors.NotOurs(
            f"The {known.word} {record[known.id_key]!r} does not carry the tag {TAG!r}, so it was not made here and "
            "stays as it is."
        )


def require_ready(kind: str, record: Mapping[str, Any], for_what: str) -> None:
    """Raises BadState for an object that cannot be used and will not be by itself, InUse for one that may be later."""
    known, state = KINDS[kind], str(record.get("Lifecycle"))
    if state in known.ready:
        return
    said = f"The {known.word} {_named(kind, record)} is {state}{_because(kind, record)}, so {for_what}."
    raise errors.InUse(said) if state in ("CREATING", "PENDING") else errors.BadState(said)


def look(client: Any, *, kind: str, id: str, gone: bool = False, cursor: str = "") -> dict[str, Any]:
    """Return how an object stands, as a PollingTrigger asks: done when it can be used; with ``gone``, when it is away.

    Raises BadState with the reason that FSx gives when it failed.
    """
    try:
        record = get(client, kind, id)
    except errors.NotFound:
        if not gone:
            raise
        return {"done": True, "payload": {"id": id}}
    known, state = KINDS[kind], str(record.get("Lifecycle"))
    if gone and state == "DELETED":
        return {"done": True, "payload": {"id": id}}
    if state in _FAILED:
        raise errors.BadState(f"The {known.word} {_named(kind, record)} is {state}{_because(kind, record)}.")
    if not gone and state in known.ready:
        return {"done": True, "payload": facts(kind, record)}
    percent = f", {record['ProgressPercent']} %" if record.get("ProgressPercent") is not None else ""
    line = f"The {known.word} {id} is {state}{percent}."
    return {"done": False, "lines": [] if line == cursor else [line], "cursor": line}


def facts(kind: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for XCom."""
    known = KINDS[kind]
    ontap = record.get("OntapConfiguration") or {}
    point = record.get("S3AccessPoint") or {}
    told = {
        "id": record[known.id_key],
        "name": mark_of(record) or record.get("Name"),
        "state": record.get("Lifecycle"),
        "arn": record.get("ResourceARN") or point.get("ResourceARN"),
        "file_system_id": record.get("FileSystemId"),
        "svm_id": ontap.get("StorageVirtualMachineId"),
        "volume_id": ontap.get("VolumeId") or (record.get("Volume") or {}).get("VolumeId"),
        "junction_path": ontap.get("JunctionPath"),
        "alias": point.get("Alias"),
        "management": _management(ontap.get("Endpoints") or record.get("Endpoints") or {}),
    }
    return {name: value for name, value in told.items() if value is not None}


def _management(endpoints: Mapping[str, Any]) -> str | None:
    told = endpoints.get("Management") or {}
    return told.get("DNSName") or next(iter(told.get("IpAddresses") or []), None)


def _named(kind: str, record: Mapping[str, Any]) -> str:
    id_, name = record[KINDS[kind].id_key], mark_of(record) or record.get("Name")
    return f"{name!r} ({id_})" if name and name != id_ else repr(id_)


def _because(kind: str, record: Mapping[str, Any]) -> str:
    told = (record.get(KINDS[kind].reason) or {}).get("Message")
    return f", because: {errors.short(told)}" if told else ""
