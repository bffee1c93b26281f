"""What 10, 100 and 1,000 watched datasets cost: requests for each look, seconds to look and to tell, seconds to parse.

    python -m tests.bench.bench_watchers

One emulator with a volume for each dataset; watchers run on the triggerer's own shared streams. For every number a new
snapshot is made in each of them: the look that finds them all and hands each event to its asset is measured. Parsed is
`dags/ingest.py` with that many entries. Ratios are of the cost for each dataset, 1,000 against 10, inside one run:
at most 1 when nothing grows faster than linearly.
"""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow.triggers.shared_stream import SharedStreamManager

from emulator import seed
from emulator.world import Config, World
from ontap_mlops import assets, registry, settings
from ontap_mlops.triggers import watching
from tests.bench.measured import stamp
from tests.conftest import Emulator

HOUSE = Path(__file__).resolve().parents[2]
NUMBERS = (10, 100, 1000)
INTERVAL_S = 5.0
ROUNDS = 3
LIMIT_S = 300.0


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        rows = [{"watched": n, **looked(Path(folder) / f"root{n}", n), **parsed(Path(folder), n)} for n in NUMBERS]
    few, many = rows[0], rows[-1]
    each = {name: [row[f"{name}_s"] / row["watched"] for row in (few, many)] for name in COSTS}
    ratios = {name: round(of_many / of_few, 3) for name, (of_few, of_many) in each.items()}
    report = {"unit": "s", "interval_s": INTERVAL_S, "rows": rows, "ratio_for_each_dataset": ratios}
    (HOUSE / "bench" / "watchers.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    print(f"cost for each dataset, {many['watched']} against {few['watched']}: {ratios}; target at most 1")
    return 0 if all(row["requests_each_look"] == 1 for row in rows) else 1


COSTS = ("look", "tell", "parse")


def looked(root: Path, count: int) -> dict[str, Any]:
    _prepare(root, count)
    running = Emulator(root).start()
    try:
        os.environ["AIRFLOW_CONN_ONTAP_DEFAULT"] = _connection(running)
        return asyncio.run(_measured(running, count))
    finally:
        running.close()


async def _measured(running: Emulator, count: int) -> dict[str, Any]:
    """Watch, make a snapshot everywhere, and time the look and the way of its events to their assets."""
    watching.STORED_AFTER_S = 0.0
    told: Counter[str] = Counter()
    took: list[float] = []
    streams, triggers = SharedStreamManager(), [_trigger(number) for number in range(count)]
    look = watching.OntapEventTrigger.look

    def timed(arguments: Any, since: Any) -> Any:
        begun = time.perf_counter()
        found = look(arguments, since)
        took.append(time.perf_counter() - begun)
        return found

    watching.OntapEventTrigger.look = timed  # type: ignore[method-assign, assignment]

    async def watch(number: int, trigger: Any) -> None:
        stream = streams.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
        async for event in trigger.filter_shared_stream(stream):
            told[event.payload["id"]] += 1

    tasks = [asyncio.create_task(watch(*pair)) for pair in enumerate(triggers)]
    try:
        await _until(lambda: len(took) >= 1)
        running.control("DELETE", "/requests")
        looks_before = len(took)
        await _until(lambda: len(took) >= looks_before + 2)
        asked = [r for r in running.control("GET", "/requests")["requests"] if r["path"].startswith("/api/")]
        requests = len(asked) / (len(took) - looks_before)
        before = cluster_now()
        await asyncio.to_thread(_snapshots, running, count)
        await _until(lambda: told.total() >= count)
        if len(told) != count or told.total() != count:
            raise RuntimeError(f"{told.total()} events told, {len(told)} of them different, for {count} snapshots")
        where = triggers[0].serialize()[1]
        look_s = [_look_s(look, where, before, count) for _ in range(ROUNDS)]
        tell_s = [_distribution_s(triggers, count) for _ in range(ROUNDS * max(NUMBERS) // count)]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        watching.OntapEventTrigger.look = look  # type: ignore[method-assign]
    return {
        "requests_each_look": requests,
        "look_s": round(min(look_s), 4),
        "tell_s": round(min(tell_s), 4),
    }


def cluster_now() -> datetime:
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import cluster

    with OntapHook().client() as client:
        return cluster.now(client)


def _look_s(look: Any, where: dict[str, Any], since: datetime, count: int) -> float:
    begun = time.perf_counter()
    found = look(where, since)
    took = time.perf_counter() - begun
    if len(found.events) < count:
        raise RuntimeError(f"a look brought {len(found.events)} of {count} snapshots")
    return took


def _distribution_s(triggers: list[Any], count: int) -> float:
    """Time for every watcher to find its own among the events of one look of which each has one."""
    from ontap_mlops.ontap.events import Event
    from ontap_mlops.ontap.snapshots import Snapshot
    from ontap_mlops.triggers.memory import Memory

    now = datetime.now(UTC)
    events = []
    for n in range(count):
        snapshot = Snapshot(uuid=uuid4().hex, name="s", volume_uuid=str(n), created_at=now.isoformat())
        at = {"svm": "svm1", "volume": f"data{n}", "facts": {"snapshot": "s"}}
        events.append(Event(id=str(n), at=now, snapshot=snapshot, **at))

    async def all_of_them() -> int:
        look = watching.Look(until=now, events=events, default_svm="svm1")
        return sum([len(await trigger.news(look, Memory("snapshot"))) for trigger in triggers])

    begun = time.process_time()
    if _run(all_of_them()) != count:
        raise RuntimeError("an event was credited to no asset, or to several")
    return time.process_time() - begun


def _run(coroutine: Any) -> int:
    """Drive a coroutine that never waits to its end, inside a running loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return int(end.value)
    raise RuntimeError("it waits")


def parsed(folder: Path, count: int) -> dict[str, Any]:
    config = folder / f"config{count}"
    config.mkdir()
    entries = [f"  data{n}: {{source: s3://lake/{n}/, volume: data{n}, watch: true}}\n" for n in range(count)]
    (config / "datasets.yaml").write_text("datasets:\n" + "".join(entries))
    os.environ[settings.variable("config_dir")] = str(config)
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        runpy.run_path(str(HOUSE / "dags" / "ingest.py"))
        taken.append(time.process_time() - begun)
    return {"parse_s": round(min(taken), 4)}


def _trigger(number: int) -> Any:
    entry = {"name": f"data{number}", "source": f"s3://lake/{number}/", "volume": f"data{number}"}
    entry["watch"] = {"adopt": "*", "every_s": INTERVAL_S}  # type: ignore[assignment]
    return assets.dataset_asset(registry.as_dataset(entry)).watchers[0].trigger


def _prepare(root: Path, count: int) -> None:
    """Volumes made without REST, which would take minutes."""
    world = World(root, Config())
    seed.prepare(world, "secret")
    first = world.store.find("volume")[0]
    with world.store.transaction():
        for number in range(count):
            uuid = str(uuid4())
            for name in ("data", "snapshots", "modes"):
                (world.dataplane.volumes / uuid / name).mkdir(parents=True)
            world.store.insert("volume", first | {"uuid": uuid, "name": f"data{number}", "junction": None})
    world.jobs.stop()
    world.store.close()


def _snapshots(running: Emulator, count: int) -> None:
    with running.client() as api:
        listed = api.get("/api/storage/volumes?fields=uuid,name&name=data*&max_records=9999").json()["records"]
        for volume in listed[:count]:
            path = f"/api/storage/volumes/{volume['uuid']}/snapshots?return_timeout=15"
            api.post(path, json={"name": f"s{uuid4().hex[:8]}"}).raise_for_status()


def _connection(running: Emulator) -> str:
    facts = {"conn_type": "ontap", "host": running.host, "port": running.port, "login": running.user}
    return json.dumps(facts | {"password": running.password, "extra": {"verify": running.ca, "svm": "svm1"}})


async def _until(condition: Any) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the watchers did not see what they were to see")
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
