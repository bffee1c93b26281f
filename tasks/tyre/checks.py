"""What labelled images must be to be learned from: two classes on both sides, readable, and not all alike."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from tasks.common.data import Entry
from tasks.common.program import BadInput
from tasks.common.progress import say

_SHOWN = 5


def class_of(key: str) -> str:
    return key.split("/", 1)[0]


def say_no_images(entries: Sequence[Entry], images: Sequence[Entry]) -> str:
    """Say which files are none by their names, or lie in no class's folder. Returns what was said."""
    taken = {entry.key for entry in images}
    left = [entry.key for entry in entries if entry.key not in taken]
    if not left:
        return ""
    kinds = collections.Counter(PurePosixPath(key).suffix.lower() or "no suffix" for key in left if "/" in key)
    kinds["in no class's folder"] = sum("/" not in key for key in left)
    counts = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(_SHOWN) if count)
    found = f"{len(left)} of {len(entries)} files are no images by name and place: {counts}"
    say(f"Left out: {found}.")
    return found


def two_classes(url: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    counts = collections.Counter(class_of(entry.key) for entry in entries)
    if len(counts) == 1:
        ((only, number),) = counts.items()
        raise BadInput(f"All {number} images under {url} are of class {only}: a classifier needs two classes.")
    if len(counts) > 2:
        names = ", ".join(sorted(counts)[:5])
        raise BadInput(f"There are {len(counts)} class folders under {url} ({names}): exactly two are expected.")
    return tuple(sorted(counts))


def check_corrupt(url: str, reasons: Mapping[str, str], total: int, share: float) -> None:
    """Say which images cannot be read; ``reasons`` are by key. Raises BadInput for more than ``share`` of ``total``."""
    if not reasons:
        return
    names = ", ".join(list(reasons)[:_SHOWN]) + (", ..." if len(reasons) > _SHOWN else "")
    found = f"{len(reasons)} of {total} images under {url} cannot be read as images: {names}"
    told = {reason: key for key, reason in reversed(list(reasons.items())) if reason}
    why = "".join(f" {key}: {reason}." for reason, key in list(told.items())[:_SHOWN])
    if len(reasons) > share * total:
        raise BadInput(f"{found}; mend or remove them, or raise --corrupt-share above {share:g}.{why}")
    say(f"Left out: {found}.{why}")


class Alike:
    """Whether all images of a class look the same, such as white, whatever their files are."""

    def __init__(self) -> None:
        self._first: dict[str, npt.NDArray[np.uint8]] = {}
        self._seen: collections.Counter[str] = collections.Counter()
        self._differ: set[str] = set()

    def look(self, name: str, pixels: npt.NDArray[np.uint8]) -> None:
        self._seen[name] += 1
        if name not in self._differ and not np.array_equal(self._first.setdefault(name, pixels), pixels):
            self._differ.add(name)

    def check(self, url: str) -> None:
        """Raise BadInput for a class that has several images, and all the same."""
        for name, count in self._seen.items():
            if count > 1 and name not in self._differ:
                pixels = self._first[name]
                what = f", of the one value {pixels.min()} throughout" if pixels.min() == pixels.max() else ""
                raise BadInput(
                    f"All {count} images of class {name} under {url} look alike{what}: nothing can be learned from "
                    "them. See how they were written."
                )


class Copies:
    """Images of the same bytes as an earlier one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._first: dict[str, tuple[str, bool]] = {}
        self._same: list[tuple[str, str]] = []
        self._apart: list[tuple[str, str]] = []

    def parted(self, key: str, digest: str, held_out: bool) -> bool:
        """Whether it is the copy of an image on the other side, which must then be left out."""
        first, side = self._first.setdefault(digest, (key, held_out))
        if first == key:
            return False
        (self._apart if side != held_out else self._same).append((key, first))
        return side != held_out

    def report(self) -> None:
        crossing = [pair for pair in self._same + self._apart if class_of(pair[0]) != class_of(pair[1])]
        if self._same:
            say(
                f"{len(self._same)} images under {self._url} are copies of others, byte by byte, such as "
                f"{_pair(self._same)}; copies are on the same side of the split."
            )
        if self._apart:
            say(
                f"Left out: {len(self._apart)} images under {self._url} are copies of others that --group puts on the "
                f"other side of the split, such as {_pair(self._apart)}."
            )
        if crossing:
            say(f"{len(crossing)} of them are in both classes, so that one is wrong, such as {_pair(crossing)}.")


def _pair(pairs: Sequence[tuple[str, str]]) -> str:
    return f"{pairs[0][0]} of {pairs[0][1]}"
