"""Where conversations are kept: SQLite on one machine, PostgreSQL elsewhere, by an SQLAlchemy URL.

A turn is stored whole or not at all, and only by whoever saw the turn before it: two messages at the same moment, or a
process killed in between, neither lose one nor answer one twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from services import database
from tasks.retail.dialog.conversation import Conversation, Say, Turn

METADATA = sa.MetaData()
CONVERSATIONS = sa.Table(
    "conversations",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("flow", sa.String(200), nullable=False),
    sa.Column("state", sa.String(200), nullable=False),
    sa.Column("keys", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
)
TURNS = sa.Table(
    "turns",
    METADATA,
    sa.Column("conversation", sa.String(32), sa.ForeignKey(CONVERSATIONS.c.id), primary_key=True),
    sa.Column("turn", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("message", sa.String(64), nullable=True),
    sa.Column("channel", sa.String(10), nullable=True),
    sa.Column("heard", sa.Text, nullable=True),
    sa.Column("intent", sa.String(200), nullable=True),
    sa.Column("slots", sa.Text, nullable=True),
    sa.Column("said", sa.Text, nullable=False),
    sa.UniqueConstraint("conversation", "message"),
)
LABELS = sa.Table(
    "labels",
    METADATA,
    sa.Column("conversation", sa.String(32), primary_key=True),
    sa.Column("turn", sa.Integer, primary_key=True),
    sa.Column("intent", sa.String(200), nullable=False),
    sa.Column("slots", sa.Text, nullable=False),
    sa.Column("by", sa.String(100), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(["conversation", "turn"], ["turns.conversation", "turns.turn"]),
)
"""What a person says that a turn means, in the labels of the training data; the last word counts."""


class NoSuchConversationError(Exception):
    """There is no conversation of this id."""


class OvertakenError(Exception):
    """Another message of the same conversation was answered in the meantime; read it again."""


@dataclass(frozen=True)
class Stored:
    """One turn as it was kept: what a person said (None in turn 0), what that meant, and what was answered."""

    turn: int
    at: datetime
    says: Sequence[Say]
    heard: str | None = None
    channel: str | None = None
    intent: str | None = None
    slots: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Labels:
    """What a turn means: an intent, a slot for each of its words, who said so and when."""

    intent: str
    slots: Sequence[str]
    by: str
    at: datetime


class Store:
    """Keeps conversations in the database at ``url``; makes its tables where they are not there."""

    def __init__(self, url: str) -> None:
        self._engine = database.opened(url, METADATA)

    def close(self) -> None:
        self._engine.dispose()

    def begin(self, turn: Turn) -> str:
        """Keep a new conversation with its first words, and return its id, which nobody can guess."""
        name = uuid4().hex
        at = datetime.now(UTC)
        with self._engine.begin() as connection:
            row = {"id": name, "begun_at": at, "turn": 0, **_place(turn.conversation)}
            connection.execute(CONVERSATIONS.insert().values(row))
            connection.execute(TURNS.insert().values(conversation=name, turn=0, at=at, said=_said(turn.says)))
        return name

    def read(self, name: str) -> tuple[Conversation, int]:
        """Return a conversation and the number of its last turn. Raises NoSuchConversationError."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(CONVERSATIONS).where(CONVERSATIONS.c.id == name)).one_or_none()
        if row is None:
            raise NoSuchConversationError(f"There is no conversation {name!r}.")
        return Conversation(row.flow, row.state, json.loads(row.keys), row.tries), row.turn

    def append(
        self, name: str, after: int, heard: str, turn: Turn, *, channel: str = "text", message: str | None = None
    ) -> Stored:
        """Keep the turn that follows number ``after``. Raises OvertakenError where that is not the last any more.

        :param message: an id by which whoever sent it may send it again and be answered the same.
        """
        understood = turn.understood
        row = {
            "conversation": name,
            "turn": after + 1,
            "at": datetime.now(UTC),
            "message": message,
            "channel": channel,
            "heard": heard,
            "intent": understood.intent if understood else None,
            "slots": json.dumps(dict(understood.slots)) if understood else None,
            "said": _said(turn.says),
        }
        with self._engine.begin() as connection:
            last = CONVERSATIONS.c.id == name, CONVERSATIONS.c.turn == after
            moved = CONVERSATIONS.update().where(*last).values(turn=after + 1, **_place(turn.conversation))
            if connection.execute(moved).rowcount != 1:
                raise OvertakenError(f"Conversation {name} has gone on beyond turn {after}.")
            connection.execute(TURNS.insert().values(row))
        return _stored(row)

    def answered(self, name: str, message: str) -> Stored | None:
        """Return the turn of a message that was answered already; None where it was not."""
        wanted = sa.select(TURNS).where(TURNS.c.conversation == name, TURNS.c.message == message)
        with self._engine.connect() as connection:
            row = connection.execute(wanted).one_or_none()
        return _stored(row._mapping) if row else None

    def turns(self, name: str) -> list[Stored]:
        """Return all turns of one conversation, the first first; none where there is no such conversation."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(TURNS).where(TURNS.c.conversation == name).order_by(TURNS.c.turn))
            return [_stored(row._mapping) for row in rows]

    def label(self, name: str, turn: int, intent: str, slots: Sequence[str], by: str) -> Labels:
        """Keep what a person says that a turn means, in place of what was said before."""
        key = LABELS.c.conversation == name, LABELS.c.turn == turn
        labels = Labels(intent, tuple(slots), by, datetime.now(UTC))
        values = {"intent": intent, "slots": json.dumps(list(slots)), "by": by, "at": labels.at}
        with self._engine.begin() as connection:
            connection.execute(LABELS.delete().where(*key))
            connection.execute(LABELS.insert().values(conversation=name, turn=turn, **values))
        return labels

    def of_day(self, day: date) -> Iterator[tuple[str, Stored, Labels | None]]:
        """Go through the turns of the conversations that began on ``day`` (UTC).

        Each comes with its conversation's id, and with what a person says that it means, where one did.
        """
        begin = datetime.combine(day, time(), UTC)
        told = (LABELS.c.intent, LABELS.c.slots, LABELS.c.by, LABELS.c.at)
        same = sa.and_(LABELS.c.conversation == TURNS.c.conversation, LABELS.c.turn == TURNS.c.turn)
        wanted = (
            sa.select(TURNS, *(column.label(f"told_{column.name}") for column in told))
            .join(CONVERSATIONS)
            .outerjoin(LABELS, same)
            .where(CONVERSATIONS.c.begun_at >= begin, CONVERSATIONS.c.begun_at < begin + timedelta(days=1))
            .order_by(CONVERSATIONS.c.begun_at, TURNS.c.conversation, TURNS.c.turn)
        )
        with self._engine.connect().execution_options(yield_per=500) as connection:
            for row in connection.execute(wanted):
                labels = None
                if row.told_intent is not None:
                    slots = tuple(json.loads(row.told_slots))
                    labels = Labels(row.told_intent, slots, row.told_by, _aware(row.told_at))
                yield row.conversation, _stored(row._mapping), labels


def _place(at: Conversation) -> dict[str, Any]:
    return {"flow": at.flow, "state": at.state, "keys": json.dumps(dict(at.keys)), "tries": at.tries}


def _said(says: Sequence[Say]) -> str:
    return json.dumps([{"text": say.text, "delay": say.delay} for say in says])


def _aware(at: datetime) -> datetime:
    """SQLite keeps no time zone; what is kept is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _stored(row: Mapping[str, Any] | sa.RowMapping) -> Stored:
    return Stored(
        turn=row["turn"],
        at=_aware(row["at"]),
        says=[Say(**said) for said in json.loads(row["said"])],
        heard=row["heard"],
        channel=row["channel"],
        intent=row["intent"],
        slots=json.loads(row["slots"]) if row["slots"] is not None else None,
    )
