"""SnapMirror policies: which snapshots a transfer takes along, when one begins by itself, what is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, number, text
from emulator.errors import NotSupported, OntapError
from emulator.fields import Shape, Wanted
from emulator.schedules import state as schedules
from emulator.snapmirror_policies import errors
from emulator.snapshot_policies.state import label
from emulator.store import Record
from emulator.svms import parts
from emulator.values import between, one_of, short_comment

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("snapmirror_policy")
SM_CREATED = "sm_created"
"""Label of the snapshot that SnapMirror itself takes at the source."""
ALL = "all_source_snapshots"
RULES_MAX = 10
COUNT_MAX = 1019

_RULES_ALL: tuple[tuple[str, int], ...] = ((SM_CREATED, 1), (ALL, 1))
_RULES_LATEST: tuple[tuple[str, int], ...] = ((SM_CREATED, 1),)
_UNIFIED: tuple[tuple[str, int], ...] = ((SM_CREATED, 1), ("daily", 7), ("weekly", 52))
# ONTAP's own: type, how it is described, its rules, and what else it has.
_PRESETS: dict[str, tuple[str, str, tuple[tuple[str, int], ...], dict[str, Any]]] = {
    "Asynchronous": (
        "async",
        "A unified Asynchronous SnapMirror and SnapVault policy for mirroring the latest active file system and daily "
        "and weekly snapshots with an hourly transfer schedule.",
        _UNIFIED,
        {"schedule": "hourly"},
    ),
    "MirrorAllSnapshots": (
        "async",
        "Asynchronous SnapMirror policy for mirroring all snapshots and the latest active file system.",
        _RULES_ALL,
        {},
    ),
    "MirrorLatest": (
        "async",
        "Asynchronous SnapMirror policy for mirroring the latest active file system.",
        _RULES_LATEST,
        {},
    ),
    "MirrorAndVault": (
        "async",
        "A unified Asynchronous SnapMirror and SnapVault policy for mirroring the latest active file system and daily "
        "and weekly snapshots.",
        _UNIFIED,
        {},
    ),
    "Unified7year": (
        "async",
        "Unified SnapMirror policy with 7 year retention.",
        (*_UNIFIED, ("monthly", 84)),
        {},
    ),
    "XDPDefault": (
        "async",
        "Vault policy with daily and weekly rules.",
        (("daily", 7), ("weekly", 52)),
        {"vault": True},
    ),
    "DailyBackup": (
        "async",
        "Vault policy with a daily rule and a daily transfer schedule.",
        (("daily", 7),),
        {"vault": True, "schedule": "daily"},
    ),
    "CloudBackupDefault": ("async", "Vault policy with daily rule.", (("daily", 7),), {"vault": True}),
    "Sync": (
        "sync",
        "Policy for SnapMirror Synchronous where client access will not be disrupted on replication failure.",
        _RULES_LATEST,
        {"sync_type": "sync"},
    ),
    "StrictSync": (
        "sync",
        "Policy for SnapMirror Synchronous where client access will be disrupted on replication failure.",
        _RULES_LATEST,
        {"sync_type": "strict_sync"},
    ),
}

PATCH_FIELDS: Accepts = {
    "comment": short_comment,
    "network_compression_enabled": flag,
    "throttle": between(0, 125_000_000),
    "transfer_schedule.name": text,
    "transfer_schedule.uuid": text,
    "identity_preservation": one_of("full", "exclude_network_config", "exclude_network_and_protocol_config"),
    "retention.label": label,
    "retention.count": number,
    "retention.prefix": text,
    "retention.preserve": flag,
    "retention.warn": number,
    "retention.creation_schedule.name": text,
    "retention.creation_schedule.uuid": text,
}
POST_FIELDS: Accepts = PATCH_FIELDS | {
    "name": schedules.name,
    "svm.name": text,
    "svm.uuid": text,
    "type": one_of("async", "sync"),
    "sync_type": one_of("sync", "strict_sync"),
    "copy_all_source_snapshots": flag,
    "copy_latest_source_snapshot": flag,
    "create_snapshot_on_source": flag,
}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "svm", "comment", "type", "throttle")}
    labels = [rule["label"] for rule in record["rules"]]
    shown |= {
        "scope": "svm" if record["svm"] else "cluster",
        "network_compression_enabled": record["compression"],
        # The rule of SnapMirror's own snapshots is not shown, as ONTAP does not.
        "retention": [_rule(rule) for rule in record["rules"] if rule["label"] not in (SM_CREATED, ALL)],
        "sync_type": record["sync_type"],
        "transfer_schedule": schedules.named(world, record["schedule"]),
    }
    if record["type"] == "async":
        shown["copy_all_source_snapshots"] = True if ALL in labels else None
        shown["copy_latest_source_snapshot"] = True if labels == [SM_CREATED] else None
        shown["create_snapshot_on_source"] = None if takes_snapshot(record) else False
    return shown


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    return {"label": rule["label"], "count": str(rule["count"]), "preserve": rule["preserve"], "warn": 0, "prefix": ""}


POLICY = Shape(
    href="/snapmirror/policies/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "scope", "type", "sync_type", "comment", "throttle", "network_compression_enabled")
    + ("copy_all_source_snapshots", "copy_latest_source_snapshot", "create_snapshot_on_source")
    + tuple(f"retention.{name}" for name in ("label", "count", "preserve", "warn", "prefix"))
    + ("transfer_schedule.name", "transfer_schedule.uuid"),
    costly=(),
    render=render,
)


def new(name: str, svm: dict[str, str] | None, **facts: Any) -> Record:
    """A record; not stored yet. Without an SVM it is the cluster's, which every SVM may use."""
    record = {
        "uuid": str(uuid4()),
        "name": name,
        "svm": svm,
        "type": "async",
        "sync_type": None,
        "comment": "",
        "rules": [rule(SM_CREATED, 1), rule(ALL, 1)],
        "schedule": None,
        "throttle": 0,
        "compression": False,
    }
    return record | {key: value for key, value in facts.items() if value is not None}


