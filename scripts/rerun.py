"""Repeat a past training run exactly: same DAG, snapshot, parameters and seed; then the metrics beside each other.

python -m scripts.rerun r20261121t120000z0123abcd

The run key is in the summary of a demo, in the tags of the MLflow run and in the name of the model's folder. Exit code
1 when the metrics differ or the snapshot is gone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import httpx

from scripts.follow import RunFailed, follow
from scripts.services import Stack

RUN_KEY = re.compile(r"r\d{8}t\d{6}z[0-9a-f]{8}")
COMPARE = "compare_with_record"
TIMEOUT_S = 60


def dag_of(mlflow: str, run_key: str) -> str:
    """Return the id of the DAG that this run was of, as its MLflow run says. Raises RunFailed when MLflow has none."""
    for tags in _tags_of_runs(mlflow, run_key):
        if started_by := tags.get("airflow_run"):
            return started_by.partition("/")[0]
    raise RunFailed(
        f"MLflow at {mlflow} knows no training of run {run_key}; give the run key of a past training, which "
        "`make demo` prints and MLflow shows as the tag run_key."
    )


def _tags_of_runs(mlflow: str, run_key: str) -> Iterator[dict[str, str]]:
    """Experiments are asked for a page at a time: MLflow has no search over all of them."""
    with httpx.Client(base_url=f"{mlflow}/api/2.0/mlflow/", trust_env=False, timeout=TIMEOUT_S) as client:
        query: dict[str, Any] = {"max_results": 1000}
        while True:
            page = client.post("experiments/search", json=query).raise_for_status().json()
            if ids := [experiment["experiment_id"] for experiment in page.get("experiments", [])]:
                wanted = {"experiment_ids": ids, "filter": f"tags.run_key = '{run_key}'"}
                for run in client.post("runs/search", json=wanted).raise_for_status().json().get("runs", []):
                    yield {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
            if not page.get("next_page_token"):
                return
            query["page_token"] = page["next_page_token"]


def repeat(stack: Stack, run_key: str) -> str:
    """Run the training again and print the comparison; return the link to the new run. Raises RunFailed."""
    api, dag_id = stack.airflow_api(), dag_of(stack.urls["mlflow"], run_key)
    api.unpause(dag_id)
    run_id = api.trigger(dag_id, {"repeat_run": run_key})
    follow(api, dag_id, run_id)
    print(json.dumps(api.xcom(dag_id, run_id, COMPARE), indent=2))
    return api.run_link(dag_id, run_id)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_key")
    parser.add_argument("--local", help="folder of the services (default: .local)")
    options = parser.parse_args()
    if not RUN_KEY.fullmatch(options.run_key):
        asked = f"{options.run_key!r} is not a run key. " if options.run_key else ""
        example = "make rerun RUN=r20261121t120000z0123abcd"
        print(f"{asked}Say which run, such as {example}; `make demo` prints its key.", file=sys.stderr)
        return 2
    stack = Stack(options.local)
    try:
        stack.up()
        print(repeat(stack, options.run_key))
    except (RunFailed, RuntimeError, httpx.HTTPError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
