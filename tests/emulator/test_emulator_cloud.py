"""What aggregates tier to, and what volumes are encrypted with."""

from __future__ import annotations

import pytest

PASSPHRASE = "a" * 64


def stores(api, aggregate):
    uuid = api.get(f"/api/storage/aggregates?name={aggregate}").json()["records"][0]["uuid"]
    return api.get(f"/api/storage/aggregates/{uuid}/cloud-stores?fields=*").json()["records"]


def test_only_the_second_aggregate_has_an_object_store(api):
    assert stores(api, "aggr1") == []
    (store,) = stores(api, "aggr2")
    assert (store["target"]["name"], store["availability"]) == ("cold_data", "available")
    path = store["_links"]["self"]["href"]
    assert api.get(path).json()["target"] == store["target"]
    assert api.get("/api/storage/aggregates/nowhere/cloud-stores").status_code == 404


def test_an_object_store_that_cannot_be_reached_says_so(api, emulator):
    emulator.control("PUT", "/cloud-stores", {"availability": "unavailable"})
    assert stores(api, "aggr2")[0]["availability"] == "unavailable"
    emulator.control("PUT", "/cloud-stores", {"availability": "available"})


@pytest.fixture
def manager(api):
    answer = api.post("/api/security/key-managers", json={"onboard": {"passphrase": PASSPHRASE}})
    assert answer.status_code == 201, answer.text
    place = answer.headers["location"]
    yield place
    api.delete(f"{place}?return_timeout=60")


def test_with_a_key_manager_volumes_are_encrypted_and_it_stays_while_one_is(api, make, manager):
    volume = make()
    place = f"/api/storage/volumes/{volume['uuid']}?return_timeout=60"
    assert api.patch(place, json={"encryption": {"enabled": True}}).status_code == 200
    shown = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=encryption").json()["encryption"]
    assert (shown["state"], shown["type"]) == ("encrypted", "volume")
    assert api.patch(place, json={"encryption": {"enabled": False}}).json()["error"]["code"] == "3"
    assert volume["name"] in api.delete(f"{manager}?return_timeout=60").json()["error"]["message"]
    move = {"movement": {"destination_aggregate": {"name": "aggr2"}}, "encryption": {"enabled": False}}
    assert api.patch(place, json=move).status_code == 200
    shown = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=encryption,movement").json()
    assert (shown["encryption"]["state"], shown["movement"]["state"]) == ("unencrypted", "success")
    assert "options" not in shown["movement"]


def test_there_is_one_key_manager_with_a_passphrase_of_some_length(api, manager):
    assert api.get(manager).json()["onboard"] == {"enabled": True}
    again = api.post("/api/security/key-managers", json={"onboard": {"passphrase": PASSPHRASE}})
    assert again.status_code == 409
    short = api.post("/api/security/key-managers", json={"onboard": {"passphrase": "short"}})
    assert short.json()["error"]["code"] == "65536900"
