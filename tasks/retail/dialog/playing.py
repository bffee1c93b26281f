"""Whole conversations played by the flows: does what a model understands lead to the same services as the truth?

A conversation reaches its end when every service that it should ask is asked, in the same turn, for the same wish with
the same words, and no other. Services are asked in thought only: what they would answer is not judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.retail.dialog.conversation import Dialog, Understood
from tasks.retail.dialog.flow_check import Flows

GRAMMAR = ("interrogative", "verb", "article")
"""Slots, and what begins with them and a dot, that no service is asked with."""
STATUS = "done"


@dataclass(frozen=True)
class Asked:
    """A service that was asked in a turn, for which wish and with which words."""

    turn: int
    service: str
    wish: str
    words: Mapping[str, str]


@dataclass
class _Told:
    """The understanding of one conversation, turn by turn, and what its services are asked."""

    turns: Sequence[Understood]
    slots: Sequence[str]
    turn: int = -1
    asked: list[Asked] = field(default_factory=list)

    async def understand(self, text: str) -> Understood:
        return self.turns[self.turn]

    async def fulfil(self, service: str, keys: Mapping[str, str]) -> str:
        words = {slot: keys[slot].lower() for slot in self.slots if slot in keys}
        self.asked.append(Asked(self.turn, service, keys["intent"], words))
        return STATUS


def played(flows: Flows, messages: Sequence[str], understood: Sequence[Understood]) -> list[Asked]:
    """Return what services are asked in a conversation of these messages, each understood as ``understood`` says."""
    slots = [slot for slot in flows.vocabulary.slots if slot.partition(".")[0] not in GRAMMAR]
    told = _Told(understood, slots)
    dialog = Dialog(flows, told, told, choose=lambda texts: texts[0])

    async def talk() -> None:
        conversation = (await dialog.begin()).conversation
        for turn, message in enumerate(messages):
            told.turn = turn
            conversation = (await dialog.hear(conversation, message)).conversation

    asyncio.run(talk())
    return told.asked
