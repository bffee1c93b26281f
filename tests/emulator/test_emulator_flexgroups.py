"""FlexGroup volumes: one namespace over constituents on several aggregates."""

from __future__ import annotations

from uuid import uuid4

import pytest

MB = 1024**2
BOTH = [{"name": "aggr1"}, {"name": "aggr2"}]


@pytest.fixture
def group(make):
    return make(aggregates=BOTH, constituents_per_aggregate=2, size=400 * MB)


def counted(api, aggregate):
    found = api.get(f"/api/storage/aggregates?name={aggregate}&fields=volume_count,space.block_storage.used").json()
    return found["records"][0]["volume_count"], found["records"][0]["space"]["block_storage"]["used"]


def test_a_flexgroup_lies_on_its_aggregates_in_equal_parts(api, make):
    before = {name: counted(api, name) for name in ("aggr1", "aggr2")}
    made = make(aggregates=BOTH, constituents_per_aggregate=2, size=400 * MB)
    for name, (count, used) in before.items():
        assert counted(api, name) == (count + 2, used + 200 * MB)
    assert made["style"] == "flexgroup"
    assert [a["name"] for a in made["aggregates"]] == ["aggr1", "aggr2"]


def test_its_constituents_are_read_when_they_are_asked_for_and_listed_otherwise_never(api, group):
    query = f"is_constituent=true&flexgroup.uuid={group['uuid']}&fields=flexgroup,size,aggregates,style"
    parts = api.get(f"/api/storage/volumes?{query}").json()["records"]
    assert [part["name"] for part in parts] == [f"{group['name']}__{n:04}" for n in range(1, 5)]
    assert {part["size"] for part in parts} == {100 * MB} and {p["style"] for p in parts} == {"flexgroup_constituent"}
    assert [part["aggregates"][0]["name"] for part in parts] == ["aggr1", "aggr2"] * 2
    one = api.get(f"/api/storage/volumes/{parts[0]['uuid']}?is_constituent=true&fields=flexgroup.name").json()
    assert one["flexgroup"]["name"] == group["name"]
    assert api.get(f"/api/storage/volumes?name={group['name']}*").json()["num_records"] == 1
    assert api.get(f"/api/storage/volumes/{parts[0]['uuid']}").status_code == 404


def test_what_it_shows_of_itself(api, group):
    fields = "constituents_per_aggregate,constituent_count,constituents"
    shown = api.get(f"/api/storage/volumes/{group['uuid']}?fields={fields}").json()
    assert (shown["constituents_per_aggregate"], shown["constituent_count"]) == (2, 4)
    assert [part["space"]["size"] for part in shown["constituents"]] == [100 * MB] * 4


def test_it_is_one_folder_that_grows_as_a_whole(api, group, emulator):
    (emulator.namespace / group["name"] / "a").write_bytes(b"x" * 1000)
    place = f"/api/storage/volumes/{group['uuid']}"
    assert api.patch(f"{place}?return_timeout=60", json={"size": "800MB"}).status_code == 200
    shown = api.get(f"{place}?fields=space.used,constituents.space.size").json()
    assert shown["space"]["used"] == 1000
    assert [part["space"]["size"] for part in shown["constituents"]] == [200 * MB] * 4


def test_without_aggregates_it_spreads_over_all_of_them(make):
    made = make(aggregates=None, style="flexgroup", size=400 * MB)
    assert [a["name"] for a in made["aggregates"]] == ["aggr1", "aggr2"]


def test_a_clone_of_it_is_one_too_with_constituents_of_its_own(api, group, make, freeze, emulator):
    (emulator.namespace / group["name"] / "a").write_text("kept")
    freeze(group["uuid"])
    clone = make(aggregates=None, clone={"is_flexclone": True, "parent_volume": {"name": group["name"]}})
    assert (emulator.namespace / clone["name"] / "a").read_text() == "kept"
    assert clone["style"] == "flexgroup"
    parts = api.get(f"/api/storage/volumes?is_constituent=true&flexgroup.uuid={clone['uuid']}").json()
    assert parts["num_records"] == 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"size": 30 * MB}, "917534"),
        ({"aggregates": [{"name": "nowhere"}]}, "4"),
        ({"constituents_per_aggregate": 0}, "262197"),
        ({"constituents_per_aggregate": 150, "size": "100GB"}, "262197"),
    ],
    ids=str,
)
def test_a_flexgroup_that_cannot_be_is_refused(api, changes, code):
    body = {"name": f"v_{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "style": "flexgroup", "aggregates": BOTH}
    answer = api.post("/api/storage/volumes", json=body | {"size": 400 * MB} | changes)
    assert answer.json()["error"]["code"] == code, answer.text


def test_it_is_not_shrunk_below_what_its_constituents_need_and_does_not_move(api, group):
    place = f"/api/storage/volumes/{group['uuid']}"
    assert api.patch(place, json={"size": 60 * MB}).json()["error"]["code"] == "917534"
    body = {"movement": {"destination_aggregate": {"name": "aggr2"}}}
    assert api.patch(place, json=body).json()["error"]["code"] == "3"


def test_each_aggregate_must_have_room_for_its_part(api):
    body = {"name": f"v_{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "style": "flexgroup", "aggregates": BOTH}
    answer = api.post("/api/storage/volumes?return_timeout=60", json=body | {"size": "210TB"})
    assert answer.json()["error"]["code"] == "917927", answer.text
