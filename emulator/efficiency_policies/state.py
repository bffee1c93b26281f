"""Efficiency policies: when volumes would look for savings. They are kept and checked, and nothing happens by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, text
from emulator.efficiency_policies import errors
from emulator.fields import Shape, Wanted
from emulator.schedules import state as schedules
from emulator.store import Record
from emulator.svms import parts
from emulator.values import at_most, between, one_of, short_comment

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("efficiency_policy")
SCHEDULED, THRESHOLD = "scheduled", "threshold"
USUAL_PERCENT = 20
DEFAULT = "default"
PREDEFINED = ("auto", "inline-only")
"""Every SVM has them, without a record: they have neither a time nor a threshold."""
NONE = "-"

PATCH_FIELDS: Accepts = {
    "comment": short_comment,
    "duration": between(0, 999),
    "enabled": flag,
    "qos_policy": one_of("background", "best_effort"),
    "schedule.name": text,
    "start_threshold_percent": between(1, 99),
    "type": one_of(SCHEDULED, THRESHOLD),
}
POST_FIELDS: Accepts = PATCH_FIELDS | {"name": at_most(255), "svm.name": text, "svm.uuid": text}
_PLAIN = ("comment", "duration", "enabled", "qos_policy")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "svm", "type", *_PLAIN, "start_threshold_percent")}
    schedule = world.store.get(schedules.KIND, record["schedule"]) if record["schedule"] else None
    return shown | {"schedule": {"name": schedule["name"]} if schedule else None}


POLICY = Shape(
    href="/storage/volume-efficiency-policies/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "type", *_PLAIN, "schedule.name", "start_threshold_percent"),
    costly=(),
    render=render,
)


def facts_of(world: World, svm: dict[str, str], body: dict[str, Any], old: Record | None = None) -> dict[str, Any]:
    """What a record has after a request: a schedule, or a threshold, never both."""
    kind = body.get("type") or (old["type"] if old else SCHEDULED)
    found = {key: body[key] for key in _PLAIN if body.get(key) is not None} | {"type": kind}
    wish, percent = (body.get("schedule") or {}).get("name"), body.get("start_threshold_percent")
    if kind == THRESHOLD:
        if wish:
            raise errors.ScheduleOrThreshold(wish, kind)
        usual = old["start_threshold_percent"] if old else None
        return found | {"schedule": None, "start_threshold_percent": percent or usual or USUAL_PERCENT}
    if percent is not None:
        raise errors.ScheduleOrThreshold(percent, kind)
    kept = old["schedule"] if old and not wish else None
    schedule = kept or schedules.usable(world, svm, {"name": wish or "daily"})["uuid"]
    return found | {"schedule": schedule, "start_threshold_percent": None}


def new(world: World, name: str, svm: dict[str, str], body: dict[str, Any]) -> Record:
    """A record; not stored yet."""
    usual = {"comment": "", "duration": 0, "enabled": True, "qos_policy": "best_effort"}
    return {"uuid": str(uuid4()), "name": name, "svm": svm} | usual | facts_of(world, svm, body)


def named(world: World, svm: dict[str, str], name: str) -> Record | None:
    return next(iter(world.store.find(KIND, svm__uuid=svm["uuid"], name=name)), None)


def check_usable(world: World, svm: dict[str, str], name: str) -> None:
    """Refuse, for a volume, a policy that its SVM has not."""
    if name not in (NONE, *PREDEFINED) and named(world, svm, name) is None:
        raise errors.NoSuchPolicy(name, svm["name"])


def add_presets(world: World) -> None:
    """ONTAP's own of every SVM that has it not; schedules come first."""
    for svm in world.store.find("svm"):
        _add_default(world, svm)


@parts.begins_with
def _add_default(world: World, svm: Record) -> None:
    own = {"name": svm["name"], "uuid": svm["uuid"]}
    if schedules.exists(world, "daily") and named(world, own, DEFAULT) is None:
        world.store.insert(KIND, new(world, DEFAULT, own, {"comment": "Default policy"}))


def users_of(world: World, policy: Record) -> list[str]:
    """Names of the volumes that have the policy."""
    found = [v for v in world.store.find("volume") if v["svm"]["uuid"] == policy["svm"]["uuid"]]
    return [v["name"] for v in found if (v.get("options") or {}).get("efficiency.policy.name") == policy["name"]]


def with_schedule(world: World, uuid: str) -> list[Record]:
    return [policy for policy in world.store.find(KIND) if policy["schedule"] == uuid]
