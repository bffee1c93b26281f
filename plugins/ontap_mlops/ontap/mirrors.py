"""Mirrors (SnapMirror): a volume elsewhere follows a volume here. Both ends are named in every error.

A mirror lives on the cluster of its destination, and is found by the destination's SVM and volume. It has no comment,
so the comment of the destination says whose it is. Data is moved by ``transfers``, and ``reversals`` turn its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ontap_mlops.ontap import cluster, peers, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import (
    InvalidRequest,
    NameTaken,
    NotAuthorized,
    NotFound,
    NotPeered,
    OtherEndAway,
    WrongState,
)
from ontap_mlops.ontap.mirror_records import (
    BROKEN,
    FIELDS,
    FOLLOWING,
    PAUSED,
    UNDER_WAY,
    UNINITIALIZED,
    Mirror,
    of_record,
    seconds,
)
from ontap_mlops.ontap.volumes import Volume

__all__ = ["BROKEN", "FOLLOWING", "PAUSED", "UNDER_WAY", "UNINITIALIZED", "Mirror", "seconds"]

# ONTAP's own default, Asynchronous, takes along only snapshots with a daily or weekly label, and no dataset version.
POLICY = "MirrorAllSnapshots"


def find(client: Client, *, svm: str, volume: str) -> Mirror | None:
    """Return the mirror that has this volume as its destination."""
    return _at(client, f"{svm}:{volume}")


def get(client: Client, *, svm: str, volume: str) -> Mirror:
    """Raises NotFound, saying whether the volume is missing or only no mirror."""
    mirror = find(client, svm=svm, volume=volume)
    if mirror is None:
        volumes.get(client, svm=svm, name=volume)
        raise NotFound(
            f"Volume {volume!r} of SVM {svm!r} on ONTAP at {client.address} is the destination of no mirror. Check the "
            "name, and that the connection leads to the cluster with the destination; or make the mirror first."
        )
    return mirror


def by_uuid(client: Client, *, uuid: str) -> Mirror:
    return of_record(
        client.record("SnapmirrorRelationship", {"uuid": uuid}, asked=f"read mirror {uuid}", fields=FIELDS)
    )


def list_mirrors(client: Client, *, svm: str | None = None) -> list[Mirror]:
    """Return the mirrors whose destination is on this cluster."""
    query = {"destination.svm.name": svm} if svm else {}
    return [
        of_record(r) for r in client.records("SnapmirrorRelationship", asked="list mirrors", fields=FIELDS, **query)
    ]


def list_destinations(client: Client, *, svm: str, volume: str) -> list[Mirror]:
    """Return the mirrors that have this volume, of this cluster, as their source; uuid and paths are known of them."""
    query = {"source.path": f"{svm}:{volume}", "list_destinations_only": "true"}
    asked = f"list the mirrors of volume {volume!r} of SVM {svm!r}"
    fields = "uuid,source.path,destination.path"
    return [of_record(r) for r in client.records("SnapmirrorRelationship", asked=asked, fields=fields, **query)]


@repeatable
def ensure_destination(
    client: Client, *, svm: str, volume: str, size_bytes: int, comment: str, aggregate: str | None = None
) -> Volume:
    """Return the data-protection volume of this name, made now or by an earlier try.

    One that is broken off, and so read-write, is taken as it is: only a resync makes it follow again.
    """
    found = volumes.find(client, svm=svm, name=volume)
    if found is None:
        body = {
            "name": volume,
            "svm": {"name": svm},
            "type": "dp",
            "size": size_bytes,
            "comment": comment,
            "aggregates": [{"name": aggregate or cluster.roomiest_aggregate(client, svm=svm)}],
            "guarantee": {"type": "none"},
        }
        found = volumes.create_once(client, body, svm=svm, name=volume)
    volumes.require_ours(found, comment=comment)
    return found


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    volume: str,
    source_svm: str,
    source_volume: str,
    policy: str = POLICY,
    schedule: str = "",
) -> Mirror:
    """Return the mirror of the source at this volume, made now or by an earlier try, with this policy and schedule.

    The destination must be of type dp, or have a snapshot in common with the source. Data is moved by ``transfers``.

    Raises NotPeered, NotFound (volume, policy), NameTaken when the volume follows another source, InvalidRequest when
    it is not of type dp.

    :param source_svm: the SVM's own name; what this cluster calls it is looked up.
    :param schedule: when it updates by itself, by name of a schedule of this cluster; empty for the policy's own.
    """
    source = f"{source_name(client, svm=svm, source_svm=source_svm)}:{source_volume}"
    destination = f"{svm}:{volume}"
    mirror = find(client, svm=svm, volume=volume)
    if mirror is None:
        _require_can_follow(client, svm, volume, source)
        body: dict[str, Any] = {"source": {"path": source}, "destination": {"path": destination}}
        body |= {"policy": {"name": policy}} | ({"transfer_schedule": {"name": schedule}} if schedule else {})
        with suppress(NameTaken):  # perhaps it is our own earlier try: what is there is compared below
            client.create("SnapmirrorRelationship", body, asked=f"mirror {source!r} to {destination!r}")
        mirror = get(client, svm=svm, volume=volume)
    if mirror.source != source:
        raise NameTaken(
            f"{destination!r} cannot be a mirror of {source!r}: it is one of {mirror.source!r}. Choose another volume, "
            "or delete that mirror first."
        )
    return _as_asked(client, mirror, policy=policy, schedule=schedule)


def require_known(client: Client, *, policy: str, schedule: str = "") -> None:
    """Raises NotFound for a policy or schedule that this cluster does not have, before anything is made.

    An account that may see neither finds out when the mirror is made.
    """
    for kind, what, name in (("SnapmirrorPolicy", "SnapMirror policy", policy), ("Schedule", "schedule", schedule)):
        with suppress(NotAuthorized):
            asked = f"look up {what} {name!r}"
            if name and not client.records(kind, asked=asked, fields="name", name=name):
                raise NotFound(f"There is no {what} {name!r} on ONTAP at {client.address}. {NotFound.advice}.")


def source_name(client: Client, *, svm: str, source_svm: str) -> str:
    """Return what this SVM calls the source's SVM in paths. Raises NotPeered."""
    if source_svm == svm:
        return svm
    peer = peers.find_svm_peer(client, svm=svm, peer_svm=source_svm)
    if peer is None or not peer.serves(("snapmirror",)):
        found = f"is {peer.state}, for {', '.join(peer.applications) or 'nothing'}" if peer else "is not there"
        raise NotPeered(
            f"SVM {svm!r} on ONTAP at {client.address} cannot mirror volumes of SVM {source_svm!r}: the peering of the "
            f"two {found}. {NotPeered.advice}."
        )
    return peer.name


