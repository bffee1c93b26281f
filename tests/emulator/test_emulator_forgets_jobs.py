"""Old jobs are forgotten however their records and others take turns in the store."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import pytest

from emulator.clock import Clock
from emulator.faults import Faults
from emulator.jobs import operation
from emulator.jobs.runner import KEPT_JOBS, KIND, Jobs
from emulator.store import Store

BEYOND = 250


@operation("test.nothing")
def nothing(world, args):
    """A job that is done as soon as it runs."""


@pytest.mark.parametrize("between", [0, 1, 2])
def test_closed_jobs_beyond_the_last_thousand_are_forgotten(tmp_path, between):
    store = Store(tmp_path)
    store._db.execute("PRAGMA synchronous = OFF")
    world = SimpleNamespace(store=store, clock=Clock(store), faults=Faults())
    closed = {"state": "success", "operation": "test.nothing", "args": {}, "description": "", "error": None}
    with store.transaction():
        for _ in range(KEPT_JOBS):
            store.insert(KIND, closed | {"uuid": str(uuid4())})
    jobs = Jobs(world)
    call = SimpleNamespace(method="PATCH", path="/x", description="PATCH /api/x")
    for _ in range(BEYOND):
        last = jobs.submit(call, "test.nothing", {})
        assert jobs.wait(last, 10)
        for _ in range(between):
            store.insert("volume", {"uuid": str(uuid4())})
    assert KEPT_JOBS <= len(store.find(KIND)) <= KEPT_JOBS + 100
    assert store.get(KIND, last)["state"] == "success"
    jobs.stop()


def test_too_many_jobs_of_an_earlier_start_are_forgotten_at_the_next(tmp_path):
    store = Store(tmp_path)
    with store.transaction():
        for number in range(KEPT_JOBS + 7):
            store.insert(KIND, {"uuid": f"{number}", "state": "success"})
    jobs = Jobs(SimpleNamespace(store=store, clock=Clock(store), faults=Faults()))
    jobs.recover()
    assert [store.get(KIND, uuid) is None for uuid in ("0", "6", "7")] == [True, True, False]
    jobs.stop()
