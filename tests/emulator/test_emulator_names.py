"""A name is never a path: what a client, a command line or an older state says changes nothing outside the root."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from emulator import seed, trees
from emulator.dataplane import DataPlane
from emulator.namespace import Blocked, Place
from emulator.world import Config, World

NO_SVM = [
    *("..", ".", "a/b", "../x", "/tmp/x", "x\0y", "x\ny", "a b", "1x", "-x", ".x", "x" * 48, "x" * 256, "ü", "\ud800"),
    *("x/../../y", "svm1/"),
]


def code(answer) -> str:
    return answer.json()["error"]["code"]


@pytest.fixture
def victim(tmp_path) -> Path:
    """A directory of somebody else's."""
    (tmp_path / "victim" / "precious").mkdir(parents=True)
    (tmp_path / "victim" / "precious" / "file").write_text("data")
    return tmp_path / "victim"


@pytest.mark.parametrize("name", NO_SVM, ids=ascii)
def test_an_svm_has_a_name_that_is_no_path(api, emulator, name):
    before = sorted(path.name for path in emulator.root.iterdir())
    # As json.dumps writes it: httpx itself could not send half of a character.
    body = json.dumps({"name": name}).encode()
    answer = api.post("/api/svm/svms?return_timeout=60", content=body)
    assert answer.status_code == 400, answer.text
    refused = api.put("/emulator/svms", content=body)
    assert refused.status_code == 400, refused.text
    assert [svm["name"] for svm in api.get("/api/svm/svms").json()["records"] if svm["name"] == name] == []
    assert sorted(path.name for path in emulator.root.iterdir()) == before


def test_neither_making_nor_deleting_an_svm_touches_a_directory_elsewhere(api, victim):
    assert code(api.post("/api/svm/svms?return_timeout=60", json={"name": str(victim)})) in ("13434880", "13434908")
    assert (victim / "precious" / "file").read_text() == "data"


@pytest.mark.parametrize("name", ["s", "svm_with-all.kinds", "_x", "x" * 47])
def test_the_names_that_ontap_allows_are_allowed(api, name):
    assert api.post("/api/svm/svms?return_timeout=60", json={"name": name}).status_code == 201
    (svm,) = api.get("/api/svm/svms", params={"name": name}).json()["records"]
    assert api.delete(f"/api/svm/svms/{svm['uuid']}?return_timeout=60").status_code == 200


@pytest.mark.parametrize("name", ["..", "/tmp/x", "a/b", "x" * 48, ""])
def test_the_command_line_takes_no_svm_that_is_a_path(tmp_path, name):
    command = [sys.executable, "-m", "emulator", "--root", str(tmp_path / "r"), "--port", "0", "--svm", name]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "SVM name" in ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name", ["..", "VICTIM", "x" * 300, "a\0b"], ids=ascii)
def test_a_state_with_a_path_for_a_name_starts_and_its_svm_can_go(tmp_path, victim, name):
    """As an emulator before this rule could leave it behind."""
    from emulator.svms import state

    name = name.replace("VICTIM", str(victim))
    world = World(tmp_path / "root", Config())
    seed.prepare(world, "secret")
    with world.store.transaction():
        svm = world.store.insert("svm", state.new(world, name))
    seed.recover(world)
    world.store.update("svm", svm["uuid"], comment="still there")
    state.delete(world, {"uuid": svm["uuid"]})
    assert world.store.get("svm", svm["uuid"]) is None
    assert (victim / "precious" / "file").read_text() == "data"
    assert world.dataplane.volumes.is_dir() and (tmp_path / "root" / "state.sqlite").exists()


@pytest.mark.parametrize("bad", ["..", ".", "", "a/b", "/abs", "n\0l", "x" * 256, "\ud800"], ids=ascii)
def test_the_data_plane_itself_makes_no_path_of_such_a_name(tmp_path, bad):
    plane = DataPlane(tmp_path / "root")
    for attempt in (
        lambda: plane.data_dir(bad),
        lambda: plane.snapshot_dir(str(uuid4()), bad),
        lambda: plane.namespace.make(bad),
        lambda: plane.namespace.mount(Place("svm1", f"x/{bad}/../y"), str(uuid4())),
        lambda: plane.namespace.mount(Place(bad, "x"), str(uuid4())),
    ):
        with pytest.raises((ValueError, Blocked)):
            attempt()
    plane.namespace.forget(bad)
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["namespace", "staging", "volumes"]
    assert list(plane.namespace.top.iterdir()) == []


def test_a_link_of_the_users_leads_no_mount_out_of_the_namespace(tmp_path, victim):
    plane = DataPlane(tmp_path / "root")
    plane.namespace.make("svm1")
    (plane.namespace.folder("svm1") / "out").symlink_to(victim)
    with pytest.raises(Blocked):
        plane.namespace.mount(Place("svm1", "out/volume"), str(uuid4()))
    plane.namespace.unmount(Place("svm1", "out/precious"))
    plane.namespace.forget("svm1")
    assert [relative for relative, _ in trees.walk(victim)] == ["precious", "precious/file"]


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\0b", "x" * 256, 5, ["s"]], ids=ascii)
def test_a_snapshot_has_a_name_that_is_no_path(api, make, name):
    place = f"/api/storage/volumes/{make()['uuid']}/snapshots"
    answer = api.post(place, content=json.dumps({"name": name}).encode())
    assert answer.status_code == 400, answer.text


def test_a_snapshot_whose_name_is_null_is_named_by_ontap(api, make):
    place = f"/api/storage/volumes/{make()['uuid']}/snapshots"
    answer = api.post(f"{place}?return_timeout=60&return_records=true", json={"name": None})
    assert answer.status_code == 201, answer.text
    assert answer.json()["records"][0]["name"].startswith("snapshot.")


@pytest.mark.parametrize("path", ["/../x", "/v/../../x", "/v/.snapshot/s", "x", "/v\0", "/" + "a" * 300, 5], ids=ascii)
def test_a_bucket_shows_no_folder_outside_the_namespace(api, s3_server, path):
    body = {"svm": {"name": "svm1"}, "name": f"b-{uuid4().hex[:8]}", "type": "nas", "nas_path": path}
    answer = api.post("/api/protocols/s3/buckets?return_timeout=60", json=body)
    assert answer.status_code == 400, answer.text