def rule(label: str, count: int, preserve: bool = False) -> dict[str, Any]:
    return {"label": label, "count": count, "preserve": preserve}


def rules_of(body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The rules of a new policy. 13303850 for what contradicts itself, 13303887 for too many."""
    given, every = body.get("retention") or [], body.get("copy_all_source_snapshots")
    latest, takes = body.get("copy_latest_source_snapshot"), body.get("create_snapshot_on_source")
    if given and (every or latest):
        raise errors.BadPolicy(
            '"retention" excludes "copy_all_source_snapshots" and "copy_latest_source_snapshot"', "retention"
        )
    for field in ("copy_all_source_snapshots", "copy_latest_source_snapshot"):
        if body.get(field) is False:
            raise errors.BadPolicy(f'"{field}" can only be set to true', field)
    if takes is True:
        raise errors.BadPolicy('"create_snapshot_on_source" can only be set to false', "create_snapshot_on_source")
    if takes is False and not given:
        raise errors.BadPolicy('a policy that takes no snapshots needs "retention" rules', "retention")
    if latest or (kind == "sync" and not given):
        return [rule(SM_CREATED, 1)]
    if not given:
        return [rule(SM_CREATED, 1), rule(ALL, 1)]
    return checked(given, takes is False)


def checked(given: list[dict[str, Any]], vault: bool) -> list[dict[str, Any]]:
    if len(given) > RULES_MAX:
        raise errors.TooManyRules(RULES_MAX)
    found = [] if vault else [rule(SM_CREATED, 1)]
    for each in given:
        label, count = each.get("label"), each.get("count")
        if not label or count is None or not 1 <= count <= COUNT_MAX:
            raise errors.BadPolicy(f"each retention rule has a label and a count from 1 to {COUNT_MAX}", "retention")
        if (each.get("creation_schedule") or {}).get("name"):
            raise NotSupported("The emulator takes no snapshots at the destination of a mirror.", "retention")
        if any(known["label"] == label for known in found if label != SM_CREATED):
            raise errors.BadPolicy(f'the label "{label}" has more than one rule', "retention")
        found = [known for known in found if known["label"] != label]
        found.append(rule(label, count, bool(each.get("preserve"))))
    return found


def takes_snapshot(policy: Record) -> bool:
    """Whether a transfer begins with a snapshot of its own at the source."""
    return any(rule["label"] == SM_CREATED for rule in policy["rules"])


def takes_along(policy: Record, snapshot: dict[str, Any]) -> bool:
    """Whether a transfer copies a snapshot of the source (``label``)."""
    labels = [rule["label"] for rule in policy["rules"]]
    return ALL in labels or snapshot["label"] in labels


def usable(world: World, svm: dict[str, str] | None, wish: dict[str, Any]) -> Record:
    """The policy that an SVM means by ``name`` or ``uuid``: its own or the cluster's. 13303819 if there is none."""
    name, uuid = wish.get("name"), wish.get("uuid")
    for record in world.store.find(KIND):
        theirs = record["svm"] is None or (svm is not None and record["svm"]["uuid"] == svm["uuid"])
        if theirs and (name or uuid) and name in (None, record["name"]) and uuid in (None, record["uuid"]):
            return record
    raise errors.NoSuchPolicy(str(name or uuid or ""))


def exists(world: World, name: str, svm: dict[str, str] | None) -> bool:
    try:
        return bool(usable(world, svm, {"name": name}))
    except OntapError:
        return False


def built_in(record: Record) -> bool:
    return record["svm"] is None and record["name"] in _PRESETS


def users_of(world: World, policy: Record) -> Iterable[str]:
    return [each["destination"] for each in world.store.find("snapmirror", policy=policy["uuid"])]


def add_presets(world: World) -> None:
    """ONTAP's own, those that are not there: a state written by an older emulator has none."""
    there = {record["name"] for record in world.store.find(KIND) if record["svm"] is None}
    for name, (kind, comment, rules, more) in _PRESETS.items():
        if name in there:
            continue
        schedule = schedules.usable(world, None, {"name": more["schedule"]})["uuid"] if "schedule" in more else None
        facts = {"type": kind, "comment": comment, "rules": [rule(*each) for each in rules], "schedule": schedule}
        world.store.insert(KIND, new(name, None, **facts, sync_type=more.get("sync_type")))
