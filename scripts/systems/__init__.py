"""What is a system's own in `make demo`, `make rerun` and `make screenshot`: one module per system, with its SYSTEM."""

from __future__ import annotations

import importlib
import pkgutil

from scripts.systems.system import System

_SHARED = ("system", "text")


def names() -> list[str]:
    """Every system that can be shown, by the name of its module."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name not in _SHARED)


def find(name: str) -> System:
    """Return the system of this name; SystemExit names those there are."""
    if name not in names():
        raise SystemExit(f"No system is called {name!r}; there are {', '.join(names())}.")
    return importlib.import_module(f"scripts.systems.{name}").SYSTEM
