"""Read by every Airflow process at its start: SQLite writers take turns, tasks find their imports done.

A nested transaction (SAVEPOINT) that first reads and then writes cannot wait for its turn: when another process has
written in between, SQLite answers "database is locked" at once, whatever the timeout. `airflow backfill create` meets
this whenever the scheduler is busy. Taking the write lock before the first read makes it wait instead. Other databases
are not touched.

The LocalExecutor forks its tasks from the scheduler, and the DAG processor a process for each look at a file, so that
nothing is imported again that these two have imported.

The first retry of any task comes after ``[core] default_task_retry_delay``, whatever the task says: somebody watches.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine


@event.listens_for(Engine, "savepoint")
def take_the_write_lock_first(connection: Connection, name: str) -> None:
    if connection.dialect.name != "sqlite":
        return
    database = connection.connection.dbapi_connection
    if getattr(database, "in_transaction", True) is False:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def task_policy(task: Any) -> None:
    from airflow.configuration import conf

    task.retry_delay = timedelta(seconds=conf.getint("core", "default_task_retry_delay"))


def import_what_is_forked() -> None:
    """Import what each task, or each look at a DAG file, would else import again: most of a second of a core."""
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
    from netapp_ontap import host_connection  # noqa: F401
    from netapp_ontap.resources import Snapshot, Volume  # noqa: F401

    import ontap_mlops.pipelines  # noqa: F401

    # Asked for with the first asset that a DAG file names; the handlers of providers bring their clouds' clients.
    ProvidersManagerTaskRuntime().asset_uri_handlers  # noqa: B018


if {"scheduler", "dag-processor"} & set(sys.argv):
    import_what_is_forked()
