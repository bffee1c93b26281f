"""What sentences are about, kept beside them: topics and names, each with the sentiment it is spoken of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.calls.records import Sentence
from services.calls.tables import CALLS, MENTIONS, SENTENCES, SENTIMENT

MOST = 25
"""Topics and names of one answer."""
Key = tuple[str, int]
"""A sentence of a call: side and index."""


def keep(connection: sa.Connection, call: str, sentences: Sequence[Sentence], changed: set[Key]) -> None:
    """Keep what sentences are about, in place of what was known; one that says nothing of it keeps what it had.

    :param changed: sentences that say something else now, of which what was known before is not true any more.
    """
    told = {(one.side, one.index): one.mentions for one in sentences if one.mentions is not None}
    for side, index in [*told, *(changed - set(told))]:
        here = MENTIONS.c.call == call, MENTIONS.c.side == side, MENTIONS.c.index == index
        connection.execute(MENTIONS.delete().where(*here))
    rows = [
        {"call": call, "side": side, "index": index, "kind": kind, "name": name}
        for (side, index), mentions in told.items()
        for kind, name in dict.fromkeys((each.kind, each.name) for each in mentions)
    ]
    if rows:
        connection.execute(MENTIONS.insert(), rows)


def forget(connection: sa.Connection, call: str) -> None:
    connection.execute(MENTIONS.delete().where(MENTIONS.c.call == call))


def spoken_of(name: str) -> sa.ColumnElement[bool]:
    """A condition on sentences: they speak of ``name``."""
    same = (
        MENTIONS.c.call == SENTENCES.c.call,
        MENTIONS.c.side == SENTENCES.c.side,
        MENTIONS.c.index == SENTENCES.c.index,
    )
    return sa.exists().where(*same, MENTIONS.c.name == name)


def spoken_of_in_call(name: str) -> sa.ColumnElement[bool]:
    """A condition on calls: somebody speaks of ``name`` in them."""
    return sa.exists().where(MENTIONS.c.call == CALLS.c.id, MENTIONS.c.name == name)


def found(
    connection: sa.Connection,
    *,
    call: str | None = None,
    agent: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[dict[str, Any]]:
    """Return what is spoken of, most often first: in how many calls, and in sentences of which sentiment."""
    same = sa.and_(
        MENTIONS.c.call == SENTENCES.c.call,
        MENTIONS.c.side == SENTENCES.c.side,
        MENTIONS.c.index == SENTENCES.c.index,
    )
    counts = {name: sa.func.count().filter(SENTIMENT == name) for name in ("negative", "neutral", "positive")}
    columns = [column.label(name) for name, column in counts.items()]
    wanted = (
        sa.select(
            MENTIONS.c.kind,
            MENTIONS.c.name,
            sa.func.count(sa.distinct(MENTIONS.c.call)).label("calls"),
            sa.func.count().label("sentences"),
            *columns,
        )
        .select_from(MENTIONS)
        .join(SENTENCES, same)
        .join(CALLS, CALLS.c.id == MENTIONS.c.call)
        .group_by(MENTIONS.c.kind, MENTIONS.c.name)
        .order_by(sa.func.count().desc(), MENTIONS.c.name, MENTIONS.c.kind)
        .limit(MOST)
    )
    wanted = wanted.where(MENTIONS.c.call == call) if call is not None else wanted
    wanted = wanted.where(CALLS.c.agent == agent) if agent is not None else wanted
    wanted = wanted.where(CALLS.c.began >= since) if since is not None else wanted
    wanted = wanted.where(CALLS.c.began < until) if until is not None else wanted
    return [_told(row._mapping) for row in connection.execute(wanted)]


def _told(row: Mapping[str, Any] | sa.RowMapping) -> dict[str, Any]:
    sentiment = {name: row[name] for name in ("negative", "neutral", "positive")}
    mean = round((row["positive"] - row["negative"]) / row["sentences"], 4)
    told = {name: row[name] for name in ("kind", "name", "calls", "sentences")}
    return {**told, "sentiment": {**sentiment, "mean": mean}}
