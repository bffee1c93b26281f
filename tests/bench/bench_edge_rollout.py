"""What a roll-out to 25, 100 and 200 edge sites costs: seconds, calls, loads of the servers.

    python -m tests.bench.bench_edge_rollout

Two emulators, a real MLflow, a small server for each site; a third of the sites each by FlexCache, SnapMirror and sync.
Measured is the second version, which finds volumes, caches and mirrors there. Calls are all HTTP requests of the tasks,
to ONTAP, MLflow and the servers. Ratios are of the cost for each site, 200 against 25, inside one run: at most 1 when
nothing grows faster than linearly. Of seconds, those of the processor are judged, which do not grow with what else the
machine does.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from tests.bench.measured import stamp  # noqa: E402
from tests.inference_server.edge_world import EdgeWorld  # noqa: E402
from tests.ontap_mlops.conftest import Ontap, ontap, ontap_http, there  # noqa: E402, F401

NUMBERS = (25, 100, 200)
NOISE = 1.15  # of seconds, and of calls: a transfer that takes longer is looked at more often


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
    costs = ("cpu_seconds", "calls", "loads")
    ratios = {name: round(many[name] / many["sites"] / (few[name] / few["sites"]), 3) for name in costs}
    report = {"rows": rows, "ratio_for_each_site": ratios}
    (HOUSE / "bench" / "edge_rollout.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    print(f"cost for each site, {many['sites']} against {few['sites']}: {ratios}; target at most 1")
    assert ratios["loads"] <= 1
    assert ratios["calls"] <= NOISE and ratios["cpu_seconds"] <= NOISE


def measured(here: Ontap, there: Ontap, folder: Path, patch: pytest.MonkeyPatch, count: int) -> dict[str, float]:  # noqa: F811
    world = EdgeWorld(here, there, folder, patch, count)
    try:
        world.publish(1)
        assert world.roll_out().failures == {}
        version = world.publish(2)
        loads = sum(server.loads for server in world.servers.values())
        with counted(patch) as calls:
            begun, spent = time.perf_counter(), time.process_time()
            assert world.roll_out().failures == {}
            seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
        assert set(world.serving().values()) == {version.version}
        loaded = sum(server.loads for server in world.servers.values()) - loads
        costs = {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 2), "calls": len(calls), "loads": loaded}
        return {"sites": count, **costs}
    finally:
        world.close()


@contextlib.contextmanager
def counted(patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The addresses of all requests that this process makes in the block, through the library that every hook uses."""
    calls: list[str] = []
    send = HTTPAdapter.send

    def counting(self: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(request.url)
        return send(self, request, *args, **kwargs)

    with patch.context() as only_here:
        only_here.setattr(HTTPAdapter, "send", counting)
        yield calls


if __name__ == "__main__":
    sys.exit(main())
