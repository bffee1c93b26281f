"""Read by every Airflow process at its start: lets several of them write to one SQLite database in turn.

A nested transaction (SAVEPOINT) that first reads and then writes cannot wait for its turn: when another process has
written in between, SQLite answers "database is locked" at once, whatever the timeout. `airflow backfill create` meets
this whenever the scheduler is busy. Taking the write lock before the first read makes it wait instead. Other databases
are not touched.
"""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine


@event.listens_for(Engine, "savepoint")
def take_the_write_lock_first(connection: Connection, name: str) -> None:
    if connection.dialect.name != "sqlite":
        return
    database = connection.connection.dbapi_connection
    if getattr(database, "in_transaction", True) is False:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
