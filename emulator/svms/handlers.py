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
    uuid = str(uuid4())
    return accepted(call, "svm.create", {"uuid": uuid} | call.body, location=f"/api/svm/svms/{uuid}")


def modify(call: Call) -> Reply:
    record = _record(call)
    changes = {key: value for key, value in call.body.items() if key == "comment"}
    if "aggregates" in call.body:
        names = {a.get("name") for a in call.body["aggregates"]}
        known = call.world.store.find("aggregate")
        changes["aggregates"] = [{"name": a["name"], "uuid": a["uuid"]} for a in known if a["name"] in names]
    call.world.store.update(state.KIND, record["uuid"], **changes)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _record(call)
    state.check_empty(call.world, record)
    return accepted(call, "svm.delete", {"uuid": record["uuid"]})
