"""What one of this project's tasks costs beyond an empty task, through the real scheduler, both in turns in one run.

    python tests/bench/bench_overhead.py

Two DAGs of equal length (tests/bench/dags/overhead.py): empty Python tasks, and snapshot operators that find their
snapshot already there. A figure is a whole DAG run's seconds divided by its tasks, the median of several runs.
Target: at most 1.15.
"""

from __future__ import annotations

import argparse
import json
import ssl
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from scripts.embedded.layout import ROOT  # noqa: E402
from scripts.follow import follow  # noqa: E402
from scripts.services import Stack  # noqa: E402

TARGET = 1.15
LENGTH = 8
DAGS = ("overhead_empty", "overhead_ontap")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "overhead.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-bench-") as folder:
        stack = Stack(
            Path(folder) / "local", settings={"AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "tests" / "bench" / "dags")}
        )
        try:
            stack.up(services=["ontap", "airflow"])
            prepare(stack)
            taken: dict[str, list[float]] = {dag_id: [] for dag_id in DAGS}
            for round_ in range(options.rounds + 1):  # the first one warms the workers up and does not count
                for dag_id in DAGS:
                    seconds = run(stack, dag_id)
                    if round_:
                        taken[dag_id].append(seconds / LENGTH)
        finally:
            stack.down()
    report(taken, options.output)
    return 0


def prepare(stack: Stack) -> None:
    """The volume whose snapshot the operators find; the first run makes the snapshot itself."""
    import httpx

    from scripts.embedded import secrets

    body = {"name": "models", "svm": {"name": "svm1"}, "size": 10**9, "aggregates": [{"name": "aggr1"}]}
    with httpx.Client(
        base_url=stack.urls["ontap"],
        auth=("admin", secrets.get(stack.layout, secrets.ONTAP_ADMIN)),
        verify=ssl.create_default_context(cafile=stack.layout.ontap_ca),
        trust_env=False,
    ) as ontap:
        ontap.post("/api/storage/volumes", params={"return_timeout": 30}, json=body).raise_for_status()
    api, deadline = stack.airflow_api(), time.monotonic() + 90
    while any(api.dag(dag_id) is None for dag_id in DAGS) and time.monotonic() < deadline:
        time.sleep(1)
    for dag_id in DAGS:
        api.unpause(dag_id)


def run(stack: Stack, dag_id: str) -> float:
    """Seconds from the start of the run's first task to the end of its last."""
    api = stack.airflow_api()
    run_id = api.trigger(dag_id)
    follow(api, dag_id, run_id)
    tasks = api.tasks(dag_id, run_id)
    began = min(datetime.fromisoformat(task["start_date"]) for task in tasks)
    ended = max(datetime.fromisoformat(task["end_date"]) for task in tasks)
    return (ended - began).total_seconds()


def report(taken: dict[str, list[float]], output: Path) -> None:
    medians = {dag_id: statistics.median(values) for dag_id, values in taken.items()}
    ratio = medians["overhead_ontap"] / medians["overhead_empty"]
    for dag_id, values in taken.items():
        print(f"{dag_id:<16} {medians[dag_id]:.3f} s a task  (runs: {', '.join(f'{v:.3f}' for v in values)})")
    print(f"ratio {ratio:.2f}; target at most {TARGET}: {'met' if ratio <= TARGET else 'missed'}")
    rows = [
        {"what": d, "seconds_per_task": round(medians[d], 4), "runs": [round(v, 4) for v in taken[d]]} for d in taken
    ]
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({"target_ratio": TARGET, "ratio": round(ratio, 3), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
