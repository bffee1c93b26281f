"""Which rows train and which judge: the first so many, and the last of the last day, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tasks.common.program import BadInput
from tasks.ctr.blocks import Count
from tasks.ctr.parse import Malformed
from tasks.ctr.reading import TEXT, Part

TEST_ROWS = 1_000_000
_ROW_BYTES = 240  # of text, at a guess that costs little when it is wrong


@dataclass(frozen=True)
class Piece:
    """Rows ``first`` to ``last`` (not included) of a part, which is number ``index`` of all."""

    index: int
    part: Part
    first: int
    last: int

    @property
    def rows(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class Selection:
    """``counts`` by number of part, for the parts that were read."""

    train: list[Piece]
    test: list[Piece]
    counts: dict[int, Count]

    @property
    def malformed(self) -> Malformed:
        return sum((count.malformed for count in self.counts.values()), Malformed())

    @property
    def left_out(self) -> Malformed:
        """By convert, where it made what was read."""
        return sum((count.left_out for count in self.counts.values()), Malformed())

    @property
    def rows(self) -> int:
        """Of all that was read."""
        return sum(count.rows for count in self.counts.values())

    @property
    def train_rows(self) -> int:
        return sum(piece.rows for piece in self.train)

    @property
    def test_rows(self) -> int:
        return sum(piece.rows for piece in self.test)


def select(
    parts: Sequence[Part], count: Callable[[Iterable[int]], dict[int, Count]], rows: int, test_rows: int
) -> Selection:
    """``rows`` 0 trains on all but the test rows; ``test_rows`` 0 takes TEST_ROWS, at most a fifth of the rows.

    ``count`` reads parts by number and is asked for those needed only. Raises BadInput when there are too few rows.
    """
    if not rows:
        counts = count(range(len(parts)))
        total = sum(found.rows for found in counts.values())
        held = test_rows or min(TEST_ROWS, total // 5)
        return _checked(parts, counts, total - held, held)
    held = test_rows or min(TEST_ROWS, rows // 5)
    counts = {}
    _read_until(parts, count, counts, list(range(len(parts))), rows)
    _read_until(parts, count, counts, list(reversed(range(len(parts)))), held)
    return _checked(parts, counts, rows, held)


def _read_until(
    parts: Sequence[Part],
    count: Callable[[Iterable[int]], dict[int, Count]],
    counts: dict[int, Count],
    order: list[int],
    wanted: int,
) -> None:
    """Add parts in ``order`` to ``counts`` until they hold ``wanted`` rows together."""
    taken = 0
    while taken < len(order):
        missing = wanted - sum(counts[index].rows for index in order[:taken])
        if missing <= 0:
            return
        first = taken
        while taken < len(order) and missing > 0:
            part = parts[order[taken]]
            missing -= (part.stop - part.start) // _ROW_BYTES if part.file.kind == TEXT else missing
            taken += 1
        counts |= count(index for index in order[first:taken] if index not in counts)


def _checked(parts: Sequence[Part], counts: dict[int, Count], rows: int, test_rows: int) -> Selection:
    """Rows from the front and from the back, which must not meet."""
    train = _from_front(parts, counts, rows)
    test = _from_back(parts, counts, test_rows)
    ends = {piece.index: piece.last for piece in train}
    met = any(piece.first < ends.get(piece.index, 0) for piece in test)
    found = Selection(train, test, counts)
    if rows <= 0 or test_rows <= 0 or met or found.train_rows < rows or found.test_rows < test_rows:
        raise BadInput(
            f"The data has {found.rows} rows, too few for {max(rows, 1)} to train on and {max(test_rows, 1)} others to "
            "judge by: give more days, or lower --rows or --test-rows."
        )
    return found


def check_labels(selection: Selection) -> None:
    """Raise BadInput where the rows to train on, or those to judge by, have one label only.

    The former are the first of each part, the latter the last.
    """
    counts = selection.counts
    trained = [any(0 <= counts[p.index].first[label] < p.last for p in selection.train) for label in (0, 1)]
    judged = [any(counts[p.index].last[label] >= p.first for p in selection.test) for label in (0, 1)]
    if not all(trained):
        raise BadInput(
            f"All {selection.train_rows} training rows have the same label, {trained.index(True)}: a classifier needs "
            "both. Give more days, or raise --rows."
        )
    if not all(judged):
        raise BadInput(
            f"All {selection.test_rows} rows to judge by have the same label, {judged.index(True)}: a model is judged "
            "by both. Give more days, or raise --test-rows."
        )


def _from_front(parts: Sequence[Part], counts: dict[int, Count], rows: int) -> list[Piece]:
    pieces = []
    for index in range(len(parts)):
        if rows <= 0 or index not in counts:
            break
        take = min(rows, counts[index].rows)
        pieces.append(Piece(index, parts[index], 0, take))
        rows -= take
    return [piece for piece in pieces if piece.rows]


def _from_back(parts: Sequence[Part], counts: dict[int, Count], rows: int) -> list[Piece]:
    pieces = []
    for index in reversed(range(len(parts))):
        if rows <= 0 or index not in counts:
            break
        here = counts[index].rows
        take = min(rows, here)
        pieces.append(Piece(index, parts[index], here - take, here))
        rows -= take
    return [piece for piece in reversed(pieces) if piece.rows]
