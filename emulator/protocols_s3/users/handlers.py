from typing import Any

from emulator.errors import NotFound
from emulator.protocols_s3 import scope
from emulator.protocols_s3.users import state
from emulator.rest import Call, Reply, many, one
from emulator.store import Record


def list_users(call: Call) -> Reply:
    return many(call, state.USER, scope.owned(call, state.KIND))


def get_user(call: Call) -> Reply:
    return one(call, state.USER, scope.named(call, state.KIND, "name"))


def create(call: Call) -> Reply:
    """The only answer besides a regeneration that carries a secret key, asked for or not."""
    svm = scope.serving_svm_of(call)
    shown = state.create(call.world, svm, call.body)
    return Reply(201, _once(svm, shown), {"Location": _href(svm, shown["name"])})


def modify(call: Call) -> Reply:
    user = _user(call)
    key_id = call.body.get("key_id") or 1
    if "comment" in call.body:
        user = call.world.store.update(state.KIND, user["uuid"], comment=call.body["comment"] or "")
    if _asked(call, "delete_keys"):
        state.delete_key(call.world, user, key_id)
    if not _asked(call, "regenerate_keys"):
        return Reply(200, {})
    return Reply(200, _once(user["svm"], state.make_key(call.world, user, key_id, call.body)))


def delete(call: Call) -> Reply:
    state.delete(call.world, _user(call))
    return Reply(200, {})


def _user(call: Call) -> Record:
    user = scope.named(call, state.KIND, "name")
    if user is None:
        raise NotFound("name")
    return user


def _asked(call: Call, name: str) -> bool:
    return call.query.get(name, "false").lower() == "true"


def _once(svm: dict[str, str], shown: dict[str, Any]) -> dict[str, Any]:
    record = shown | {"_links": {"self": {"href": _href(svm, shown["name"])}}}
    return {"num_records": 1, "records": [record]}


def _href(svm: dict[str, str], name: str) -> str:
    return f"/api/protocols/s3/services/{svm['uuid']}/users/{name}"
