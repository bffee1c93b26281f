"""Rows from the bytes of a click log.

A row is well formed when it has a label of 0 or 1, then 13 integers of 32 bits, then 26 categoricals of 8 hexadecimal
digits, separated by tabs; all but the label may be empty. Everything else is malformed: counted, never guessed at. The
loop reads every byte once, some 450 MB a second and core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.ctr.columns import CATEGORICAL, MISSING, NUMERIC
from tasks.ctr.compiled import compiled

SHORTEST_ROW = 1 + len(NUMERIC) + len(CATEGORICAL) + 1
EXAMPLES = 3
_EXAMPLE_BYTES = 120
_TAB, _NEWLINE, _RETURN, _MINUS, _ZERO = 9, 10, 13, 45, 48
_LARGEST = 2**31 - 1
_NUMERIC, _CATEGORICAL = len(NUMERIC), len(CATEGORICAL)

_NIBBLE = np.full(256, 255, np.uint8)
for _place, _digit in enumerate("0123456789abcdef"):
    _NIBBLE[ord(_digit)] = _NIBBLE[ord(_digit.upper())] = _place


@dataclass(frozen=True)
class Malformed:
    """Lines left out: how many, and the first few, cut short."""

    count: int = 0
    examples: tuple[str, ...] = ()

    def __add__(self, other: Malformed) -> Malformed:
        return Malformed(self.count + other.count, (self.examples + other.examples)[:EXAMPLES])


@dataclass(frozen=True)
class Rows:
    """``labels`` uint8 [N], ``numeric`` int32 [N, 13] with MISSING, and on demand ``categorical`` uint32 [N, 26] with
    ``present`` bool [N, 26]. ``lines`` counts the malformed ones as well; ``bad_lines`` are their places among them.
    """

    labels: npt.NDArray[np.uint8]
    numeric: npt.NDArray[np.int32]
    categorical: npt.NDArray[np.uint32] | None
    present: npt.NDArray[np.bool_] | None
    lines: int
    bad_lines: npt.NDArray[np.int64]
    malformed: Malformed


def parse(content: bytes | bytearray | memoryview, *, categorical: bool = False) -> Rows:
    """``content`` is whole lines; the last one may lack its newline."""
    text = np.frombuffer(content, np.uint8)
    room = len(text) // SHORTEST_ROW + 1
    labels, numeric = np.empty(room, np.uint8), np.empty((room, _NUMERIC), np.int32)
    shape = (room, _CATEGORICAL) if categorical else (1, _CATEGORICAL)
    hashes, present = np.empty(shape, np.uint32), np.empty(shape, np.bool_)
    bad = np.empty((len(text) + 1, 2), np.int64)  # takes no memory where it is not written
    rows, lines, bad_count = _parse(text, labels, numeric, hashes, present, categorical, bad, _NIBBLE)
    starts = bad[:bad_count, 1]
    examples = tuple(_example(text, int(start)) for start in starts[:EXAMPLES])
    return Rows(
        labels=labels[:rows],
        numeric=numeric[:rows],
        categorical=hashes[:rows] if categorical else None,
        present=present[:rows] if categorical else None,
        lines=lines,
        bad_lines=bad[:bad_count, 0].copy(),
        malformed=Malformed(bad_count, examples),
    )


def _example(text: npt.NDArray[np.uint8], start: int) -> str:
    line = text[start : start + _EXAMPLE_BYTES + 1].tobytes().split(b"\n", 1)[0]
    shown = line.rstrip(b"\r")[:_EXAMPLE_BYTES].decode("ascii", errors="backslashreplace")
    return shown.replace("\t", "\\t") + ("..." if len(line) > _EXAMPLE_BYTES else "")


@compiled
def _parse(text: Any, labels: Any, numeric: Any, hashes: Any, present: Any, keep: bool, bad: Any, nibble: Any) -> Any:
    """Numbers of rows, lines and bad lines; fills the arrays."""
    value: Any  # of a number and of a hash, which are of different types to the compiler
    end, at, rows, lines, bad_count = len(text), 0, 0, 0, 0
    while at < end:
        start = at
        good = rows < len(labels) and end - at >= 3 and text[at + 1] == _TAB and (text[at] ^ 1) | 1 == _ZERO | 1
        if good:
            labels[rows] = text[at] - _ZERO
            at += 2
            for column in range(_NUMERIC):
                value, digits, negative = 0, 0, False
                if at < end and text[at] == _MINUS:
                    negative, at = True, at + 1
                while at < end and digits < 11:
                    digit = np.int64(text[at]) - _ZERO
                    if digit < 0 or digit > 9:
                        break
                    value, digits, at = value * 10 + digit, digits + 1, at + 1
                if at >= end or text[at] != _TAB or value > _LARGEST or (negative and digits == 0):
                    good = False
                    break
                at += 1
                numeric[rows, column] = MISSING if digits == 0 else -value if negative else value
        if good:
            for column in range(_CATEGORICAL):
                last = column == _CATEGORICAL - 1
                value, present_here = np.uint32(0), False
                if at + 8 <= end and text[at] > _RETURN:
                    wrong = np.uint32(0)
                    for place in range(8):
                        wrong |= np.uint32(nibble[text[at + place]])
                    if keep:
                        for place in range(8):
                            value = np.uint32(value << np.uint32(4)) | np.uint32(nibble[text[at + place]])
                    if wrong > 15:
                        good = False
                        break
                    at, present_here = at + 8, True
                if keep:
                    hashes[rows, column], present[rows, column] = value, present_here
                if not last:
                    if at >= end or text[at] != _TAB:
                        good = False
                        break
                    at += 1
        if good and at < end and text[at] == _RETURN:
            at += 1
        if good and at < end and text[at] != _NEWLINE:
            good = False
        if good:
            rows += 1
        else:
            bad[bad_count, 0], bad[bad_count, 1] = lines, start
            bad_count += 1
            while at < end and text[at] != _NEWLINE:
                at += 1
        at += 1
        lines += 1
    return rows, lines, bad_count
