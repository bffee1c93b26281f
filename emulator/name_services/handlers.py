from emulator.errors import NotFound
from emulator.name_services import state
from emulator.rest import Call, Reply, created, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible


def list_mappings(call: Call) -> Reply:
    return many(call, state.MAPPING, visible(call, call.world.store.find(state.MAPPINGS)))


def get_mapping(call: Call) -> Reply:
    return one(call, state.MAPPING, _mapping(call))


def create_mapping(call: Call) -> Reply:
    svm = ref(resolve(call, call.body.get("svm")))
    return created(call, state.MAPPING, state.create_mapping(call.world, svm, call.body))


def modify_mapping(call: Call) -> Reply:
    state.modify_mapping(call.world, _mapping(call), call.body)
    return Reply(200, {})


def delete_mapping(call: Call) -> Reply:
    call.world.store.delete(state.MAPPINGS, _mapping(call)["uuid"])
    return Reply(200, {})


def list_users(call: Call) -> Reply:
    svms = [ref(svm) for svm in call.world.store.find("svm")]
    known = [user for svm in svms for user in state.built_in_users(svm)] + call.world.store.find(state.USERS)
    return many(call, state.USER, visible(call, known))


def get_user(call: Call) -> Reply:
    svm = ref(resolve(call, {"uuid": call.params["svm.uuid"]}))
    known = state.built_in_users(svm) + call.world.store.find(state.USERS, svm__uuid=svm["uuid"])
    return one(call, state.USER, next((user for user in known if user["name"] == call.params["name"]), None))


def create_user(call: Call) -> Reply:
    svm = ref(resolve(call, call.body.get("svm")))
    return created(call, state.USER, state.create_user(call.world, svm, call.body))


def modify_user(call: Call) -> Reply:
    changes = {key: value for key, value in call.body.items() if value is not None}
    call.world.store.update(state.USERS, _own_user(call)["uuid"], **changes)
    return Reply(200, {})


def delete_user(call: Call) -> Reply:
    call.world.store.delete(state.USERS, _own_user(call)["uuid"])
    return Reply(200, {})


def _mapping(call: Call) -> Record:
    svm = resolve(call, {"uuid": call.params["svm.uuid"]})
    record = state.find_mapping(call.world, svm["uuid"], call.params["direction"], call.params["index"])
    if record is None:
        raise NotFound("index")
    return record


def _own_user(call: Call) -> Record:
    svm = resolve(call, {"uuid": call.params["svm.uuid"]})
    record = state.own_user(call.world, svm["uuid"], call.params["name"])
    if record is None:
        raise NotFound("name")
    return record
