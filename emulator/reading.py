"""Records of one kind as a list that is read from the store no further than somebody looks at it.

A list of 20,000 snapshots costs what is returned of it: what a query says of stored values is looked up in the indices,
and the rest of it is tried on one record after the other until the page is full.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator.store import Condition, Record, Store

_CHUNK = 200
_EXACT = re.compile(r"[A-Za-z0-9_@:+,~/-][\w.@:+,~/-]*", re.ASCII)
_TIME = re.compile(r">=?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)")


@dataclass(frozen=True)
class Records:
    """In the order of creation."""

    store: Store
    kind: str
    conditions: tuple[Condition, ...] = ()
    kept: tuple[Callable[[Record], bool], ...] = ()
    changed: tuple[Callable[[Record], Record], ...] = ()

    def of(self, field: str, value: str) -> Records:
        """Those with this value of an indexed field."""
        return self._with((field, "= ?", (value,)))

    def where(self, keep: Callable[[Record], bool]) -> Records:
        return replace(self, kept=(*self.kept, keep))

    def mapped(self, change: Callable[[Record], Record]) -> Records:
        """With each record changed once it is read."""
        return replace(self, changed=(*self.changed, change))

    def narrowed(self, filters: Mapping[str, str], stored: Mapping[str, str]) -> Records:
        """Without those that an index already tells from what a query asks for; never without one that it does.

        :param stored: names of a query to the indexed fields that hold them as they are shown.
        """
        found = self
        for name, text in filters.items():
            if name in stored and (condition := _condition(stored[name], text)):
                found = found._with(condition)
        return found

    def __iter__(self) -> Iterator[Record]:
        return self.after(0)

    def after(self, seq: int) -> Iterator[Record]:
        if self.conditions:
            rows = self.store.chosen(self.kind, self.conditions, "seq")
            yield from self._read([row[0] for row in rows if row[0] > seq])
            return
        while chunk := self.store.next_after(self.kind, seq, _CHUNK):
            yield from self._passed(chunk)
            seq = chunk[-1]["_seq"]

    def ordered(self, field: str, *, descending: bool, after: tuple[Any, int] | None) -> Iterator[Record]:
        """By an indexed field, then by creation; what has no value comes last, or first where it is descending.

        :param after: value and sequence number of the record after which to begin.
        """
        without = after is not None and after[0] is None
        if descending and (after is None or without):
            yield from self._without(field, after[1] if after else 0)
        if not (without and not descending):
            yield from self._with_value(field, descending, None if without else after)
        if not descending:
            yield from self._without(field, after[1] if after and without else 0)

    def _without(self, field: str, seq: int) -> Iterator[Record]:
        rows = self.store.chosen(self.kind, [(field, "IS NULL", ()), *self.conditions], "seq")
        yield from self._read([row[0] for row in rows if row[0] > seq])

    def _with_value(self, field: str, descending: bool, after: tuple[Any, int] | None) -> Iterator[Record]:
        sign, order = ("<", "{} DESC, seq") if descending else (">", "{}, seq")
        while True:
            begin: Condition = (field, "IS NOT NULL", ())
            if after is not None:
                begin = (field, f"{sign}= ? AND ({{}} {sign} ? OR seq > ?)", (after[0], after[0], after[1]))
            rows = self.store.chosen(self.kind, [begin, *self.conditions], order, _CHUNK)
            yield from self._read([seq for seq, _ in rows])
            if len(rows) < _CHUNK:
                return
            after = (rows[-1][1], rows[-1][0])

    def _with(self, condition: Condition) -> Records:
        return replace(self, conditions=(*self.conditions, condition))

    def _read(self, seqs: list[int]) -> Iterator[Record]:
        for start in range(0, len(seqs), _CHUNK):
            yield from self._passed(self.store.by_seq(seqs[start : start + _CHUNK]))

    def _passed(self, records: list[Record]) -> Iterator[Record]:
        for record in records:
            if all(keep(record) for keep in self.kept):
                for change in self.changed:
                    record = change(record)
                yield record


def _condition(field: str, text: str) -> Condition | None:
    """What a query's text says of an indexed value, as far as SQL can tell it exactly or by too much."""
    if match := _TIME.fullmatch(text):
        return (field, ">= ?", (match[1],))
    choices = [choice.strip() for choice in text.split("|")]
    if field == "create_time" or ".." in text or text in ("null", "!null"):
        return None
    if all(_EXACT.fullmatch(choice) for choice in choices):
        return (field, f"IN ({', '.join('?' * len(choices))})", tuple(choices))
    if text.endswith("*") and len(text) > 1 and _EXACT.fullmatch(start := text[:-1]):
        return (field, ">= ? AND {} < ?", (start, start[:-1] + chr(ord(start[-1]) + 1)))
    return None
