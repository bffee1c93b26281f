from emulator.body import checked, flag
from emulator.errors import NotFound
from emulator.protocols_s3 import scope
from emulator.protocols_s3.errors import ServiceExists
from emulator.protocols_s3.services import state
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible


def list_services(call: Call) -> Reply:
    return many(call, state.SERVICE, visible(call, call.world.store.find(state.KIND)))


def get_service(call: Call) -> Reply:
    return one(call, state.SERVICE, _service(call))


def create(call: Call) -> Reply:
    """Users made along with the server are shown with their secret keys, once."""
    svm = ref(resolve(call, call.body.get("svm")))
    if call.world.store.get(state.KIND, svm["uuid"]):
        raise ServiceExists(svm["name"])
    body = scope.plain(call.body)
    state.check(call.world, svm, body)
    state.create(call.world, svm, body)
    shown = state.create_users(call.world, svm, body.get("users") or [])
    state.create_buckets(call.world, svm, body.get("buckets") or [])
    href = f"/api/protocols/s3/services/{svm['uuid']}"
    record = {"svm": svm, "users": shown, "_links": {"self": {"href": href}}}
    answer = {"num_records": 1, "records": [record]} if shown or call.return_records else {}
    return Reply(201, answer, {"Location": href})


def modify(call: Call) -> Reply:
    service = _service(call)
    state.check(call.world, service["svm"], call.body)
    state.modify(call.world, service, call.body)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    """Only ``delete_all=false``, in the query or in the body, keeps users and buckets."""
    service = _service(call)
    # The official client writes its own language's "True" into the query.
    named = {name: value.lower() for name, value in call.query.items() if name == "delete_all"}
    asked = checked(named, {"delete_all": flag})
    everything = (asked | call.body).get("delete_all", True)
    args = {"uuid": service["uuid"], "delete_all": everything}
    return accepted(call, "s3_service.delete", args, svm=service["svm"])


def _service(call: Call) -> Record:
    uuid = call.params.get("svm.uuid") or call.params["uuid"]
    service = call.world.store.get(state.KIND, uuid)
    if service is None or not visible(call, [service]):
        raise NotFound("svm.uuid")
    return service
