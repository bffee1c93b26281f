"""Volumes take the snapshots of their policies by themselves: named by the time, labelled, no more than are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from emulator import seed, ticking
from emulator.jobs.operations import OPERATIONS
from emulator.schedules import state as schedules
from emulator.snapshot_policies import state as policies
from emulator.world import Config, World
from tests.emulator.test_emulator_crash import OWNER, volume_record

NOON = datetime(2027, 1, 31, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path, Config())
    seed.prepare(made, "secret")
    made.clock.set_now(NOON)
    yield made
    made.jobs.stop()
    made.store.close()


def policy(world: World, name: str = "often", **facts: Any) -> dict[str, Any]:
    copy = {"schedule": {"name": "5min"}, "count": 2, "prefix": "often", "snapmirror_label": "short"} | facts
    return world.store.insert(policies.KIND, policies.new(name, None, policies.with_copy(world, None, [], copy)))


def volume(world: World, name: str = "often", **changes: Any) -> str:
    uuid = str(uuid4())
    record = volume_record(world, uuid, snapshot_policy=name)
    OPERATIONS["volume.create"](world, {"record": record, "owner": OWNER, "user_svm": None})
    if changes:
        world.store.update("volume", uuid, **changes)
    (world.dataplane.data_dir(uuid) / "file").write_text("content")
    return uuid


def later(world: World, *clock: int) -> None:
    """Let it be this time (hour, minute) of the day, and what is due be done."""
    world.clock.set_now(NOON.replace(hour=clock[0], minute=clock[1]))
    ticking.tick(world)
    for job in world.jobs.open_jobs():
        world.jobs.wait(job["uuid"], 60)


def taken(world: World, uuid: str) -> list[str]:
    return [each["name"] for each in world.store.find("snapshot", volume=uuid)]


def test_at_each_time_of_its_schedule_a_volume_takes_one_and_keeps_as_many_as_its_policy_says(world):
    policy(world)
    uuid, other = volume(world), volume(world, "none")
    later(world, 12, 0)
    assert taken(world, uuid) == [], "nothing was due since the policy was there"
    later(world, 12, 4)
    assert taken(world, uuid) == []
    later(world, 12, 5)
    later(world, 12, 6)
    assert taken(world, uuid) == ["often.2027-01-31_1205"]
    later(world, 12, 27)
    later(world, 12, 30)
    assert taken(world, uuid) == ["often.2027-01-31_1227", "often.2027-01-31_1230"], "of times missed, one"
    record = world.store.find("snapshot", volume=uuid)[-1]
    assert (record["label"], record["lock_until"]) == ("short", None)
    assert (world.dataplane.snapshot_dir(uuid, record["name"]) / "file").read_text() == "content"
    assert taken(world, other) == []


def test_what_others_made_and_what_is_owned_stays(world):
    policy(world, count=1)
    uuid = volume(world)
    OPERATIONS["snapshot.create"](world, {"volume": uuid, "facts": {"uuid": str(uuid4()), "name": "often.by-hand"}})
    later(world, 12, 0)
    later(world, 12, 5)
    world.store.update("snapshot", world.store.find("snapshot", volume=uuid)[-1]["uuid"], owners=["snapmirror"])
    later(world, 12, 10)
    later(world, 12, 15)
    assert taken(world, uuid) == ["often.by-hand", "often.2027-01-31_1205", "often.2027-01-31_1215"]


def test_a_disabled_policy_an_offline_volume_and_one_without_room_take_none(world):
    record = policy(world)
    offline, full, fine = volume(world, state="offline"), volume(world, size=1), volume(world)
    later(world, 12, 0)
    later(world, 12, 5)
    assert (taken(world, offline), taken(world, full), len(taken(world, fine))) == ([], [], 1)
    failed = [job for job in world.store.find("job") if job["state"] == "failure"]
    assert [job["error"]["code"] for job in failed] == ["524479"]
    world.store.update(policies.KIND, record["uuid"], enabled=False)
    later(world, 12, 10)
    assert len(taken(world, fine)) == 1


def test_policies_of_one_name_on_two_svms_are_told_apart(world):
    seed.add_svm(world, "svm2")
    uuids = []
    for svm in world.store.find("svm"):
        ref = {"name": svm["name"], "uuid": svm["uuid"]}
        copies = policies.with_copy(world, ref, [], {"schedule": {"name": "5min"}, "count": 1, "prefix": svm["name"]})
        world.store.insert(policies.KIND, policies.new("often", ref, copies))
        uuids.append(volume(world, svm=ref))
    later(world, 12, 0)
    later(world, 12, 5)
    assert [taken(world, uuid) for uuid in uuids] == [["svm1.2027-01-31_1205"], ["svm2.2027-01-31_1205"]]


def test_retention_locks_on_a_volume_that_can_lock(world):
    policy(world, retention_period="PT2H")
    uuid = volume(world, locking=True)
    later(world, 12, 0)
    later(world, 12, 5)
    assert world.store.find("snapshot", volume=uuid)[0]["lock_until"] == "2027-01-31T14:05:30+00:00"
    later(world, 12, 10)
    later(world, 12, 15)
    assert len(taken(world, uuid)) == 3, "locked, so they stay, more than are to be kept"


def test_what_was_due_while_it_was_down_is_taken_once_at_the_next_start(world, tmp_path):
    policy(world)
    uuid = volume(world)
    later(world, 12, 0)
    world.store.close()
    again = World(tmp_path, Config())
    seed.prepare(again, "secret")
    later(again, 12, 41)
    assert taken(again, uuid) == ["often.2027-01-31_1241"]
    again.jobs.stop()


def test_none_are_taken_where_that_is_switched_off_and_presets_are_as_ontaps(world):
    world.config.schedules = False
    uuid = volume(world, "default")
    later(world, 12, 0)
    later(world, 13, 6)
    assert taken(world, uuid) == []
    world.config.schedules = True
    later(world, 14, 0)
    later(world, 14, 6)
    assert taken(world, uuid) == ["hourly.2027-01-31_1406"]
    assert schedules.exists(world, "hourly")
