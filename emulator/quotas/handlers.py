from __future__ import annotations

from typing import Any

from emulator.errors import NotFound
from emulator.qtrees import handlers as qtree_handlers
from emulator.qtrees import state as qtrees
from emulator.quotas import errors, state
from emulator.rest import Call, Reply, created, many, one
from emulator.store import Record
from emulator.svms.state import visible


def list_rules(call: Call) -> Reply:
    return many(call, state.RULE, visible(call, state.there(call.world)))


def _rule(call: Call) -> Record:
    record = call.world.store.get(state.KIND, call.params["uuid"])
    if record is None or record.get("removed") or not visible(call, [record]):
        raise NotFound()
    return record


def get_rule(call: Call) -> Reply:
    return one(call, state.RULE, _rule(call))


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    volume = qtree_handlers.volume_of(call)
    if (kind := body.get("type") or "tree") != "tree":
        raise errors.TreeOnly(kind)
    name = (body.get("qtree") or {}).get("name") or ""
    if name and qtrees.named(world, volume["uuid"], name) is None:
        raise errors.NoSuchQtree(name, volume["name"])
    record = state.new(volume, name, state.limits_of(body))
    with world.store.transaction():
        if state.rule_of(world, volume["uuid"], name):
            raise errors.RuleExists(volume["name"], name)
        record = world.store.insert(state.KIND, record)
    if state.is_on(volume):
        raise errors.NotEnforcedYet(volume["name"], volume["svm"]["name"])
    return created(call, state.RULE, record)


def modify(call: Call) -> Reply:
    record = _rule(call)
    call.world.store.update(state.KIND, record["uuid"], limits=state.limits_of(call.body, record["limits"]))
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _rule(call)
    if not state.remove(call.world, record):
        volume = call.world.store.get("volume", record["volume"]) or {}
        raise errors.StillEnforced(str(volume.get("name")), record["svm"]["name"])
    return Reply(200, {})


def _reports(call: Call) -> list[Record]:
    volumes: list[dict[str, Any]] = visible(call, call.world.store.find("volume"))
    return [report for volume in volumes for report in state.reports(call.world, volume)]


def list_reports(call: Call) -> Reply:
    return many(call, state.REPORT, [report | {"_seq": place} for place, report in enumerate(_reports(call))])


def get_report(call: Call) -> Reply:
    for report in _reports(call):
        if (report["volume"]["uuid"], str(report["index"])) == (call.params["volume.uuid"], call.params["index"]):
            return one(call, state.REPORT, report)
    raise NotFound("index")
