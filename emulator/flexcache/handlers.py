from __future__ import annotations

from typing import Any
from uuid import uuid4

from emulator.aggregates.state import used_bytes
from emulator.errors import MissingField, NotFound
from emulator.flexcache import errors, origins, refusals, remote, state, views
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible
from emulator.volumes import checks, junctions
from emulator.volumes import handlers as volumes

__all__ = ["refusals"]  # imported so that its rules hold


def _all(call: Call) -> list[Record]:
    return visible(call, call.world.store.find(state.KIND))


def list_caches(call: Call) -> Reply:
    return many(call, state.FLEXCACHE, _all(call))


def get_cache(call: Call) -> Reply:
    views.look(call.world, _cache(call)["uuid"])
    return one(call, state.FLEXCACHE, _cache(call))


def _cache(call: Call) -> Record:
    record = call.world.store.get(state.KIND, call.params["uuid"])
    if record is None or not visible(call, [record]):
        raise errors.NoSuchCache()
    return record


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    if not body.get("name"):
        raise MissingField("name")
    home = resolve(call, body.get("svm"))
    svm = ref(home)
    if any(world.store.get("volume", c["uuid"])["name"] == body["name"] for c in _caches_of(call, svm)):  # type: ignore[index]
        raise errors.Taken(body["name"], svm["name"])
    checks.check_name(world, body["name"], svm)
    if len(body.get("origins") or []) != 1:
        raise errors.OneOrigin()
    cache = _new_cache(call, body, svm)
    record = _volume(call, body, svm, home, cache)
    if record["junction"]:
        junctions.check(world, record, record["junction"])
    wish = body.get("prepopulate")
    if wish is not None:
        state.check_prepopulate(world, record, wish, cache["origin"])
    args = {"record": record, "cache": cache, "prepopulate": wish, "user_svm": call.user.svm}
    location = f"/api/storage/flexcache/flexcaches/{record['uuid']}"

    def shown() -> dict[str, Any] | None:
        made = world.store.get(state.KIND, record["uuid"])
        return state.FLEXCACHE.show(world, made, state.FLEXCACHE.wanted(None, instance=True)) if made else None

    return accepted(call, "flexcache.create", args, location=location, result=shown, svm=svm)


def _caches_of(call: Call, svm: dict[str, str]) -> list[Record]:
    return call.world.store.find(state.KIND, svm__uuid=svm["uuid"])


def _new_cache(call: Call, body: dict[str, Any], svm: dict[str, str]) -> Record:
    origin, peer = remote.named(call.world, body["origins"][0], svm)
    given: dict[str, Any] = {key: body[key] for key in ("dr_cache", "global_file_locking_enabled") if key in body}
    return {
        "uuid": str(uuid4()),
        "svm": svm,
        "origin": origin,
        "peer": peer,
        "connected": True,
        "create_time": call.world.clock.iso(),
        "ip_address": remote.address(call.world, peer),
        "own_ip_address": remote.address(call.world, None),
        **state.DEFAULTS,
        **given,
        **state.settings_of(body, state.DEFAULTS),
    }


def _volume(call: Call, body: dict[str, Any], svm: dict[str, str], home: Record, cache: Record) -> Record:
    """The record of the cache's volume: thin, of the origin's size by a tenth, and with no snapshots."""
    relative = cache["relative_size"]
    share = cache["origin"]["size"] * relative.get("percentage", 0) // 100 if relative["enabled"] else 0
    wanted = body.get("size") or share or state.default_size(cache["origin"]["size"])
    guarantee = (body.get("guarantee") or {}).get("type", "none")
    as_volume = {
        "name": body["name"],
        "size": wanted,
        "nas": {**(body.get("nas") or {}), "path": body.get("path") or ""},
    }
    record = volumes.new_record(call, as_volume | {"guarantee": {"type": guarantee}}, svm, home)
    record |= {"uuid": cache["uuid"], "flexcache": True, "snapshot_policy": "none"}
    checks.check_size(record["size"])
    named = body.get("aggregates") or [{"name": _roomiest(call, home)}]
    record["aggregate"] = volumes.aggregate(call, named)
    return record


def _roomiest(call: Call, svm: Record) -> str:
    """Where ONTAP puts a cache by itself."""
    own = [each["name"] for each in svm["aggregates"]]
    known = [each for each in call.world.store.find("aggregate") if not own or each["name"] in own]
    return max(known, key=lambda each: each["size"] - used_bytes(call.world, each))["name"]


def modify(call: Call) -> Reply:
    record, world = _cache(call), call.world
    volume = world.store.get("volume", record["uuid"])
    if volume is None:
        raise errors.NoSuchCache()
    body = dict(call.body)
    wish = body.pop("prepopulate", None)
    if wish is None:
        return accepted(call, "flexcache.modify", {"uuid": record["uuid"], "body": body}, svm=record["svm"])
    if not wish.get("dir_paths"):
        raise errors.NoPaths()
    if state.prepopulates(world, record["uuid"]):
        raise errors.PrepopulateRuns(volume["name"])
    if not volume["junction"]:
        raise errors.NotMounted(volume["name"])
    state.check_prepopulate(world, volume, wish, views.origin_of(world, record))
    if body:
        world.store.update(state.KIND, record["uuid"], **state.settings_of(body, record))
    return accepted(call, state.PREPOPULATE, {"uuid": record["uuid"], "wish": wish}, svm=record["svm"])


def delete(call: Call) -> Reply:
    record = _cache(call)
    volume = call.world.store.get("volume", record["uuid"])
    if volume and volume["junction"]:
        raise errors.StillMounted(volume["name"], volume["junction"])
    return accepted(call, "flexcache.delete", {"uuid": record["uuid"]}, svm=record["svm"])


def list_origins(call: Call) -> Reply:
    return many(call, origins.ORIGIN, _origins(call))


def _origins(call: Call) -> list[Record]:
    """The volumes that are origins of anything, each once."""
    store = call.world.store
    found = dict.fromkeys(entry["volume"] for entry in store.find(origins.KIND))
    return visible(call, [volume for uuid in found if (volume := store.get("volume", uuid))])


def get_origin(call: Call) -> Reply:
    return one(call, origins.ORIGIN, _origin(call))


def _origin(call: Call) -> Record:
    found = [volume for volume in _origins(call) if volume["uuid"] == call.params["uuid"]]
    if not found:
        raise NotFound()
    return found[0]


def modify_origin(call: Call) -> Reply:
    volume = _origin(call)
    changes = {key: value for key, value in call.body.items() if value is not None}
    call.world.store.update("volume", volume["uuid"], **changes)
    return Reply(200, {})
