from typing import Any
from uuid import uuid4

from emulator.fields import Shape
from emulator.protocols_s3 import scope
from emulator.protocols_s3.buckets import state
from emulator.protocols_s3.errors import NoSuchBucket
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible


def list_buckets(call: Call) -> Reply:
    return many(call, state.BUCKET, visible(call, call.world.store.find(state.KIND)))


def list_of_svm(call: Call) -> Reply:
    return many(call, state.BUCKET_OF_SVM, scope.owned(call, state.KIND))


def get_bucket(call: Call) -> Reply:
    return one(call, state.BUCKET, _bucket(call))


def get_of_svm(call: Call) -> Reply:
    return one(call, state.BUCKET_OF_SVM, _bucket(call))


def create(call: Call) -> Reply:
    svm = ref(resolve(call, call.body.pop("svm", None)))
    scope.require_service(call, svm)
    return _create(call, svm, state.BUCKET, f"/api/protocols/s3/buckets/{svm['uuid']}/")


def create_in_svm(call: Call) -> Reply:
    svm = scope.serving_svm_of(call)
    return _create(call, svm, state.BUCKET_OF_SVM, f"/api/protocols/s3/services/{svm['uuid']}/buckets/")


def modify(call: Call) -> Reply:
    record = _bucket(call)
    body = scope.plain(call.body)
    if body.pop("type", record["type"]) != record["type"]:
        raise state.NotSupported("The type of a bucket cannot be changed.")
    state.check_fields(record["type"], body)
    return accepted(call, "s3_bucket.modify", {"uuid": record["uuid"], "body": body}, svm=record["svm"])


def delete(call: Call) -> Reply:
    record = _bucket(call)
    return accepted(call, "s3_bucket.delete", {"uuid": record["uuid"]}, svm=record["svm"])


def _create(call: Call, svm: dict[str, str], shape: Shape, path: str) -> Reply:
    body = scope.plain(call.body)
    state.check_new(call.world, svm, body)
    uuid = str(uuid4())

    def result() -> dict[str, Any] | None:
        record = call.world.store.get(state.KIND, uuid)
        return shape.show(call.world, record, shape.wanted(None, instance=True)) if record else None

    args = {"uuid": uuid, "svm": svm, "body": body}
    return accepted(call, "s3_bucket.create", args, location=path + uuid, result=result, svm=svm)


def _bucket(call: Call) -> Record:
    record = call.world.store.get(state.KIND, call.params["uuid"])
    wrong_svm = record is not None and call.params.get("svm.uuid", record["svm"]["uuid"]) != record["svm"]["uuid"]
    if record is None or wrong_svm or not visible(call, [record]):
        raise NoSuchBucket()
    return record
