"""
# Overhead

Two chains of equal length for `tests/bench/bench_overhead.py`: one of empty tasks, one of this project's operators that
find their work already done, so that what they cost beyond an empty task is all there is to see.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, chain, task

from ontap_mlops.operators.snapshots import OntapSnapshotCreateOperator

LENGTH = 8
COMMON = {"schedule": None, "start_date": datetime(2026, 1, 1, tzinfo=UTC), "doc_md": __doc__}


@task
def nothing() -> str:
    return "done"


with DAG("overhead_empty", **COMMON):
    chain(*(nothing.override(task_id=f"step_{i}")() for i in range(LENGTH)))

with DAG("overhead_ontap", **COMMON):
    chain(
        *(
            OntapSnapshotCreateOperator(task_id=f"step_{i}", volume="models", snapshot="overhead", svm="svm1")
            for i in range(LENGTH)
        )
    )
