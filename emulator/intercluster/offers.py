"""The table of what a cluster answers to its peers, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from emulator.store import Record


@dataclass(frozen=True)
class Stream:
    """An answer of bytes, sent as they come; ``length`` is that of all of them."""

    length: int
    parts: Iterator[bytes]


# World, the record of the peer that asks, and arguments. The world has the peers, so it cannot be named here.
Answer = Callable[[Any, Record, dict[str, Any]], dict[str, Any] | Stream]
A = TypeVar("A", bound=Answer)
OFFERS: dict[str, Answer] = {}


def offers(name: str) -> Callable[[A], A]:
    """Register a function (world, peer, arguments) that peered clusters may call.

    It returns what JSON can hold, or a `Stream`; what it raises as `OntapError` is raised again at the peer.
    """

    def register(answer: A) -> A:
        OFFERS[name] = answer
        return answer

    return register
