"""Killed anywhere, the emulator comes back with whole volumes: old or new, never torn, nothing left over."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

import emulator.server  # noqa: F401 - registers the operations of all resources
from emulator import seed, trees
from emulator.dataplane import DataPlane
from emulator.flexcache import origins, views
from emulator.flexcache import state as flexcache
from emulator.jobs.operations import OPERATIONS
from emulator.namespace import Place
from emulator.store import Store
from emulator.world import Config, World

FILES = {f"folder{number % 3}/file{number}": f"content {number}" for number in range(12)}
AFTER = {"since": "written since"}


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the emulator catches it."""


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def contents(folder: Path) -> dict[str, str]:
    found = trees.walk(folder, frozenset({".snapshot"}))
    return {path: (folder / path).read_text() for path, entry in found if entry.is_file(follow_symlinks=False)}


def volume_record(world: World, uuid: str, **changes: Any) -> dict[str, Any]:
    svm = world.store.find("svm")[0]
    policy = world.store.find("export_policy")[0]
    return {
        "uuid": uuid,
        "name": f"v_{uuid[:8]}",
        "svm": {"name": svm["name"], "uuid": svm["uuid"]},
        "size": 10 * 1024**3,
        "state": "online",
        "comment": "",
        "tags": [],
        "language": "c.utf_8",
        "create_time": world.clock.iso(),
        "aggregate": "aggr1",
        "junction": f"/v_{uuid[:8]}",
        "nas": {},
        "export_policy": policy["uuid"],
        "security_style": "unix",
        "guarantee": "none",
        "snapshot_policy": "none",
        "locking": False,
        "clone": None,
        "options": {},
    } | changes


OWNER = {"mode": 0o755, "uid": 0, "gid": 0}
PARENT, CHILD, SNAPSHOT, LATER = (str(uuid4()) for _ in range(4))


def prepared(root: Path) -> World:
    """A world with a parent volume, its snapshot ``s1`` of FILES, and more written since."""
    world = World(root, Config())
    seed.prepare(world, "secret")
    OPERATIONS["volume.create"](world, {"record": volume_record(world, PARENT), "owner": OWNER, "user_svm": None})
    fill(world.dataplane.data_dir(PARENT), FILES)
    OPERATIONS["snapshot.create"](world, {"volume": PARENT, "facts": {"uuid": SNAPSHOT, "name": "s1"}})
    fill(world.dataplane.data_dir(PARENT), AFTER)
    return world


def clone_args(world: World) -> dict[str, Any]:
    record = volume_record(world, CHILD, clone={"parent": PARENT, "snapshot": SNAPSHOT})
    return {"record": record, "parent": PARENT, "snapshot": SNAPSHOT, "new_snapshot": None, "owner": {}}


def split_args(world: World) -> dict[str, Any]:
    OPERATIONS["volume.clone"](world, clone_args(world))
    return {"uuid": CHILD}


BLOCKS = {"volume": PARENT, "source": "folder0/file0", "target": "folder1/file1", "ranges": [[0, 0, 1]]}
ARGS: dict[str, Callable[[World], dict[str, Any]]] = {
    "volume.create": lambda world: {"record": volume_record(world, CHILD), "owner": OWNER, "user_svm": None},
    "volume.clone": clone_args,
    "volume.modify": lambda world: {"uuid": PARENT, "body": {"name": "renamed", "nas": {"path": "/moved"}}},
    "volume.restore": lambda world: {"uuid": PARENT, "snapshot": SNAPSHOT},
    "volume.delete": lambda world: {"uuid": PARENT},
    "volume.split": split_args,
    "file.clone_blocks": lambda world: BLOCKS,
    "volume.move": lambda world: {"uuid": PARENT, "destination": "aggr2", "wish": {}, "start": world.clock.iso()},
    "snapshot.create": lambda world: {"volume": PARENT, "facts": {"uuid": LATER, "name": "s2"}},
    "snapshot.modify": lambda world: {"volume": PARENT, "uuid": SNAPSHOT, "facts": {"name": "renamed"}},
    "snapshot.delete": lambda world: {"volume": PARENT, "uuid": SNAPSHOT},
}


