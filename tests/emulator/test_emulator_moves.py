"""A volume moves to another aggregate: what is shown while it does, what ends it, and what is refused."""

from __future__ import annotations

from uuid import uuid4

import pytest

TB = 1024**4


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


def to(aggregate, **more):
    return {"movement": {"destination_aggregate": {"name": aggregate}, **more}}


@pytest.fixture
def place(make):
    return f"/api/storage/volumes/{make()['uuid']}"


@pytest.fixture
def slow(emulator, place):
    """Jobs go on when somebody looks, four times."""
    emulator.control("PUT", "/jobs", {"mode": "reads", "value": 4})


def movement(api, place):
    return api.get(f"{place}?fields=movement").json().get("movement")


def at(api, place):
    return [a["name"] for a in api.get(f"{place}?fields=aggregates").json()["aggregates"]]


def counted(api, aggregate):
    found = api.get(f"/api/storage/aggregates?name={aggregate}&fields=volume_count,space.block_storage.used").json()
    return found["records"][0]["volume_count"], found["records"][0]["space"]["block_storage"]["used"]


def test_a_volume_counts_against_its_new_aggregate_after_the_move(api, place):
    before = counted(api, "aggr2")
    assert movement(api, place) is None
    answer = api.patch(f"{place}?return_timeout=60", json=to("aggr2"))
    assert answer.status_code == 200, answer.text
    assert at(api, place) == ["aggr2"]
    assert counted(api, "aggr2") == (before[0] + 1, before[1] + 20 * 1024**2)
    shown = movement(api, place)
    assert (shown["state"], shown["percent_complete"]) == ("success", 100)
    assert shown["destination_aggregate"]["name"] == "aggr2" and shown["start_time"]


def test_the_files_stay_readable_and_the_percentage_grows_while_it_moves(api, place, slow, emulator):
    name = api.get(place).json()["name"]
    (emulator.namespace / name / "a").write_text("kept")
    assert api.patch(place, json=to("aggr2")).status_code == 202
    seen = [movement(api, place) for _ in range(4)]
    assert [m["state"] for m in seen] == ["replicating", "replicating", "replicating", "success"]
    assert [m["percent_complete"] for m in seen] == [25, 50, 75, 100]
    assert (emulator.namespace / name / "a").read_text() == "kept"


def test_an_aborted_move_leaves_the_volume_where_it_was(api, place, slow, emulator):
    job = api.patch(place, json=to("aggr2")).json()["job"]["uuid"]
    emulator.control("PUT", "/jobs", {"mode": "immediate"})
    assert api.patch(f"{place}?return_timeout=60", json={"movement": {"state": "aborted"}}).status_code == 200
    assert (at(api, place), movement(api, place)["state"]) == (["aggr1"], "aborted")
    assert api.get(f"/api/cluster/jobs/{job}").json()["state"] == "failure"


def test_a_paused_move_waits_until_it_goes_on(api, place, slow, emulator):
    api.patch(place, json=to("aggr2"))
    emulator.control("PUT", "/jobs", {"mode": "immediate"})
    api.patch(f"{place}?return_timeout=60", json={"movement": {"state": "paused"}})
    assert [movement(api, place)["state"] for _ in range(6)] == ["paused"] * 6
    api.patch(f"{place}?return_timeout=60", json={"movement": {"state": "replicating"}})
    assert [movement(api, place)["state"] for _ in range(4)][-1] == "success"


def test_a_move_that_waits_with_its_cutover_moves_when_it_is_told_to(api, place):
    assert api.patch(f"{place}?return_timeout=60", json=to("aggr2", state="cutover_wait")).status_code == 200
    assert (at(api, place), movement(api, place)["state"]) == (["aggr1"], "cutover_pending")
    assert refused(api.patch(place, json=to("aggr2")))[0] == 409
    assert api.patch(f"{place}?return_timeout=60", json={"movement": {"state": "cutover"}}).status_code == 200
    assert (at(api, place), movement(api, place)["state"]) == (["aggr2"], "success")


