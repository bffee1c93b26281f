"""A service's database by its URL: SQLite on one machine, or another that SQLAlchemy has a driver for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def opened(url: str, tables: sa.MetaData) -> sa.Engine:
    """Return the database at ``url``, with its tables made where they are not there."""
    engine = sa.create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _patient)
    tables.create_all(engine)
    return engine


def _patient(connection: Any, _: Any) -> None:
    # Readers do not stop writers, and two writers wait for each other.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA busy_timeout=10000")
