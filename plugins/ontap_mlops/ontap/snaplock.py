"""SnapLock volumes: files written once and then kept until a date, by rules of enterprise or of compliance.

Of *compliance*, nobody removes a file or its volume before that; of *enterprise*, the administrator may remove the
volume. The type of a volume is given when it is made and never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ontap_mlops.ontap import cluster, snapshot_locks, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import ClockNotSet, InvalidRequest, LockNotTaken, NameTaken, NotFound
from ontap_mlops.ontap.volumes import Volume

ENTERPRISE, COMPLIANCE = "enterprise", "compliance"
_FIELDS = "snaplock.type,snaplock.retention"


@dataclass(frozen=True, kw_only=True)
class Retention:
    """ISO 8601 periods of one unit, such as ``P30D``, or ``infinite``; ONTAP's own where not given."""

    default: str | None = None
    minimum: str | None = None
    maximum: str | None = None


@dataclass(frozen=True, kw_only=True)
class SnapLock:
    """``kind`` is ``enterprise`` or ``compliance``; None for an ordinary volume."""

    kind: str | None
    retention: Retention


def of_volume(client: Client, *, volume_uuid: str) -> SnapLock:
    asked = f"read the SnapLock type of volume {volume_uuid}"
    record = client.record("Volume", {"uuid": volume_uuid}, asked=asked, fields=_FIELDS)
    told = record.get("snaplock") or {}
    periods = {key: value for key, value in (told.get("retention") or {}).items() if key in Retention.__annotations__}
    kind = told.get("type")
    return SnapLock(kind=kind if kind in (ENTERPRISE, COMPLIANCE) else None, retention=Retention(**periods))


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    name: str,
    size_bytes: int,
    comment: str,
    kind: str,
    retention: Retention,
    junction_path: str | None = None,
    unix_permissions: str | None = None,
) -> Volume:
    """Return the SnapLock volume of this name, made now or by an earlier try, with these retention periods.

    Raises ClockNotSet without a compliance clock, which is never set here; NameTaken for a volume of this name that is
    not ours or of another type.
    """
    if kind not in (ENTERPRISE, COMPLIANCE):
        raise InvalidRequest(f"SnapLock volume {name!r} was to be of type {kind!r}; give enterprise or compliance.")
    periods = {key: value for key, value in vars(retention).items() if value}
    volume = volumes.find(client, svm=svm, name=name)
    if volume is None:
        if snapshot_locks.clocks(client) == {}:
            raise ClockNotSet(
                f"SnapLock volume {name!r} of SVM {svm!r} was not made: no node has a compliance clock. "
                f"{ClockNotSet.advice}."
            )
        nas: dict[str, Any] = {"security_style": "unix"} | ({"path": junction_path} if junction_path else {})
        nas |= {"unix_permissions": int(unix_permissions)} if unix_permissions else {}
        body = {
            "name": name,
            "svm": {"name": svm},
            "size": size_bytes,
            "comment": comment,
            "aggregates": [{"name": cluster.roomiest_aggregate(client, svm=svm)}],
            "snapshot_policy": {"name": "none"},
            "guarantee": {"type": "none"},
            "nas": nas,
            "snaplock": {"type": kind} | ({"retention": periods} if periods else {}),
        }
        volume = volumes.create_once(client, body, svm=svm, name=name)
    volumes.require_ours(volume, comment=comment)
    return _as_asked(client, volume, kind, periods)


def _as_asked(client: Client, volume: Volume, kind: str, periods: dict[str, str]) -> Volume:
    there = of_volume(client, volume_uuid=volume.uuid)
    if there.kind != kind:
        raise NameTaken(
            f"Volume {volume.name!r} of SVM {volume.svm!r} is {there.kind or 'no SnapLock volume'} and not {kind}, and "
            f"the type never changes. {NameTaken.advice}."
        )
    if any(getattr(there.retention, key) != value for key, value in periods.items()):
        asked = f"set the retention periods of SnapLock volume {volume.name!r} of SVM {volume.svm!r}"
        client.modify("Volume", {"uuid": volume.uuid}, {"snaplock": {"retention": periods}}, asked=asked)
    return volume


@repeatable
def keep(client: Client, *, svm: str, volume: str, path: str, until: datetime) -> datetime:
    """Keep a file of a SnapLock volume until a time, and return until when ONTAP then keeps it: then or later.

    Raises InvalidRequest for a time that is over or an ordinary volume, LockNotTaken when ONTAP keeps it shorter, as it
    does where the volume's longest retention period is shorter.
    """
    home = volumes.get(client, svm=svm, name=volume)
    asked = f"keep file {path!r} of volume {volume!r} of SVM {svm!r} until {_text(until)}"
    if until.tzinfo is None or until <= cluster.now(client):
        raise InvalidRequest(f"ONTAP was not asked to {asked}: that is over, or has no time zone. Give a later time.")
    if of_volume(client, volume_uuid=home.uuid).kind is None:
        raise InvalidRequest(f"ONTAP was not asked to {asked}: it is no SnapLock volume. Put the file on one.")
    key = {"volume": {"uuid": home.uuid}, "path": path.strip("/")}
    end = _kept_until(client, key, asked)
    if end is None or end < until.replace(microsecond=0):
        client.modify("SnaplockFileRetention", key, {"expiry_time": _text(until)}, asked=asked)
        end = _kept_until(client, key, asked)
    if end is None or end < until.replace(microsecond=0):
        raise LockNotTaken(
            f"ONTAP was asked to {asked} and keeps it until {end.isoformat() if end else 'no time'}. Check the longest "
            "retention period of the volume."
        )
    return end


def _kept_until(client: Client, key: dict[str, Any], asked: str) -> datetime | None:
    try:
        record = client.record("SnaplockFileRetention", key, asked=f"look whether to {asked}", fields="expiry_time")
    except (NotFound, InvalidRequest):  # a file that was written and is not kept yet
        return None
    return datetime.fromisoformat(record["expiry_time"]) if record.get("expiry_time") else None


def _text(at: datetime) -> str:
    return (at.astimezone(UTC) if at.tzinfo else at).replace(microsecond=0).isoformat()
