"""What sentences are about: topics and names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "call_mentions",
        sa.Column("call", sa.String(64), sa.ForeignKey("calls.id"), primary_key=True),
        sa.Column("side", sa.String(10), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
    )
    op.create_index("call_mentions_by_name", "call_mentions", ["name", "kind"])
