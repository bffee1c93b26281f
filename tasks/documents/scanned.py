"""What a scan says of one file, and the file of lines that holds it: no word of what is personal stands in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.common.result import write_whole

IN, MASKED, KEPT_OUT, REFUSED, UNREADABLE = "in", "masked", "kept_out", "refused", "unreadable"
OUTCOMES = {
    IN: "in the index",
    MASKED: "in the index, masked",
    KEPT_OUT: "kept out",
    REFUSED: "refuses the version",
    UNREADABLE: "not readable",
}


@dataclass(frozen=True)
class Found:
    """So many things of a kind stand at a place of a document."""

    kind: str
    entity: str
    place: str
    count: int


@dataclass(frozen=True)
class Scanned:
    """``sentence`` says why a file is not in the index, ``remarks`` what is odd about it; ``text`` is its digest.

    ``made_with`` is what decided all this beside the file's content: rules, policy and encoder.
    """

    path: str
    digest: str
    made_with: str
    outcome: str
    kind: str = ""
    sentence: str = ""
    remarks: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    text: str = ""

    @property
    def is_indexed(self) -> bool:
        return self.outcome in (IN, MASKED)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Scanned:
        found = tuple(Found(**each) for each in told["found"])
        return cls(**{**told, "remarks": tuple(told["remarks"]), "found": found})


def keep(path: Path, scanned: Sequence[Scanned]) -> None:
    write_whole(path, "".join(f"{json.dumps(each.as_json())}\n" for each in scanned).encode())


def kept(path: Path) -> list[Scanned]:
    """Return what a file holds; nothing where there is none."""
    try:
        return [Scanned.from_json(told) for told in lines(path)]
    except FileNotFoundError:
        return []


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Go through the whole lines of a file; one that a killed program left half written ends them."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)


def kinds(scanned: Iterable[Scanned]) -> dict[str, int]:
    """Return how many documents each kind was found in."""
    return dict(Counter(kind for each in scanned for kind in {found.kind for found in each.found}))


def twice(scanned: Iterable[Scanned]) -> list[list[str]]:
    """Return the groups of files that say the same, whatever their format."""
    alike: dict[str, list[str]] = {}
    for each in scanned:
        if each.text:
            alike.setdefault(each.text, []).append(each.path)
    return [sorted(paths) for paths in alike.values() if len(paths) > 1]
