"""Where volumes are mounted: what a path may be, one inside another, and what is left when a mount cannot be."""

from __future__ import annotations

import json
import os
import shutil
from uuid import uuid4

import pytest

import emulator.server  # noqa: F401 - registers the operations of all resources
from emulator import seed
from emulator.jobs.operations import OPERATIONS
from emulator.store import Store
from emulator.world import Config, World

MB = 1024**2


def short(path: str) -> str:
    return ascii(path[:10])


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


def body(name: str, path: str) -> dict:
    return {"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": path}}


def patch(api, volume, **changes):
    return api.patch(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60", json=changes)


def delete(api, volume):
    return api.delete(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60")


def path_of(api, volume) -> str | None:
    return api.get(f"/api/storage/volumes/{volume['uuid']}?fields=nas.path").json().get("nas", {}).get("path")


@pytest.fixture
def outer(make):
    return make()


@pytest.fixture
def inner(make, outer):
    return make(nas={"path": f"/{outer['name']}/ds1"})


# What a path may be


@pytest.mark.parametrize(
    "path",
    [
        *("x", "//x", "/x/", "/", "/a//b", "/./x", "/a/../x", "/.snapshot", "/a/.snapshot", "/a\nb", "/a\x7f"),
        *("/a*b", "/a?b", "/a<b", "/a\\b", "/" + "a" * 256, "/" + "ü" * 128, "/a" * 200, "/a" * 5000),
    ],
    ids=lambda path: ascii(path[:30]),
)
def test_a_path_that_cannot_be_is_refused_and_leaves_no_volume(api, path):
    name = f"v_{uuid4().hex[:8]}"
    answer = api.post("/api/storage/volumes?return_timeout=60", content=json.dumps(body(name, path)).encode())
    # What cannot be written at all is refused before anybody asks what it means.
    assert refused(answer)[0] == 400 and refused(answer)[1] in ("918252", "262197", "2"), answer.text
    assert api.get(f"/api/storage/volumes?name={name}").json()["num_records"] == 0


@pytest.mark.parametrize("path", ["/a\0b", "/\ud800"], ids=ascii)
def test_a_path_of_letters_that_no_text_of_ontap_has_leaves_no_volume(api, path):
    name = f"v_{uuid4().hex[:8]}"
    answer = api.post("/api/storage/volumes?return_timeout=60", content=json.dumps(body(name, path)).encode())
    assert answer.status_code == 400, answer.text
    assert api.get(f"/api/storage/volumes?name={name}").json()["num_records"] == 0


@pytest.mark.parametrize("path", ["/a b", "/ü", "/" + "a" * 254, "/a/" + "b" * 240], ids=lambda path: path[:10])
def test_a_path_that_ontap_takes_is_mounted(api, make, emulator, path):
    volume = make(nas={"path": path})
    assert (emulator.namespace / path[1:]).is_dir()
    assert delete(api, volume).status_code == 200


def test_a_path_is_taken_whatever_its_case(api, make):
    name = make()["name"]
    assert refused(api.post("/api/storage/volumes", json=body(f"{name}_2", f"/{name.upper()}"))) == (409, "1")


def put_folder(place):
    place.mkdir()


def put_full_folder(place):
    (place / "folder").mkdir(parents=True)


def put_file(place):
    place.write_text("mine")


def put_link(place):
    place.symlink_to("/")


def put_dangling_link(place):
    place.symlink_to("nowhere")


OBSTACLES = [put_folder, put_full_folder, put_file, put_link, put_dangling_link]


@pytest.mark.parametrize("put", OBSTACLES)
def test_a_mount_over_what_a_user_made_is_refused_and_leaves_nothing(api, make, emulator, put):
    name, volume = f"v_{uuid4().hex[:8]}", make()
    put(emulator.namespace / name)
    volumes = set(os.listdir(emulator.root / "volumes"))
    for answer in (
        api.post("/api/storage/volumes?return_timeout=60", json=body(name, f"/{name}")),
        patch(api, volume, nas={"path": f"/{name}"}),
    ):
        assert refused(answer) == (400, "918252"), answer.text
    assert set(os.listdir(emulator.root / "volumes")) == volumes
    assert api.get(f"/api/storage/volumes?name={name}").json()["num_records"] == 0
    assert path_of(api, volume) == f"/{volume['name']}" and (emulator.namespace / volume["name"]).is_dir()
    assert os.path.lexists(emulator.namespace / name), "what the user made is still there"


def test_a_mount_through_a_file_of_the_users_is_refused(api, emulator):
    name = f"v_{uuid4().hex[:8]}"
    (emulator.namespace / name).write_text("mine")
    answer = api.post("/api/storage/volumes?return_timeout=60", json=body(name, f"/{name}/below"))
    assert refused(answer) == (400, "918252"), answer.text


# After a restart


@pytest.fixture
def stopped(fresh_emulator):
    """An emulator with volumes a, a/in and b, killed."""
    with fresh_emulator.client() as api:
        for name, path in (("a", "/a"), ("inside", "/a/in"), ("b", "/b")):
            assert api.post("/api/storage/volumes?return_timeout=60", json=body(name, path)).status_code == 201
    (fresh_emulator.namespace / "a" / "in" / "file").write_text("inside")
    (fresh_emulator.namespace / "b" / "file").write_text("b")
    fresh_emulator.kill()
    return fresh_emulator


def mounted(emulator) -> dict[str, str | None]:
    with emulator.client() as api:
        records = api.get("/api/storage/volumes?fields=nas.path").json()["records"]
    return {r["name"]: r.get("nas", {}).get("path") for r in records if not r["name"].endswith("_root")}


def test_everything_is_mounted_again_after_a_kill(stopped):
    for lost in (stopped.namespace / "a" / "in", stopped.namespace / "b"):
        lost.unlink()
    stopped.start()
    assert mounted(stopped) == {"a": "/a", "inside": "/a/in", "b": "/b"}
    assert (stopped.namespace / "a" / "in" / "file").read_text() == "inside"
    assert (stopped.namespace / "b" / "file").read_text() == "b"


def test_a_process_starts_over_a_folder_of_the_users_and_mounts_when_that_is_gone(stopped):
    (stopped.namespace / "a").unlink()
    put_full_folder(stopped.namespace / "a")
    stopped.start()
    assert mounted(stopped) == {"a": None, "inside": None, "b": "/b"}
    assert "volume a (" in stopped.log and "is unmounted now" in stopped.log
    shutil.rmtree(stopped.namespace / "a")
    with stopped.client() as api:
        for name, path in (("a", "/a"), ("inside", "/a/in")):
            (volume,) = api.get(f"/api/storage/volumes?name={name}").json()["records"]
            assert patch(api, volume, nas={"path": path}).status_code == 200
    assert (stopped.namespace / "a" / "in" / "file").read_text() == "inside", "no file is lost"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """What an emulator with volumes a, a/in and b has left on disk; to be copied."""
    root = tmp_path_factory.mktemp("left") / "root"
    world = World(root, Config())
    seed.prepare(world, "secret")
    template = world.store.find("volume")[0]
    for name, path in (("a", "/a"), ("inside", "/a/in"), ("b", "/b")):
        record = template | {"uuid": str(uuid4()), "name": name, "junction": path}
        owner = {"mode": 0o755, "uid": 0, "gid": 0}
        OPERATIONS["volume.create"](world, {"record": record, "owner": owner, "user_svm": None})
        (world.dataplane.data_dir(record["uuid"]) / "file").write_text(name)
    world.jobs.stop()
    world.store.close()
    return root


@pytest.fixture
def left(root, tmp_path):
    return shutil.copytree(root, tmp_path / "root", symlinks=True)


def started(root) -> dict[str, str | None]:
    """Start on what was left: the paths that are mounted then; no file may be lost."""
    world = World(root, Config())
    seed.prepare(world, "secret")
    volumes = [volume for volume in world.store.find("volume") if not volume["name"].endswith("_root")]
    for volume in volumes:
        assert (world.dataplane.data_dir(volume["uuid"]) / "file").read_text() == volume["name"]
        if volume["junction"]:
            assert (root / "namespace" / f"svm1{volume['junction']}" / "file").read_text() == volume["name"]
    world.jobs.stop()
    world.store.close()
    return {volume["name"]: volume["junction"] for volume in volumes}


@pytest.mark.parametrize("put", OBSTACLES)
@pytest.mark.parametrize(
    ("place", "after"),
    [
        ("a", {"a": None, "inside": None, "b": "/b"}),
        ("a/in", {"a": "/a", "inside": None, "b": "/b"}),
        ("b", {"a": "/a", "inside": "/a/in", "b": None}),
    ],
)
def test_what_cannot_be_mounted_at_a_start_is_unmounted_which_the_log_says(left, put, place, after, caplog):
    obstacle = left / "namespace" / "svm1" / place
    obstacle.unlink()
    put(obstacle)
    assert started(left) == after
    assert caplog.text.count("is unmounted now") == list(after.values()).count(None)
    assert os.path.lexists(obstacle), "what the user made is still there"
    assert started(left) == after


@pytest.mark.parametrize("path", ["/" + "x" * 300, "/\ud800", "/a\0b", "/a" * 3000, "relative", "/../up"], ids=short)
def test_a_state_with_a_path_that_cannot_be_starts(left, path):
    """As an emulator before this rule could leave it behind."""
    store = Store(left)
    store.update("volume", store.find("volume", name="b")[0]["uuid"], junction=path)
    store.close()
    assert started(left) == {"a": "/a", "inside": "/a/in", "b": None}


def test_two_volumes_at_one_path_are_one_after_a_start(left):
    store = Store(left)
    store.update("volume", store.find("volume", name="b")[0]["uuid"], junction="/a")
    store.close()
    assert started(left) == {"a": "/a", "inside": "/a/in", "b": None}


def test_a_namespace_that_was_removed_by_hand_is_made_again(left):
    shutil.rmtree(left / "namespace")
    (left / "volumes" / "stray").write_text("a file among the volumes")
    assert started(left) == {"a": "/a", "inside": "/a/in", "b": "/b"}
    assert not (left / "volumes" / "stray").exists()


def test_a_namespace_that_is_a_file_does_not_keep_it_from_starting(left):
    shutil.rmtree(left / "namespace" / "svm1")
    (left / "namespace" / "svm1").write_text("a file")
    assert started(left) == {"a": None, "inside": None, "b": None}


def test_a_volume_whose_files_were_removed_by_hand_is_empty_after_a_start(left, caplog):
    store = Store(left)
    lost = store.find("volume", name="b")[0]["uuid"]
    store.close()
    shutil.rmtree(left / "volumes" / lost)
    world = World(left, Config())
    seed.prepare(world, "secret")
    assert [path.name for path in world.dataplane.data_dir(lost).iterdir()] == [".snapshot"]
    assert "is gone" in caplog.text
    world.jobs.stop()
    world.store.close()


# One inside another


def test_a_volume_is_seen_inside_another_one(api, outer, inner, emulator):
    (emulator.namespace / outer["name"] / "ds1" / "file").write_text("inside")
    shown = api.get(f"/api/storage/volumes/{inner['uuid']}?fields=nas").json()["nas"]
    assert shown["path"] == f"/{outer['name']}/ds1"
    assert (shown["junction_parent"]["name"], shown["junction_parent"]["uuid"]) == (outer["name"], outer["uuid"])
    data = emulator.root / "volumes" / inner["uuid"] / "data"
    assert (data / "file").read_text() == "inside"


def test_what_is_mounted_inside_counts_for_itself(api, outer, inner, emulator):
    (emulator.namespace / outer["name"] / "ds1" / "file").write_bytes(b"x" * MB)
    used = {v["uuid"]: api.get(f"/api/storage/volumes/{v['uuid']}?fields=space").json() for v in (outer, inner)}
    assert used[outer["uuid"]]["space"]["used"] == 0
    assert used[inner["uuid"]]["space"]["used"] == MB


def test_an_inner_volume_may_lie_deep_and_hold_others(api, make, outer, emulator):
    deep = make(nas={"path": f"/{outer['name']}/folder/deep"})
    deeper = make(nas={"path": f"/{outer['name']}/folder/deep/er"})
    (emulator.namespace / outer["name"] / "folder" / "deep" / "er" / "file").write_text("x")
    assert refused(delete(api, deep)) == (409, "8")
    for volume in (deeper, deep, outer):
        assert delete(api, volume).status_code == 200
    assert not os.path.lexists(emulator.namespace / outer["name"])


@pytest.mark.parametrize("put", OBSTACLES)
def test_an_inner_volume_replaces_nothing_of_the_outer_one(api, outer, emulator, put):
    put(emulator.namespace / outer["name"] / "taken")
    answer = api.post("/api/storage/volumes?return_timeout=60", json=body("v_inner", f"/{outer['name']}/taken"))
    assert refused(answer) == (400, "918252"), answer.text


def test_a_link_in_the_outer_volume_leads_no_mount_elsewhere(api, outer, emulator, tmp_path):
    (emulator.namespace / outer["name"] / "out").symlink_to(tmp_path)
    answer = api.post("/api/storage/volumes?return_timeout=60", json=body("v_inner", f"/{outer['name']}/out/x"))
    assert refused(answer) == (400, "918252"), answer.text
    assert list(tmp_path.iterdir()) == []


def test_an_outer_volume_stays_while_something_is_mounted_inside(api, outer, inner, emulator):
    for changes in ({"nas": {"path": ""}}, {"nas": {"path": "/elsewhere"}}, {"state": "offline"}):
        assert refused(patch(api, outer, **changes)) == (409, "8"), changes
    assert refused(delete(api, outer)) == (409, "8")
    assert patch(api, inner, nas={"path": ""}).status_code == 200
    assert not os.path.lexists(emulator.namespace / outer["name"] / "ds1")
    assert patch(api, outer, nas={"path": ""}).status_code == 200
    assert patch(api, inner, nas={"path": f"/{outer['name']}"}).status_code == 200
    assert (path_of(api, outer), path_of(api, inner)) == (None, f"/{outer['name']}")


def test_no_volume_is_mounted_above_one_that_is_there(api, make):
    top = f"v_{uuid4().hex[:8]}"
    make(nas={"path": f"/{top}/below"})
    assert refused(api.post("/api/storage/volumes", json=body(top, f"/{top}"))) == (400, "918252")


def test_nothing_is_mounted_inside_a_volume_that_is_offline(api, outer):
    patch(api, outer, state="offline")
    answer = api.post("/api/storage/volumes", json=body("v_inner", f"/{outer['name']}/ds1"))
    assert refused(answer) == (400, "918252")


def test_snapshot_and_clone_of_the_outer_volume_have_an_empty_folder_there(api, make, outer, inner, freeze, emulator):
    (emulator.namespace / outer["name"] / "own").write_text("own")
    (emulator.namespace / outer["name"] / "ds1" / "file").write_text("inside")
    snapshot = freeze(outer["uuid"])
    frozen = emulator.namespace / outer["name"] / ".snapshot" / "s1"
    clone = {"is_flexclone": True, "parent_volume": {"uuid": outer["uuid"]}, "parent_snapshot": {"name": "s1"}}
    name = f"{outer['name']}_c"
    answer = api.post(
        "/api/storage/volumes?return_timeout=60",
        json={"name": name, "svm": {"name": "svm1"}, "clone": clone, "nas": {"path": f"/{name}"}},
    )
    assert answer.status_code == 201, answer.text
    for copy in (frozen, emulator.namespace / name):
        assert (copy / "own").read_text() == "own"
        assert (copy / "ds1").is_dir() and not (copy / "ds1").is_symlink() and list((copy / "ds1").iterdir()) == []
    assert snapshot["size"] == 3


@pytest.mark.parametrize("when", ["before", "after"])
def test_restoring_the_outer_volume_leaves_the_inner_one_mounted_and_untouched(
    api, make, outer, freeze, emulator, when
):
    files = emulator.namespace / outer["name"]
    (files / "own").write_text("old")
    if when == "before":
        freeze(outer["uuid"])
    inner = make(nas={"path": f"/{outer['name']}/folder/ds1"})
    (files / "folder" / "ds1" / "file").write_text("inside")
    if when == "after":
        freeze(outer["uuid"])
    (files / "own").write_text("new")
    assert patch(api, outer, restore_to={"snapshot": {"name": "s1"}}).status_code == 200
    assert (files / "own").read_text() == "old"
    assert (files / "folder" / "ds1" / "file").read_text() == "inside"
    assert path_of(api, inner) == f"/{outer['name']}/folder/ds1"


def test_a_restore_that_would_lay_a_file_over_the_inner_volume_is_refused(api, make, outer, freeze, emulator):
    files = emulator.namespace / outer["name"]
    (files / "ds1").write_text("a file once")
    freeze(outer["uuid"])
    (files / "ds1").unlink()
    make(nas={"path": f"/{outer['name']}/ds1"})
    (files / "ds1" / "file").write_text("inside")
    assert refused(patch(api, outer, restore_to={"snapshot": {"name": "s1"}})) == (409, "8")
    assert (files / "ds1" / "file").read_text() == "inside"


def test_a_bucket_over_the_inner_volume_shows_its_files(api, outer, inner, s3_server):
    name = f"b-{uuid4().hex[:8]}"
    bucket = {"svm": {"name": "svm1"}, "name": name, "type": "nas", "nas_path": f"/{outer['name']}/ds1"}
    assert api.post("/api/protocols/s3/buckets?return_timeout=60", json=bucket).status_code == 201
    (shown,) = api.get(f"/api/protocols/s3/buckets?name={name}&fields=volume").json()["records"]
    assert shown["volume"]["uuid"] == inner["uuid"]


@pytest.mark.parametrize("key", ["in", "in/", "in/file"])
def test_no_object_of_the_outer_volume_replaces_or_enters_a_junction(tmp_path, key):
    from emulator.dataplane import DataPlane
    from emulator.namespace import Place
    from emulator.s3 import errors, keys

    plane, outer, inner = DataPlane(tmp_path), str(uuid4()), str(uuid4())
    for uuid in (outer, inner):
        plane.create_volume(uuid, mode=0o777, uid=0, gid=0)
    plane.namespace.mount(Place("svm1", "in", inside=outer), inner)
    top = os.path.realpath(plane.data_dir(outer))
    with pytest.raises(errors.S3Error) as refused:
        keys.writable_path_of(top, top, key)
    assert refused.value.code == "AccessDenied"
    assert keys.path_of(top, top, key) is None
