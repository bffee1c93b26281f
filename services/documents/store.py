"""What was asked and shown, by an SQLAlchemy URL: without secrets and personal data, which are hidden before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from services import database

METADATA = sa.MetaData()
QUESTIONS = sa.Table(
    "questions",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("person", sa.String(100), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("dataset_version", sa.String(200), nullable=True),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("shown", sa.Text, nullable=False),
)
"""``shown``: the file and the id of each passage that was cited or opened, as JSON."""


class Store:
    """Keeps questions in the database at ``url``; makes its table where it is not there."""

    def __init__(self, url: str) -> None:
        self._engine = database.opened(url, METADATA)

    def close(self) -> None:
        self._engine.dispose()

    def keep(
        self,
        person: str,
        question: str,
        outcome: str,
        version: str | None = None,
        answer: str = "",
        shown: Sequence[dict[str, str]] = (),
    ) -> None:
        """Keep one question, hidden in it what is to be hidden, and what was shown for it."""
        row = {"id": uuid4().hex, "at": datetime.now(UTC), "person": person, "question": question, "outcome": outcome}
        row |= {"dataset_version": version, "answer": answer, "shown": json.dumps(list(shown))}
        with self._engine.begin() as connection:
            connection.execute(QUESTIONS.insert().values(row))

    def newest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest questions, the newest first."""
        wanted = sa.select(QUESTIONS).order_by(QUESTIONS.c.at.desc()).limit(count)
        with self._engine.connect() as connection:
            return [{**row._mapping, "shown": json.loads(row.shown)} for row in connection.execute(wanted)]
