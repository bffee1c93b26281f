"""Relationships: listed, made once, run and followed to a report, deleted when they are ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.clouds.copy_sync.client import SERVICE, Client
from ontap_mlops.clouds.copy_sync.endpoints import Endpoint, Login, require_pair
from ontap_mlops.clouds.marks import TAG

UNDER_WAY = frozenset({"RUNNING", "PENDING"})
_KEYS = ("host", "port", "bucket", "prefix", "export", "share", "path", "container", "storageAccountName", "provider")

_DEFAULTS: Mapping[str, Any] = {
    "gracePeriod": 30,
    "retries": 3,
    "deleteOnSource": False,
    "deleteOnTarget": False,
    "copyData": True,
    "objectTagging": False,
    "fileTypes": {"files": True, "directories": True, "symlinks": True, "hardlinks": False},
    "compareBy": {"uid": False, "gid": False, "mode": False, "mtime": True},
    "files": {"excludeExtensions": [], "minSize": 0},
    "directories": {"excludeNames": []},
    "schedule": {"isEnabled": False, "syncWhenCreated": False},
    "scheduleAbort": {"isEnabled": False},
}


@dataclass(frozen=True, kw_only=True)
class Relationship:
    """``name`` is None for one that was not made here. ``activity`` is how its last or running sync stands."""

    id: str
    name: str | None
    source: str
    target: str
    broker: str
    activity: Mapping[str, Any]

    @property
    def under_way(self) -> bool:
        return self.activity.get("status") in UNDER_WAY

    def facts(self) -> dict[str, Any]:
        """Plain values for XCom."""
        shown = {name: self.activity.get(name) for name in ("status", "type", "startTime", "endTime")}
        return {**asdict(self), "activity": {name: value for name, value in shown.items() if value}}


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """What one sync did. ``failed`` counts files and directories; ``reasons`` are the most common ones."""

    relationship: str
    kind: str
    files_copied: int
    bytes_copied: int
    files_scanned: int
    files_removed: int
    failed: int
    seconds: float
    reasons: tuple[str, ...] = ()


def list_relationships(client: Client) -> list[Relationship]:
    """Return all of the account, by id."""
    found = client.call("GET", "/api/relationships-v2", asked="list the relationships")
    return sorted((_relationship(record) for record in found), key=lambda each: each.id)


def get(client: Client, *, relationship_id: str) -> Relationship:
    """Raises NotFound."""
    asked = f"show relationship {relationship_id!r} of account {client.account_id}"
    return _relationship(client.call("GET", f"/api/relationships-v2/{relationship_id}", asked=asked))


def find(client: Client, *, name: str) -> Relationship | None:
    """Return the one made here under a name; None when there is none. Raises NameTaken when there are several."""
    found = [each for each in list_relationships(client) if each.name == name]
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise errors.NameTaken(
            f"{SERVICE} has several relationships marked {name!r}: {ids}. Delete all but one of them."
        )
    return found[0] if found else None


def ensure(
    client: Client,
    *,
    name: str,
    source: Endpoint,
    target: Endpoint,
    group_id: str,
    logins: Mapping[str, Login],
    settings: Mapping[str, Any] | None = None,
) -> Relationship:
    """Make the relationship called ``name``, or find it. It syncs when told to, unless ``settings`` say otherwise.

    ``logins`` are those of "source" and "target" that need one. Raises NameTaken when the name has other ends.
    """
    require_pair(source, target)
    wanted = _ends({"protocol": e.protocol, e.protocol: e.details()} for e in (source, target))
    found = find(client, name=name)
    if found is not None:
        return _adopted(found, name, wanted)
    _require_broker(client, name, group_id=group_id)
    body = {
        "groupId": group_id,
        "source": _described(source, logins.get("source")),
        "target": _described(target, logins.get("target")),
        "settings": _settings(settings or {}),
        "tags": [{"key": TAG, "value": name}],
    }
    asked = f"make relationship {name!r} from {wanted[0]} to {wanted[1]}"
    made = client.call("POST", "/api/relationships-v2", asked=asked, body=body)
    return get(client, relationship_id=str(made.get("relationshipId") or made.get("id") or ""))


def delete(client: Client, *, relationship_id: str) -> bool:
    """Delete one that was made here; the data at both ends stays. False when there is none.

    Raises NotOurs for somebody else's, InUse while it syncs.
    """
    try:
        found = get(client, relationship_id=relationship_id)
    except errors.NotFound:
        return False
    if found.name is None:
        raise errors.NotOurs(
            f"Relationship {relationship_id!r} from {found.source} to {found.target} was not made here, so it stays. "
            "Delete it in NetApp's console."
        )
    if found.under_way:
        raise errors.InUse(f"Relationship {relationship_id!r} ({found.name}) is syncing; it is not deleted meanwhile.")
    client.call("DELETE", f"/api/relationships/{relationship_id}", asked=f"delete relationship {relationship_id!r}")
    return True


def begin_sync(client: Client, *, relationship_id: str) -> dict[str, Any]:
    """Start a sync, or join the one that runs; the arguments of ``look``.

    Raises NotFound, and BadState when the relationship's data broker is not there.
    """
    found = get(client, relationship_id=relationship_id)
    joined = {"relationship_id": relationship_id, "before": None}
    if found.under_way:
        return joined
    _require_broker(client, relationship_id, broker=found.broker)
    try:
        client.call("PUT", f"/api/relationships/{relationship_id}/sync", asked=f"sync relationship {relationship_id!r}")
    except errors.InvalidRequest:  # as for one that somebody else has just started
        if get(client, relationship_id=relationship_id).under_way:
            return joined
        raise
    return {**joined, "before": found.activity.get("startTime")}


def look(client: Client, *, relationship_id: str, before: str | None, cursor: str = "") -> dict[str, Any]:
    """Return how the sync that began after ``before`` stands, as a PollingTrigger asks; its payload is a report.

    Raises OperationFailed when it failed, BadState when somebody stopped it.
    """
    activity = get(client, relationship_id=relationship_id).activity
    status = str(activity.get("status") or "")
    # Until the broker takes it up, the relationship still shows the sync before.
    if status in UNDER_WAY or not status or (before is not None and activity.get("startTime") == before):
        line = _progress(activity) if status == "RUNNING" else "The sync waits for its data broker."
        return {"done": False, "lines": [] if line == cursor else [line], "cursor": line}
    if status == "ABORTED":
        raise errors.BadState(f"The sync of relationship {relationship_id!r} was stopped by somebody before its end.")
    if status != "DONE":
        reasons = "; ".join(_reasons(activity)) or f"state {status}, no reason given"
        raise errors.OperationFailed(f"The sync of relationship {relationship_id!r} failed: {errors.short(reasons)}.")
    report = _report(relationship_id, activity)
    return {"done": True, "payload": asdict(report), "lines": [_progress(activity)]}


def abort(client: Client, *, relationship_id: str, before: str | None) -> None:
    """Stop the sync that runs; what it has copied stays."""
    client.call("PUT", f"/api/relationships/{relationship_id}/abort", asked=f"stop relationship {relationship_id!r}")


def _adopted(found: Relationship, name: str, wanted: tuple[str, str]) -> Relationship:
    if (found.source, found.target) != wanted:
        raise errors.NameTaken(
            f"Relationship {name!r} ({found.id}) copies from {found.source} to {found.target}, and was asked for from "
            f"{wanted[0]} to {wanted[1]}. Choose another name, or delete it."
        )
    return found


def _require_broker(client: Client, which: str, *, broker: str = "", group_id: str = "") -> None:
    if not broker and not group_id:
        return  # the service says nothing of it
    all_ = client.call("GET", "/api/data-brokers", asked="list the data brokers")
    brokers = [each for each in all_ if each.get("id") == broker or (group_id and each.get("groupId") == group_id)]
    if any(each.get("status") == "COMPLETE" for each in brokers):
        return
    states = "; ".join(
        f"{b.get('name')} is {b.get('status') or 'not yet seen'}, {b.get('message') or ''}" for b in brokers
    )
    there = f"none is online: {states.rstrip(', ')}" if brokers else "there is none"
    named = f"group {group_id!r}" if group_id else f"data broker {broker!r}"
    raise errors.BadState(f"Relationship {which!r} needs {named}, and {there}. Start or install a data broker.")


def _described(end: Endpoint, login: Login | None) -> dict[str, Any]:
    details = end.details()
    if end.needs_login:
        if login is None:
            raise errors.InvalidRequest(f"The end {end.kind} needs a login; name its connection as login_conn_id.")
        details["credentials"] = end.credentials(login)
    return {"protocol": end.protocol, end.protocol: details}


def _settings(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the service asks for; what is wanted goes over it, group by group."""
    made = {name: dict(value) if isinstance(value, Mapping) else value for name, value in _DEFAULTS.items()}
    for name, value in wanted.items():
        made[name] = {**made[name], **value} if isinstance(made.get(name), dict) else value
    return made


