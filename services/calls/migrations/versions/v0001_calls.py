"""Calls, their sentences, what people corrected, and the number of the last event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("rate_hz", sa.Integer, nullable=False),
        sa.Column("channels", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("finished", sa.Integer, nullable=True),
    )
    op.create_index("calls_by_began", "calls", ["began"])
    op.create_index("calls_by_agent", "calls", ["agent", "began"])
    op.create_table(
        "call_sentences",
        sa.Column("call", sa.String(64), sa.ForeignKey("calls.id"), primary_key=True),
        sa.Column("side", sa.String(10), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start", sa.Float, nullable=False),
        sa.Column("end", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sentiment", sa.String(10), nullable=False),
        sa.Column("negative", sa.Float, nullable=False),
        sa.Column("neutral", sa.Float, nullable=False),
        sa.Column("positive", sa.Float, nullable=False),
        sa.Column("recogniser", sa.String(200), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("corrected_text", sa.Text, nullable=True),
        sa.Column("corrected_sentiment", sa.String(10), nullable=True),
        sa.Column("corrected_by", sa.String(200), nullable=True),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event", sa.BigInteger, nullable=False),
    )
    op.create_index("call_sentences_by_event", "call_sentences", ["event"], unique=True)
    op.create_table(
        "call_corrections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("call", sa.String(64), nullable=False),
        sa.Column("side", sa.String(10), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sentiment", sa.String(10), nullable=False),
        sa.Column("recognised_text", sa.Text, nullable=False),
        sa.Column("recognised_sentiment", sa.String(10), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
    )
    op.create_index("call_corrections_by_sentence", "call_corrections", ["call", "side", "index"])
    op.create_index("call_corrections_by_at", "call_corrections", ["at"])
    feed = op.create_table(
        "call_feed",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("forgotten", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(feed, [{"id": 1, "last": 0, "forgotten": 0}])
