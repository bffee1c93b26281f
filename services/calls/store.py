"""Where calls are kept: SQLite on one machine, PostgreSQL elsewhere, by an SQLAlchemy URL.

Whatever is written may be written again: a call, a sentence by its call, side and index, the end of a call. Each write
is kept whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.calls import as_json, mentions, schema
from services.calls.records import Call, Correction, Sentence, plain
from services.calls.tables import CALLS, CORRECTIONS, FEED, SENTENCES, SENTIMENT

INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
PAGE = 50
"""Calls of one page of the history."""


class NoSuchError(Exception):
    """The call, or the sentence, is not there; the message names it."""


class RefusedError(Exception):
    """What is kept contradicts what was sent; the message says both."""


class Store:
    """Keeps calls in the database at ``url``.

    :param upgrade: bring its tables up to date first; without, it is only read, and has to be so.
    Raises SchemaError where the database belongs to another version of the program, and what SQLAlchemy raises.
    """

    def __init__(self, url: str, *, upgrade: bool = True) -> None:
        kind = sa.make_url(url).get_backend_name()
        if kind not in INSERT:
            raise schema.SchemaError(f"Calls are kept in PostgreSQL or SQLite, not in {kind}.")
        # What people said is in no error, so in no log.
        self._engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
        if kind == "sqlite":
            sa.event.listen(self._engine, "connect", _patient)
            sa.event.listen(self._engine, "begin", _begin)
        self._insert = INSERT[kind]
        self._writing = self._engine.execution_options(writing=True)
        try:
            if upgrade:
                with self._writing.begin() as connection:
                    schema.upgrade(connection)
            else:
                with self._engine.begin() as connection:
                    schema.check(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._engine.dispose()

    # Writing

    def put_call(self, name: str, call: Call) -> bool:
        """Keep a call, or what is known of it now; return whether it is new.

        Sentences of another recording of a call that was never finished go with it. Raises RefusedError where that call
        was finished.
        """
        row: dict[str, Any] = {
            "agent": call.agent,
            "began": call.began,
            "day": call.began.date(),
            "seconds": call.seconds,
        }
        row |= {"rate_hz": call.rate_hz, "channels": call.channels, "source": _json(plain(call.source))}
        with self._writing.begin() as connection:
            made = self._insert(CALLS).values(id=name, **row).on_conflict_do_nothing()
            if connection.execute(made).rowcount == 1:
                return True
            known = _held(connection, name)
            if known.source != row["source"]:
                if known.finished is not None:
                    raise RefusedError(
                        f"Call {name} is finished and comes from {_place(known.source)}, not from "
                        f"{_place(row['source'])}; give the other recording another id."
                    )
                _forget(connection, name)
            connection.execute(CALLS.update().where(CALLS.c.id == name).values(row))
        return False

    def put_sentences(self, name: str, sentences: Sequence[Sentence]) -> dict[str, int]:
        """Keep sentences of a call; return how many are new (``stored``), changed (``replaced``) and as they were.

        What people corrected stays. Raises NoSuchError.
        """
        told = {"stored": 0, "replaced": 0, "same": 0}
        rows = {(sentence.side, sentence.index): _row(sentence) for sentence in sentences}
        with self._writing.begin() as connection:
            _held(connection, name)
            known = {(row["side"], row["index"]): row for row in _of(connection, name)}
            changed = {key: row for key, row in rows.items() if key in known and _differs(known[key], row)}
            new = {key: row for key, row in rows.items() if key not in known}
            told |= {"stored": len(new), "replaced": len(changed), "same": len(rows) - len(new) - len(changed)}
            mentions.keep(connection, name, sentences, set(changed))
            if not new and not changed:
                return told
            stamp = {"stored_at": datetime.now(UTC)}
            event = _events(connection, len(new) + len(changed))
            for (side, index), row in changed.items():
                where = _key(name, side, index)
                connection.execute(SENTENCES.update().where(*where).values(**row, **stamp, event=next(event)))
            if new:
                made = [{"call": name, **row, **stamp, "event": next(event)} for row in new.values()]
                connection.execute(SENTENCES.insert(), made)
        return told

    def finish(self, name: str, sentences: int) -> None:
        """Note that all ``sentences`` of a call are there. Raises RefusedError where there are not so many."""
        with self._writing.begin() as connection:
            _held(connection, name)
            counted = sa.select(sa.func.count()).select_from(SENTENCES).where(SENTENCES.c.call == name)
            there = connection.execute(counted).scalar_one()
            if there != sentences:
                raise RefusedError(
                    f"Call {name} has {there} sentences here, not {sentences}; send those that are missing, or delete "
                    "the call and send all of it."
                )
            connection.execute(CALLS.update().where(CALLS.c.id == name).values(finished=sentences))

    def correct(self, name: str, side: str, index: int, correction: Correction) -> dict[str, Any]:
        """Keep what a person says that a sentence is; return the sentence as it is now. Raises NoSuchError."""
        at = datetime.now(UTC)
        with self._writing.begin() as connection:
            _held(connection, name)
            known = connection.execute(_joined().where(*_key(name, side, index))).one_or_none()
            if known is None:
                raise NoSuchError(f"Call {name} has no sentence {index} of the {side}.")
            now = {
                "corrected_text": correction.text if correction.text is not None else known.corrected_text,
                "corrected_sentiment": correction.sentiment or known.corrected_sentiment,
                "corrected_by": correction.by,
                "corrected_at": at,
            }
            row = {"call": name, "side": side, "index": index, "by": correction.by, "at": at, "source": known.source}
            row |= {"recognised_text": known.text, "recognised_sentiment": known.sentiment}
            row |= {
                "text": now["corrected_text"] if now["corrected_text"] is not None else known.text,
                "sentiment": now["corrected_sentiment"] or known.sentiment,
            }
            connection.execute(CORRECTIONS.insert().values(row))
            now["event"] = next(_events(connection, 1))
            connection.execute(SENTENCES.update().where(*_key(name, side, index)).values(now))
        return as_json.sentence({**known._mapping, **now})

    def delete(self, name: str) -> None:
        """Forget a call, its sentences and their corrections. Raises NoSuchError."""
        with self._writing.begin() as connection:
            _held(connection, name)
            connection.execute(CORRECTIONS.delete().where(CORRECTIONS.c.call == name))
            _forget(connection, name)
            connection.execute(CALLS.delete().where(CALLS.c.id == name))

    # Following

    def state(self) -> tuple[int, int]:
        """Return the number of the last event, and how often sentences were deleted."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(FEED.c.last, FEED.c.forgotten)).one()
        return row.last, row.forgotten

    def after(self, event: int, most: int) -> list[dict[str, Any]]:
        """Return up to ``most`` sentences that were stored or changed after an event, the first first."""
        wanted = _joined().where(SENTENCES.c.event > event).order_by(SENTENCES.c.event).limit(most)
        with self._engine.connect() as connection:
            return [as_json.sentence(row._mapping) for row in connection.execute(wanted)]

    def before_last(self, back: int) -> int:
        """Return the event after which there are up to ``back`` sentences: where one who comes now begins."""
        last = sa.select(SENTENCES.c.event).order_by(SENTENCES.c.event.desc()).limit(back).subquery()
        with self._engine.connect() as connection:
            first = connection.execute(sa.select(sa.func.min(last.c.event))).scalar_one()
        return first - 1 if first is not None else 0

    # Looking back

    def calls(
        self,
        agent: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page: int = 1,
        about: str | None = None,
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return a page of calls that began from ``since`` to ``until``, the last first; and whether more follow."""
        wanted = sa.select(CALLS).order_by(CALLS.c.began.desc(), CALLS.c.id).offset((page - 1) * PAGE).limit(PAGE + 1)
        wanted = wanted.where(CALLS.c.agent == agent) if agent is not None else wanted
        wanted = wanted.where(CALLS.c.began >= since) if since is not None else wanted
        wanted = wanted.where(CALLS.c.began < until) if until is not None else wanted
        wanted = wanted.where(mentions.spoken_of_in_call(about)) if about is not None else wanted
        with self._engine.connect() as connection:
            rows = connection.execute(wanted).all()
            sides = _sides(connection, [row.id for row in rows[:PAGE]])
        found = [as_json.call(row) | {"sides": sides.get(row.id, as_json.empty())} for row in rows[:PAGE]]
        return found, len(rows) > PAGE

    def call(self, name: str) -> dict[str, Any]:
        """Return a call with its sentences in order of time, and what people corrected. Raises NoSuchError."""
        sentences = _joined().where(SENTENCES.c.call == name)
        corrections = sa.select(CORRECTIONS).where(CORRECTIONS.c.call == name).order_by(CORRECTIONS.c.id)
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(CALLS).where(CALLS.c.id == name)).one_or_none()
            if row is None:
                raise NoSuchError(f"There is no call {name!r}.")
            found = connection.execute(sentences.order_by(SENTENCES.c.start, SENTENCES.c.side, SENTENCES.c.index)).all()
            corrected = connection.execute(corrections).all()
            about = mentions.found(connection, call=name)
        return {
            **as_json.call(row),
            "about": about,
            "sentences": [as_json.sentence(sentence._mapping) for sentence in found],
            "corrections": [as_json.correction(one._mapping) for one in corrected],
        }

    def about(
        self, agent: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Return what is spoken of in calls that began from ``since`` to ``until``, and with which sentiment."""
        with self._engine.connect() as connection:
            return mentions.found(connection, agent=agent, since=since, until=until)

    def summary(
        self, by: str, agent: str | None = None, since: date | None = None, about: str | None = None
    ) -> list[dict[str, Any]]:
        """Return for each ``agent`` or ``day`` its calls, and what both sides' sentences were like.

        :param about: look at calls and sentences alone that speak of this.
        """
        group = {"agent": CALLS.c.agent, "day": CALLS.c.day}[by]
        where = [CALLS.c.agent == agent] if agent is not None else []
        where += [CALLS.c.day >= since] if since is not None else []
        said = [mentions.spoken_of(about)] if about is not None else []
        in_call = [mentions.spoken_of_in_call(about)] if about is not None else []
        counted = (
            sa.select(group.label("group"), SENTENCES.c.side, SENTIMENT.label("is"), sa.func.count().label("number"))
            .join(CALLS)
            .where(*where, *said)
            .group_by(group, SENTENCES.c.side, SENTIMENT)
        )
        calls = (
            sa.select(group.label("group"), sa.func.count().label("number"), sa.func.sum(CALLS.c.seconds).label("s"))
            .where(*where, *in_call)
            .group_by(group)
            .order_by(group)
        )
        with self._engine.connect() as connection:
            groups = connection.execute(calls).all()
            sides = as_json.grouped(connection.execute(counted).all())
        return [
            {
                by: str(row.group),
                "calls": row.number,
                "seconds": row.s,
                "sides": sides.get(row.group, as_json.empty()),
            }
            for row in groups
        ]

    def said(self, side: str, agent: str | None, since: date | None, most: int) -> list[tuple[str, str]]:
        """Return sentiment and text of the last ``most`` sentences of a side, as people corrected them."""
        text = sa.func.coalesce(SENTENCES.c.corrected_text, SENTENCES.c.text)
        wanted = sa.select(SENTIMENT, text).join(CALLS).where(SENTENCES.c.side == side)
        wanted = wanted.where(CALLS.c.agent == agent) if agent is not None else wanted
        wanted = wanted.where(CALLS.c.day >= since) if since is not None else wanted
        with self._engine.connect() as connection:
            rows = connection.execute(wanted.order_by(SENTENCES.c.event.desc()).limit(most))
            return [(row[0], row[1]) for row in rows]

    def corrections(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Go through what people corrected from ``since`` on; of one sentence the last word only."""
        last = (
            sa.select(sa.func.max(CORRECTIONS.c.id))
            .group_by(CORRECTIONS.c.call, CORRECTIONS.c.side, CORRECTIONS.c.index, CORRECTIONS.c.source)
            .where(CORRECTIONS.c.at >= since)
        )
        wanted = sa.select(CORRECTIONS).where(CORRECTIONS.c.id.in_(last)).order_by(CORRECTIONS.c.id)
        with self._engine.connect().execution_options(yield_per=500) as connection:
            for row in connection.execute(wanted):
                yield as_json.correction(row._mapping) | {"source": json.loads(row.source)}


def _patient(connection: Any, _: Any) -> None:
    # SQLAlchemy begins transactions, not the driver; readers do not stop writers, and two writers wait for each other.
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA journal_mode=WAL")


def _begin(connection: sa.Connection) -> None:
    # Who is going to write says so at once: one that has read first could not wait for another that writes meanwhile.
    writes = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _held(connection: sa.Connection, name: str) -> Any:
    """Return the row of a call and keep other writers of that call waiting. Raises NoSuchError."""
    row = connection.execute(sa.select(CALLS).where(CALLS.c.id == name).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchError(f"There is no call {name!r}.")
    return row


def _events(connection: sa.Connection, count: int) -> Iterator[int]:
    """Give the next ``count`` numbers of events; until the transaction ends nobody else is given any."""
    last = connection.execute(FEED.update().values(last=FEED.c.last + count).returning(FEED.c.last)).scalar_one()
    return iter(range(last - count + 1, last + 1))


def _forget(connection: sa.Connection, name: str) -> None:
    """Delete the sentences of a call, and let those who keep some in memory know."""
    mentions.forget(connection, name)
    if connection.execute(SENTENCES.delete().where(SENTENCES.c.call == name)).rowcount:
        connection.execute(FEED.update().values(forgotten=FEED.c.forgotten + 1))


def _joined() -> sa.Select[Any]:
    return sa.select(SENTENCES, CALLS.c.agent, CALLS.c.source).join(CALLS)


def _of(connection: sa.Connection, name: str) -> Sequence[sa.RowMapping]:
    return connection.execute(sa.select(SENTENCES).where(SENTENCES.c.call == name)).mappings().all()


def _key(name: str, side: str, index: int) -> tuple[sa.ColumnElement[bool], ...]:
    return SENTENCES.c.call == name, SENTENCES.c.side == side, SENTENCES.c.index == index


def _row(sentence: Sentence) -> dict[str, Any]:
    row = plain(sentence)
    return {**{name: value for name, value in row.items() if name not in ("scores", "mentions")}, **row["scores"]}


def _differs(known: as_json.Row, row: Mapping[str, Any]) -> bool:
    return any(known[name] != value for name, value in row.items())


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _place(source: str) -> str:
    told = json.loads(source)
    return f"{told['file']} of {told['dataset']} {told['version']}"


def _sides(connection: sa.Connection, names: Sequence[str]) -> dict[Any, dict[str, dict[str, Any]]]:
    counted = (
        sa.select(SENTENCES.c.call, SENTENCES.c.side, SENTIMENT, sa.func.count())
        .where(SENTENCES.c.call.in_(names))
        .group_by(SENTENCES.c.call, SENTENCES.c.side, SENTIMENT)
    )
    return as_json.grouped(connection.execute(counted).all())
