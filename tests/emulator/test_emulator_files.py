"""Files of a volume through REST, live and in its snapshots, and clones of single files."""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

import pytest

VOLUMES = "/api/storage/volumes"
WAIT = {"return_timeout": 20}


@pytest.fixture
def volume(api, emulator):
    name = f"files_{uuid4().hex[:8]}"
    body = {"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "size": "1GB"}
    body |= {"nas": {"path": f"/{name}"}, "snapshot_policy": {"name": "none"}}
    made = api.post(VOLUMES, params=WAIT | {"return_records": "true"}, json=body).json()["records"][0]
    top = emulator.namespace / name
    (top / "data" / "deep").mkdir(parents=True)
    (top / "data" / "one two+three.txt").write_text("first")
    (top / "data" / "deep" / "b.txt").write_text("b")
    (top / "data" / "link").symlink_to("deep/b.txt")
    made["top"] = top
    yield made
    api.delete(f"{VOLUMES}/{made['uuid']}", params=WAIT)


def url(volume, path: str = "") -> str:
    return f"{VOLUMES}/{volume['uuid']}/files" + (f"/{quote(path, safe='')}" if path else "")


def listed(api, volume, path: str = "") -> dict[str, dict]:
    answer = api.get(url(volume, path), params={"fields": "*"})
    assert answer.status_code == 200, answer.text
    return {record["name"]: record for record in answer.json()["records"]}


def freeze(api, volume, name: str) -> None:
    assert api.post(f"{VOLUMES}/{volume['uuid']}/snapshots", params=WAIT, json={"name": name}).status_code == 201


def code(answer) -> str:
    return answer.json()["error"]["code"]


def test_a_folder_is_listed_with_what_each_entry_is(api, volume):
    assert {".", "..", ".snapshot", "data"} <= listed(api, volume).keys()
    found = listed(api, volume, "data")
    assert {n: r["type"] for n, r in found.items() if n not in (".", "..")} == {
        "one two+three.txt": "file",
        "deep": "directory",
        "link": "symlink",
    }
    assert (found["one two+three.txt"]["size"], found["link"]["target"]) == (5, "deep/b.txt")
    assert found["deep"]["is_empty"] is False and found["deep"]["path"] == "data"
    files = api.get(url(volume, "data"), params={"type": "file|symlink", "order_by": "name"}).json()["records"]
    assert [record["name"] for record in files] == ["link", "one two+three.txt"]


def test_a_snapshot_shows_how_it_was_with_the_permissions_of_then(api, volume):
    (volume["top"] / "data" / "deep" / "b.txt").chmod(0o664)
    freeze(api, volume, "s1")
    (volume["top"] / "data" / "deep" / "b.txt").write_text("changed")
    assert listed(api, volume, ".snapshot")["s1"]["is_snapshot"] is True
    then = listed(api, volume, ".snapshot/s1/data/deep")["b.txt"]
    assert (then["size"], then["unix_permissions"]) == (1, 664)
    answer = api.get(url(volume, ".snapshot/s1/data/deep/b.txt"), params={"return_metadata": "true"})
    assert [record["name"] for record in answer.json()["records"]] == ["b.txt"]


def test_folders_and_links_are_made_renamed_and_removed(api, volume):
    assert api.post(url(volume, "new"), json={"type": "directory", "unix_permissions": 750}).status_code == 201
    assert api.post(url(volume, "new/l"), json={"target": "../data"}).status_code == 201
    assert listed(api, volume)["new"]["unix_permissions"] == 750
    assert code(api.post(url(volume, "new"), json={"type": "directory"})) == "131089"
    assert code(api.delete(url(volume, "new"))) == "131138"
    assert api.patch(url(volume, "new"), json={"path": "newer"}).status_code == 200
    assert api.delete(url(volume, "newer"), params={"recurse": "true"}).status_code == 200
    assert not (volume["top"] / "newer").exists()


@pytest.mark.parametrize("path", ["nothing", "data/../../x", ".snapshot/none/data", "out/passwd"])
def test_what_is_not_in_the_volume_is_not_found(api, volume, path):
    (volume["top"] / "out").symlink_to("/etc")
    answer = api.get(url(volume, path))
    assert (answer.status_code, code(answer)) == (404, "131074")


def test_a_snapshot_is_read_only(api, volume):
    freeze(api, volume, "s1")
    assert code(api.delete(url(volume, ".snapshot/s1/data"), params={"recurse": "true"})) == "131102"
    assert code(api.post(url(volume, ".snapshot/s1/x"), json={"type": "directory"})) == "131102"


def test_one_file_is_cloned_out_of_a_snapshot_with_its_times_and_permissions(api, volume):
    file = volume["top"] / "data" / "deep" / "b.txt"
    file.chmod(0o664)
    then = file.stat()
    freeze(api, volume, "s1")
    file.write_text("changed")
    wish = {"volume": {"uuid": volume["uuid"]}, "source_path": ".snapshot/s1/data/deep/b.txt"}
    taken = api.post("/api/storage/file/clone", params=WAIT, json=wish | {"destination_path": "data/deep/b.txt"})
    assert (code(taken), file.read_text()) == ("131089", "changed")
    over = {"destination_path": "data/deep/b.txt", "overwrite_destination": True}
    assert api.post("/api/storage/file/clone", params=WAIT, json=wish | over).status_code == 201
    now = file.stat()
    assert (file.read_text(), now.st_mtime_ns, now.st_mode) == ("b", then.st_mtime_ns, then.st_mode)
    assert code(api.post("/api/storage/file/clone", json=wish | {"destination_path": "no/b.txt"})) == "131074"
    folder = wish | {"source_path": ".snapshot/s1/data", "destination_path": "x"}
    assert code(api.post("/api/storage/file/clone", json=folder)) == "131093"


def facts_of(api, volume, path: str) -> dict[str, tuple[str, int]]:
    found = listed(api, volume, path)
    return {name: (r["changed_time"], r["inode_number"]) for name, r in found.items() if r["type"] != "directory"}


def test_files_keep_when_they_changed_and_their_inodes_in_snapshots_and_when_these_come_back(api, volume, emulator):
    freeze(api, volume, "s1")
    before = facts_of(api, volume, "data")
    assert facts_of(api, volume, ".snapshot/s1/data") == before and len(before) == 2
    (volume["top"] / "data" / "one two+three.txt").chmod(0o600)
    assert facts_of(api, volume, "data") != before
    body = {"restore_to": {"snapshot": {"name": "s1"}}}
    assert api.patch(f"{VOLUMES}/{volume['uuid']}", params=WAIT, json=body).status_code == 200
    assert facts_of(api, volume, "data") == before
    (volume["top"] / "data" / "one two+three.txt").write_text("other")
    after = facts_of(api, volume, "data")
    assert {name for name in after if after[name] != before[name]} == {"one two+three.txt"}
    assert len(list((emulator.root / "volumes" / volume["uuid"]).glob("live-*.times"))) == 1
