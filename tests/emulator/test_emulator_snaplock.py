"""The compliance clock, and what locks of snapshots need and refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

CLOCKS = "/api/storage/snaplock/compliance-clocks"
VOLUMES = "/api/storage/volumes"
WAIT = {"return_timeout": 20}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """An emulator of its own: a compliance clock is set once."""
    from tests.conftest import Emulator

    running = Emulator(tmp_path_factory.mktemp("snaplock") / "ontap").start()
    yield running
    running.close()


@pytest.fixture
def system(own):
    with own.client() as http:
        http.post("/emulator/reset").raise_for_status()
        yield http


def code(answer) -> str:
    return answer.json()["error"]["code"]


def made(system, name: str = "v", **more) -> str:
    body = {"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "size": "1GB"} | more
    answer = system.post(VOLUMES, params=WAIT | {"return_records": "true"}, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["records"][0]["uuid"]


def set_clock(system) -> None:
    node = system.get("/api/cluster/nodes").json()["records"][0]
    assert system.post(CLOCKS, json={"node": {"name": node["name"]}}).status_code == 201


def lock(system, volume: str, until: datetime):
    body = {"name": "s", "snaplock": {"expiry_time": until.isoformat()}}
    return system.post(f"{VOLUMES}/{volume}/snapshots", params=WAIT, json=body)


def test_the_clock_is_set_once_and_tells_the_time(system):
    assert system.get(CLOCKS).json()["num_records"] == 0
    set_clock(system)
    (clock,) = system.get(CLOCKS, params={"fields": "*"}).json()["records"]
    assert abs(datetime.fromisoformat(clock["time"]) - datetime.now(UTC)) < timedelta(minutes=2)
    again = system.post(CLOCKS, json={"node": {"uuid": clock["node"]["uuid"]}})
    assert (again.status_code, code(again)) == (409, "13763062")
    assert code(system.post(CLOCKS, json={"node": {"name": "nobody"}})) == "14090240"


def test_locking_needs_a_clock_and_no_tiering_and_stays(system):
    volume = made(system)
    on = {"snapshot_locking_enabled": True}
    assert code(system.patch(f"{VOLUMES}/{volume}", params=WAIT, json=on)) == "13763141"
    set_clock(system)
    tiered = made(system, "tiered", tiering={"policy": "auto"})
    assert code(system.patch(f"{VOLUMES}/{tiered}", params=WAIT, json=on)) == "6619599"
    assert system.patch(f"{VOLUMES}/{volume}", params=WAIT, json=on).status_code == 200
    off = system.patch(f"{VOLUMES}/{volume}", params=WAIT, json={"snapshot_locking_enabled": False})
    assert code(off) == "14090537"
    assert code(system.patch(f"{VOLUMES}/{volume}", params=WAIT, json={"tiering": {"policy": "all"}})) == "6619599"


def test_a_lock_is_ignored_where_locking_is_off_and_kept_where_it_is_on(system):
    volume, until = made(system), datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    assert lock(system, volume, until).status_code == 201
    (found,) = system.get(f"{VOLUMES}/{volume}/snapshots", params={"fields": "*"}).json()["records"]
    assert "snaplock" not in found
    set_clock(system)
    locked = made(system, "locked", snapshot_locking_enabled=True)
    assert code(lock(system, locked, datetime.now(UTC) - timedelta(hours=1))) == "1638539"
    assert lock(system, locked, until).status_code == 201
    (found,) = system.get(f"{VOLUMES}/{locked}/snapshots", params={"fields": "*"}).json()["records"]
    assert datetime.fromisoformat(found["snaplock"]["expiry_time"]) == until
    path = f"{VOLUMES}/{locked}/snapshots/{found['uuid']}"
    earlier = {"snaplock": {"expiry_time": (until - timedelta(days=1)).isoformat()}}
    assert code(system.patch(path, params=WAIT, json=earlier)) == "6619594"
    assert code(system.delete(path, params=WAIT)) == "1638555"
    assert system.delete(f"{VOLUMES}/{locked}", params=WAIT).status_code >= 400
    system.put("/emulator/clock", json={"offset_s": 3 * 86400}).raise_for_status()
    assert system.delete(path, params=WAIT).status_code == 200
    system.put("/emulator/clock", json={"offset_s": 0}).raise_for_status()
