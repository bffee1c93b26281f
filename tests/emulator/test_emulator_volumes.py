"""What volumes refuse, each with its documented code; and what directories show of them."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest

MB = 1024**2
BODY = {"name": "v", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}


def refused(answer):
    error = answer.json()["error"]
    return error["code"], error.get("target")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"svm": {"name": "nobody"}}, "2621462"),
        ({"svm": None}, "2621707"),
        ({"aggregates": []}, "787140"),
        ({"aggregates": [{"name": "aggr1"}, {"name": "aggr2"}], "style": "flexvol"}, "918242"),
        ({"aggregates": [{"name": "aggr1"}, {"name": "aggr2"}]}, "917534"),
        ({"style": "flexible"}, "918240"),
        ({"aggregates": [{"name": "nowhere"}]}, "4"),
        ({"name": "x" * 204}, "917886"),
        ({"name": "1x"}, "917887"),
        ({"name": "a-b"}, "917888"),
        ({"size": 1 * MB}, "917534"),
        ({"nas": {"path": "x"}}, "918252"),
        ({"nas": {"path": "/../x"}}, "918252"),
        ({"nas": {"export_policy": {"name": "nobody"}}}, "1703998"),
        ({"nas": {"unix_permissions": 999}}, "262197"),
        ({"state": "restricted"}, "262197"),
        ({"type": "ls"}, "3"),
        ({"clone": {"is_flexclone": True}}, "918246"),
    ],
    ids=str,
)
def test_a_volume_that_cannot_be_is_refused_at_once(api, changes, code):
    assert refused(api.post("/api/storage/volumes", json=BODY | changes))[0] == code


def test_names_and_paths_are_unique_in_an_svm(api, make):
    there = make()
    assert refused(api.post("/api/storage/volumes", json=BODY | {"name": there["name"]})) == ("917526", "name")
    path = {"nas": {"path": f"/{there['name']}"}}
    assert refused(api.post("/api/storage/volumes", json=BODY | path)) == ("1", "nas.path")


def test_a_deep_path_makes_folders_that_go_with_it(api, make, emulator):
    top = uuid4().hex[:8]
    volume = make(nas={"path": f"/{top}/a/b"})
    assert (emulator.namespace / top / "a" / "b").is_dir()
    api.delete(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60")
    assert not (emulator.namespace / top).exists()


def test_a_volume_is_a_directory_under_its_junction_path_while_online_and_mounted(api, make, emulator):
    volume = make()
    place, link = f"/api/storage/volumes/{volume['uuid']}?return_timeout=60", emulator.namespace / volume["name"]
    (link / "file").write_text("here")
    for body, path in [
        ({"state": "offline"}, None),
        ({"state": "online"}, link),
        ({"nas": {"path": ""}}, None),
        ({"nas": {"path": f"/{volume['name']}_moved"}}, emulator.namespace / f"{volume['name']}_moved"),
    ]:
        assert api.patch(place, json=body).status_code == 200
        assert link.exists() == (path == link)
        assert path is None or (path / "file").read_text() == "here"


def test_a_deleted_volume_leaves_no_directory(api, make, freeze, emulator):
    volume = make()
    freeze(volume["uuid"])
    assert api.delete(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60").status_code == 200
    assert not (emulator.root / "volumes" / volume["uuid"]).exists()
    assert not os.path.lexists(emulator.namespace / volume["name"])


def test_permissions_are_those_of_the_directory_both_ways(api, make, emulator):
    volume = make(nas={"path": "/perm", "unix_permissions": 700})
    directory = emulator.namespace / "perm"
    assert directory.stat().st_mode & 0o777 == 0o700
    directory.chmod(0o777)
    shown = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=nas.unix_permissions").json()
    assert shown["nas"]["unix_permissions"] == 777


def test_space_is_what_the_files_take(api, make, emulator):
    volume = make()
    place = f"/api/storage/volumes/{volume['uuid']}"
    (emulator.namespace / volume["name"] / "big").write_bytes(b"x" * 3 * MB)
    space = api.get(place + "?fields=space").json()["space"]
    assert (space["size"], space["used"], space["available"]) == (20 * MB, 3 * MB, 16 * MB)
    assert (space["afs_total"], space["snapshot"]["reserve_size"]) == (19 * MB, 1 * MB)
    api.patch(place + "?return_timeout=60", json={"space": {"snapshot": {"reserve_percent": 0}}})
    assert api.get(place + "?fields=space").json()["space"]["available"] == 17 * MB


def test_a_volume_is_not_shrunk_below_what_is_in_it(api, make, emulator):
    volume = make(size=40 * MB)
    (emulator.namespace / volume["name"] / "big").write_bytes(b"x" * 30 * MB)
    answer = api.patch(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60", json={"size": 20 * MB})
    assert refused(answer)[0] == "917534"


def test_an_overfull_volume_takes_no_snapshot_and_no_clone(api, make, freeze, emulator):
    volume = make()
    freeze(volume["uuid"])
    (emulator.namespace / volume["name"] / "big").write_bytes(b"x" * 21 * MB)
    place = f"/api/storage/volumes/{volume['uuid']}/snapshots?return_timeout=60"
    clone = {"is_flexclone": True, "parent_volume": {"uuid": volume["uuid"]}}
    body = {"name": volume["name"] + "_c", "svm": {"name": "svm1"}, "clone": clone}
    assert refused(api.post(place, json={"name": "s2"}))[0] == "524479"
    assert refused(api.post("/api/storage/volumes?return_timeout=60", json=body))[0] in ("524479", "917927")


def test_a_volume_reserves_its_aggregates_space_unless_its_guarantee_is_none(api, make, emulator):
    def used():
        return api.get("/api/storage/aggregates?name=aggr2&fields=space").json()["records"][0]["space"][
            "block_storage"
        ]["used"]

    before = used()
    make(aggregates=[{"name": "aggr2"}], size=64 * MB)
    make(aggregates=[{"name": "aggr2"}], size=64 * MB, guarantee={"type": "none"})
    assert used() == before + 64 * MB


def test_accepted_settings_are_read_back(api, make):
    volume = make(qos={"policy": {"name": "extreme"}}, tiering={"policy": "none"}, snapshot_policy={"name": "none"})
    shown = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=qos.policy.name,tiering,snapshot_policy").json()
    assert (shown["qos"]["policy"]["name"], shown["tiering"]["policy"]) == ("extreme", "none")
    assert shown["snapshot_policy"]["name"] == "none"


def test_a_restore_or_a_split_is_asked_for_alone(api, make, freeze):
    volume = make()["uuid"]
    freeze(volume)
    place = f"/api/storage/volumes/{volume}"
    restore = {"restore_to": {"snapshot": {"name": "s1"}}}
    assert refused(api.patch(place, json=restore | {"comment": "x"}))[0] == "918251"
    assert refused(api.patch(place, json={"clone": {"split_initiated": True}}))[0] == "918248"
    missing = api.patch(place, json={"restore_to": {"snapshot": {"name": "nobody"}}})
    assert (missing.status_code, refused(missing)[0]) == (404, "1638600")


def test_a_restore_over_a_newer_snapshot_that_is_busy_is_refused_and_changes_nothing(api, make, freeze, emulator):
    volume = make()
    files = emulator.namespace / volume["name"]
    freeze(volume["uuid"], "old")
    (files / "since").write_text("kept")
    freeze(volume["uuid"], "new")
    clone = {"is_flexclone": True, "parent_volume": {"uuid": volume["uuid"]}, "parent_snapshot": {"name": "new"}}
    body = {"name": volume["name"] + "_c", "svm": {"name": "svm1"}, "clone": clone}
    api.post("/api/storage/volumes?return_timeout=60", json=body)
    body = {"restore_to": {"snapshot": {"name": "old"}}}
    answer = api.patch(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60", json=body)
    assert refused(answer)[0] == "524486" and volume["name"] + "_c" in answer.text
    assert (files / "since").read_text() == "kept"


def test_a_locking_volume_keeps_locking(api, make, clock_set):
    place = f"/api/storage/volumes/{make(snapshot_locking_enabled=True)['uuid']}?return_timeout=60"
    assert api.patch(place, json={"snapshot_locking_enabled": False}).status_code == 400


def test_an_offline_volume_takes_no_snapshot(api, make):
    volume = make()["uuid"]
    api.patch(f"/api/storage/volumes/{volume}?return_timeout=60", json={"state": "offline"})
    answer = api.post(f"/api/storage/volumes/{volume}/snapshots?return_timeout=60", json={"name": "s"})
    assert refused(answer)[0] == "524479"


def test_clones_of_one_name_made_within_a_second_have_snapshots_of_their_own(api, make):
    parent = make()
    clone = {"is_flexclone": True, "parent_volume": {"uuid": parent["uuid"]}}
    name = parent["name"] + "_again"
    for number in range(1, 4):
        made = api.post(
            "/api/storage/volumes?return_timeout=60", json={"name": name, "svm": {"name": "svm1"}, "clone": clone}
        )
        assert made.status_code == 201, made.text
        assert api.delete(f"/api/storage/volumes?name={name}&return_timeout=60").is_success
        assert api.get(f"/api/storage/volumes/{parent['uuid']}/snapshots").json()["num_records"] == number