class KillSwitch:
    """Raises Killed before the n-th step that changes anything on disk or in the store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        self.fired = False
        for owner, names in (
            (Store, ("insert", "update", "delete")),
            (Path, ("rename", "mkdir", "symlink_to", "unlink", "chmod")),
            (trees, ("_copy_entry", "save_facts", "exchange", "sync_folder")),
            (trees.shutil, ("rmtree",)),
        ):
            for name in names:
                monkeypatch.setattr(owner, name, self.wrapped(getattr(owner, name)))

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                self.fired = True
                raise Killed
            return function(*args, **kwargs)

        return step


def run_until_killed(world: World, operation: str, at: int, table: dict[str, Any] = ARGS) -> bool:
    """Do a job of its own, killed before step ``at``; False when it ended before that."""
    args = table[operation](world)
    job = {"uuid": "job", "description": operation, "state": "running", "operation": operation, "args": args}
    job |= {"svm": None, "start_time": world.clock.iso(), "reads_left": None, "seconds": 0, "fault": None}
    world.store.insert("job", job)
    with pytest.MonkeyPatch.context() as monkeypatch:
        switch = KillSwitch(monkeypatch, at)
        with contextlib.suppress(Killed):
            world.jobs._run("job")
    return switch.fired


def check_whole(world: World) -> None:
    """What must hold after every restart."""
    plane = world.dataplane
    volumes = {volume["uuid"]: volume for volume in world.store.find("volume")}
    assert {path.name for path in plane.volumes.iterdir()} == set(volumes)
    assert list(plane.staging.iterdir()) == []
    links = {path: entry for path, entry in trees.walk(plane.namespace.folder("svm1")) if entry.is_symlink()}
    assert {"/" + path for path in links} == {v["junction"] for v in volumes.values()} - {"/"}
    for uuid in volumes:
        snapshots = world.store.find("snapshot", volume=uuid)
        assert {p.name for p in (plane.volumes / uuid / "snapshots").iterdir()} == {s["name"] for s in snapshots}
        for snapshot in snapshots:
            expected = FILES if snapshot["uuid"] == SNAPSHOT else FILES | AFTER
            assert contents(plane.snapshot_dir(uuid, snapshot["name"])) == expected
    assert [job for job in world.store.find("job") if job["state"] in ("queued", "running")] == []


def check_done(world: World, operation: str) -> None:
    """The job that was interrupted was done again, to the end."""
    assert world.store.get("job", "job")["state"] == "success"
    plane, parent = world.dataplane, world.store.get("volume", PARENT)
    names = [s["name"] for s in world.store.find("snapshot", volume=PARENT)]
    live = contents(plane.data_dir(PARENT)) if parent else None
    if operation == "volume.create":
        assert contents(plane.data_dir(CHILD)) == {}
    if operation == "volume.clone":
        assert contents(plane.data_dir(CHILD)) == FILES
    if operation == "volume.modify":
        assert (parent["name"], parent["junction"]) == ("renamed", "/moved")
    if operation == "volume.split":
        assert world.store.get("volume", CHILD)["clone"] is None
    if operation == "volume.move":
        assert (parent["aggregate"], parent["movement"]["state"]) == ("aggr2", "success")
    assert (parent is None) == (operation == "volume.delete")
    lives = {"volume.restore": FILES, "volume.delete": None}
    lives["file.clone_blocks"] = FILES | AFTER | {"folder1/file1": FILES["folder0/file0"]}
    assert live == lives.get(operation, FILES | AFTER)
    expected = {
        "volume.delete": [],
        "snapshot.create": ["s1", "s2"],
        "snapshot.delete": [],
        "snapshot.modify": ["renamed"],
    }
    assert names == expected.get(operation, ["s1"])


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """The root of a prepared world, to be copied."""
    root = tmp_path_factory.mktemp("template") / "root"
    world = prepared(root)
    world.jobs.stop()
    world.store.close()
    return root


@pytest.mark.parametrize("operation", ARGS)
def test_killed_before_any_step_an_operation_is_finished_at_the_next_start(template, tmp_path, operation):
    steps = 0
    while True:
        root = tmp_path / str(steps)
        shutil.copytree(template, root, symlinks=True)
        world = World(root, Config())
        killed = run_until_killed(world, operation, steps)
        world.store.close()
        again = World(root, Config())
        seed.prepare(again, "secret")
        check_whole(again)
        check_done(again, operation)
        again.jobs.stop()
        again.store.close()
        if not killed:
            break
        # The first steps and then every fourth: files within one copy are alike.
        steps += 1 if steps < 8 else 4
    assert steps > 2, "the switch saw the operation's steps"


INNER: dict[str, Callable[[World], dict[str, Any]]] = {
    "volume.modify": lambda world: {"uuid": CHILD, "body": {"nas": {"path": "/moved"}}},
    "volume.delete": lambda world: {"uuid": CHILD},
    "volume.restore": lambda world: {"uuid": PARENT, "snapshot": SNAPSHOT},
    "svm.modify": lambda world: {
        "uuid": world.store.find("svm")[0]["uuid"],
        "was": "svm1",
        "body": {"name": "svm2", "language": "ja.utf_8"},
    },
}


@pytest.fixture(scope="module")
def nested(tmp_path_factory, template) -> Path:
    """The same, with the child mounted inside the parent and FILES in it."""
    root = tmp_path_factory.mktemp("nested") / "root"
    shutil.copytree(template, root, symlinks=True)
    world = World(root, Config())
    record = volume_record(world, CHILD, junction=f"/v_{PARENT[:8]}/in")
    OPERATIONS["volume.create"](world, {"record": record, "owner": OWNER, "user_svm": None})
    fill(world.dataplane.data_dir(CHILD), FILES)
    world.jobs.stop()
    world.store.close()
    return root


def check_junctions(world: World) -> None:
    """Every volume is seen at its path and nowhere else, whichever way it lies."""
    plane, volumes = world.dataplane, world.store.find("volume")
    tops = [plane.namespace.top, *(plane.data_dir(volume["uuid"]) for volume in volumes)]
    found = [trees.junction(entry.path) for top in tops for _, entry in trees.walk(top)]
    seen = {volume["uuid"]: volume["svm"]["name"] + volume["junction"] for volume in volumes}
    assert sorted(filter(None, found)) == sorted(uuid for uuid, path in seen.items() if not path.endswith("/"))
    for uuid, path in seen.items():
        if not path.endswith("/"):
            assert (plane.namespace.top / path).resolve() == plane.data_dir(uuid).resolve()


@pytest.mark.parametrize("operation", INNER)
def test_killed_before_any_step_a_volume_inside_another_keeps_its_place_and_its_files(nested, tmp_path, operation):
    steps = 0
    while True:
        root = tmp_path / str(steps)
        shutil.copytree(nested, root, symlinks=True)
        world = World(root, Config())
        killed = run_until_killed(world, operation, steps, INNER)
        world.store.close()
        again = World(root, Config())
        seed.prepare(again, "secret")
        check_junctions(again)
        assert again.store.get("job", "job")["state"] == "success"
        if operation == "volume.delete":
            assert again.store.get("volume", CHILD) is None
        else:
            assert contents(again.dataplane.data_dir(CHILD)) == FILES
        live = contents(again.dataplane.data_dir(PARENT))
        assert live == (FILES if operation == "volume.restore" else FILES | AFTER)
        if operation == "svm.modify":
            assert {r["svm"]["name"] for kind in ("volume", "snapshot") for r in again.store.find(kind)} == {"svm2"}
        again.jobs.stop()
        again.store.close()
        if not killed:
            break
        steps += 1 if steps < 8 else 4
    assert steps > 2, "the switch saw the operation's steps"


def test_what_is_written_after_a_restore_is_not_lost_when_its_job_is_done_again(tmp_path):
    world = prepared(tmp_path)
    assert run_until_killed(world, "volume.restore", 10**6) is False
    fill(world.dataplane.data_dir(PARENT), {"new": "after the restore"})
    world.store.update("job", "job", state="running")
    world.store.close()
    again = World(tmp_path, Config())
    seed.prepare(again, "secret")
    assert contents(again.dataplane.data_dir(PARENT)) == FILES | {"new": "after the restore"}


def test_a_process_killed_at_random_comes_back_whole(fresh_emulator):
    chance = random.Random(20)
    with fresh_emulator.client() as api:
        body = {"name": "v", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": "/v"}}
        place = api.post("/api/storage/volumes?return_timeout=60", json=body).headers["location"]
        fill(fresh_emulator.namespace / "v", {f"d{n % 7}/f{n}": f"old {n}" for n in range(400)})
        old = contents(fresh_emulator.namespace / "v")
        api.post(f"{place}/snapshots?return_timeout=60", json={"name": "old"})
    for turn in range(3):
        fill(fresh_emulator.namespace / "v", {"turn": str(turn)})
        threads = [threading.Thread(target=ask, args=(fresh_emulator, place, turn, what)) for what in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.4))
        fresh_emulator.kill()
        for thread in threads:
            thread.join()
        fresh_emulator.start()
        check_process(fresh_emulator, place, old, turn)


def ask(emulator, place: str, turn: int, what: int) -> None:
    """A snapshot, a clone or a restore, whose answer may never come."""
    clone = {"is_flexclone": True, "parent_volume": {"name": "v"}, "parent_snapshot": {"name": "old"}}
    body = {"name": f"c{turn}", "svm": {"name": "svm1"}, "clone": clone, "nas": {"path": f"/c{turn}"}}
    with emulator.client() as api, contextlib.suppress(httpx.TransportError):
        if what == 0:
            api.post(f"{place}/snapshots", json={"name": f"s{turn}"})
        elif what == 1:
            api.post("/api/storage/volumes", json=body)
        elif turn % 2:
            api.patch(place, json={"restore_to": {"snapshot": {"name": "old"}}})


def check_process(emulator, place: str, old: dict[str, str], turn: int) -> None:
    root = emulator.root
    live = contents(emulator.namespace / "v")
    assert live in (old, old | {"turn": str(turn)})
    with emulator.client() as api:
        volumes = api.get("/api/storage/volumes").json()["records"]
        for volume in volumes:
            if volume["name"] not in ("v", "svm1_root"):
                assert contents(emulator.namespace / volume["name"]) == old
        snapshots = {s["name"] for s in api.get(f"{place}/snapshots").json()["records"]}
        states = {job["state"] for job in api.get("/api/cluster/jobs?fields=state").json()["records"]}
    folder = root / "volumes" / place.rsplit("/", 1)[1] / "snapshots"
    assert set(os.listdir(folder)) == snapshots
    assert all(set(contents(folder / name)) >= set(old) for name in snapshots)
    assert {volume["uuid"] for volume in volumes} == set(os.listdir(root / "volumes"))
    assert os.listdir(root / "staging") == []
    assert states <= {"success", "failure"}


def test_a_clean_stop_ends_with_0_and_takes_the_address_away(fresh_emulator):
    assert fresh_emulator.stop() == 0
    assert not (fresh_emulator.root / "endpoint.json").exists()
    assert "Traceback" not in fresh_emulator.log


def test_everything_is_there_after_a_restart(fresh_emulator):
    with fresh_emulator.client() as api:
        body = {"name": "v", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": "/v"}}
        place = api.post("/api/storage/volumes?return_timeout=60", json=body).headers["location"]
        before = api.get(place + "?fields=**").json()
    fresh_emulator.control("PUT", "/clock", {"offset_s": 1000})
    fresh_emulator.stop()
    fresh_emulator.start()
    with fresh_emulator.client() as api:
        assert api.get(place + "?fields=**").json() == before
    assert fresh_emulator.control("GET", "/clock")["offset_s"] == 1000


def test_the_data_plane_says_what_it_uses(tmp_path):
    plane = DataPlane(tmp_path)
    plane.create_volume(PARENT, **OWNER)
    fill(plane.data_dir(PARENT), {"a": "x" * 10})
    assert plane.used(PARENT) == 10


CACHE = str(uuid4())


def cached_world(root: Path) -> World:
    """The prepared world, with a cache of the parent in which one folder is kept."""
    world = prepared(root)
    OPERATIONS["flexcache.create"](world, cache_args(world))
    wish = {"dir_paths": ["folder0"]}
    OPERATIONS["flexcache.prepopulate"](world, {"uuid": CACHE, "wish": wish})
    world.store.update("volume", CACHE, junction=None)
    world.dataplane.namespace.unmount(Place("svm1", "cache"))
    return world


def cache_args(world: World) -> dict[str, Any]:
    record = volume_record(world, CACHE, name="cache", junction="/cache", flexcache=True)
    origin = origins.facts(world, world.store.get("volume", PARENT))
    cache = {"uuid": CACHE, "svm": record["svm"], "origin": origin, "peer": None, "connected": True}
    cache |= {"create_time": world.clock.iso(), "ip_address": "", "own_ip_address": "", **flexcache.DEFAULTS}
    return {"record": record, "cache": cache, "prepopulate": None, "user_svm": None}


CACHES: dict[str, Callable[[World], dict[str, Any]]] = {
    "flexcache.create": lambda world: cache_args(world) | {"prepopulate": {"dir_paths": ["folder1"]}},
    "flexcache.prepopulate": lambda world: {"uuid": CACHE, "wish": {"dir_paths": [""]}},
    "flexcache.modify": lambda world: {
        "uuid": CACHE,
        "body": {"relative_size": {"enabled": True, "percentage": 1}, "writeback": {"enabled": True}},
    },
    "flexcache.delete": lambda world: {"uuid": CACHE},
}


@pytest.mark.parametrize("operation", CACHES)
def test_killed_before_any_step_a_cache_is_whole_again_at_the_next_start(tmp_path, operation):
    begin = prepared if operation == "flexcache.create" else cached_world
    world = begin(tmp_path / "template")
    if operation == "flexcache.prepopulate":
        world.store.update("volume", CACHE, junction="/cache")
    world.jobs.stop()
    world.store.close()
    steps = 0
    while True:
        root = tmp_path / str(steps)
        shutil.copytree(tmp_path / "template", root, symlinks=True)
        world = World(root, Config())
        if (view := world.dataplane.data_dir(CACHE)).is_symlink():
            view.unlink()  # it names its origin by an absolute path, which is another after copying
            view.symlink_to(world.dataplane.data_dir(PARENT))
        killed = run_until_killed(world, operation, steps, CACHES)
        world.store.close()
        again = World(root, Config())
        seed.prepare(again, "secret")
        assert again.store.get("job", "job")["state"] == "success", again.store.get("job", "job")["error"]
        assert list(again.dataplane.staging.iterdir()) == []
        assert contents(again.dataplane.data_dir(PARENT)) == FILES | AFTER
        check_cache(again, operation)
        again.jobs.stop()
        again.store.close()
        if not killed:
            break
        steps += 1 if steps < 8 else 4
    assert steps > 2, "the switch saw the operation's steps"


def check_cache(world: World, operation: str) -> None:
    plane, known = world.dataplane, [entry["uuid"] for entry in world.store.find("flexcache_origin")]
    if operation == "flexcache.delete":
        assert known == [] and world.store.find("flexcache") == [] and not (plane.volumes / CACHE).exists()
        return
    assert known == [CACHE]
    assert contents(plane.data_dir(CACHE)) == FILES | AFTER
    expected = {"flexcache.create": "folder1/", "flexcache.prepopulate": "", "flexcache.modify": "folder0/"}[operation]
    assert contents(plane.kept_by(CACHE).top) == {k: v for k, v in (FILES | AFTER).items() if k.startswith(expected)}
    if operation == "flexcache.modify":
        assert world.store.get("flexcache", CACHE)["writeback"] == {"enabled": True}


def test_a_cache_that_is_being_filled_is_looked_at_later_and_nobody_waits_for_that(tmp_path):
    world = cached_world(tmp_path)
    busy, done = threading.Event(), threading.Event()

    def fill_slowly() -> None:
        with world.dataplane.lock(CACHE):
            busy.set()
            done.wait(60)

    filling = threading.Thread(target=fill_slowly)
    filling.start()
    assert busy.wait(60)
    world.store.update("volume", PARENT, state="offline")
    views.look(world, CACHE)
    assert contents(world.dataplane.data_dir(CACHE)) == FILES | AFTER, "as before"
    done.set()
    filling.join()
    views.look(world, CACHE)
    kept = {path: text for path, text in FILES.items() if path.startswith("folder0/")}
    assert contents(world.dataplane.data_dir(CACHE)) == kept
