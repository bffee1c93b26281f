"""How long the list of a volume's snapshots takes, with few and with many other volumes in the cluster.

    python -m tests.bench.bench_snapshots

One emulator, 1,000 snapshots, `fields=*`: once with the volumes it begins with, once with 2,000 more. The ratio of the
two is what the number of volumes costs, whatever else this machine is doing.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulator import seed
from emulator.world import Config, World
from tests.conftest import Emulator

HOUSE = Path(__file__).resolve().parents[2]
SNAPSHOTS = 1_000
VOLUMES = 2_000
ROUNDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        volume = _prepared(root, lambda world, volume: _add_snapshots(world, volume, SNAPSHOTS))
        few = _median_s(root, volume)
        _prepared(root, lambda world, volume: _add_volumes(world, volume, VOLUMES))
        many = _median_s(root, volume)
    found = {"snapshots": SNAPSHOTS, "seconds_1_volume": round(few, 3), f"seconds_{VOLUMES}_volumes": round(many, 3)}
    found["ratio"] = round(many / few, 2)
    (HOUSE / "bench" / "snapshots.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found))


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


def _add_snapshots(world: World, volume: dict[str, Any], count: int) -> None:
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
        named = {"uuid": str(uuid4()), "name": f"s{number}", "version_uuid": str(uuid4())}
        world.dataplane.snapshot_dir(volume["uuid"], f"s{number}").mkdir()
        world.store.insert("snapshot", facts | named)


def _add_volumes(world: World, volume: dict[str, Any], count: int) -> None:
    for number in range(count):
        uuid = str(uuid4())
        for name in ("data", "snapshots", "modes"):
            (world.dataplane.volumes / uuid / name).mkdir(parents=True)
        world.store.insert("volume", volume | {"uuid": uuid, "name": f"v{number}", "junction": None})


def _median_s(root: Path, volume: str) -> float:
    running = Emulator(root).start()
    try:
        with running.client() as api:
            taken = []
            for _ in range(ROUNDS):
                start = time.monotonic()
                answer = api.get(f"/api/storage/volumes/{volume}/snapshots?fields=*").json()
                taken.append(time.monotonic() - start)
                assert answer["num_records"] == SNAPSHOTS
            return statistics.median(taken)
    finally:
        running.close()


if __name__ == "__main__":
    main()
