"""What alembic runs: the steps on the connection that it is handed, in the transaction that is open there."""

from __future__ import annotations

from alembic import context

from services.calls.schema import VERSION_TABLE
from services.calls.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
context.run_migrations()
