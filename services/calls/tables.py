"""The tables as this version of the program uses them; ``migrations`` makes them so."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
CALLS = sa.Table(
    "calls",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("agent", sa.String(200), nullable=False),
    sa.Column("began", sa.DateTime(timezone=True), nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("rate_hz", sa.Integer, nullable=False),
    sa.Column("channels", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("finished", sa.Integer, nullable=True),
    sa.Index("calls_by_began", "began"),
    sa.Index("calls_by_agent", "agent", "began"),
)
SENTENCES = sa.Table(
    "call_sentences",
    METADATA,
    sa.Column("call", sa.String(64), sa.ForeignKey(CALLS.c.id), primary_key=True),
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
    # What people say it is, beside what was recognised; the whole story lies in call_corrections.
    sa.Column("corrected_text", sa.Text, nullable=True),
    sa.Column("corrected_sentiment", sa.String(10), nullable=True),
    sa.Column("corrected_by", sa.String(200), nullable=True),
    sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("event", sa.BigInteger, nullable=False),
    sa.Index("call_sentences_by_event", "event", unique=True),
)
# Each stands for itself: what was recognised then and where from, whatever becomes of the sentence.
CORRECTIONS = sa.Table(
    "call_corrections",
    METADATA,
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
    sa.Index("call_corrections_by_sentence", "call", "side", "index"),
    sa.Index("call_corrections_by_at", "at"),
)
# One row. Who writes a sentence takes its number from here and keeps others waiting until it is stored: numbers become
# visible in their order, so who has read up to one has missed none before it. A sequence would not promise that.
FEED = sa.Table(
    "call_feed",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("forgotten", sa.BigInteger, nullable=False),  # how often sentences were deleted
)
# Of the recognised words, found once; a correction of the words changes none of it.
MENTIONS = sa.Table(
    "call_mentions",
    METADATA,
    sa.Column("call", sa.String(64), sa.ForeignKey(CALLS.c.id), primary_key=True),
    sa.Column("side", sa.String(10), primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(10), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Index("call_mentions_by_name", "name", "kind"),
)
# What counts is what people say it is, where they did.
SENTIMENT = sa.func.coalesce(SENTENCES.c.corrected_sentiment, SENTENCES.c.sentiment)
