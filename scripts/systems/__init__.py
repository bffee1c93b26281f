"""What is a system's own in `make demo`, `make rerun` and `make screenshot`: one module per system, with its SYSTEM."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from scripts.systems.system import System

_SHARED = ("system", "text")


def names() -> list[str]:
    """Every system that can be shown, by the name of its module."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name not in _SHARED)


def by_number() -> dict[int | None, list[str]]:
    """The names of the demos of each published design, by its number; those of one's own come last, below None."""
    found: dict[int | None, list[str]] = {}
    for name in sorted(names(), key=lambda name: (find(name).number or sys.maxsize, name)):
        found.setdefault(find(name).number, []).append(name)
    return found


def find(name: str) -> System:
    """Return the system of this name; SystemExit names those there are."""
    if name not in names():
        raise SystemExit(f"No system is called {name!r}; there are {', '.join(names())}.")
    return importlib.import_module(f"scripts.systems.{name}").SYSTEM
