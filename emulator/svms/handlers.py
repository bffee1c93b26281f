from typing import Any
from uuid import uuid4

from emulator.errors import MissingField, NotFound
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms import state


def _visible(call: Call) -> list[Record]:
    return [r for r in call.world.store.find(state.KIND) if call.user.svm in (None, r["name"])]


def _record(call: Call) -> Record:
    for record in _visible(call):
        if record["uuid"] == call.params["uuid"]:
            return record
    raise NotFound()


def list_svms(call: Call) -> Reply:
    return many(call, state.SVM, _visible(call))


def get_svm(call: Call) -> Reply:
    return one(call, state.SVM, _record(call))


def create(call: Call) -> Reply:
    name = call.body.get("name")
    if not name:
        raise MissingField("name")
    state.check_new(call.world, name)
    state.changes_of(call.world, {"name": name, "uuid": ""}, call.body)
    uuid = str(uuid4())

    def shown() -> dict[str, Any] | None:
        made = call.world.store.get(state.KIND, uuid)
        return state.SVM.show(call.world, made, state.SVM.wanted(None, instance=True)) if made else None

    return accepted(call, "svm.create", {"uuid": uuid} | call.body, location=f"/api/svm/svms/{uuid}", result=shown)


def modify(call: Call) -> Reply:
    record = _record(call)
    name = call.body.get("name")
    if name and name != record["name"]:
        state.check_new(call.world, name)
    state.changes_of(call.world, state.ref(record), call.body)
    args = {"uuid": record["uuid"], "was": record["name"], "body": call.body}
    return accepted(call, "svm.modify", args, svm=state.ref(record))


def delete(call: Call) -> Reply:
    record = _record(call)
    state.check_empty(call.world, record)
    return accepted(call, "svm.delete", {"uuid": record["uuid"]})
