"""A state of the cluster to come back to."""

from __future__ import annotations

import pytest

BODY = {"name": "v", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": "/v"}}


@pytest.fixture
def kept(emulator, api):
    """A volume with a file and a snapshot, which the cluster remembers."""
    emulator.control("POST", "/reset")
    uuid = made(api, BODY)
    (emulator.namespace / "v" / "one").write_bytes(b"first")
    assert api.post(f"/api/storage/volumes/{uuid}/snapshots?return_timeout=60", json={"name": "s"}).is_success
    assert emulator.control("PUT", "/bookmark") == {"kept": True}
    yield uuid
    emulator.control("POST", "/reset")


def made(api, body):
    assert api.post("/api/storage/volumes?return_timeout=60", json=body).status_code == 201
    return api.get("/api/storage/volumes", params={"name": body["name"]}).json()["records"][0]["uuid"]


def back(emulator):
    can = emulator.control("GET", "/bookmark")["kept"]
    assert emulator.control("POST", "/bookmark/return") == {"back": can}
    return can


def shown(api):
    query = {"fields": "*", "order_by": "name"}
    volumes = api.get("/api/storage/volumes", params=query).json()["records"]
    of_each = [api.get(f"/api/storage/volumes/{v['uuid']}/snapshots", params=query).json()["records"] for v in volumes]
    return volumes, of_each


def test_what_came_since_is_gone_and_what_was_changed_is_as_before(emulator, api, kept):
    before = shown(api)
    other = made(api, BODY | {"name": "w", "nas": {"path": "/w"}})
    assert api.post(f"/api/storage/volumes/{kept}/snapshots?return_timeout=60", json={"name": "t"}).is_success
    assert api.patch(f"/api/storage/volumes/{kept}?return_timeout=60", json={"comment": "changed"}).is_success
    assert api.patch(f"/api/storage/volumes/{kept}?return_timeout=60", json={"nas": {"path": ""}}).is_success
    emulator.control("PUT", "/clock", {"offset_s": 5000})
    emulator.control("PUT", "/jobs", {"mode": "reads", "value": 2})
    assert back(emulator)
    assert shown(api) == before
    assert (emulator.namespace / "v" / "one").read_bytes() == b"first"
    assert not (emulator.namespace / "w").exists()
    assert not (emulator.root / "volumes" / other).exists()
    assert emulator.control("GET", "/clock")["offset_s"] == 0
    assert emulator.control("GET", "/jobs")["mode"] == "immediate"
    assert back(emulator), "as often as one likes"


def test_a_file_that_changed_is_not_brought_back(emulator, api, kept):
    (emulator.namespace / "v" / "one").write_bytes(b"other")
    assert api.patch(f"/api/storage/volumes/{kept}?return_timeout=60", json={"comment": "changed"}).is_success
    assert not back(emulator)
    assert shown(api)[0][1]["comment"] == "changed", "then nothing is"


def test_a_volume_that_is_gone_is_not_brought_back(emulator, api, kept):
    assert api.delete(f"/api/storage/volumes/{kept}?return_timeout=60").is_success
    assert not back(emulator)


def test_nothing_is_kept_in_the_midst_of_a_job(emulator, api, kept):
    emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 3600})
    assert api.post("/api/storage/volumes", json=BODY | {"name": "w", "nas": {"path": "/w"}}).status_code == 202
    assert emulator.control("PUT", "/bookmark") == {"kept": False}
    assert not back(emulator)
