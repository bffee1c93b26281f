"""Transfers of mirrors: there is no job, so each is followed by its own record, and ``queued`` is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import mirrors, snapshots, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import (
    InvalidRequest,
    JobFailed,
    JobStillRunning,
    NotFound,
    Stopped,
    UnderWay,
    UnknownState,
    WrongState,
    refused,
)
from ontap_mlops.ontap.mirrors import BROKEN, FOLLOWING, UNDER_WAY, UNINITIALIZED, Mirror
from ontap_mlops.pauses import looks

_FIELDS = "uuid,state,bytes_transferred,total_duration,end_time,error_info,throttle"
_ABORTED = ("aborted", "hard_aborted")


@dataclass(frozen=True, kw_only=True)
class Transfer:
    uuid: str
    state: str
    bytes: int = 0
    seconds: float = 0.0
    ended_at: str = ""
    error: str = ""
    error_code: str = ""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """``joined`` tells that it ran already, so it may have begun before what is wanted was there."""

    uuid: str
    joined: bool


def get(client: Client, *, mirror: Mirror, uuid: str) -> Transfer | None:
    """Return the transfer; None when ONTAP no longer knows it, as it does a day after its end."""
    asked = f"read transfer {uuid} of the {mirror.called}"
    try:
        record = client.record("SnapmirrorTransfer", {"uuid": uuid}, mirror.uuid, asked=asked, fields=_FIELDS)
    except NotFound:
        return None
    return _transfer(record)


def list_transfers(client: Client, *, mirror: Mirror) -> list[Transfer]:
    """Return what runs, and what ended within a day."""
    asked = f"list the transfers of the {mirror.called}"
    found = client.records("SnapmirrorTransfer", mirror.uuid, asked=asked, fields=_FIELDS)
    return [_transfer(record) for record in found]


def running(client: Client, *, mirror: Mirror) -> Transfer | None:
    return next((each for each in list_transfers(client, mirror=mirror) if each.state in UNDER_WAY), None)


@repeatable
def begin(client: Client, *, mirror: Mirror, throttle_kb_s: int | None = None) -> Begun:
    """Initialise the mirror, or bring it up to date; a transfer that runs is joined.

    Raises WrongState for a mirror that is broken off or paused.

    :param throttle_kb_s: kilobytes a second at most; that of the mirror's policy if not given.
    """
    now = mirrors.by_uuid(client, uuid=mirror.uuid)
    if under_way := running(client, mirror=now):
        return Begun(uuid=under_way.uuid, joined=True)
    if now.state not in (UNINITIALIZED, *FOLLOWING):
        what = "resync it first" if now.state == BROKEN else "resume it first"
        raise WrongState(f"Could not update the {now.called}: it is {now.state}; {what}.")
    try:
        body = {} if throttle_kb_s is None else {"throttle": throttle_kb_s}
        asked = f"update the {now.called}"
        answer = client.create("SnapmirrorTransfer", body, now.uuid, asked=asked, return_records="true")
    except UnderWay:
        return _joined(client, now)
    begun = (answer.get("records") or [{}])[0].get("uuid")
    return Begun(uuid=begun, joined=False) if begun else _joined(client, now)


def _joined(client: Client, mirror: Mirror) -> Begun:
    """The transfer that has come before ours; or the last one, where that was over before we looked."""
    if under_way := running(client, mirror=mirror):
        return Begun(uuid=under_way.uuid, joined=True)
    last = mirrors.by_uuid(client, uuid=mirror.uuid).transfer
    if not last:
        raise UnderWay(f"ONTAP begins a transfer of the {mirror.called}, and does not show it yet. Try again.")
    return Begun(uuid=last, joined=True)


def look(
    client: Client, *, mirror: str, transfer: str, joined: bool = False, snapshot: str = "", cursor: Any = None
) -> dict[str, Any]:
    """Return how a transfer stands, as ``triggers.polling.PollingTrigger`` asks.

    Raises the error that it ended with; Stopped when somebody aborted it; NotFound when it succeeded and ``snapshot``
    is not at the destination. A transfer that was only joined, and came too early for ``snapshot``, is followed by one
    of our own.

    :param mirror: uuid, and ``transfer`` another.
    :param snapshot: the name of one that the destination is to have afterwards.
    """
    known = cursor or {"transfer": transfer, "joined": joined, "told": ""}
    now = mirrors.by_uuid(client, uuid=mirror)
    found = get(client, mirror=now, uuid=known["transfer"]) or _forgotten(now, known["transfer"])
    lines = _lines(now, found, known["told"])
    known = {**known, "told": found.state}
    if found.state in UNDER_WAY:
        return {"done": False, "cursor": known, "lines": lines}
    _require_success(now, found)
    now = mirrors.by_uuid(client, uuid=mirror)  # as it is since the transfer has ended
    if snapshot and not _has(client, now, snapshot):
        if not known["joined"]:
            raise NotFound(
                f"The {now.called} has been updated, and snapshot {snapshot!r} did not come along: it is not at the "
                f"source, or policy {now.policy!r} does not take it. Check its name, or use policy {mirrors.POLICY!r}."
            )
        again = begin(client, mirror=now)
        return {"done": False, "cursor": {"transfer": again.uuid, "joined": again.joined, "told": ""}, "lines": lines}
    return {"done": True, "payload": payload(now, found), "cursor": known, "lines": lines}


def payload(mirror: Mirror, transfer: Transfer) -> dict[str, Any]:
    """What a task tells of a transfer that has succeeded."""
    return {
        "mirror": mirror.uuid,
        "transfer": transfer.uuid,
        "source": mirror.source,
        "destination": mirror.destination,
        "bytes": transfer.bytes,
        "seconds": transfer.seconds,
        "state": mirror.state,
        "snapshot": mirror.exported_snapshot,
        "lag_s": mirror.lag_s,
    }


def abort(client: Client, *, mirror: str, transfer: str, **_: Any) -> bool:
    """Stop a transfer, whose destination stays as it was; False if it had ended. Arguments as those of ``look``."""
    found = mirrors.by_uuid(client, uuid=mirror)
    known = get(client, mirror=found, uuid=transfer)
    if known is None or known.state not in UNDER_WAY:
        return False
    asked = f"abort transfer {transfer} of the {found.called}"
    try:
        client.modify("SnapmirrorTransfer", {"uuid": transfer}, {"state": "aborted"}, found.uuid, asked=asked)
    except (NotFound, InvalidRequest):
        ended = get(client, mirror=found, uuid=transfer)
        if ended is not None and ended.state in UNDER_WAY:
            raise
        return False  # it came to its end before us
    return True


def stop(client: Client, *, mirror: Mirror) -> bool:
    """Abort the transfer that runs, if one does, and wait until it has ended; False if none did."""
    under_way = running(client, mirror=mirror)
    if under_way is None or not abort(client, mirror=mirror.uuid, transfer=under_way.uuid):
        return False
    for _ in looks(client.job_timeout_s):
        now = get(client, mirror=mirror, uuid=under_way.uuid)
        if now is None or now.state not in UNDER_WAY:
            return True
    raise JobStillRunning(f"Transfer {under_way.uuid} of the {mirror.called} was aborted and still runs.")


def _has(client: Client, mirror: Mirror, snapshot: str) -> bool:
    svm, _, name = mirror.destination.partition(":")
    volume = volumes.get(client, svm=svm, name=name)
    return snapshots.find(client, volume_uuid=volume.uuid, name=snapshot) is not None


def _require_success(mirror: Mirror, transfer: Transfer) -> None:
    if transfer.state in _ABORTED:
        raise Stopped(
            f"Transfer {transfer.uuid} of the {mirror.called} was aborted; the destination is as it was. Run it again."
        )
    if transfer.state == "failed":
        error = refused(
            f"bring the {mirror.called} up to date",
            code=transfer.error_code or None,
            message=transfer.error or mirror.reason,
            default=JobFailed,
        )
        raise error
    if transfer.state != "success":
        raise UnknownState(
            f"Transfer {transfer.uuid} of the {mirror.called} is in state {transfer.state!r}, which is not known here "
            "and is taken for a failure. Look at it in ONTAP."
        )


def _forgotten(mirror: Mirror, uuid: str) -> Transfer:
    """What the mirror itself tells when the record of its transfer is gone: it follows its source, or it does not."""
    if mirror.state in FOLLOWING and mirror.healthy:
        return Transfer(uuid=uuid, state="success")
    return Transfer(uuid=uuid, state="failed", error=mirror.reason or f"the mirror is {mirror.state}")


def _lines(mirror: Mirror, transfer: Transfer, told: str) -> list[str]:
    if transfer.state == told and transfer.state != "transferring":
        return []
    return [f"{mirror.destination}: {transfer.state}, {transfer.bytes:,} bytes so far"]


def _transfer(record: dict[str, Any]) -> Transfer:
    error = record.get("error_info") or {}
    return Transfer(
        uuid=record["uuid"],
        state=record.get("state", ""),
        bytes=int(record.get("bytes_transferred") or 0),
        seconds=mirrors.seconds(record.get("total_duration")) or 0.0,
        ended_at=record.get("end_time") or "",
        error=error.get("message") or "",
        error_code=str(error.get("code") or ""),
    )
