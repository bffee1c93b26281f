"""Groups of volumes: frozen and restored all at once or not at all, in one step and in two phases."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

GROUPS = "/api/application/consistency-groups"
VOLUMES = "/api/storage/volumes"
WAIT = {"return_timeout": 60}
SHOWN = WAIT | {"return_records": "true"}


def code(answer) -> str:
    return answer.json()["error"]["code"]


@pytest.fixture
def pair(api, make, emulator):
    """Two mounted volumes, by name, with the folder of each."""
    found = []
    for _ in range(2):
        path = f"/cg_{uuid4().hex[:8]}"
        volume = make(nas={"path": path}, snapshot_policy={"name": "none"})
        volume["top"] = emulator.namespace / path[1:]
        (volume["top"] / "f").write_text("first")
        found.append(volume)
    return found


@pytest.fixture
def group(api, pair):
    members = [{"name": volume["name"], "provisioning_options": {"action": "add"}} for volume in pair]
    body = {"name": f"g_{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "volumes": members}
    answer = api.post(GROUPS, params=SHOWN, json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()["records"][0]
    yield made
    api.delete(f"{GROUPS}/{made['uuid']}", params=WAIT)


def snapshots(api, group) -> dict[str, dict[str, Any]]:
    answer = api.get(f"{GROUPS}/{group['uuid']}/snapshots", params={"fields": "*"})
    return {record["name"]: record for record in answer.json()["records"]}


def of_volume(api, volume) -> list[str]:
    return [r["name"] for r in api.get(f"{VOLUMES}/{volume['uuid']}/snapshots").json()["records"]]


def freeze(api, group, name: str = "s1", **more: Any):
    return api.post(f"{GROUPS}/{group['uuid']}/snapshots", params=WAIT | more, json={"name": name, "comment": "c"})


def test_a_snapshot_is_one_of_every_volume(api, group, pair):
    assert freeze(api, group).status_code == 201
    made = snapshots(api, group)["s1"]
    assert (made["is_partial"], made["comment"]) == (False, "c")
    assert {part["volume"]["name"] for part in made["snapshot_volumes"]} == {volume["name"] for volume in pair}
    assert [of_volume(api, volume) for volume in pair] == [["s1"], ["s1"]]
    assert code(freeze(api, group)) == "53411927"


def test_what_keeps_one_volume_from_being_frozen_keeps_all(api, group, pair):
    api.post(f"{VOLUMES}/{pair[1]['uuid']}/snapshots", params=WAIT, json={"name": "taken"}).raise_for_status()
    assert code(freeze(api, group, "taken")) == "525059"
    api.patch(f"{VOLUMES}/{pair[1]['uuid']}", params=WAIT, json={"state": "offline"}).raise_for_status()
    assert code(freeze(api, group)) == "524479"
    assert (of_volume(api, pair[0]), snapshots(api, group)) == ([], {})


def test_a_restore_puts_all_back_or_none(api, group, pair):
    freeze(api, group)
    for volume in pair:
        (volume["top"] / "f").write_text("changed")
    clone = {"is_flexclone": True, "parent_volume": {"uuid": pair[1]["uuid"]}}
    body = {"name": f"c_{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "clone": clone}
    made = api.post(VOLUMES, params=SHOWN, json=body).json()["records"][0]
    asked = {"restore_to.snapshot.name": "s1"} | WAIT
    assert code(api.patch(f"{GROUPS}/{group['uuid']}", params=asked)) == "524486"
    assert [(volume["top"] / "f").read_text() for volume in pair] == ["changed", "changed"]
    api.delete(f"{VOLUMES}/{made['uuid']}", params=WAIT).raise_for_status()
    assert api.patch(f"{GROUPS}/{group['uuid']}", params=asked).status_code == 200
    assert [(volume["top"] / "f").read_text() for volume in pair] == ["first", "first"]


def test_a_snapshot_of_which_a_part_is_gone_is_partial_and_restores_nothing(api, group, pair):
    freeze(api, group)
    part = api.get(f"{VOLUMES}/{pair[0]['uuid']}/snapshots").json()["records"][0]
    api.delete(f"{VOLUMES}/{pair[0]['uuid']}/snapshots/{part['uuid']}", params=WAIT).raise_for_status()
    made = snapshots(api, group)["s1"]
    assert (made["is_partial"], made["missing_volumes"]) == (True, [{"name": pair[0]["name"]}])
    answer = api.patch(f"{GROUPS}/{group['uuid']}", params={"restore_to.snapshot.name": "s1"} | WAIT)
    assert code(answer) == "53411943"


def test_in_two_phases_nothing_is_seen_before_the_commit(api, group, pair, emulator):
    started = freeze(api, group, "two", action="start", action_timeout=30)
    assert started.status_code == 201
    place = started.headers["Location"]
    assert (snapshots(api, group), of_volume(api, pair[0])) == ({}, [])
    (pair[0]["top"] / "f").write_text("written after the start")
    assert api.patch(place, params={"action": "commit"}).status_code == 200
    assert list(snapshots(api, group)) == ["two"]
    assert (pair[0]["top"] / ".snapshot" / "two" / "f").read_text() == "first"
    assert code(api.patch(place, params={"action": "commit"})) == "53411940"


def test_a_start_that_is_not_committed_in_time_is_aborted(api, group, pair, emulator):
    place = freeze(api, group, "late", action="start", action_timeout=5).headers["Location"]
    emulator.control("PUT", "/clock", {"offset_s": 60})
    assert code(api.patch(place, params={"action": "commit"})) == "53411940"
    assert not (pair[0]["top"] / ".snapshot" / "late").exists()
    assert freeze(api, group, "late").status_code == 201


def test_a_volume_is_in_one_group_only_and_not_deleted_while_it_is(api, group, pair, make):
    other = {"name": "other", "svm": {"name": "svm1"}, "volumes": [{"name": pair[0]["name"]}]}
    assert code(api.post(GROUPS, json=other)) == "53411865"
    assert code(api.post(GROUPS, json=other | {"volumes": [{"name": "none"}]})) == "53411860"
    assert code(api.post(GROUPS, json=other | {"volumes": []})) == "53411846"
    taken = {"name": group["name"], "svm": {"name": "svm1"}, "volumes": [{"name": make()["name"]}]}
    assert code(api.post(GROUPS, json=taken)) == "53411852"
    api.patch(f"{VOLUMES}/{pair[0]['uuid']}", params=WAIT, json={"nas": {"path": ""}})
    assert code(api.delete(f"{VOLUMES}/{pair[0]['uuid']}", params=WAIT)) == "53411917"
    out = [{"name": pair[0]["name"], "provisioning_options": {"action": "remove"}}]
    assert api.patch(f"{GROUPS}/{group['uuid']}", json={"volumes": out}).status_code == 200
    assert api.delete(f"{VOLUMES}/{pair[0]['uuid']}", params=WAIT).status_code == 200


def test_a_volume_whose_snapshots_can_be_locked_is_in_no_group(api, make, clock_set):
    volume = make(snapshot_locking_enabled=True)
    body = {"name": "locked", "svm": {"name": "svm1"}, "volumes": [{"name": volume["name"]}]}
    assert code(api.post(GROUPS, json=body)) == "53411959"


def test_removing_a_snapshot_removes_that_of_every_volume(api, group, pair):
    freeze(api, group)
    place = f"{GROUPS}/{group['uuid']}/snapshots/{snapshots(api, group)['s1']['uuid']}"
    assert api.delete(place, params=WAIT).status_code == 200
    assert [of_volume(api, volume) for volume in pair] == [[], []]
    assert api.get(place).status_code == 404
