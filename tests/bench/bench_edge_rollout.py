"""What a roll-out to 25, 100 and 200 edge sites costs: seconds, requests to ONTAP, requests to servers.

    python -m tests.bench.bench_edge_rollout

Two emulators, a real MLflow, a small server for each site; a third of the sites each by FlexCache, SnapMirror and sync.
Measured is the second version, which finds volumes, caches and mirrors there. Ratios are of the cost for each site, 200
against 25, inside one run: at most 1 when nothing grows faster than linearly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.measured import stamp
from tests.inference_server.edge_world import EdgeWorld
from tests.ontap_mlops.conftest import Ontap, ontap, ontap_http, there  # noqa: F401

HOUSE = Path(__file__).resolve().parents[2]
NUMBERS = (25, 100, 200)
NOISE = 1.15  # of seconds, on a machine that does other work too; requests are counted


def main() -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--timeout=3600", __file__]
    return subprocess.run(command, cwd=HOUSE, env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}).returncode


def test_time_and_calls_grow_no_faster_than_linearly(
    ontap: Ontap,  # noqa: F811
    there: Ontap,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mlflow_connection: str,
) -> None:
    rows = [measured(ontap, there, tmp_path, monkeypatch, count) for count in NUMBERS]
    few, many = rows[0], rows[-1]
    costs = ("seconds", "ontap_requests", "server_loads")
    ratios = {name: round(many[name] / many["sites"] / (few[name] / few["sites"]), 3) for name in costs}
    report = {"rows": rows, "ratio_for_each_site": ratios}
    (HOUSE / "bench" / "edge_rollout.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    print(f"cost for each site, {many['sites']} against {few['sites']}: {ratios}; target at most 1")
    assert ratios["ontap_requests"] <= 1 and ratios["server_loads"] <= 1
    assert ratios["seconds"] <= NOISE


def measured(here: Ontap, there: Ontap, folder: Path, patch: pytest.MonkeyPatch, count: int) -> dict[str, float]:  # noqa: F811
    world = EdgeWorld(here, there, folder, patch, count)
    try:
        world.publish(1)
        assert world.roll_out().failures == {}
        version = world.publish(2)
        for cluster in (here, there):
            cluster.forget_requests()
        loads, begun = sum(server.loads for server in world.servers.values()), time.perf_counter()
        assert world.roll_out().failures == {}
        seconds = time.perf_counter() - begun
        assert set(world.serving().values()) == {version.version}
        requests = sum(len(cluster.control("GET", "/requests")["requests"]) for cluster in (here, there))
        loaded = sum(server.loads for server in world.servers.values()) - loads
        return {"sites": count, "seconds": round(seconds, 1), "ontap_requests": requests, "server_loads": loaded}
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
