"""How long lists take, with few and with many other objects in the cluster.

    python -m tests.bench.bench_snapshots

First one volume's 1,000 snapshots with `fields=*`: with the volumes the emulator begins with, and with 2,000 more.
Then lists of a cluster with 200 volumes and 2,000 snapshots, and of one with ten times as many, 2,000 and 20,000:
pages of 100, one object by name, what is newer than a time, in order of names. Seconds are those of the processor that
the emulator takes, in the quickest of several rounds, so that what else this machine is doing counts little. The ratio
of the two is what the number of other objects costs; for the whole list, which returns ten times as much, it may be
ten.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulator import seed
from emulator.world import Config, World
from tests.bench.measured import stamp
from tests.conftest import Emulator

HOUSE = Path(__file__).resolve().parents[2]
SNAPSHOTS = 1_000
VOLUMES = 2_000
ROUNDS, ROUNDS_OF_ALL = 25, 5
SIZES = ((200, 2_000), (2_000, 20_000))
_ALL = "/api/storage/volumes/*/snapshots?fields=name,create_time,comment"
LISTS = {
    "page of volumes": "/api/storage/volumes?fields=*&max_records=100",
    "page of snapshots": f"{_ALL}&max_records=100",
    "ordered page of snapshots": f"{_ALL}&max_records=100&order_by=name desc",
    "volume by name": "/api/storage/volumes?name=v150&fields=*",
    "volumes by beginning of name": "/api/storage/volumes?name=v15*&fields=name&max_records=10",
    "snapshot by name": f"{_ALL}&name=s150_3",
    "snapshots newer than": f"{_ALL}&create_time=>=2199-01-01T00:00:00%2B00:00",
    "all snapshots": f"{_ALL}&return_timeout=0",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        volume = _prepared(root, lambda world, volume: _add_snapshots(world, volume, SNAPSHOTS))
        few = _quickest_s(root, volume)
        _prepared(root, lambda world, volume: _add_volumes(world, volume, VOLUMES))
        many = _quickest_s(root, volume)
    found = {"snapshots": SNAPSHOTS, "seconds_1_volume": round(few, 3), f"seconds_{VOLUMES}_volumes": round(many, 3)}
    found["ratio"] = round(many / few, 2)
    found = stamp() | found | {"lists": _lists()}
    (HOUSE / "bench" / "snapshots.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


def _lists() -> dict[str, dict[str, float]]:
    """Seconds for each list at both sizes, and their ratio."""
    taken = []
    for volumes, snapshots in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            _prepared(root, lambda world, volume, n=volumes, s=snapshots: _add_filled(world, volume, n, s))
            running = Emulator(root).start()
            try:
                with running.client() as api:
                    taken.append({name: _list_s(running, api, path) for name, path in LISTS.items()})
            finally:
                running.close()
    small, large = taken
    return {
        name: {
            "few": round(small[name], 4),
            "many": round(large[name], 4),
            "ratio": round(large[name] / small[name], 2),
        }
        for name in LISTS
    }


def _list_s(running: Emulator, api: Any, path: str) -> float:
    taken = []
    whole = "max_records" not in path
    for _ in range(ROUNDS_OF_ALL if whole else ROUNDS):
        start, following = _processor_s(running), path
        while following:
            answer = api.get(following).raise_for_status().json()
            following = (answer["_links"].get("next") or {}).get("href") if whole else None
        taken.append(_processor_s(running) - start)
    return min(taken)


def _processor_s(running: Emulator) -> float:
    """Seconds of the processor that all threads of the emulator have taken so far."""
    assert running.process
    return time.clock_gettime((~running.process.pid << 3) | 2)  # what clock_getcpuclockid gives, which Python has not


def _add_filled(world: World, volume: dict[str, Any], volumes: int, snapshots: int) -> None:
    """Volumes, each with as many snapshots."""
    _add_volumes(world, volume, volumes)
    for number, made in enumerate(world.store.find("volume")[1:]):
        _add_snapshots(world, made, snapshots // volumes, f"s{number}_")


def _prepared(root: Path, add: Callable[[World, dict[str, Any]], None]) -> str:
    """Records and directories made without REST, which would take minutes; returns the uuid of the root volume."""
    world = World(root, Config())
    seed.prepare(world, "secret")
    volume = world.store.find("volume")[0]
    with world.store.transaction():
        add(world, volume)
    world.jobs.stop()
    world.store.close()
    return volume["uuid"]


def _add_snapshots(world: World, volume: dict[str, Any], count: int, start: str = "s") -> None:
    facts: dict[str, Any] = {
        "comment": "",
        "label": None,
        "expiry_time": None,
        "lock_until": None,
        "owners": [],
        "size": 1,
    }
    facts |= {"volume": volume["uuid"], "svm": volume["svm"], "create_time": world.clock.iso()}
    for number in range(count):
        named = {"uuid": str(uuid4()), "name": f"{start}{number}", "version_uuid": str(uuid4())}
        world.dataplane.snapshot_dir(volume["uuid"], f"{start}{number}").mkdir()
        world.store.insert("snapshot", facts | named)


def _add_volumes(world: World, volume: dict[str, Any], count: int) -> None:
    for number in range(count):
        uuid = str(uuid4())
        for name in ("data", "snapshots", "modes"):
            (world.dataplane.volumes / uuid / name).mkdir(parents=True)
        world.store.insert("volume", volume | {"uuid": uuid, "name": f"v{number}", "junction": None})


def _quickest_s(root: Path, volume: str) -> float:
    running = Emulator(root).start()
    try:
        with running.client() as api:
            taken = []
            for _ in range(ROUNDS):
                start = _processor_s(running)
                answer = api.get(f"/api/storage/volumes/{volume}/snapshots?fields=*").json()
                taken.append(_processor_s(running) - start)
                assert answer["num_records"] == SNAPSHOTS
            return min(taken)
    finally:
        running.close()


if __name__ == "__main__":
    main()
