"""Quantile bins found from parts of the data that are never seen together.

A value's code is the upper 16 bits of its float32, turned so that codes stand in the order of values: every integer up
to 256 has its own, larger ones share one with their neighbours within 1 %. How often each code occurs in each column is
a sketch of the data that adds up exactly, in any order, and is a few kilobytes long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.ctr.columns import NUMERIC
from tasks.ctr.compiled import compiled

CODES = 1 << 16
Codes = npt.NDArray[np.uint16]


def encode(values: npt.NDArray[np.float32]) -> Codes:
    """Codes of any shape of finite values."""
    bits = np.ascontiguousarray(values + np.float32(0)).view(np.uint32)  # + 0 makes -0 a 0
    return _in_order(bits.reshape(-1)).reshape(values.shape)


@compiled
def _in_order(bits: Any) -> Any:
    codes = np.empty(len(bits), np.uint16)
    for place in range(len(bits)):
        upper = bits[place] >> 16
        codes[place] = upper ^ 0xFFFF if upper & 0x8000 else upper | 0x8000
    return codes


def largest_of(codes: Codes) -> npt.NDArray[np.float32]:
    """Return the largest float32 with that code, so that ``x <= largest_of(c)`` exactly where ``encode(x) <= c``."""
    upper = np.where(codes & 0x8000, codes & 0x7FFF, codes ^ 0xFFFF).astype(np.uint32)
    lower = np.where(codes & 0x8000, 0xFFFF, 0).astype(np.uint32)
    return ((upper << 16) | lower).view(np.float32)


@dataclass(frozen=True)
class Sketch:
    """For each column, the codes that occur, ascending, and how often."""

    codes: list[Codes]
    counts: list[npt.NDArray[np.int64]]

    @classmethod
    def of(cls, codes: Codes) -> Sketch:
        """``codes`` [N, 13]."""
        found, counts = [], []
        for column in range(codes.shape[1]):
            every = np.bincount(codes[:, column], minlength=CODES)
            occurring = np.flatnonzero(every)
            found.append(occurring.astype(np.uint16))
            counts.append(every[occurring].astype(np.int64))
        return cls(found, counts)


def merge(sketches: list[Sketch]) -> Sketch:
    codes, counts = [], []
    for column in range(len(NUMERIC)):
        every = np.concatenate([sketch.codes[column] for sketch in sketches])
        weights = np.concatenate([sketch.counts[column] for sketch in sketches])
        occurring, place = np.unique(every, return_inverse=True)
        sums = np.zeros(len(occurring), np.int64)
        np.add.at(sums, place, weights)
        codes.append(occurring)
        counts.append(sums)
    return Sketch(codes, counts)


def cuts_of(sketch: Sketch, bins: int) -> list[Codes]:
    """For each column, the last code of every bin but the last one: at most ``bins`` - 1, fewer for few values.

    Bins hold as equal numbers of rows as can be. A value that alone fills more than a bin, such as a missing one, has a
    bin to itself, and the rest is shared out among the bins that are left.
    """
    return [_cuts(codes, counts, bins) for codes, counts in zip(sketch.codes, sketch.counts, strict=True)]


def _cuts(codes: Codes, counts: npt.NDArray[np.int64], bins: int) -> Codes:
    cuts: list[int] = []
    rest, held = int(counts.sum()), 0
    for place in range(len(codes) - 1):
        held += int(counts[place])
        share = rest / (bins - len(cuts))
        following = int(counts[place + 1])
        # Closed where it is nearer to its share without the next value than with it.
        if held >= share or held + following - share > share - held:
            cuts.append(int(codes[place]))
            rest, held = rest - held, 0
            if len(cuts) == bins - 1:
                break
    return np.array(cuts, np.uint16)


def apply(codes: Codes, cuts: list[Codes]) -> npt.NDArray[np.uint8]:
    """Bins [N, 13]: how many cuts lie below each code."""
    table = np.stack([np.searchsorted(column, np.arange(CODES)).astype(np.uint8) for column in cuts])
    return _look_up(codes, table)


@compiled
def _look_up(codes: Any, table: Any) -> Any:
    bins = np.empty(codes.shape, np.uint8)
    for row in range(len(codes)):
        for column in range(codes.shape[1]):
            bins[row, column] = table[column, codes[row, column]]
    return bins
