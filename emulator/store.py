"""What the emulated cluster knows, in one SQLite table of JSON records that survives a kill at any moment."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Row = tuple[int, str, str, str]
"""Sequence number, kind, uuid and text of a record."""
Condition = tuple[str, str, tuple[Any, ...]]

# What records are looked up by. One value on its own decides in the index; what else is asked for is compared after.
# In this order, which names the indices; a new one comes last.
INDEXED = ("name", "state", "volume", "aggregate", "junction", "clone.parent", "clone.snapshot", "style", "create_time")


_DERIVED = 10_000  # results kept


class Store:
    """Records by kind and uuid; every call may come from any thread.

    What is returned is a copy. Each record read back carries ``_seq``, a number that grows with every insert, so that
    lists can be paged in the order of creation even while records are deleted.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self.generation = 0
        """Grows with every change, so that who keeps something derived from records knows when to make it anew."""
        # Secret keys of S3 users lie in it. SQLite gives its side files the same mode.
        (root / "state.sqlite").touch(mode=0o600)
        self._db = sqlite3.connect(root / "state.sqlite", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
            " uuid TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, uuid))"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS kinds ON records (kind)")
        self._derived: dict[Any, tuple[int, Any]] = {}
        for number, field in enumerate(INDEXED):
            self._db.execute(f"CREATE INDEX IF NOT EXISTS field{number} ON records (kind, {_value(field)})")

    def insert(self, kind: str, record: Record) -> Record:
        """Add a record that has a ``uuid`` no other of its kind has."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO records (kind, uuid, body) VALUES (?, ?, ?)", (kind, record["uuid"], _text(record))
            )
            return self._must(kind, record["uuid"])

    def get(self, kind: str, uuid: str) -> Record | None:
        with self._lock:
            row = self._db.execute("SELECT seq, body FROM records WHERE kind = ? AND uuid = ?", (kind, uuid)).fetchone()
        return _record(row) if row else None

    def find(self, kind: str, **equal: Any) -> list[Record]:
        """Records of a kind in the order of creation; ``svm__name="svm1"`` compares the nested value svm.name."""
        rows = self._rows("seq, body", kind, equal)
        found = [_record(row) for row in rows]
        return [r for r in found if all(_nested(r, key) == value for key, value in equal.items())]

    def count(self, kind: str, **equal: str) -> int:
        """How many ``find`` returns for plain ASCII texts, without reading them."""
        return self._rows("COUNT(*)", kind, equal)[0][0]

    def column(self, kind: str, field: str, **equal: str) -> dict[str, Any]:
        """One text or number, or None, of each record that ``find`` returns for plain ASCII texts; by uuid."""
        return dict(self._rows(f"uuid, {_value(field)}", kind, equal))

    def _rows(self, columns: str, kind: str, equal: dict[str, Any]) -> list[Any]:
        texts = _plain(equal)
        condition = " AND ".join(["kind = ?", *(f"{_value(key.replace('__', '.'))} = ?" for key in texts)])
        # The names of fields come from the emulator's own code; only values come from clients.
        query = f"SELECT {columns} FROM records WHERE {condition} ORDER BY seq"  # noqa: S608
        with self._lock:
            return self._db.execute(query, [kind, *texts.values()]).fetchall()

    def next_after(self, kind: str, seq: int, most: int) -> list[Record]:
        """The next records of a kind in the order of creation."""
        query = "SELECT seq, body FROM records WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?"
        with self._lock:
            return [_record(row) for row in self._db.execute(query, (kind, seq, most)).fetchall()]

    def by_seq(self, seqs: list[int]) -> list[Record]:
        """The records with these sequence numbers that are still there, in the same order."""
        # Only the number of question marks varies.
        query = f"SELECT seq, body FROM records WHERE seq IN ({', '.join('?' * len(seqs))})"  # noqa: S608
        with self._lock:
            found = dict(self._db.execute(query, seqs).fetchall())
        return [_record((seq, found[seq])) for seq in seqs if seq in found]

    def chosen(self, kind: str, conditions: Iterable[Condition], order: str, most: int = -1) -> list[tuple[int, Any]]:
        """(sequence number, value of the first condition's field) of the records that meet them all.

        A condition is a field, what SQL says after it (with ``{}`` for the field again), and the values it compares.
        """
        known = list(conditions)
        texts = [f"{_column(field)} {words.format(_column(field))}" for field, words, _ in known]
        where, shown = " AND ".join(["kind = ?", *texts]), _column(known[0][0])
        # Fields and words come from the emulator's own code; only values come from clients.
        query = f"SELECT seq, {shown} FROM records WHERE {where} ORDER BY {order.format(shown)} LIMIT ?"  # noqa: S608
        with self._lock:
            return self._db.execute(query, [kind, *(v for _, _, values in known for v in values), most]).fetchall()

    def derived(self, key: Any, make: Callable[[], Any]) -> Any:
        """What ``make`` works out from records, worked out again only after a change of any of them. Read only."""
        with self._lock:
            known = self._derived.get(key)
            if known is None or known[0] != self.generation or self._depth:
                known = (self.generation, make())
                self._derived[key] = known
                if len(self._derived) > _DERIVED:
                    self._derived.clear()
        return known[1]

    def update(self, kind: str, uuid: str, **changes: Any) -> Record:
        """Replace whole top-level values of a record; KeyError when it is not there."""
        with self.transaction():
            record = self._must(kind, uuid) | changes
            self._db.execute("UPDATE records SET body = ? WHERE kind = ? AND uuid = ?", (_text(record), kind, uuid))
            return record

    def delete(self, kind: str, uuid: str) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM records WHERE kind = ? AND uuid = ?", (kind, uuid))

    def clear(self) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM records")

    def rows(self) -> list[Row]:
        """All that there is, for ``replace``."""
        with self._lock:
            return self._db.execute("SELECT seq, kind, uuid, body FROM records ORDER BY seq").fetchall()

    def replace(self, rows: list[Row]) -> None:
        """Have these records and no other."""
        with self.transaction():
            self._db.execute("DELETE FROM records")
            self._db.executemany("INSERT INTO records (seq, kind, uuid, body) VALUES (?, ?, ?, ?)", rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; other threads wait. Transactions may be nested, the outermost one commits."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._db.execute("BEGIN IMMEDIATE")
                yield
                if self._depth == 1:
                    self._db.execute("COMMIT")
                    self.generation += 1
            except BaseException:
                if self._depth == 1 and self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _must(self, kind: str, uuid: str) -> Record:
        record = self.get(kind, uuid)
        if record is None:
            raise KeyError(f"no {kind} with uuid {uuid}")
        return record


def _column(field: str) -> str:
    return "uuid" if field == "uuid" else _value(field)


def _value(field: str) -> str:
    path = ".".join(f'"{part}"' for part in field.split("."))
    return f"json_extract(body, '$.{path}')"


def _plain(equal: dict[str, Any]) -> dict[str, str]:
    """What SQLite compares as Python does. Numbers, None and odd characters are another matter in its JSON."""
    return {key: v for key, v in equal.items() if isinstance(v, str) and v.isascii() and v.isprintable()}


def _text(record: Record) -> str:
    return json.dumps({key: value for key, value in record.items() if key != "_seq"})


def _record(row: tuple[int, str]) -> Record:
    return json.loads(row[1]) | {"_seq": row[0]}


def _nested(record: Record, key: str) -> Any:
    value: Any = record
    for part in key.split("__"):
        value = value.get(part) if isinstance(value, dict) else None
    return value
