"""Run inside the empty environment: DAGs of examples/ in one process, as `airflow dags test` would.

python run_examples.py EXAMPLES [DAG_ID ...]

In the order of their names, so that the one that waits for an asset finds the event that an earlier one has made.
Prints one line for each with its state.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from airflow.dag_processing.dagbag import DagBag


def main(folder: str, wanted: list[str]) -> int:
    bag = DagBag(folder)
    if bag.import_errors:
        print(bag.import_errors)
        return 1
    failed = 0
    for dag_id in wanted or sorted(bag.dags):
        run = bag.dags[dag_id].test(logical_date=datetime.now(UTC))
        print(f"RESULT {dag_id} {run.state}", flush=True)
        failed += run.state != "success"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
