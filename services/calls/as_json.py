"""What is kept of calls, as JSON says it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.calls.records import SIDES

Row = Mapping[str, Any] | sa.RowMapping


def iso(at: datetime | None) -> str | None:
    """Return a time in UTC; one without a zone is in UTC already."""
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def call(row: Any) -> dict[str, Any]:
    """Return a call without its sentences."""
    told = {name: getattr(row, name) for name in ("agent", "seconds", "rate_hz", "channels", "finished")}
    return {"call": row.id, "began": iso(row.began), **told, "source": json.loads(row.source)}


def sentence(row: Row) -> dict[str, Any]:
    """Return a sentence as JSON says it; ``corrected`` holds what people said, and None where they did not."""
    names = ("call", "agent", "side", "index", "start", "end", "text", "sentiment", "recogniser", "model", "event")
    corrected = {
        "text": row["corrected_text"],
        "sentiment": row["corrected_sentiment"],
        "by": row["corrected_by"],
        "at": iso(row["corrected_at"]),
    }
    return {
        **{name: row[name] for name in names},
        "scores": {name: row[name] for name in ("negative", "neutral", "positive")},
        "stored_at": iso(row["stored_at"]),
        "corrected": corrected if row["corrected_at"] is not None else None,
    }


def correction(row: Row) -> dict[str, Any]:
    """Return what a person said of a sentence, beside what had been recognised."""
    names = ("call", "side", "index", "text", "sentiment", "recognised_text", "recognised_sentiment", "by")
    return {**{name: row[name] for name in names}, "at": iso(row["at"])}


def empty() -> dict[str, dict[str, Any]]:
    """Return what ``grouped`` tells of a group without a sentence."""
    return {side: {"negative": 0, "neutral": 0, "positive": 0, "mean": None} for side in SIDES}


def grouped(rows: Sequence[Any]) -> dict[Any, dict[str, dict[str, Any]]]:
    """Return for each group and side the number of sentences of each sentiment, and their mean from -1 to 1."""
    groups: dict[Any, dict[str, dict[str, Any]]] = {}
    for group, side, sentiment, number in rows:
        groups.setdefault(group, empty())[side][sentiment] = number
    for sides in groups.values():
        for told in sides.values():
            total = told["negative"] + told["neutral"] + told["positive"]
            told["mean"] = round((told["positive"] - told["negative"]) / total, 4) if total else None
    return groups