def _relationship(record: Mapping[str, Any]) -> Relationship:
    source, target = _ends([record.get("source") or {}, record.get("target") or {}])
    tags = {tag.get("key"): tag.get("value") for tag in record.get("tags") or []}
    return Relationship(
        id=str(record.get("id") or record.get("relationshipId")),
        name=tags.get(TAG),
        source=source,
        target=target,
        broker=str(record.get("dataBroker") or ""),
        activity=record.get("activity") or {},
    )


def _ends(both: Any) -> tuple[str, str]:
    """Both ends in words, without keys and without what the service fills in by itself."""
    said = []
    for end in both:
        protocol = str(end.get("protocol") or "")
        details = end.get(protocol) or {}
        places = [str(details[key]) for key in _KEYS[:-1] if details.get(key)]
        said.append(f"{details.get('provider') or protocol}://{'/'.join(part.strip('/') for part in places)}")
    return said[0], said[1]


def _progress(activity: Mapping[str, Any]) -> str:
    copied, marked = int(activity.get("filesCopied") or 0), int(activity.get("filesMarkedForCopy") or 0)
    return (
        f"{copied} of {max(copied, marked)} files copied, {int(activity.get('bytesCopied') or 0)} bytes, "
        f"{int(activity.get('filesFailed') or 0)} failed."
    )


def _report(relationship: str, activity: Mapping[str, Any]) -> SyncReport:
    def number(name: str) -> int:
        return int(activity.get(name) or 0)

    return SyncReport(
        relationship=relationship,
        kind=str(activity.get("type") or ""),
        files_copied=number("filesCopied"),
        bytes_copied=number("bytesCopied"),
        files_scanned=number("filesScanned"),
        files_removed=number("filesRemoved"),
        failed=number("filesFailed") + number("dirsFailed") + number("filesRemovedFailed") + number("dirsFailedToScan"),
        seconds=number("executionTime") / 1000,
        reasons=tuple(_reasons(activity)),
    )


def _reasons(activity: Mapping[str, Any]) -> list[str]:
    common = activity.get("topFiveMostCommonRelationshipErrors") or []
    told = [f"{e.get('description') or e.get('errorCode')} ({e.get('counter', 1)} times)" for e in common]
    brokers = [str(e.get("reason")) for e in activity.get("errors") or [] if e.get("reason")]
    said = activity.get("failureMessage")
    return [*([str(said)] if said else []), *told, *brokers]
