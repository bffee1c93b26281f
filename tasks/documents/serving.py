"""Which frozen index serves: ``serving.json`` on the volume of the index, a list whose last entry serves.

Nothing is ever taken out of it: putting an earlier index back adds it again, and the documents as they were at a date
are those of the last entry whose dataset version is not younger.
"""

from __future__ import annotations

import json
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
    :param threshold: how sure an answer has to be, as its evaluation calibrated it.
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
    known = history(volume)
    now = known[-1].run_key if known else None
    if now == served.run_key:
        return
    if now != instead_of:
        raise BadInput(f"The index of run {now} serves meanwhile, not that of {instead_of}; judge against that one.")
    told = [_told(each) for each in [*known, served]]
    write_whole(volume / SERVING, json.dumps(told, indent=1).encode())


def _told(served: Served) -> dict[str, Any]:
    times = {"version_at": served.version_at.isoformat(), "served_at": served.served_at.isoformat()}
    return {**asdict(served), **times}


def _read(told: dict[str, Any]) -> Served:
    times = {name: datetime.fromisoformat(told[name]) for name in ("version_at", "served_at")}
    if any(at.tzinfo is None for at in times.values()):
        raise ValueError("a time without its zone")
    return Served(told["run_key"], told["snapshot"], told["version"], **times, threshold=float(told["threshold"]))
