"""Volumes on their way to another aggregate: begun once, joined when it runs, followed by the volume's own record.

Clients read and write all the while. The job that a move begins may end before the move does, and ONTAP forgets it
minutes later, so the volume's ``movement`` decides; the job only says why a move failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import aggregates, jobs, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InUse, InvalidRequest, JobFailed, NotFound
from ontap_mlops.ontap.volumes import Volume

ACTIVE = ("queued", "replicating", "cutover", "cutover_wait", "cutover_pending", "paused")
_FIELDS = "name,svm.name,aggregates.name,movement.state,movement.percent_complete,movement.destination_aggregate.name"
# A move that has just begun may not be shown yet.
_UNSEEN = 20


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Where a volume is and goes to. ``state`` is ONTAP's word, None for a volume that never moved."""

    aggregates: tuple[str, ...]
    state: str | None = None
    destination: str | None = None
    percent: int | None = None

    @property
    def under_way(self) -> bool:
        return self.state in ACTIVE


def of(client: Client, *, volume_uuid: str) -> Movement:
    record = client.record(
        "Volume", {"uuid": volume_uuid}, asked=f"read the move of volume {volume_uuid}", fields=_FIELDS
    )
    move = record.get("movement") or {}
    return Movement(
        aggregates=tuple(a["name"] for a in record.get("aggregates") or [] if a.get("name")),
        state=move.get("state"),
        destination=(move.get("destination_aggregate") or {}).get("name"),
        percent=move.get("percent_complete"),
    )


def begin(client: Client, *, svm: str, name: str, aggregate: str) -> dict[str, Any]:
    """Begin the move, or join the one that runs, and return the arguments of ``look``; done when it is there already.

    Raises InUse when it is on its way to another aggregate, and SpaceFull when there is no room.
    """
    volume = volumes.get(client, svm=svm, name=name)
    now, subject = of(client, volume_uuid=volume.uuid), {"volume_uuid": volume.uuid, "aggregate": aggregate}
    if now.under_way and now.destination not in (None, aggregate):
        raise InUse(
            f"Volume {name!r} of SVM {svm!r} is on its way to aggregate {now.destination!r} ({now.percent or 0} % "
            f"done), so it was not moved to {aggregate!r}. Wait for that move, or abort it."
        )
    if now.under_way or aggregate in now.aggregates:
        return subject | {"job": None}
    if len(now.aggregates) > 1:
        raise InvalidRequest(
            f"Volume {name!r} of SVM {svm!r} lies on {len(now.aggregates)} aggregates: a FlexGroup volume does not "
            "move as a whole."
        )
    _require_room(client, volume, aggregate)
    return subject | {"job": _start(client, volume, aggregate)}


def look(
    client: Client, *, volume_uuid: str, aggregate: str, job: str | None, cursor: dict[str, int] | None = None
) -> dict[str, Any]:
    """Tell whether the volume is there, for a wait. Raises the job's own error, or JobFailed, when the move ended."""
    now, seen = of(client, volume_uuid=volume_uuid), cursor or {}
    if now.under_way:
        percent = now.percent or 0
        lines = [f"{percent} % moved to {aggregate} ({now.state})"] if seen.get("percent") != percent else []
        return {"done": False, "cursor": {"percent": percent}, "lines": lines}
    if aggregate in now.aggregates:
        return {"done": True, "payload": {"aggregate": aggregate, "volume_uuid": volume_uuid}}
    looks = seen.get("looks", 0)
    known = jobs.state(client, job, asked=f"move volume {volume_uuid} to aggregate {aggregate!r}") if job else None
    goes_on = known is not None and not known.done
    if not goes_on and (job is None or now.state in ("failed", "aborted") or looks > _UNSEEN):
        raise JobFailed(
            f"Volume {volume_uuid} is still on aggregate {', '.join(now.aggregates)}: its move to {aggregate!r} ended "
            f"as {now.state or 'unknown'}. {JobFailed.advice}."
        )
    return {"done": False, "cursor": {"looks": looks + 1}}


def abort(client: Client, *, volume_uuid: str, **_: Any) -> bool:
    """Stop the move; False when none runs. The volume stays where it was."""
    if not of(client, volume_uuid=volume_uuid).under_way:
        return False
    body = {"movement": {"state": "aborted"}}
    client.modify("Volume", {"uuid": volume_uuid}, body, asked=f"abort the move of volume {volume_uuid}")
    return True


@repeatable
def _start(client: Client, volume: Volume, aggregate: str) -> str | None:
    """UUID of the job; None when there is none to follow, such as when a lost answer had begun it."""
    now = of(client, volume_uuid=volume.uuid)
    if now.under_way or aggregate in now.aggregates:
        return None
    asked = f"move volume {volume.name!r} of SVM {volume.svm!r} to aggregate {aggregate!r}"
    body = {"movement": {"destination_aggregate": {"name": aggregate}}}
    return jobs.begun_by(client.modify("Volume", {"uuid": volume.uuid}, body, asked=asked, wait=False))


def _require_room(client: Client, volume: Volume, aggregate: str) -> None:
    there = aggregates.find(client, name=aggregate)
    if there is None:
        known = ", ".join(a.name for a in aggregates.list_aggregates(client)) or "none"
        raise NotFound(
            f"There is no aggregate {aggregate!r} on ONTAP at {client.address}; this account sees: {known}. Volume "
            f"{volume.name!r} stays where it is."
        )
    aggregates.require_room(there, volume.used_bytes or 0, f"volume {volume.name!r} of SVM {volume.svm!r}")
