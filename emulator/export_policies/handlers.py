from typing import Any

from emulator.body import checked
from emulator.errors import MissingField, NotFound
from emulator.export_policies import state
from emulator.export_policies.errors import DefaultPolicy, PolicyExists, PolicyInUse
from emulator.rest import ANY, Call, Reply, created, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible


def _policy(call: Call) -> Record:
    for record in visible(call, call.world.store.find(state.KIND)):
        if str(record["id"]) == call.params["id"]:
            return record
    raise NotFound("id")


def list_policies(call: Call) -> Reply:
    return many(call, state.POLICY, visible(call, call.world.store.find(state.KIND)))


def get_policy(call: Call) -> Reply:
    return one(call, state.POLICY, _policy(call))


def create(call: Call) -> Reply:
    name = call.body.get("name")
    if not name:
        raise MissingField("name")
    store, svm = call.world.store, ref(resolve(call, call.body.get("svm")))
    with store.transaction():
        if store.find(state.KIND, svm__uuid=svm["uuid"], name=name):
            raise PolicyExists(name)
        record = store.insert(state.KIND, state.new_policy(call.world, name, svm, call.body.get("rules") or []))
    return created(call, state.POLICY, record)


def modify(call: Call) -> Reply:
    record, store, changes = _policy(call), call.world.store, {}
    if (name := call.body.get("name")) and name != record["name"]:
        if record["name"] == state.DEFAULT:
            raise DefaultPolicy()
        if store.find(state.KIND, svm__uuid=record["svm"]["uuid"], name=name):
            raise PolicyExists(name)
        changes["name"] = name
    if "rules" in call.body:
        rules: list[dict[str, Any]] = []
        for rule in call.body["rules"] or []:
            rules = state.with_rule(rules, rule)
        changes["rules"] = rules
    store.update(state.KIND, record["uuid"], **changes)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _policy(call)
    if record["name"] == state.DEFAULT:
        raise DefaultPolicy()
    for volume in call.world.store.find("volume", export_policy=record["uuid"]):
        raise PolicyInUse(record["name"], volume["name"])
    call.world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})


def _rule_records(policy: Record) -> list[Record]:
    owner = {"policy": {"id": policy["id"], "name": policy["name"]}, "svm": policy["svm"]}
    return [rule | owner | {"_seq": rule["index"]} for rule in policy["rules"]]


def _rule(call: Call, policy: Record) -> Record:
    for rule in _rule_records(policy):
        if str(rule["index"]) == call.params["index"]:
            return rule
    raise NotFound("index")


def list_rules(call: Call) -> Reply:
    """``*`` in place of a policy asks for the rules of all."""
    if call.params["id"] != ANY:
        return many(call, state.RULE, _rule_records(_policy(call)))
    policies = visible(call, call.world.store.find(state.KIND))
    rules = [rule for policy in policies for rule in _rule_records(policy)]
    return many(call, state.RULE, [rule | {"_seq": place} for place, rule in enumerate(rules)])


def get_rule(call: Call) -> Reply:
    return one(call, state.RULE, _rule(call, _policy(call)))


def create_rule(call: Call) -> Reply:
    policy = _policy(call)
    rule = {key: value for key, value in call.body.items() if key != "policy"}
    rules = state.with_rule(policy["rules"], rule)
    policy = call.world.store.update(state.KIND, policy["uuid"], rules=rules)
    index = rule.get("index") or rules[-1]["index"]
    return created(call, state.RULE, next(r for r in _rule_records(policy) if r["index"] == index))


def modify_rule(call: Call) -> Reply:
    """``new_index`` moves the rule; those from there on move up when the place is taken."""
    policy = _policy(call)
    index = _rule(call, policy)["index"]
    (old,) = [rule for rule in policy["rules"] if rule["index"] == index]
    changes = {key: value for key, value in call.body.items() if key not in ("policy", "index", "new_index")}
    named = {"new_index": call.query["new_index"]} if "new_index" in call.query else {}
    moved = (checked(named, state.NEW_INDEX) | call.body).get("new_index") or index
    others = [rule for rule in policy["rules"] if rule["index"] != index]
    rules = state.with_rule(others, old | changes | {"index": moved})
    call.world.store.update(state.KIND, policy["uuid"], rules=rules)
    return Reply(200, {})


def delete_rule(call: Call) -> Reply:
    policy = _policy(call)
    index = _rule(call, policy)["index"]
    rules = [rule for rule in policy["rules"] if rule["index"] != index]
    call.world.store.update(state.KIND, policy["uuid"], rules=rules)
    return Reply(200, {})
