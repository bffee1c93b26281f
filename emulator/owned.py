"""Policies and schedules, which are an SVM's own or the cluster's, for every SVM to use."""

from __future__ import annotations

from emulator.errors import MissingField, NotFound, OntapError
from emulator.rest import Call
from emulator.store import Record
from emulator.svms.state import ref, resolve


def visible(call: Call, kind: str) -> list[Record]:
    """An SVM's user sees its own and those of the cluster."""
    records = call.world.store.find(kind)
    return [r for r in records if call.user.svm is None or r["svm"] is None or r["svm"]["name"] == call.user.svm]


def found(call: Call, kind: str, uuid: str) -> Record:
    for record in visible(call, kind):
        if record["uuid"] == uuid:
            return record
    raise NotFound()


def changeable(call: Call, record: Record, *, built_in: bool, refusal: type[OntapError]) -> Record:
    """The record; ``refusal`` of its name where it came with ONTAP, or is the cluster's and the user an SVM's."""
    if built_in or (record["svm"] is None and call.user.svm is not None):
        raise refusal(record["name"])
    return record


def name_and_svm(call: Call) -> tuple[str, dict[str, str] | None]:
    """Of one to make: where no SVM is named, it is the cluster's or that of an SVM's user."""
    name = named(call)
    return name, ref(resolve(call, call.body.get("svm"))) if call.body.get("svm") or call.user.svm else None


def named(call: Call) -> str:
    if not call.body.get("name"):
        raise MissingField("name")
    return call.body["name"]
