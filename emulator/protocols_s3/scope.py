"""What the resources below an SVM's S3 server share: the SVM of the path and its records."""

from __future__ import annotations

import re
from typing import Any

from emulator.protocols_s3.errors import NoService
from emulator.rest import ANY, Call
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible

NAME = re.compile(r"[0-9A-Za-z_+=,.@-]+")


def svm_of(call: Call) -> dict[str, str]:
    """The SVM in the path, which must exist and be the user's; 2621462 otherwise."""
    return ref(resolve(call, {"uuid": call.params["svm.uuid"]}))


def serving_svm_of(call: Call) -> dict[str, str]:
    """The SVM in the path, with an S3 server on it; 92405773 without."""
    svm = svm_of(call)
    require_service(call, svm)
    return svm


def require_service(call: Call, svm: dict[str, str]) -> None:
    if call.world.store.get("s3_service", svm["uuid"]) is None:
        raise NoService(svm["name"])


def owned(call: Call, kind: str) -> list[Record]:
    """All records of a kind that belong to the SVM of the path, or with ``*`` in its place to any."""
    if call.params["svm.uuid"] == ANY:
        return visible(call, call.world.store.find(kind))
    return call.world.store.find(kind, svm__uuid=svm_of(call)["uuid"])


def named(call: Call, kind: str, key: str) -> Record | None:
    """The record that the path names by `key`, or that a call on the whole collection has picked by uuid."""
    for record in owned(call, kind):
        if "uuid" in call.params and call.params["uuid"] == record["uuid"]:
            return record
        if key in call.params and call.params[key] == str(record[key]):
            return record
    return None


def plain(value: Any) -> Any:
    """A value without the names that were sent as null, which ONTAP takes for not sent."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None}
    return [plain(item) for item in value] if isinstance(value, list) else value
