"""How fast the data hub paints with 1,000 datasets of 300 versions each.

    python -m scripts.bench hub

An emulator with as many volumes and snapshots, a real Airflow API server, and Chromium. For each page: the first answer
of the server, when nothing is kept; the best of several later ones; and when Chromium has painted the page inside
Airflow's frame, counted from the frame's own navigation. Requests to ONTAP are counted by the emulator.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from emulator import seed  # noqa: E402
from emulator.world import Config, World  # noqa: E402
from ontap_mlops import names, settings  # noqa: E402
from scripts import browser as chromium  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402
from tests.conftest import Emulator  # noqa: E402
from tests.docker.airflow_here import AirflowHere  # noqa: E402

DATASETS, VERSIONS = 1000, 300
ROUNDS = 5
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
TARGET_S = 1.0


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        house = Path(folder)
        _prepare(house / "ontap")
        running = Emulator(house / "ontap").start()
        airflow = AirflowHere(_made(house / "airflow"), _variables(house, running))
        try:
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=airflow.variables,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            airflow.start()
            rows = measured(airflow, running)
        finally:
            airflow.stop()
            running.close()
    report = {"unit": "s", "datasets": DATASETS, "versions": VERSIONS, "target_s": TARGET_S, "rows": rows}
    (HOUSE / "bench" / "hub.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


def measured(airflow: AirflowHere, running: Emulator) -> list[dict[str, Any]]:
    version = names.version_id(FIRST, f"{0:064x}")
    pages = {
        "datasets": "/",
        "datasets, last page": f"/?page={DATASETS // 25}",
        "a dataset": "/datasets/data7",
        "a version": f"/datasets/data8/versions/{version}",
        "storage": "/storage",
    }
    rows = []
    with airflow.client("viewer") as client:
        client.get("/ontap/json").raise_for_status()  # the application's own modules are imported by then
        for name, path in pages.items():
            running.control("DELETE", "/requests")
            first = _answered(client, path)
            asked = [r for r in running.control("GET", "/requests")["requests"] if r["path"].startswith("/api/")]
            later = min(_answered(client, path) for _ in range(ROUNDS))
            rows.append({"page": name, "first_s": first, "later_s": later, "requests": len(asked)})
    with chromium.browser() as browser:
        page = chromium.open_page(browser, airflow.url)
        chromium.enter(page, "viewer", airflow.passwords["viewer"])
        for row, path in zip(rows, pages.values(), strict=True):
            row["painted_s"] = min(_painted(page, path) for _ in range(ROUNDS))
    return rows


def _answered(client: httpx.Client, path: str) -> float:
    begun = time.perf_counter()
    client.get(f"/ontap{path}").raise_for_status()
    return round(time.perf_counter() - begun, 3)


def _painted(page: Any, path: str) -> float:
    page.goto(f"/plugin/data-hub/ontap{path}")
    frame = page.frame_locator("iframe[title='Data hub']")
    frame.get_by_role("heading", level=1).wait_for()
    asked = "() => performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)"
    deadline = time.monotonic() + 60
    while not (times := frame.locator("html").evaluate(asked)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Chromium has painted nothing of {path}")
        time.sleep(0.05)
    return round(times[0] / 1000, 3)


def _prepare(root: Path) -> None:
    """Volumes and snapshots made without REST, which would take an hour."""
    world = World(root, Config())
    seed.prepare(world, "secret")
    first = world.store.find("volume")[0]
    with world.store.transaction():
        for number in range(DATASETS):
            uuid = str(uuid4())
            (world.dataplane.volumes / uuid / "data").mkdir(parents=True)
            volume = {"uuid": uuid, "name": f"data{number}", "junction": None}
            world.store.insert("volume", first | volume)
            for version in range(VERSIONS):
                world.store.insert("snapshot", _snapshot(first["svm"], uuid, number, version))
    world.jobs.stop()
    world.store.close()


def _snapshot(svm: str, volume: str, dataset: int, version: int) -> dict[str, Any]:
    at, digest = FIRST + timedelta(hours=version), f"{version:064x}"
    facts = {
        "dataset": f"data{dataset}",
        "digest": f"sha256:{digest}",
        "files": 100 + version,
        "bytes": 10**6 + version,
    }
    return {
        "uuid": str(uuid4()),
        "name": names.snapshot(names.version_id(at, digest)),
        "comment": json.dumps({**facts, "run": "r1", "source": "s3://lake/"}, separators=(",", ":")),
        "label": None,
        "expiry_time": None,
        "lock_until": None,
        "owners": [],
        "volume": volume,
        "svm": svm,
        "create_time": at.isoformat(),
        "size": 4096,
        "version_uuid": hashlib.md5(digest.encode(), usedforsecurity=False).hexdigest(),
    }


def _variables(house: Path, running: Emulator) -> dict[str, str]:
    config = _made(house / "config")
    lines = [f'  data{n}: {{source: "s3://lake/{n}/", volume: data{n}}}' for n in range(DATASETS)]
    (config / "datasets.yaml").write_text("datasets:\n" + "\n".join(lines) + "\n")
    facts = {"conn_type": "ontap", "host": running.host, "port": running.port, "login": running.user}
    extra = {"verify": running.ca, "svm": running.svm}
    return {
        settings.variable("config_dir"): str(config),
        "AIRFLOW__CORE__DAGS_FOLDER": str(_made(house / "dags")),
        "AIRFLOW_CONN_ONTAP_DEFAULT": json.dumps({**facts, "password": running.password, "extra": extra}),
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(main())
