"""Lists that are read no further than needed: what they cost, and that they are the same as if all had been read."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import seed, store
from emulator.auth import User
from emulator.errors import OntapError
from emulator.reading import Records
from emulator.rest import Call, many
from emulator.snapshots.handlers import list_snapshots
from emulator.snapshots.state import SNAPSHOT
from emulator.world import Config, World

VOLUME = "00000000-0000-0000-0000-00000000000"


@pytest.fixture
def world(tmp_path):
    yield from started(tmp_path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """With 300 snapshots, which nobody changes."""
    for made in started(tmp_path_factory.mktemp("world")):
        fill(made, 300)
        yield made


def started(folder):
    made = World(folder / "root", Config())
    seed.prepare(made, "secret")
    yield made
    made.jobs.stop()
    made.store.close()


def fill(world: World, count: int) -> None:
    """Snapshots of ten volumes, with names that do not come in the order of creation."""
    svm = world.store.find("svm")[0]
    facts = {"label": None, "expiry_time": None, "lock_until": None, "owners": [], "size": 1}
    facts |= {"svm": {"name": svm["name"], "uuid": svm["uuid"]}}
    with world.store.transaction():
        for number in range(count):
            named = {
                "name": f"s{number * 7919 % count:05}",
                "comment": f"c{number % 3}",
                "volume": f"{VOLUME}{number % 10}",
            }
            ids = {"uuid": f"{number:08}", "version_uuid": f"w{number}"}
            made = f"2026-01-{number * 27 // count + 1:02}T00:00:00+00:00"
            world.store.insert("snapshot", facts | named | ids | {"create_time": made})


def listed(world: World, records: Any = None, **query: str) -> list[str]:
    """Names of one page."""
    return [record["name"] for record in answer(world, records, **query)["records"]]


def answer(world: World, records: Any = None, **query: str) -> dict[str, Any]:
    arguments = {name.replace("__", "."): value for name, value in query.items()}
    call = Call("GET", "/storage/volumes/*/snapshots", {}, arguments, {}, User("admin", "admin"), world)
    body = many(call, SNAPSHOT, Records(world.store, "snapshot") if records is None else records).body
    assert body is not None
    return body


QUERIES: list[dict[str, str]] = [
    {},
    {"name": "s00007"},
    {"name": "s00007|s00031"},
    {"name": "s0001*"},
    {"name": "*7"},
    {"name": "!s00007"},
    {"name": "s00010..s00020"},
    {"volume__uuid": f"{VOLUME}3"},
    {"volume__uuid": f"{VOLUME}3", "comment": "c1"},
    {"create_time": ">=2026-01-20T00:00:00+00:00"},
    {"create_time": ">2026-01-20T00:00:00+00:00"},
    {"create_time": "<2026-01-05T00:00:00Z"},
    {"create_time": "2026-01-05T00:00:00Z"},
    {"create_time": "2026-01-05T01:00:00+01:00"},
    {"uuid": "00000005"},
    {"name": "null"},
    {"query": "*9*", "query_fields": "name"},
]
ORDERS = ["", "name", "name desc", "create_time desc", "comment,name desc", "size"]


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("order", ORDERS)
def test_a_list_read_in_parts_is_the_same_as_one_read_whole(filled, query: dict[str, str], order: str) -> None:
    world = filled
    asked = query | ({"order_by": order} if order else {})
    whole = listed(world, world.store.find("snapshot"), **asked)
    assert listed(world, **asked) == whole
    paged, start = [], {}
    while True:
        page = answer(world, max_records="41", **asked, **start)
        paged += [record["name"] for record in page["records"]]
        if "next" not in page["_links"]:
            break
        start = {"start__key": page["_links"]["next"]["href"].partition("start.key=")[2].replace("%3D", "=")}
    assert paged == whole


def test_what_has_no_value_comes_last_or_first(world) -> None:
    fill(world, 30)
    for uuid in ("00000003", "00000017"):
        world.store.update("snapshot", uuid, create_time=None)
    for order in ("create_time", "create_time desc"):
        whole = listed(world, world.store.find("snapshot"), order_by=order)
        assert listed(world, order_by=order) == whole
        seen: list[str] = []
        start: dict[str, str] = {}
        for _ in range(30):
            page = answer(world, max_records="1", order_by=order, **start)
            seen += [record["name"] for record in page["records"]]
            start = {"start__key": str(page["_links"].get("next", {}).get("href", "")).partition("start.key=")[2]}
            start = {key: value.replace("%3D", "=") for key, value in start.items()}
        assert seen == whole


@pytest.mark.parametrize("token", ["x", "WzFd", "WyJhIiwgImIiXQ==", "W251bGwsIDEuNV0=", "e30=", "W1tdLCAxXQ=="])
def test_a_start_key_that_is_none_is_refused(world, token: str) -> None:
    fill(world, 5)
    with pytest.raises(OntapError, match="start.key"):
        answer(world, order_by="name", start__key=token)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"order_by": "name"},
        {"order_by": "name desc"},
        {"name": "s00017"},
        {"create_time": ">=2026-01-27T00:00:00+00:00"},
    ],
    ids=str,
)
def test_a_page_reads_no_more_records_of_a_large_cluster_than_of_a_small_one(world, monkeypatch, query) -> None:
    read: list[int] = []
    original = store._record
    monkeypatch.setattr(store, "_record", lambda row: read.append(1) or original(row))

    def cost() -> int:
        read.clear()
        listed(world, max_records="10", fields="name,comment,owners,create_time", **query)
        return len(read)

    fill(world, 400)
    few = cost()
    world.store._db.execute("DELETE FROM records WHERE kind = 'snapshot'")
    fill(world, 4_000)
    assert cost() <= few + 200, "a chunk more at most"


def test_snapshots_of_one_volume_by_its_name_cost_no_look_at_those_of_others(world, monkeypatch) -> None:
    read: list[int] = []
    original = store._record
    monkeypatch.setattr(store, "_record", lambda row: read.append(1) or original(row))
    root = world.store.find("volume")[0]
    for number in range(10):
        world.store.insert("volume", root | {"uuid": f"{VOLUME}{number}", "name": f"data{number}", "junction": None})
    fill(world, 4_000)
    read.clear()
    query = {"volume.name": "data7", "fields": "name"}
    call = Call("GET", "/storage/volumes/*/snapshots", {"volume.uuid": "*"}, query, {}, User("admin", "admin"), world)
    answered = list_snapshots(call).body
    assert answered is not None and answered["num_records"] == 400
    assert len(read) < 1_000


def test_an_order_is_read_from_the_index(world) -> None:
    plan = world.store._db.execute(
        f"EXPLAIN QUERY PLAN SELECT seq FROM records WHERE kind = ? AND {store._column('name')} IS NOT NULL "
        f"ORDER BY {store._column('name')}, seq LIMIT 10",
        ("snapshot",),
    ).fetchall()
    assert "USING" in str(plan) and "TEMP B-TREE" not in str(plan)
