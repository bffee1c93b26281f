"""FlexGroup volumes: one namespace of files, whose space comes from constituents on several aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts
from emulator.errors import BadValue
from emulator.store import Record
from emulator.values import between
from emulator.volumes import checks, errors
from emulator.volumes.places import FLEXGROUP, aggregates_of, is_flexgroup

if TYPE_CHECKING:
    from emulator.world import World

CONSTITUENT = "flexgroup_constituent"
PER_AGGREGATE = 4
"""Constituents on each aggregate that a request names, unless it says how many."""
_MOST = 200
FIELDS: Accepts = {"constituents_per_aggregate": between(1, _MOST), "constituent_count": between(1, _MOST)}
NAMES: tuple[str, ...] = ("constituents_per_aggregate", "constituent_count", "is_constituent")
NAMES += ("flexgroup.name", "flexgroup.uuid", "constituents.name", "constituents.space.size")
NAMES += ("constituents.aggregates.name", "constituents.aggregates.uuid")


def planned(world: World, body: dict[str, Any], size: int) -> list[dict[str, str]]:
    """The constituents of a new FlexGroup volume: on the aggregates it names, or on all, as many as it asks for."""
    named = body.get("aggregates") or []
    homes = [_aggregate(world, each) for each in named] or [a["name"] for a in world.store.find("aggregate")]
    per = body.get("constituents_per_aggregate") or (PER_AGGREGATE if named else 1)
    count = body.get("constituent_count") or len(homes) * per
    if count > _MOST:
        raise BadValue(count, "constituents_per_aggregate", f"at most {_MOST} constituents")
    if size < count * checks.MINIMUM_SIZE:
        raise errors.TooSmall(size, count * checks.MINIMUM_SIZE)
    return [{"uuid": str(uuid4()), "aggregate": homes[number % len(homes)]} for number in range(count)]


def _aggregate(world: World, named: dict[str, Any]) -> str:
    for aggregate in world.store.find("aggregate"):
        if aggregate["name"] == named.get("name") or aggregate["uuid"] == named.get("uuid"):
            return aggregate["name"]
    raise errors.NoSuchAggregate(named.get("name") or str(named.get("uuid")))


def like(parent: Record) -> dict[str, Any]:
    """What makes the clone of a FlexGroup volume one too, with its constituents beside those of the parent."""
    if not is_flexgroup(parent):
        return {}
    parts = [{"uuid": str(uuid4()), "aggregate": each["aggregate"]} for each in parent["constituents"]]
    return {"style": FLEXGROUP, "constituents": parts}


def constituents(record: Record) -> list[Record]:
    """The constituents as records to be shown."""
    found = []
    for number, each in enumerate(record.get("constituents") or [], 1):
        kept = {key: record[key] for key in ("svm", "state", "create_time", "guarantee", "options")}
        name, size = f"{record['name']}__{number:04}", record["size"] // len(record["constituents"])
        home = {"name": record["name"], "uuid": record["uuid"]}
        facts = {"uuid": each["uuid"], "name": name, "size": size, "aggregate": each["aggregate"], "flexgroup": home}
        found.append(kept | facts | {"_seq": record["_seq"] + number / (_MOST * 10)})
    return found


def every(world: World) -> list[Record]:
    """The constituents of all FlexGroup volumes."""
    return [each for record in world.store.find(checks.KIND, style=FLEXGROUP) for each in constituents(record)]


def shown_constituent(record: Record, aggregate: dict[str, str]) -> dict[str, Any]:
    return {key: record[key] for key in ("uuid", "name", "svm", "size", "state", "create_time", "flexgroup")} | {
        "is_constituent": True,
        "style": CONSTITUENT,
        "type": "rw",
        "aggregates": [aggregate],
        "guarantee": {"type": record["guarantee"], "honored": True},
        "space": {"size": record["size"]},
        "comment": "",
    }


def shown(record: Record, named: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What a FlexGroup volume shows beyond others; ``named`` has name and uuid of its aggregates."""
    parts = constituents(record)
    return {
        "constituent_count": len(parts),
        "constituents_per_aggregate": len(parts) // len(aggregates_of(record)),
        "constituents": [
            {"name": p["name"], "space": {"size": p["size"]}, "aggregates": named[p["aggregate"]]} for p in parts
        ],
    }
