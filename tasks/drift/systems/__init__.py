"""How the rows of each system are read for drift: one module per system, named like its folder of programs.

A module has ``LIMIT``, how many rows of each side are read unless told otherwise, and ``read``, which takes a Source
and returns a Pair. It raises NothingNew where the new version has no row that the earlier ones lack, and BadInput for
data that the champion cannot be asked about.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol, cast

from tasks.common.program import BadInput
from tasks.drift.sample import Pair, Source


class Reader(Protocol):
    LIMIT: int

    def read(self, source: Source) -> Pair: ...


def names() -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


def find(name: str) -> Reader:
    """Return the reader of a system. Raises BadInput, naming those there are."""
    if name not in names():
        raise BadInput(f"Drift of system {name!r} is not known; there are {', '.join(names())}.")
    return cast(Reader, importlib.import_module(f"tasks.drift.systems.{name}"))
