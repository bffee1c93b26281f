"""What is sent to the dialog service and what it tells, as JSON; a fault of it is one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from services.dialog.store import Labels, Stored
from services.web import BadRequestError
from tasks.retail.dataset import MOST_CHARACTERS, MOST_WORDS
from tasks.retail.labels import BEGIN, INSIDE, INTENTS, SLOTS

CHANNELS = ("text", "speech")
LONGEST_NAME = 100
MESSAGE_ID = re.compile(r"[\w-]{1,64}")


def told(turn: Stored) -> dict[str, Any]:
    """Return a turn as JSON says it; all of it is text, none is HTML."""
    says = [{"text": say.text, "delay": say.delay} for say in turn.says]
    heard = {"heard": turn.heard, "channel": turn.channel} if turn.heard is not None else {}
    meant = {"intent": turn.intent, "slots": turn.slots} if turn.intent is not None else {}
    return {"turn": turn.turn, "at": turn.at.isoformat(), "says": says, **heard, **meant}


def words_of(turn: Stored) -> list[str]:
    """Return the words of a message as the training data holds them; none of what is no message, or too long for it."""
    words = (turn.heard or "").split()
    return words if len(words) <= MOST_WORDS and len(turn.heard or "") <= MOST_CHARACTERS else []


def said(labels: Labels) -> dict[str, Any]:
    return {
        "intent": labels.intent,
        "slots": list(labels.slots),
        "by": labels.by,
        "at": labels.at.isoformat(),
    }


def labels_of(sent: Any, words: Sequence[str]) -> tuple[str, list[str], str]:
    """Return intent, slots and who says so. Raises BadRequestError with what is wrong."""
    if not isinstance(sent, dict):
        raise BadRequestError("Labels are a JSON object with intent, slots and by.")
    intent, slots, by = sent.get("intent"), sent.get("slots"), sent.get("by")
    if intent not in INTENTS:
        raise BadRequestError(f"There is no intent {intent!r}; GET /api/labels has those there are.")
    if not isinstance(slots, list) or len(slots) != len(words):
        count = len(slots) if isinstance(slots, list) else "no list"
        raise BadRequestError(f"The message has {len(words)} words, and slots are a label for each, not {count}.")
    for place, slot in enumerate(slots):
        if slot not in SLOTS:
            raise BadRequestError(f"There is no slot {slot!r}; GET /api/labels has those there are.")
        name = slot.removeprefix(INSIDE)
        if slot.startswith(INSIDE) and (place == 0 or slots[place - 1] not in (BEGIN + name, slot)):
            raise BadRequestError(f"{slot!r} at word {place + 1} continues a slot that the word before is no part of.")
    if not isinstance(by, str) or not by.strip() or len(by) > LONGEST_NAME:
        raise BadRequestError(f"by says who labels, in up to {LONGEST_NAME} characters.")
    return intent, slots, by.strip()


def message_of(sent: Any) -> tuple[str, str | None, str]:
    """Return text, id and channel of a message. Raises BadRequestError with what is wrong."""
    if not isinstance(sent, dict) or not isinstance(sent.get("text"), str):
        raise BadRequestError('A message is a JSON object with a text, such as {"text": "What is the weather?"}.')
    message, channel = id_of(sent.get("message")), sent.get("channel", "text")
    if channel not in CHANNELS:
        raise BadRequestError(f"A channel is {' or '.join(CHANNELS)}, not {channel!r}.")
    # A database's text cannot hold it, and nobody says it.
    return sent["text"].replace("\x00", ""), message, channel


def id_of(message: Any) -> str | None:
    """Return the id that whoever sent a message gave it; None where they gave none. Raises BadRequestError."""
    if message is not None and not (isinstance(message, str) and MESSAGE_ID.fullmatch(message)):
        raise BadRequestError("The id of a message is up to 64 letters, digits, - and _.")
    return message
