"""What belongs to an SVM: each resource says so itself, so that a new resource changes nothing here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

Part = Callable[["World", Record], None]

KINDS: list[str] = []
"""Kinds of records that go when their SVM goes."""
FIRST: list[Part] = []
"""What a new SVM has to begin with; each is called within the transaction that adds the SVM."""
LAST: list[Part] = []
"""What is put away before an SVM goes; each may be called again after a kill."""


def belongs(kind: str) -> str:
    """Register a kind of records that carry ``svm`` and go with it. Returns the kind."""
    KINDS.append(kind)
    return kind


def begins_with(part: Part) -> Part:
    FIRST.append(part)
    return part


def ends_with(part: Part) -> Part:
    LAST.append(part)
    return part
