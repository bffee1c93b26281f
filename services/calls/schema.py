"""Bring a database to the tables of this program: step by step, by one process at a time, whole or not at all.

A new step is a file in ``migrations/versions``; steps that were released are never changed.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

VERSION_TABLE = "calls_version"
LOCK = 0x63616C6C
"""Of PostgreSQL, for as long as the transaction of an upgrade is open. SQLite has one writer at a time anyway."""


class SchemaError(Exception):
    """The database is not one that this program can use; the message says what it is and what to do."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def newest() -> str:
    """Return the version that this program brings a database to."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head
    return head


def version(connection: sa.Connection) -> str | None:
    """Return at which version a database is; None where it was never used."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def upgrade(connection: sa.Connection) -> None:
    """Bring a database up to date, in the open transaction of ``connection``. Raises SchemaError if it is newer."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    _refuse_newer(version(connection))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: sa.Connection) -> None:
    """Raise SchemaError where a database that is only read is not at this program's version."""
    found = version(connection)
    _refuse_newer(found)
    if found != newest():
        raise SchemaError(
            f"The database to read from is at version {found or 'none'}, and this program reads {newest()}; clone it "
            "again from one that this program has upgraded."
        )


def _refuse_newer(found: str | None) -> None:
    known = {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaError(
            f"The database is at version {found}, which this program does not know (its newest is {newest()}): a newer "
            "program has upgraded it. Start that one; nothing was changed."
        )
