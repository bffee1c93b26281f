"""A transfer and a break killed before any of their steps: the next start finishes them, and nothing is torn."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import emulator.server  # noqa: F401 - registers the operations of all resources
from emulator import seed
from emulator.jobs.operations import OPERATIONS
from emulator.schedules import state as schedules
from emulator.snapmirror import operations, schedule, state
from emulator.snapmirror_policies import state as policies
from emulator.snapmirror_transfers import state as transfers
from emulator.snapmirror_transfers import work
from emulator.snapmirror_transfers.engine import Progress
from emulator.world import Config, World
from tests.emulator.test_emulator_crash import AFTER, FILES, OWNER, Killed, KillSwitch, contents, fill, volume_record
from tests.until import until

SOURCE, COPY = str(uuid4()), str(uuid4())


def prepared(root: Path) -> World:
    """A volume and its mirror within one SVM, initialised; more was written since."""
    world = World(root, Config())
    seed.prepare(world, "secret")
    records = [volume_record(world, SOURCE, name="data", junction="/data")]
    records.append(volume_record(world, COPY, name="copy", junction="/copy", type="dp"))
    for record in records:
        OPERATIONS["volume.create"](world, {"record": record, "owner": OWNER, "user_svm": None})
    fill(world.dataplane.data_dir(SOURCE), FILES)
    svm = records[0]["svm"]
    policy = policies.usable(world, svm, {"name": "MirrorAllSnapshots"})
    facts = {"policy": policy["uuid"], "source_svm": svm["uuid"]}
    record = state.new(svm, f"{svm['name']}:data", f"{svm['name']}:copy", **facts)
    OPERATIONS["snapmirror.create"](world, {"record": record, "creation": {}, "state": None, "user_svm": None})
    begun(world)
    finished(world)
    fill(world.dataplane.data_dir(SOURCE), AFTER)
    return world


def relationship(world: World) -> dict[str, Any]:
    return world.store.find(state.KIND)[0]


def begun(world: World) -> dict[str, Any]:
    record = relationship(world)
    kind = "initialize" if record["state"] == "uninitialized" else "update"
    return operations.begin(world, record, kind)


def finished(world: World) -> dict[str, Any]:
    def last() -> dict[str, Any]:
        return transfers.of(world, relationship(world)["uuid"])[-1]

    until(lambda: last()["state"] not in transfers.OPEN, last)
    return last()


def closed(world: World) -> None:
    world.transfers.drop_all()
    world.jobs.stop()
    world.store.close()


def update_until_killed(world: World, at: int) -> bool:
    """One transfer, killed before step ``at`` in this thread; False when it ended before that."""
    record = relationship(world)
    transfer = transfers.new(world, record, "update") | {"reads_left": 0, "begun": time.time()}
    transfer["take"] = f"snapmirror.{record['svm']['uuid']}_{record['destination_volume']}.now.{transfer['uuid']}"
    world.store.insert(transfers.KIND, transfer)
    with pytest.MonkeyPatch.context() as patched:
        switch = KillSwitch(patched, at)
        try:
            work.transfer(world, transfer["uuid"], Progress(world.transfers, transfer))
        except Killed:
            return True
        return switch.fired


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """The root of a prepared world, to be copied."""
    root = tmp_path_factory.mktemp("template") / "root"
    closed(prepared(root))
    return root


@pytest.fixture
def world(template, tmp_path) -> World:
    shutil.copytree(template, tmp_path / "root", symlinks=True)
    return World(tmp_path / "root", Config())


@pytest.mark.parametrize("at", range(0, 120, 6))
def test_a_killed_transfer_goes_on_at_the_next_start(world, tmp_path, at):
    killed = update_until_killed(world, at)
    live = contents(world.dataplane.data_dir(COPY))
    assert live in (FILES, FILES | AFTER), "old or new, never torn"
    closed(world)
    if not killed:
        return
    again = World(tmp_path / "root", Config())
    seed.prepare(again, "secret")
    assert finished(again)["state"] == "success"
    assert contents(again.dataplane.data_dir(COPY)) == FILES | AFTER
    ours = {each["version_uuid"] for each in again.store.find("snapshot", volume=COPY)}
    theirs = {each["version_uuid"] for each in again.store.find("snapshot", volume=SOURCE)}
    assert ours == theirs
    assert len(theirs) == 1
    assert relationship(again)["state"] == "snapmirrored"
    assert not list(again.dataplane.staging.iterdir())
    closed(again)


@pytest.mark.parametrize("at", range(0, 40, 4))
def test_a_killed_break_is_done_again(world, tmp_path, at):
    args = {"uuid": relationship(world)["uuid"], "changes": {}, "state": "broken_off", "preserve": None}
    args["restore_to_snapshot"] = None
    with pytest.MonkeyPatch.context() as patched:
        KillSwitch(patched, at)
        with contextlib.suppress(Killed):
            OPERATIONS["snapmirror.modify"](world, args)
    assert contents(world.dataplane.data_dir(COPY)) == FILES
    closed(world)
    again = World(tmp_path / "root", Config())
    seed.prepare(again, "secret")
    OPERATIONS["snapmirror.modify"](again, args)
    assert (again.store.get("volume", COPY) or {})["type"] == "rw"
    assert relationship(again)["state"] == "broken_off"
    (again.dataplane.data_dir(COPY) / "written").write_text("there")
    assert not list(again.dataplane.staging.iterdir())
    closed(again)


def test_where_schedules_are_switched_off_none_begins_an_update(world):
    mirror = relationship(world)
    world.store.update(state.KIND, mirror["uuid"], schedule=schedules.usable(world, None, {"name": "5min"})["uuid"])
    for running, updates in ((False, 0), (True, 1)):
        world.config.schedules = running
        before = len(transfers.of(world, mirror["uuid"]))
        for offset_s in (3600 + 3600 * running, 4000 + 3600 * running):
            world.clock.set_offset(offset_s)
            schedule.update_due(world)
        assert len(transfers.of(world, mirror["uuid"])) == before + updates
    assert finished(world)["state"] == "success"
    closed(world)
