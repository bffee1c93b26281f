"""Snapshots locked until a date, which nobody can remove before, and the compliance clock that such locks go by.

ONTAP takes an expiry on a volume without locking and drops it without a word, so every lock is read back.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ontap_mlops.ontap import cluster, snapshots, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import (
    ClockNotSet,
    InvalidRequest,
    LockingOff,
    LockNotTaken,
    NameTaken,
    NotAuthorized,
    NotFound,
)
from ontap_mlops.ontap.snapshots import Snapshot


@repeatable
def lock(client: Client, *, svm: str, volume: str, snapshot: str, until: datetime) -> Snapshot:
    """Lock a snapshot and return it as ONTAP then has it: locked until that time or, by an earlier lock, later.

    Raises LockingOff for a volume without snapshot locking, InvalidRequest for a time that is over, and LockNotTaken
    when ONTAP said yes and the snapshot is not locked.

    :param until: with a time zone.
    """
    home = volumes.get(client, svm=svm, name=volume)
    wanted = snapshots.get(client, volume_uuid=home.uuid, name=snapshot)
    if _locked_long_enough(wanted, until):
        return wanted
    _check_time(client, wanted, until)
    asked = f"lock snapshot {snapshot!r} of volume {volume!r} of SVM {svm!r} until {_text(until)}"
    if not is_on(client, volume_uuid=home.uuid):
        raise LockingOff(
            f"ONTAP was not asked to {asked}: snapshot locking is off on that volume, so it would have ignored the "
            f"lock. {LockingOff.advice}."
        )
    client.modify(
        "Snapshot", {"uuid": wanted.uuid}, {"snaplock": {"expiry_time": _text(until)}}, home.uuid, asked=asked
    )
    found = snapshots.get(client, volume_uuid=home.uuid, name=snapshot)
    if not _locked_long_enough(found, until):
        raise LockNotTaken(
            f"ONTAP took the request to {asked}, but the snapshot is locked until {found.locked_until or 'no time'}. "
            f"{LockNotTaken.advice}."
        )
    return found


def is_on(client: Client, *, volume_uuid: str) -> bool:
    """Tell whether the volume's snapshots can be locked."""
    asked = f"read whether snapshots of volume {volume_uuid} can be locked"
    record = client.record("Volume", {"uuid": volume_uuid}, asked=asked, fields="snapshot_locking_enabled")
    return bool(record.get("snapshot_locking_enabled"))


@repeatable
def enable(client: Client, *, svm: str, volume: str) -> bool:
    """Let a volume's snapshots be locked; False if that was so already. It cannot be taken back while locks live.

    Raises ClockNotSet without a compliance clock, InvalidRequest for a volume that tiers.
    """
    home = volumes.get(client, svm=svm, name=volume)
    asked = f"let snapshots of volume {volume!r} of SVM {svm!r} be locked"
    record = client.record("Volume", {"uuid": home.uuid}, asked=asked, fields="snapshot_locking_enabled,tiering.policy")
    if record.get("snapshot_locking_enabled"):
        return False
    tiering = (record.get("tiering") or {}).get("policy") or "none"
    if tiering != "none":
        raise InvalidRequest(
            f"ONTAP was not asked to {asked}: its tiering policy is {tiering!r}, and snapshots can be locked only "
            "where it is 'none'. Set it to none first.",
            code="6619599",
        )
    if clocks(client) == {}:
        raise ClockNotSet(f"ONTAP was not asked to {asked}: no node has a compliance clock. {ClockNotSet.advice}.")
    client.modify("Volume", {"uuid": home.uuid}, {"snapshot_locking_enabled": True}, asked=asked)
    return True


def clocks(client: Client) -> dict[str, str] | None:
    """Return the time of each node's compliance clock, by node; None for an account that may not read them."""
    try:
        found = client.records("SnaplockComplianceClock", asked="read the compliance clocks", fields="node.name,time")
    except (NotAuthorized, NotFound):
        return None
    return {record["node"]["name"]: record["time"] for record in found if record.get("time")}


@repeatable
def initialize_clocks(client: Client) -> list[str]:
    """Set the compliance clock of every node that has none to the time of the cluster; the names of these nodes.

    ONTAP sets it once. Nothing else in this project calls it.
    """
    nodes = {r["name"]: r["uuid"] for r in client.records("Node", asked="list the nodes", fields="name,uuid")}
    missing = sorted(nodes.keys() - (clocks(client) or {}).keys())
    done = []
    for node in missing:
        asked = f"set the compliance clock of node {node!r}"
        try:
            client.create("SnaplockComplianceClock", {"node": {"uuid": nodes[node]}}, asked=asked)
        except NameTaken:
            continue  # by an earlier try of ours, whose answer was lost, or by somebody meanwhile
        done.append(node)
    return done


def _check_time(client: Client, snapshot: Snapshot, until: datetime) -> None:
    if until.tzinfo is None:
        raise InvalidRequest(f"Snapshot {snapshot.name!r} was to be locked until {until}; say in which time zone.")
    now = cluster.now(client)
    if until <= now:
        raise InvalidRequest(
            f"Snapshot {snapshot.name!r} was to be locked until {_text(until)}, which is over: ONTAP's clock says "
            f"{_text(now)}. Give a later time."
        )


def _locked_long_enough(snapshot: Snapshot, until: datetime) -> bool:
    if snapshot.locked_until is None or until.tzinfo is None:
        return False
    # ONTAP keeps whole seconds.
    return datetime.fromisoformat(snapshot.locked_until) >= until.replace(microsecond=0)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat()
