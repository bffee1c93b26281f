from __future__ import annotations

from emulator.errors import NotFound
from emulator.licenses import state
from emulator.rest import Call, Reply, many, one


def list_licenses(call: Call) -> Reply:
    """What is not licensed is listed only when it is asked for, as ONTAP has it."""
    found = call.world.store.find(state.KIND)
    if "state" not in call.query:
        found = [record for record in found if record["state"] != state.UNLICENSED]
    return many(call, state.LICENSE, found)


def get_license(call: Call) -> Reply:
    record = call.world.store.get(state.KIND, call.params["name"])
    if record and record["state"] == state.UNLICENSED and call.query.get("state") != state.UNLICENSED:
        record = None
    return one(call, state.LICENSE, record)


def delete(call: Call) -> Reply:
    """ONTAP wants the serial number too, as a package may have several licences."""
    record = call.world.store.get(state.KIND, call.params["name"])
    known = record is not None and record["state"] != state.UNLICENSED
    if not known or call.query.get("serial_number") not in (state.SERIAL, "*"):
        raise NotFound("name")
    call.world.store.update(state.KIND, call.params["name"], state=state.UNLICENSED)
    return Reply(200, {})
