"""Killed anywhere in what protects and shares out volumes, the emulator comes back with all of it or none."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from emulator import seed
from emulator.consistency_groups import snapshots as group_snapshots
from emulator.consistency_groups import state as groups
from emulator.jobs.operations import OPERATIONS
from emulator.qtrees import state as qtrees
from emulator.quotas import state as quotas
from emulator.snaplock import clocks, kept
from emulator.snapshot_policies import state as policies
from emulator.snapshot_policies import taking
from emulator.world import Config, World
from tests.emulator.test_emulator_crash import (
    AFTER,
    FILES,
    LATER,
    OWNER,
    PARENT,
    SNAPSHOT,
    Killed,
    KillSwitch,
    contents,
    fill,
    prepared,
    run_until_killed,
    volume_record,
)

OTHER, GROUP, QTREE, RULE, POLICY = (str(uuid4()) for _ in range(5))
UNTIL = "2050-01-01T00:00:00+00:00"


def protected(root: Path) -> World:
    """The prepared world with a second volume, both in a group with a snapshot `g1`, a qtree, a quota and a policy."""
    world = prepared(root)
    record = volume_record(world, OTHER, options={"snaplock.type": "enterprise"})
    OPERATIONS["volume.create"](world, {"record": record, "owner": OWNER, "user_svm": None})
    fill(world.dataplane.data_dir(OTHER), FILES)
    clocks.initialize(world, {"name": "node1"})
    svm = world.store.get("volume", PARENT)["svm"]
    world.store.insert(groups.KIND, {"uuid": GROUP, "name": "g", "svm": svm, "volumes": [PARENT, OTHER]})
    OPERATIONS["consistency_group.snapshot"](world, {"record": group_snapshot(world, "g1"), "job": ""})
    record = qtree(world, "shared") | {"uuid": QTREE}
    OPERATIONS["qtree.create"](world, {"record": record, "mode": None})
    fill(world.dataplane.data_dir(PARENT) / "shared", {"in": "qtree"})
    volume = world.store.get("volume", PARENT)
    world.store.insert(quotas.KIND, quotas.new(volume, "shared", {"space.hard_limit": 10**6}) | {"uuid": RULE})
    copies = policies.with_copy(world, None, [], {"schedule": {"name": "daily"}, "count": 3})
    world.store.insert(policies.KIND, policies.new("mine", None, copies) | {"uuid": POLICY})
    for uuid in (PARENT, OTHER):
        fill(world.dataplane.data_dir(uuid), {"last": "written last"})
    return world


def group_snapshot(world: World, name: str) -> dict[str, Any]:
    return group_snapshots.new(world, world.store.get(groups.KIND, GROUP), {"name": name}, None)


def qtree(world: World, name: str) -> dict[str, Any]:
    return qtrees.new(world, world.store.get("volume", PARENT), {"name": name})


def g1(world: World) -> str:
    return world.store.find(group_snapshots.KIND)[0]["uuid"]


JOBS: dict[str, Callable[[World], dict[str, Any]]] = {
    "consistency_group.snapshot": lambda world: {"record": group_snapshot(world, "g2")},
    "consistency_group.snapshot.delete": lambda world: {"uuid": g1(world)},
    "consistency_group.restore": lambda world: {"group": "g", "snapshot": g1(world)},
    "qtree.create": lambda world: {"record": qtree(world, "more"), "mode": 0o750},
    "qtree.modify": lambda world: {"uuid": QTREE, "changes": {"name": "renamed"}, "mode": 0o700},
    "qtree.delete": lambda world: {"uuid": QTREE},
    taking.OPERATION: lambda world: {
        "volume": PARENT,
        "facts": {"uuid": LATER, "name": "s.2027-01-01_0000"},
        "prefix": "s",
        "count": 1,
    },
    "snapshot.modify": lambda world: {"volume": PARENT, "uuid": SNAPSHOT, "facts": {"lock_until": UNTIL}},
}


def check(world: World, operation: str) -> None:
    """Done to the end, and nothing else changed."""
    top, other = (world.dataplane.data_dir(uuid) for uuid in (PARENT, OTHER))
    names = [[s["name"] for s in world.store.find("snapshot", volume=uuid)] for uuid in (PARENT, OTHER)]
    folders = {path.name for path in top.iterdir() if path.is_dir()} - {".snapshot", "folder0", "folder1", "folder2"}
    live = {"last": "written last"}
    expected, shared = [["s1", "g1"], ["g1"]], {"shared"}
    if operation == "consistency_group.snapshot":
        expected = [["s1", "g1", "g2"], ["g1", "g2"]]
        assert len(group_snapshots.of(world, world.store.get(groups.KIND, GROUP))) == 2
    if operation == "consistency_group.snapshot.delete":
        expected = [["s1"], []]
        assert world.store.find(group_snapshots.KIND) == []
    if operation == "consistency_group.restore":
        live, shared = {}, set()
    if operation == "qtree.create":
        shared = {"shared", "more"}
        assert qtrees.named(world, PARENT, "more") and (top / "more").stat().st_mode & 0o777 == 0o750
    if operation == "qtree.modify":
        shared = {"renamed"}
        assert (top / "renamed" / "in").read_text() == "qtree"
        assert world.store.get(qtrees.KIND, QTREE)["name"] == "renamed"
    if operation == "qtree.delete":
        shared = set()
        assert world.store.find(qtrees.KIND) == []
    if operation == taking.OPERATION:
        expected = [["s1", "g1", "s.2027-01-01_0000"], ["g1"]]
    assert (world.store.get("snapshot", SNAPSHOT)["lock_until"] == UNTIL) == (operation == "snapshot.modify")
    assert (names, folders) == (expected, shared)
    inside = {path for path in contents(top) if path.startswith(("shared/", "renamed/"))}
    assert {path: text for path, text in contents(top).items() if path not in inside} == FILES | AFTER | live
    assert contents(other) == FILES | live
    for uuid, there in zip((PARENT, OTHER), names, strict=True):
        assert {path.name for path in (world.dataplane.volumes / uuid / "snapshots").iterdir()} == set(there)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("protected") / "root"
    world = protected(root)
    world.jobs.stop()
    world.store.close()
    return root


@contextlib.contextmanager
def opened(root: Path) -> Iterator[World]:
    world = World(root, Config())
    seed.prepare(world, "secret")
    yield world
    world.jobs.stop()
    world.store.close()


@pytest.mark.parametrize("operation", JOBS)
def test_killed_before_any_step_it_is_finished_at_the_next_start(template, tmp_path, operation):
    steps = 0
    while True:
        root = tmp_path / str(steps)
        shutil.copytree(template, root, symlinks=True)
        world = World(root, Config())
        killed = run_until_killed(world, operation, steps, JOBS)
        world.store.close()
        with opened(root) as again:
            job = again.store.get("job", "job")
            assert job["state"] == "success", job["error"]
            assert list(again.dataplane.staging.iterdir()) == []
            check(again, operation)
        if not killed:
            break
        steps += 1 if steps < 8 else 5
    assert steps > 1, "the switch saw the operation's steps"


def test_what_is_written_into_a_restored_volume_of_a_group_is_not_lost_when_the_job_is_done_again(tmp_path):
    world = protected(tmp_path)
    assert run_until_killed(world, "consistency_group.restore", 10**6, JOBS) is False
    fill(world.dataplane.data_dir(PARENT), {"new": "after the restore"})
    world.store.update("job", "job", state="running")
    world.jobs.stop()
    world.store.close()
    with opened(tmp_path) as again:
        assert (again.dataplane.data_dir(PARENT) / "new").read_text() == "after the restore"


def lock_file(world: World) -> Any:
    return kept.keep(world, world.store.get("volume", OTHER), "folder0/file0", {"expiry_time": UNTIL})


def raise_quota(world: World) -> Any:
    return world.store.update(quotas.KIND, RULE, limits={"space.hard_limit": 5})


def keep_more(world: World) -> Any:
    copies = [copy | {"count": 9} for copy in world.store.get(policies.KIND, POLICY)["copies"]]
    return world.store.update(policies.KIND, POLICY, copies=copies)


def done(world: World) -> list[bool]:
    volume = world.store.get("volume", OTHER)
    return [
        kept.unexpired(world, volume, "folder0/file0") is not None,
        world.store.get(quotas.KIND, RULE)["limits"] == {"space.hard_limit": 5},
        world.store.get(policies.KIND, POLICY)["copies"][0]["count"] == 9,
    ]


@pytest.mark.parametrize("number", range(3))
def test_what_has_no_job_is_there_whole_once_it_was_answered_and_not_at_all_before(template, tmp_path, number):
    change = (lock_file, raise_quota, keep_more)[number]
    root = tmp_path / "root"
    shutil.copytree(template, root, symlinks=True)
    with opened(root) as world:
        with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Killed):
            KillSwitch(monkeypatch, 0)
            change(world)
        world.store.close()
    with opened(root) as again:
        assert done(again) == [False, False, False]
        change(again)
    with opened(root) as last:
        assert done(last) == [at == number for at in range(3)]
