"""Quotas on qtrees: rules, what of them is enforced, and the report of what is used.

A rule that is made while quotas of its volume are on is enforced when they are next switched on, and one that is
removed meanwhile until they are switched off; ONTAP says so with an error, although it did what was asked. A changed
limit is enforced at once, as ONTAP resizes quotas by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator import trees
from emulator.body import Accepts, number, size, text
from emulator.dataplane import SNAPSHOT_LINK
from emulator.fields import Shape, Wanted
from emulator.qtrees import state as qtrees
from emulator.quotas import errors
from emulator.store import Record
from emulator.svms import parts
from emulator.values import one_of
from emulator.volumes import belongings
from emulator.volumes.settings import QUOTAS_ON

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs(belongings.belongs("quota_rule"))
NO_LIMIT = -1

PATCH_FIELDS: Accepts = {
    "space.hard_limit": size,
    "space.soft_limit": size,
    "files.hard_limit": number,
    "files.soft_limit": number,
}
POST_FIELDS: Accepts = PATCH_FIELDS | {
    "svm.name": text,
    "svm.uuid": text,
    "volume.name": text,
    "volume.uuid": text,
    "type": one_of("tree", "user", "group"),
    "qtree.name": text,
}
LIMITS = ("space.hard_limit", "space.soft_limit", "files.hard_limit", "files.soft_limit")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {
        "uuid": record["uuid"],
        "type": "tree",
        "svm": record["svm"],
        "volume": _volume(world, record["volume"]),
        "qtree": _qtree(world, record),
        **_nested(record["limits"]),
    }


RULE = Shape(
    href="/storage/quota/rules/{uuid}",
    keys=("uuid",),
    common=("type", "svm.name", "svm.uuid", "volume.name", "volume.uuid", "qtree.name", "qtree.id", *LIMITS),
    costly=(),
    render=render,
)


def render_report(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    limits, used = record["limits"], record["used"]
    shown = {key: record[key] for key in ("index", "svm", "volume", "qtree")}
    parts_of = _nested(limits)
    for kind, total in (("space", used[0]), ("files", used[1])):
        hard = limits.get(f"{kind}.hard_limit")
        percent = {"hard_limit_percent": total * 100 // hard} if hard else {}
        parts_of.setdefault(kind, {})["used"] = {"total": total} | percent
    return shown | {"type": "tree"} | parts_of


REPORT = Shape(
    href="/storage/quota/reports/{volume.uuid}/{index}",
    keys=("index", "volume.uuid", "volume.name", "svm.uuid", "svm.name"),
    common=("type", "qtree.name", "qtree.id", *LIMITS)
    + tuple(f"{kind}.used.{name}" for kind in ("space", "files") for name in ("total", "hard_limit_percent")),
    costly=(),
    render=render_report,
)


def _volume(world: World, uuid: str) -> dict[str, Any]:
    volume = world.store.get("volume", uuid) or {}
    return {"uuid": uuid, "name": volume.get("name")}


def _qtree(world: World, record: Record) -> dict[str, Any]:
    """The empty name stands for every qtree that has no rule of its own."""
    found = qtrees.named(world, record["volume"], record["qtree"]) if record["qtree"] else None
    return {"name": record["qtree"]} | ({"id": found["id"]} if found else {})


def _nested(limits: dict[str, int]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in limits.items():
        kind, _, leaf = name.partition(".")
        shown.setdefault(kind, {})[leaf] = value
    return shown


def limits_of(body: dict[str, Any], old: dict[str, int] | None = None) -> dict[str, int]:
    """The limits after a request, by dotted name; -1 takes one away."""
    found = dict(old or {})
    for name in LIMITS:
        kind, _, leaf = name.partition(".")
        if (value := (body.get(kind) or {}).get(leaf)) is not None:
            found[name] = value
    found = {name: value for name, value in found.items() if value != NO_LIMIT}
    for kind in ("space", "files"):
        hard, soft = found.get(f"{kind}.hard_limit"), found.get(f"{kind}.soft_limit")
        if hard is not None and soft is not None and soft > hard:
            raise errors.SoftOverHard(kind, soft, hard)
    return found


def there(world: World) -> list[Record]:
    """The rules, without those that are removed and still enforced."""
    return [record for record in world.store.find(KIND) if not record.get("removed")]


def rule_of(world: World, volume: str, qtree: str) -> Record | None:
    found = world.store.find(KIND, volume=volume)
    return next((each for each in found if each["qtree"] == qtree and not each.get("removed")), None)


def is_on(volume: Record) -> bool:
    return bool((volume.get("options") or {}).get(QUOTAS_ON))


def remove(world: World, record: Record) -> bool:
    """Whether it is enforced no more."""
    volume = world.store.get("volume", record["volume"])
    if volume and is_on(volume) and record["enforced"]:
        world.store.update(KIND, record["uuid"], removed=True)
        return False
    world.store.delete(KIND, record["uuid"])
    return True


def new(volume: Record, qtree: str, limits: dict[str, int]) -> Record:
    return {
        "uuid": str(uuid4()),
        "volume": volume["uuid"],
        "svm": volume["svm"],
        "qtree": qtree,
        "limits": limits,
        "enforced": False,
    }


@belongings.follows
def switched(world: World, old: Record, new: Record) -> None:
    """When quotas are switched on, the rules that there are then are enforced; when off, none is."""
    on = is_on(new)
    if on != is_on(old):
        for rule in world.store.find(KIND, volume=new["uuid"]):
            if rule.get("removed"):
                world.store.delete(KIND, rule["uuid"])
            else:
                world.store.update(KIND, rule["uuid"], enforced=on)


def enforced(world: World, volume: Record, qtree: str) -> Record | None:
    """The rule that holds for a qtree now: its own, or else that for every qtree. None while quotas are off."""
    if not is_on(volume) or not qtree:
        return None
    held = {rule["qtree"]: rule for rule in world.store.find(KIND, volume=volume["uuid"]) if rule["enforced"]}
    return held.get(qtree) or held.get("")


def used(world: World, qtree: Record) -> tuple[int, int]:
    """(bytes, files and folders) in a qtree."""
    folder = qtrees.folder_of(world, qtree)
    return trees.measured(folder, frozenset({SNAPSHOT_LINK})) if folder.is_dir() else (0, 0)


def reports(world: World, volume: Record) -> list[Record]:
    """One for every qtree that a rule is enforced on."""
    found = []
    for qtree in world.store.find(qtrees.KIND, volume=volume["uuid"]):
        if rule := enforced(world, volume, qtree["name"]):
            facts = {"svm": volume["svm"], "volume": {"uuid": volume["uuid"], "name": volume["name"]}}
            named = {"qtree": {"name": qtree["name"], "id": qtree["id"]}, "index": qtree["id"], "_seq": qtree["id"]}
            found.append(facts | named | {"limits": rule["limits"], "used": used(world, qtree)})
    return found
