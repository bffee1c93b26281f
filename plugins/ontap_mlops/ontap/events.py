"""What has happened on a cluster since a time: one listing over all volumes, however many of them somebody watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap import snapshots as snapshot_records
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.snapshots import Snapshot

# Nodes of a cluster agree on the time only nearly, and a snapshot is listed some moments after its time.
OVERLAP = timedelta(minutes=5)

_SNAPSHOT = "uuid,name,create_time,comment,snapmirror_label,volume.name,volume.uuid,svm.name,logical_size,size"
_TRANSFER = (
    "uuid,source.path,source.cluster.name,destination.path,destination.svm.name,state,lag_time,healthy,"
    "transfer.uuid,transfer.state,transfer.end_time,transfer.bytes_transferred,transfer.total_duration"
)

_CACHES = "/api/storage/flexcache/flexcaches/"
_CACHE = "uuid,name,svm.name,origins.svm.name,origins.volume.name"


@dataclass(frozen=True, kw_only=True)
class Event:
    """``id`` is ONTAP's own uuid of what happened, ``at`` its time by ONTAP's clock; ``facts`` are plain values.

    ``snapshot`` is the one that was made, where that is what happened.
    """

    id: str
    at: datetime
    svm: str
    volume: str
    facts: dict[str, Any] = field(default_factory=dict)
    snapshot: Snapshot | None = None


def snapshots(client: Client, *, since: datetime) -> list[Event]:
    """Return the snapshots of all volumes made since then, oldest first.

    A snapshot that came with a SnapMirror transfer bears the time of its source, so it may be missing here: watch the
    transfers of a mirror.
    """
    asked = f"list the snapshots of all volumes since {_text(since)}"
    found = client.records("Snapshot", "*", asked=asked, fields=_SNAPSHOT, create_time=f">={_text(since)}")
    return _sorted(_of_snapshot(record) for record in found)


def transfers(client: Client, *, since: datetime) -> list[Event]:
    """Return the mirrors, kept on this cluster, whose last transfer has succeeded since then, oldest first.

    Of two transfers of one mirror within a look only the later is told: it brought all that the earlier one had.
    """
    asked = f"list the mirrors whose transfer has ended since {_text(since)}"
    query = {"transfer.end_time": f">={_text(since)}", "transfer.state": "success"}
    found = client.records("SnapmirrorRelationship", asked=asked, fields=_TRANSFER, **query)
    return _sorted(_of_transfer(record) for record in found)


def prepopulates(client: Client, *, since: datetime) -> list[Event]:
    """Return the caches whose prepopulate has ended well since then, oldest first.

    ONTAP tells it by the job alone, which says of which cache it is and not what was done: any other change of a cache
    that took a job looks the same.
    """
    asked = f"list the jobs on caches that have ended since {_text(since)}"
    query = {"description": f"PATCH {_CACHES}*", "state": "success", "end_time": f">={_text(since)}"}
    found = client.records("Job", asked=asked, fields="uuid,description,end_time", **query)
    if not found:
        return []
    listed = client.records("Flexcache", asked="list caches", fields=_CACHE)
    caches = {cache["uuid"]: cache for cache in listed}
    return _sorted(_of_prepopulate(job, caches) for job in found)


KINDS: dict[str, Callable[..., list[Event]]] = {
    "snapshot": snapshots,
    "transfer": transfers,
    "prepopulate": prepopulates,
}


def since(client: Client, *, kind: str, since: datetime | None) -> tuple[datetime, list[Event]]:
    """Look once: return what happened, and the time from which the next look has to ask.

    :param kind: one of ``KINDS``.
    :param since: None begins with now, by ONTAP's clock; what is returned then was there before.
    """
    since = cluster.now(client) if since is None else since
    found = KINDS[kind](client, since=since - OVERLAP)
    return max([since, *(event.at for event in found)]), found


def _of_snapshot(record: dict[str, Any]) -> Event | None:
    if not record.get("create_time") or not record.get("uuid"):
        return None
    volume = record.get("volume") or {}
    snapshot = snapshot_records.of_record(record, volume.get("uuid", ""))
    facts = {
        "snapshot": snapshot.name,
        "comment": snapshot.comment,
        "label": snapshot.label,
        "volume_uuid": snapshot.volume_uuid,
        "bytes": snapshot.logical_bytes or snapshot.size_bytes or 0,
    }
    return Event(
        id=snapshot.uuid,
        at=_time(snapshot.created_at),
        svm=(record.get("svm") or {}).get("name", ""),
        volume=volume.get("name", ""),
        facts=facts,
        snapshot=snapshot,
    )


def _of_transfer(record: dict[str, Any]) -> Event | None:
    transfer, destination = record.get("transfer") or {}, record.get("destination") or {}
    if not transfer.get("uuid") or not transfer.get("end_time"):
        return None
    source, path = record.get("source") or {}, destination.get("path", "")
    svm, _, volume = path.rpartition(":")
    facts = {
        "relationship_uuid": record.get("uuid", ""),
        "source": source.get("path", ""),
        "source_cluster": (source.get("cluster") or {}).get("name", ""),
        "destination": path,
        "bytes": transfer.get("bytes_transferred") or 0,
        "duration": transfer.get("total_duration") or "",
        "lag_time": record.get("lag_time") or "",
        "healthy": record.get("healthy"),
    }
    return Event(
        id=transfer["uuid"],
        at=_time(transfer["end_time"]),
        svm=svm or (destination.get("svm") or {}).get("name", ""),
        volume=volume,
        facts=facts,
    )


def _of_prepopulate(job: dict[str, Any], caches: dict[str, dict[str, Any]]) -> Event | None:
    uuid = job.get("description", "").partition(_CACHES)[2].partition("?")[0].strip("/ ")
    cache = caches.get(uuid)
    if cache is None or not job.get("end_time"):
        return None
    origin = (cache.get("origins") or [{}])[0]
    source = f"{(origin.get('svm') or {}).get('name', '')}:{(origin.get('volume') or {}).get('name', '')}"
    return Event(
        id=job["uuid"],
        at=_time(job["end_time"]),
        svm=(cache.get("svm") or {}).get("name", ""),
        volume=cache.get("name", ""),
        facts={"cache_uuid": uuid, "origin": source},
    )


def _sorted(found: Any) -> list[Event]:
    return sorted((event for event in found if event is not None), key=lambda event: (event.at, event.id))


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
