from emulator.jobs.runner import KIND
from emulator.jobs.state import JOB, visible
from emulator.rest import Call, Reply, many, one


def list_jobs(call: Call) -> Reply:
    return many(call, JOB, visible(call, call.world.store.find(KIND)))


def get_job(call: Call) -> Reply:
    call.world.jobs.read(call.params["uuid"])
    record = call.world.store.get(KIND, call.params["uuid"])
    found = visible(call, [record] if record else [])
    return one(call, JOB, found[0] if found else None)
