"""What an answer costs grows with what is in it, not with what else the cluster has."""

from __future__ import annotations

from uuid import uuid4

import pytest

from emulator import seed, store
from emulator.snapshots.state import SNAPSHOT
from emulator.volumes.state import VOLUME
from emulator.world import Config, World


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "root", Config())
    seed.prepare(made, "secret")
    yield made
    made.jobs.stop()
    made.store.close()


@pytest.fixture
def reads(monkeypatch):
    """Counts the records that are read."""
    seen = []
    original = store._record
    monkeypatch.setattr(store, "_record", lambda row: seen.append(1) or original(row))
    return seen


def add_volumes(world: World, count: int) -> None:
    template = world.store.find("volume")[0]
    with world.store.transaction():
        for _ in range(count):
            uuid = str(uuid4())
            facts = {"uuid": uuid, "name": f"v_{uuid[:8]}", "junction": None, "clone": None}
            world.store.insert("volume", template | facts)


def add_snapshots(world: World, volume: str, count: int) -> None:
    template = {"comment": "", "label": None, "expiry_time": None, "lock_until": None, "owners": [], "size": 1}
    with world.store.transaction():
        for number in range(count):
            facts = {"uuid": str(uuid4()), "name": f"s{number}", "volume": volume, "version_uuid": str(uuid4())}
            svm = world.store.find("svm")[0]
            named = {"svm": {"name": svm["name"], "uuid": svm["uuid"]}, "create_time": world.clock.iso()}
            world.store.insert("snapshot", template | facts | named)


def cost(reads, call) -> int:
    reads.clear()
    call()
    return len(reads)


def test_showing_snapshots_costs_the_same_however_many_volumes_there_are(world, reads):
    volume = world.store.find("volume")[0]["uuid"]
    add_snapshots(world, volume, 20)

    def show():
        wanted = SNAPSHOT.wanted("*", instance=False)
        for record in world.store.find("snapshot", volume=volume):
            SNAPSHOT.show(world, record, wanted)

    alone = cost(reads, show)
    add_volumes(world, 200)
    assert cost(reads, show) == alone


def test_showing_a_volume_costs_the_same_however_many_snapshots_and_volumes_there_are(world, reads):
    volume = world.store.find("volume")[0]

    def show():
        return VOLUME.show(world, volume, VOLUME.wanted("**", instance=True))

    alone = cost(reads, show)
    add_snapshots(world, volume["uuid"], 100)
    add_volumes(world, 200)
    assert cost(reads, show) == alone
    assert show()["snapshot_count"] == 100


def test_a_clone_is_an_owner_of_its_snapshot_and_of_no_other(world):
    volume = world.store.find("volume")[0]
    add_snapshots(world, volume["uuid"], 2)
    first, second = world.store.find("snapshot", volume=volume["uuid"])
    clone = {"uuid": str(uuid4()), "name": "c", "clone": {"parent": volume["uuid"], "snapshot": first["uuid"]}}
    world.store.insert("volume", volume | clone)
    owners = [SNAPSHOT.show(world, s, SNAPSHOT.wanted("owners", instance=False)).get("owners") for s in (first, second)]
    assert owners == [["volume_clone"], None]