@repeatable
def break_off(client: Client, *, mirror: Mirror, snapshot: str | None = None) -> Mirror:
    """Make the destination read-write, as it was at its last transfer; a mirror that is broken already stays as it is.

    Raises WrongState before the first transfer is done, UnderWay while one runs.

    :param snapshot: an older one of the destination's to go back to instead.
    """
    now = by_uuid(client, uuid=mirror.uuid)
    if now.state == BROKEN:
        return now
    if now.state == UNINITIALIZED:
        raise WrongState(
            f"The {now.called} cannot be broken off: it was never initialised, so its destination is empty. Update it "
            "first."
        )
    body = {"state": BROKEN} | ({"restore_to_snapshot": snapshot} if snapshot else {})
    _change(client, now, body, asked="break off")
    return by_uuid(client, uuid=mirror.uuid)


@repeatable
def pause(client: Client, *, mirror: Mirror) -> Mirror:
    """Begin no more updates of it, until ``resume``."""
    return _to(client, mirror, PAUSED, FOLLOWING, "pause")


@repeatable
def resume(client: Client, *, mirror: Mirror) -> Mirror:
    return _to(client, mirror, following(mirror), (PAUSED,), "resume")


@repeatable
def delete(client: Client, *, mirror: Mirror, destination_only: bool = False) -> bool:
    """End the mirror; both volumes stay as they are, the destination read-only unless it is broken off.

    The source is told, which lets go of its snapshots. False if it was gone already.

    :param destination_only: for a source that cannot be reached any more.
    """
    try:
        key: dict[str, Any] = {"uuid": mirror.uuid}
        query: dict[str, Any] = {"destination_only": "true"} if destination_only else {}
        client.remove("SnapmirrorRelationship", key, asked=f"delete the {mirror.called}", **query)
    except NotFound:
        return False
    except OtherEndAway as error:
        error.args = (
            f"{error} Or end it at the destination alone (destination_only), if the source is gone for good.",
        )
        raise
    return True


