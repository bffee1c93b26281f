"""What nobody set is shown as ONTAP has it, what is set is read back, what cannot be is refused with ONTAP's code."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

MB = 1024**2


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


def shown(api, place: str, fields: str) -> dict:
    answer = api.get(f"{place}?fields={fields}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def value(record: dict, name: str):
    for part in name.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


@pytest.fixture(scope="module")
def volume(emulator):
    """One volume that tests may set what they like on."""
    name = f"v_{uuid4().hex[:8]}"
    body = {"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": f"/{name}"}}
    with emulator.client() as api:
        return api.post("/api/storage/volumes?return_timeout=60", json=body).headers["location"]


@pytest.mark.parametrize(
    ("name", "default"),
    [
        *[("autosize.mode", "off"), ("autosize.minimum", 20 * MB), ("autosize.maximum", 24 * MB)],
        *[
            ("autosize.grow_threshold", 85),
            ("autosize.shrink_threshold", 50),
            ("files.maximum", 608),
            ("files.used", 1),
        ],
        *[("tiering.policy", "none"), ("space.snapshot.reserve_percent", 5), ("space.snapshot.reserve_size", MB)],
        *[("space.available", 19 * MB), ("space.percent_used", 0), ("space.footprint", 0), ("space.metadata", 0)],
        *[("space.logical_space.enforcement", False), ("space.snapshot.autodelete.enabled", False)],
        *[("snapshot_directory_access_enabled", True), ("access_time_enabled", True), ("granular_data", False)],
        *[("efficiency.compression", "none"), ("efficiency.dedupe", "none"), ("efficiency.state", "disabled")],
        *[("analytics.state", "off"), ("activity_tracking.state", "off"), ("encryption.enabled", False)],
        *[("guarantee.type", "volume"), ("snapshot_policy.name", "default"), ("snaplock.type", "non_snaplock")],
        *[("anti_ransomware.state", "disabled"), ("flexcache_endpoint_type", "none"), ("quota.state", "off")],
    ],
)
def test_a_volume_shows_what_nobody_set(api, make, name, default):
    place = f"/api/storage/volumes/{make()['uuid']}"
    assert value(shown(api, place, name), name) == default
    assert value(shown(api, place, "**"), name) == default
    assert value(shown(api, place, name.split(".")[0]), name) == default, "named by its beginning, as clients do"


def test_an_svm_shows_what_nobody_set(api):
    (svm,) = api.get("/api/svm/svms?name=svm1&fields=**").json()["records"]
    assert svm["snapshot_policy"]["name"] == "default" and svm["snapshot_policy"]["uuid"]
    assert (svm["language"], svm["max_volumes"], svm["state"]) == ("c.utf_8", "unlimited", "running")
    assert (svm["nfs"], svm["cifs"]) == ({"allowed": True, "enabled": True}, {"allowed": True, "enabled": False})
    assert svm["auto_enable_analytics"] is False and svm["storage"]["limit"] == 0


def test_an_aggregate_shows_what_nobody_set(api):
    aggregate = api.get("/api/storage/aggregates?name=aggr1&fields=**").json()["records"][0]
    assert (aggregate["snaplock_type"], aggregate["data_encryption"]["software_encryption_enabled"]) == (
        "non_snaplock",
        False,
    )
    assert aggregate["block_storage"]["primary"]["raid_type"] == "raid_dp"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"tiering": {"policy": "auto", "min_cooling_days": 40}}, "tiering.min_cooling_days"),
        ({"autosize": {"mode": "grow", "maximum": "80MB"}}, "autosize.maximum"),
        ({"files": {"maximum": 5000}}, "files.maximum"),
        ({"space": {"snapshot": {"reserve_percent": 95}}}, "space.snapshot.reserve_percent"),
        ({"efficiency": {"compression": "both"}}, "efficiency.compression"),
        ({"snapshot_directory_access_enabled": False}, "snapshot_directory_access_enabled"),
        ({"analytics": {"state": "on"}}, "analytics.state"),
        ({"guarantee": {"type": "none"}}, "guarantee.type"),
        ({"snapshot_policy": {"name": "none"}}, "snapshot_policy.name"),
        ({"comment": "ü" * 1023}, "comment"),
        ({"nas": {"uid": 2**32 - 2}}, "nas.uid"),
    ],
    ids=str,
)
def test_what_is_set_is_read_back(api, volume, body, name):
    answer = api.patch(f"{volume}?return_timeout=60", json=body)
    assert answer.status_code == 200, answer.text
    wanted = 80 * MB if name == "autosize.maximum" else value(body, name)
    assert value(shown(api, volume, name), name) == wanted
    api.patch(f"{volume}?return_timeout=60", json={"space": {"snapshot": {"reserve_percent": 5}}})


NONSENSE = [
    ({"tiering": {"policy": "banana"}}, "262197"),
    ({"tiering": {"policy": ["none"]}}, "262197"),
    ({"tiering": {"policy": "auto", "min_cooling_days": 1}}, "262197"),
    ({"tiering": {"policy": "none", "min_cooling_days": 9}}, "918196"),
    ({"guarantee": {"type": "banana"}}, "262197"),
    ({"guarantee": {"type": {"a": 1}}}, "262197"),
    ({"autosize": {"mode": {"a": [1]}}}, "262197"),
    ({"autosize": {"grow_threshold": 40, "shrink_threshold": 50}}, "917829"),
    ({"autosize": {"minimum": "20MB", "maximum": "20MB"}}, "917831"),
    ({"autosize": {"minimum": "30MB", "maximum": "90MB"}}, "918524"),
    ({"autosize": {"maximum": "900TB"}}, "918521"),
    ({"autosize": {"grow_threshold": 101}}, "262197"),
    ({"files": {"maximum": "many"}}, "262197"),
    ({"files": {"maximum": 10**12}}, "262197"),
    ({"files": {"maximum": 1}}, "262197"),
    ({"space": {"snapshot": {"reserve_percent": 500}}}, "262197"),
    ({"space": {"snapshot": {"reserve_percent": -1}}}, "262197"),
    ({"space": {"snapshot": {"reserve_percent": 5.5}}}, "262197"),
    ({"analytics": {"state": 7}}, "262197"),
    ({"access_time_enabled": "perhaps"}, "262197"),
    ({"snapshot_policy": {"name": "nosuch"}}, None),
    ({"snapshot_policy": {"uuid": "nosuch"}}, None),
    ({"comment": "x" * 1024}, "262197"),
    ({"comment": "\0"}, "262197"),
    ({"nas": {"uid": 2**32}}, "262197"),
    ({"nas": {"gid": 10**12}}, "262197"),
    ({"nas": {"gid": -1}}, "262197"),
    ({"size": "900TB"}, "917521"),
    ({"space": {"size": "1MB"}}, "917534"),
    ({"size": "30MB", "space": {"size": "40MB"}}, "2"),
    ({"nas": {"export_policy": {"name": "n\0ne"}}}, "262197"),
    ({"nas": {"export_policy": {"name": "nosuch"}}}, "1703998"),
]


@pytest.mark.parametrize(("body", "code"), NONSENSE, ids=lambda given: ascii(given)[:60])
def test_nonsense_is_refused_when_a_volume_is_changed_and_when_it_is_made(api, volume, body, code):
    before = shown(api, volume, "**")
    name = f"v_{uuid4().hex[:8]}"
    new = {"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
    for answer in (
        api.patch(f"{volume}?return_timeout=60", json=body),
        api.post("/api/storage/volumes?return_timeout=60", json=new | body),
    ):
        status, found = refused(answer)
        assert status in (400, 404) and found == (code or found), answer.text
    assert shown(api, volume, "**") == before
    assert api.get(f"/api/storage/volumes?name={name}").json()["num_records"] == 0


def test_more_than_90_percent_of_a_new_volume_cannot_be_reserved(api):
    body = {"name": "v_r", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
    body |= {"space": {"snapshot": {"reserve_percent": 91}}}
    assert refused(api.post("/api/storage/volumes", json=body)) == (400, "917835")


@pytest.mark.parametrize(
    "body, name, read",
    [
        ({"autosize": {"maximum": "500m"}}, "autosize.maximum", 500 * MB),
        ({"autosize": {"maximum": "2G"}}, "autosize.maximum", 2048 * MB),
        ({"autosize": {"maximum": "1.5t"}}, "autosize.maximum", 1536 * 1024 * MB),
        ({"tiering": {"policy": "snapshot-only"}}, "tiering.policy", "snapshot_only"),
        ({"autosize": {"mode": "grow-shrink"}}, "autosize.mode", "grow_shrink"),
    ],
)
def test_words_and_sizes_may_be_written_as_on_ontaps_command_line(api, volume, body, name, read):
    place = volume.removeprefix("/api/")
    answer = api.patch(f"/api/{place}?return_timeout=60", json=body)
    assert answer.status_code == 200, answer.text
    assert value(shown(api, f"/api/{place}", name), name) == read


def test_what_is_no_number_is_never_stored(api, volume):
    for text in ('{"files": {"maximum": NaN}}', '{"size": Infinity}', '{"autosize": {"maximum": 1e999}}'):
        assert api.patch(volume, content=text.encode()).status_code == 400, text
    json.loads(api.get(f"{volume}?fields=**").text, parse_constant=pytest.fail)


def test_a_volume_is_resized_by_its_size_and_by_that_of_its_space(api, make):
    place = f"/api/storage/volumes/{make()['uuid']}"
    for body in ({"space": {"size": "40MB"}}, {"size": "50MB"}, {"size": 60 * MB, "space": {"size": 60 * MB}}):
        assert api.patch(f"{place}?return_timeout=60", json=body).status_code == 200, body
    record = shown(api, place, "size,space.size,autosize.maximum")
    assert (record["size"], record["space"]["size"], record["autosize"]["maximum"]) == (60 * MB, 60 * MB, 72 * MB)


def test_a_clone_may_name_its_own_svm_as_the_parents_and_have_a_path(api, make, emulator):
    parent, name = make(), f"c_{uuid4().hex[:8]}"
    clone = {"is_flexclone": True, "parent_volume": {"name": parent["name"]}, "parent_svm": {"name": "svm1"}}
    body = {"name": name, "svm": {"name": "svm1"}, "clone": clone, "nas": {"path": f"/{name}"}}
    assert api.post("/api/storage/volumes?return_timeout=60", json=body).status_code == 201
    assert (emulator.namespace / name).is_dir()


def test_a_clone_of_another_svms_volume_has_no_path(api, make):
    other = f"svm_{uuid4().hex[:8]}"
    api.post("/api/svm/svms?return_timeout=60", json={"name": other})
    clone = {"is_flexclone": True, "parent_volume": {"name": make()["name"]}, "parent_svm": {"name": "svm1"}}
    body = {"name": "c", "svm": {"name": other}, "clone": clone, "nas": {"path": "/c"}}
    assert refused(api.post("/api/storage/volumes", json=body)) == (400, "1520442")
