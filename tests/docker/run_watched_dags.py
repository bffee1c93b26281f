"""Make Airflow's database and run the DAGs ``watched_*`` of a folder in it, in one process.

python run_watched_dags.py FOLDER RESULTS

The DAGs are kept in the database too, so that its API can start more runs of them, which wait for a scheduler.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path


def main(folder: str, results: str) -> int:
    from airflow.cli.cli_parser import get_parser

    for command in (["db", "migrate"], ["pools", "set", "compute_local", "4", "programs"], ["dags", "reserialize"]):
        arguments = get_parser().parse_args(command)
        arguments.func(arguments)

    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(folder)
    assert not bag.import_errors, bag.import_errors
    watched = {dag_id: dag for dag_id, dag in sorted(bag.dags.items()) if dag_id.startswith("watched_")}
    states = {dag_id: str(dag.test(logical_date=datetime.now(UTC)).state) for dag_id, dag in watched.items()}
    Path(results).write_text(json.dumps(states))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
