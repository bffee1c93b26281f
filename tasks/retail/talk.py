"""Hold a day of conversations with the running dialog service, as people of a made day would, and label them.

    DIALOG_URL=http://127.0.0.1:8600 DIALOG_TOKEN=... python -m tasks.retail.talk --conversations 300

For demonstrations, and for trying how the service bears many people. What is said is that of ``generate``, with words
that its first day does not know, some of it with what people say of themselves. ``--labelled`` is the share of the
messages that somebody labels afterwards, as on the page of labels.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.common import program
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.retail.collect import Dialog
from tasks.retail.generate import conversation
from tasks.retail.labels import INTENTS, OUTSIDE, SLOTS
from tasks.retail.masking_check import personal


@dataclass(frozen=True)
class Message:
    text: str
    intent: str
    slots: list[str]


def main() -> dict[str, Any]:
    options = _options()
    dialog, chance = Dialog.of_environment(), random.Random(options.seed)  # noqa: S311 - what is said is no secret
    said = [_messages(chance, options.personal) for _ in range(options.conversations)]
    chosen = [[chance.random() < options.labelled for _ in messages] for messages in said]
    begun = time.monotonic()
    with (
        Progress(len(said), "conversations", "Talking") as progress,
        ThreadPoolExecutor(options.at_once) as pool,
    ):

        def hold(messages: Sequence[Message]) -> tuple[str, list[str]]:
            answers = _held(dialog, messages)
            progress.advance()
            return answers

        held = list(pool.map(hold, said))
    seconds = time.monotonic() - begun
    labelled = 0
    for (name, _), messages, wanted in zip(held, said, chosen, strict=True):
        for turn, (message, is_wanted) in enumerate(zip(messages, wanted, strict=True), 1):
            if is_wanted:
                sent = {"intent": message.intent, "slots": message.slots, "by": options.by}
                dialog.ask(f"/api/conversations/{name}/turns/{turn}/labels", sent, "PUT")
                labelled += 1
    return {
        "conversations": len(said),
        "messages": sum(map(len, said)),
        "labelled": labelled,
        "seconds": round(seconds, 2),
        "first": [{"heard": m.text, "says": s} for m, s in zip(said[0], held[0][1], strict=True)],
    }


def _held(dialog: Dialog, messages: Sequence[Message]) -> tuple[str, list[str]]:
    """Say the messages, and return the conversation's id and what was answered."""
    name = json.loads(dialog.ask("/api/conversations", {}))["conversation"]
    answers = []
    for message in messages:
        turn = json.loads(dialog.ask(f"/api/conversations/{name}/messages", {"text": message.text}))
        answers.append(" ".join(each["text"] for each in turn["says"]))
    return name, answers


def _messages(chance: random.Random, share: float) -> list[Message]:
    found = []
    for question in conversation(chance):
        words, labels = list(question.words), [SLOTS[slot] for slot in question.slots]
        if chance.random() < share:
            before, _ = personal(chance)
            words, labels = [*before, "and", *words], [OUTSIDE] * (len(before) + 1) + labels
        found.append(Message(" ".join(words), INTENTS[question.intent], labels))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=4, help="conversations that are held side by side")
    parser.add_argument("--labelled", type=float, default=0.9, help="share of the messages that are labelled")
    parser.add_argument("--personal", type=float, default=0.1, help="share of those with words about a person")
    parser.add_argument("--by", default="demo", help="who labels")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    if min(options.conversations, options.at_once) < 1:
        raise BadInput("--conversations and --at-once must be at least 1.")
    return options


if __name__ == "__main__":
    program.run(main)
