"""Volumes that change their size: when they are told to, and by themselves when files fill or leave them."""

from __future__ import annotations

import pytest

MB = 1024**2


@pytest.fixture
def volume(make):
    return make(size=40 * MB, space={"snapshot": {"reserve_percent": 0}})


def patch(api, volume, **body):
    answer = api.patch(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60", json=body)
    return answer.json().get("error", {}).get("code", answer.status_code)


def shown(api, volume, fields):
    return api.get(f"/api/storage/volumes/{volume['uuid']}?fields={fields}").json()


def fill(emulator, volume, megabytes):
    with (emulator.namespace / volume["name"] / "filling").open("wb") as file:
        file.truncate(megabytes * MB)


def test_a_volume_is_not_shrunk_below_what_is_in_it(api, volume, emulator):
    fill(emulator, volume, 30)
    assert patch(api, volume, size=25 * MB) == "917534"
    assert patch(api, volume, size=35 * MB) == 200
    assert shown(api, volume, "size")["size"] == 35 * MB


def test_a_volume_that_is_nearly_full_grows_by_itself_and_no_further_than_its_maximum(api, volume, emulator):
    assert patch(api, volume, autosize={"mode": "grow", "maximum": 60 * MB}) == 200
    fill(emulator, volume, 30)
    assert shown(api, volume, "size")["size"] == 40 * MB, "below the threshold of 85 %"
    fill(emulator, volume, 35)
    grown = shown(api, volume, "size,space.percent_used")
    assert 41 * MB < grown["size"] < 60 * MB and grown["space"]["percent_used"] < 85
    fill(emulator, volume, 59)
    assert shown(api, volume, "size")["size"] == 60 * MB
    fill(emulator, volume, 1)
    assert shown(api, volume, "size")["size"] == 60 * MB, "the mode grow never shrinks"


def test_a_volume_that_is_nearly_empty_shrinks_to_its_minimum(api, volume, emulator):
    limits = {"mode": "grow_shrink", "maximum": 60 * MB, "minimum": 30 * MB}
    assert patch(api, volume, autosize=limits) == 200
    assert shown(api, volume, "size")["size"] == 30 * MB
    fill(emulator, volume, 29)
    assert 30 * MB < shown(api, volume, "size")["size"] <= 60 * MB


def test_no_volume_grows_beyond_its_aggregate(api, make, emulator):
    volume = make(size=40 * MB, space={"snapshot": {"reserve_percent": 0}})
    patch(api, volume, autosize={"mode": "grow", "maximum": 80 * MB})
    aggregate = api.get("/api/storage/aggregates?name=aggr1&fields=space.block_storage").json()["records"][0]
    block = aggregate["space"]["block_storage"]
    emulator.control("PUT", "/limits", {"aggregate_bytes": block["used"] + 2 * MB})
    fill(emulator, volume, 39)
    assert 40 * MB < shown(api, volume, "size")["size"] <= 42 * MB
    emulator.control("PUT", "/limits", {"aggregate_bytes": block["size"]})


def test_a_maximum_that_the_volume_has_outgrown_is_no_longer_one(api, volume):
    patch(api, volume, autosize={"maximum": 50 * MB})
    patch(api, volume, size=100 * MB)
    assert shown(api, volume, "autosize.maximum")["autosize"]["maximum"] == 120 * MB


def test_another_tiering_policy_has_its_own_cooling_days(api, volume):
    patch(api, volume, tiering={"policy": "auto", "min_cooling_days": 90})
    assert patch(api, volume, tiering={"policy": "snapshot_only"}) == 200
    assert shown(api, volume, "tiering.min_cooling_days")["tiering"]["min_cooling_days"] == 2


def test_any_saving_switches_efficiency_on_and_the_last_one_off(api, volume):
    patch(api, volume, efficiency={"compression": "both"})
    efficiency = shown(api, volume, "efficiency")["efficiency"]
    assert (efficiency["state"], efficiency["dedupe"]) == ("enabled", "background")
    patch(api, volume, efficiency={"compression": "none", "dedupe": "none"})
    assert shown(api, volume, "efficiency.state")["efficiency"]["state"] == "disabled"


def test_without_a_key_manager_no_volume_is_encrypted(api, volume, make):
    assert patch(api, volume, encryption={"enabled": True}) == "3"
    assert shown(api, volume, "encryption")["encryption"]["state"] == "unencrypted"
    body = {"name": f"{volume['name']}_e", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
    answer = api.post("/api/storage/volumes?return_timeout=60", json=body | {"encryption": {"enabled": True}})
    assert "no key manager is configured" in answer.json()["error"]["message"]
    assert api.get(f"/api/storage/volumes?name={body['name']}").json()["num_records"] == 0