def test_a_cutover_that_is_triggered_ends_the_move_at_once(api, place, slow, emulator):
    api.patch(place, json=to("aggr2"))
    emulator.control("PUT", "/jobs", {"mode": "immediate"})
    api.patch(f"{place}?return_timeout=60", json={"movement": {"state": "cutover"}})
    while movement(api, place)["state"] == "replicating":
        pass
    assert at(api, place) == ["aggr2"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (to("nowhere"), "918267"),
        (to("aggr1"), "918265"),
        (to("aggr2", state="paused"), "918266"),
        ({"movement": {"state": "aborted"}}, "2"),
        ({"movement": {"state": "flying"}}, "262197"),
        ({"movement": {"cutover_window": 5}}, "262197"),
        ({"movement": {"cutover_window": 50}}, "2"),
        (to("aggr2") | {"comment": "x"}, "2"),
    ],
    ids=str,
)
def test_a_move_that_cannot_be_is_refused_at_once(api, place, body, code):
    assert refused(api.patch(place, json=body)) == (400, code)
    assert movement(api, place) is None


def test_name_and_uuid_of_different_aggregates_are_refused(api, place):
    uuid = api.get("/api/storage/aggregates?name=aggr1").json()["records"][0]["uuid"]
    body = {"movement": {"destination_aggregate": {"name": "aggr2", "uuid": uuid}}}
    assert refused(api.patch(place, json=body)) == (400, "787141")


def test_an_offline_volume_does_not_move(api, place):
    api.patch(f"{place}?return_timeout=60", json={"state": "offline"})
    assert refused(api.patch(place, json=to("aggr2"))) == (400, "917684")


def test_a_validation_moves_nothing(api, place):
    assert api.patch(f"{place}?validate_only=true", json=to("aggr2")).status_code == 200
    assert at(api, place) == ["aggr1"]


def test_no_room_on_the_other_aggregate_is_found_out_by_the_job(api, make):
    big = make(size=60 * TB)
    place = f"/api/storage/volumes/{big['uuid']}"
    make(size=60 * TB, aggregates=[{"name": "aggr2"}])
    answer = api.patch(place, json=to("aggr2"))
    job = api.get(f"/api/cluster/jobs/{answer.json()['job']['uuid']}").json()
    assert (answer.status_code, job["state"], job["error"]["code"]) == (202, "failure", "917927")
    assert (at(api, place), movement(api, place)["state"]) == (["aggr1"], "failed")
    for volume in api.get("/api/storage/volumes?size=60TB").json()["records"]:
        api.delete(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60")


def test_while_it_moves_a_volume_is_neither_removed_nor_moved_elsewhere(api, place, slow):
    api.patch(place, json=to("aggr2"))
    assert refused(api.delete(place)) == (409, "8")
    assert refused(api.patch(place, json=to("aggr2"))) == (409, "8")
    cooling = {"tiering": {"policy": "auto", "min_cooling_days": 9}}
    assert refused(api.patch(place, json=cooling)) == (409, "918193")


def test_a_clone_that_moves_shares_nothing_any_more(api, make, freeze):
    parent = make()
    freeze(parent["uuid"])
    clone = {"is_flexclone": True, "parent_volume": {"name": parent["name"]}}
    made = make(aggregates=None, clone=clone)
    place = f"/api/storage/volumes/{made['uuid']}"
    api.patch(f"{place}?return_timeout=60", json=to("aggr2"))
    assert api.get(f"{place}?fields=clone").json()["clone"] == {"is_flexclone": False}
    assert (
        api.get(f"/api/storage/volumes/{parent['uuid']}?fields=aggregates").json()["aggregates"][0]["name"] == "aggr1"
    )


def test_an_svms_own_user_moves_nothing(emulator, place):
    with emulator.client("vsadmin") as user:
        assert refused(user.patch(place, json=to("aggr2"))) == (403, "6")


def test_a_stopped_split_leaves_a_clone_and_no_snapshot_is_taken_meanwhile(api, make, freeze, emulator):
    parent = make()
    freeze(parent["uuid"])
    made = make(aggregates=None, clone={"is_flexclone": True, "parent_volume": {"name": parent["name"]}})
    place = f"/api/storage/volumes/{made['uuid']}"
    emulator.control("PUT", "/jobs", {"mode": "reads", "value": 9})
    job = api.patch(place, json={"clone": {"split_initiated": True}}).json()["job"]["uuid"]
    assert refused(api.post(f"{place}/snapshots", json={"name": uuid4().hex})) == (409, "8")
    assert refused(api.patch(place, json={"clone": {"split_initiated": True}})) == (409, "8")
    emulator.control("PUT", "/jobs", {"mode": "immediate"})
    assert api.patch(f"{place}?return_timeout=60", json={"clone": {"split_initiated": False}}).status_code == 200
    assert api.get(f"{place}?fields=clone").json()["clone"]["is_flexclone"] is True
    assert api.get(f"/api/cluster/jobs/{job}").json()["state"] == "failure"