def release(client: Client, *, uuid: str, keep_snapshots: bool = False) -> bool:
    """Have the source's cluster forget a mirror whose destination no longer has it; False if it was not known."""
    how: dict[str, Any] = {"source_info_only" if keep_snapshots else "source_only": "true"}
    try:
        asked = f"release the source of mirror {uuid}"
        client.remove("SnapmirrorRelationship", {"uuid": uuid}, asked=asked, **how)
    except NotFound:
        return False
    return True


def lag(client: Client, *, svm: str, volume: str) -> float | None:
    """Return the age of what the destination shows, in seconds by its own clock; None before there is anything."""
    return get(client, svm=svm, volume=volume).lag_s


def look_at_lag(client: Client, *, svm: str, volume: str, below_s: float) -> dict[str, Any]:
    """Return whether the mirror lags less than this, as ``triggers.polling.PollingTrigger`` asks.

    Raises WrongState for a mirror that does not follow its source now, so whose lag only grows.
    """
    return judge_lag([get(client, svm=svm, volume=volume)], svm=svm, volume=volume, below_s=below_s)


def judge_lag(found: Sequence[Mirror], *, svm: str, volume: str, below_s: float) -> dict[str, Any]:
    """Answer as ``look_at_lag`` does, by what ``list_mirrors`` has found. Raises NotFound too."""
    mirror = next((each for each in found if each.destination == f"{svm}:{volume}"), None)
    if mirror is None:
        raise NotFound(f"Volume {volume!r} of SVM {svm!r} is the destination of no mirror any more. {NotFound.advice}.")
    if mirror.state in (BROKEN, PAUSED):
        raise WrongState(f"The {mirror.called} is {mirror.state}, so its lag will not come below {below_s:g} s.")
    payload = {"lag_s": mirror.lag_s, "snapshot": mirror.exported_snapshot, "healthy": mirror.healthy}
    if mirror.lag_s is not None and mirror.lag_s < below_s:
        return {"done": True, "payload": payload}
    lags = "has had no transfer yet" if mirror.lag_s is None else f"lags more than {below_s:g} s behind"
    return {"done": False, "lines": [f"Waiting for the {mirror.called}: it {lags}."]}


def following(mirror: Mirror) -> str:
    """Return the state of a mirror of this kind that follows its source."""
    return "in_sync" if mirror.policy_type == "sync" else "snapmirrored"


def _require_can_follow(client: Client, svm: str, volume: str, source: str) -> None:
    found = volumes.get(client, svm=svm, name=volume)
    if found.type == "rw" and not found.is_ours:
        raise InvalidRequest(
            f"Volume {volume!r} of SVM {svm!r} cannot follow {source!r}: it is read-write and not ours, and a mirror's "
            "destination is of type dp. Choose a name that is free."
        )


def _as_asked(client: Client, mirror: Mirror, *, policy: str, schedule: str) -> Mirror:
    body: dict[str, Any] = {}
    if mirror.policy != policy:
        body["policy"] = {"name": policy}
    if mirror.schedule != schedule:
        # The library sends no null, and an empty name does not pass its own check.
        body["transfer_schedule"] = {"name": schedule} if schedule else {"uuid": ""}
    if not body:
        return mirror
    _change(client, mirror, body, asked=f"give policy {policy!r} and schedule {schedule!r} to")
    return by_uuid(client, uuid=mirror.uuid)


def _to(client: Client, mirror: Mirror, state: str, needs: tuple[str, ...], verb: str) -> Mirror:
    now = by_uuid(client, uuid=mirror.uuid)
    if now.state == state:
        return now
    if now.state not in needs:
        raise WrongState(f"Could not {verb} the {now.called}: it is {now.state}.")
    _change(client, now, {"state": state}, asked=verb)
    return by_uuid(client, uuid=mirror.uuid)


def _change(client: Client, mirror: Mirror, body: dict[str, Any], *, asked: str, **query: Any) -> None:
    key = {"uuid": mirror.uuid}
    client.modify("SnapmirrorRelationship", key, body, asked=f"{asked} the {mirror.called}", **query)


def _at(client: Client, destination: str) -> Mirror | None:
    asked = f"look up the mirror at {destination!r}"
    found = client.records("SnapmirrorRelationship", asked=asked, fields=FIELDS, **{"destination.path": destination})
    return next((of_record(r) for r in found if (r.get("destination") or {}).get("path") == destination), None)
