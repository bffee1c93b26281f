"""How a job is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.fields import Shape, Wanted
from emulator.rest import Call
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    record = world.jobs.settled(record)
    error = record.get("error")
    shown = {key: record.get(key) for key in ("uuid", "description", "state", "start_time", "end_time", "svm")}
    shown["message"] = error["message"] if error else "success" if record["state"] == "success" else None
    shown["code"] = int(error["code"]) if error and error["code"].isdigit() else 0
    shown["node"] = {"name": "node1"}
    if error:
        shown["error"] = {"message": error["message"], "code": error["code"], "target": error.get("target")}
    return shown


JOB = Shape(
    href="/cluster/jobs/{uuid}",
    keys=("uuid",),
    common=(
        "description",
        "state",
        "message",
        "code",
        "start_time",
        "end_time",
        "svm.name",
        "svm.uuid",
        "error.message",
        "error.code",
        "error.target",
    ),
    costly=("node.name",),
    render=render,
)


def visible(call: Call, records: list[Record]) -> list[Record]:
    """An SVM's user sees the jobs of the SVM, a cluster user sees all."""
    svm = call.user.svm
    return [record for record in records if svm is None or (record["svm"] or {}).get("name") == svm]
