"""Which frozen index serves: ``serving.json`` on the volume of the index, a list whose last entry serves.

Nothing is ever taken out of it: putting an earlier index back adds it again, and the documents as they were at a date
are those of the last entry whose dataset version is not younger. An index that was built for a past date stands before
those of younger versions, and never last.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput
from tasks.common.result import write_whole
from tasks.documents.answer import THRESHOLD

SERVING = "serving.json"


@dataclass(frozen=True)
class Served:
    """An index that serves, or did.

    :param run_key: of the run that built it; ``snapshot`` of the index's volume holds it.
    :param version: the id of the dataset version it is of, which is of the time ``version_at``.
    :param threshold: how sure an answer has to be.
    """

    run_key: str
    snapshot: str
    version: str
    version_at: datetime
    served_at: datetime
    threshold: float = THRESHOLD


def history(volume: Path) -> list[Served]:
    """Return all that served, the newest last; none before the first. Raises BadInput where that cannot be told."""
    file = volume / SERVING
    try:
        return [_read(told) for told in json.loads(file.read_text())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{file} does not tell which index serves ({type(error).__name__}).") from error


def current(volume: Path) -> Served | None:
    """Return what serves; None where nothing does yet."""
    return next(reversed(history(volume)), None)


def as_of(volume: Path, at: datetime) -> Served | None:
    """Return the index of the documents as they were at a time; None where there is none that old."""
    return next((each for each in reversed(history(volume)) if each.version_at <= at), None)


def serve(volume: Path, served: Served, *, instead_of: str | None) -> None:
    """Let an index serve, in place of the run ``instead_of``, None where nothing serves yet.

    Done already, it changes nothing. Raises BadInput where another serves meanwhile.
    """
    with _alone(volume):
        known = history(volume)
        now = known[-1].run_key if known else None
        if now == served.run_key:
            return
        if now != instead_of:
            raise BadInput(
                f"The index of run {now} serves meanwhile, not that of {instead_of}; judge against that one."
            )
        _write(volume, [*known, served])


def remember(volume: Path, served: Served) -> None:
    """Let an index be known for the date of its version, while the one that serves goes on to serve.

    Raises BadInput where none serves yet: this one would.
    """
    with _alone(volume):
        known = history(volume)
        if not known:
            raise BadInput("No index serves yet, so none can be known for its date alone; let one serve first.")
        if any(each.run_key == served.run_key for each in known):
            return
        older = [place for place, each in enumerate(known, 1) if each.version_at <= served.version_at]
        place = min(max(older, default=0), len(known) - 1)
        _write(volume, [*known[:place], served, *known[place:]])


@contextmanager
def _alone(volume: Path) -> Iterator[None]:
    """Let nobody else change the list meanwhile."""
    with (volume / f".{SERVING}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(volume: Path, known: list[Served]) -> None:
    write_whole(volume / SERVING, json.dumps([_told(each) for each in known], indent=1).encode())


def _told(served: Served) -> dict[str, Any]:
    times = {"version_at": served.version_at.isoformat(), "served_at": served.served_at.isoformat()}
    return {**asdict(served), **times}


def _read(told: dict[str, Any]) -> Served:
    times = {name: datetime.fromisoformat(told[name]) for name in ("version_at", "served_at")}
    if any(at.tzinfo is None for at in times.values()):
        raise ValueError("a time without its zone")
    return Served(told["run_key"], told["snapshot"], told["version"], **times, threshold=float(told["threshold"]))
