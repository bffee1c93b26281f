"""Hold one conversation through the running dialog service, as proof that it understands with the model that serves.

    DIALOG_URL=http://127.0.0.1:8600 python -m tasks.retail.converse

It asks where to get the best pasta, which has to be understood as published (find_the_store, with the slots of every
word that has one), and then names a city, which has to get an answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.progress import say
from tasks.retail.collect import Dialog
from tasks.retail.dialog.flow_check import FLOWS, load
from tasks.retail.predict import PASTA

PUBLISHED = {
    "interrogative.location": "where",
    "verb": "get",
    "article": "the",
    "rating.high": "best",
    "item.type": "pasta",
}
INTENT = "find_the_store"
CITY = "in Boston"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--flows", type=Path, default=FLOWS, help="folder of *_flow.yml and vocabulary.yml")
    options = flags.parse()
    words = load(options.flows).vocabulary
    dialog = Dialog.of_environment()
    conversation = json.loads(dialog.ask("/api/conversations", {}))["conversation"]
    turns = []
    for text in (PASTA, CITY):
        turn = json.loads(dialog.ask(f"/api/conversations/{conversation}/messages", {"text": text}))
        answer = " ".join(said["text"] for said in turn["says"])
        say(f"{text!r}: {answer!r}")
        turns.append({"heard": text, "intent": turn.get("intent"), "slots": turn.get("slots"), "says": answer})
    wish = words.intents.get(turns[0]["intent"] or "")
    if wish is None or wish.label != INTENT or turns[0]["slots"] != PUBLISHED:
        raise RuntimeError(
            f"{PASTA!r} was understood as {turns[0]['intent']} with {turns[0]['slots']}; {INTENT} with {PUBLISHED} is "
            "published. The model serves all the same; roll_back puts the one before it back."
        )
    if (turns[1]["slots"] or {}).get("location") != "Boston":
        raise RuntimeError(f"{CITY!r} was understood as {turns[1]['slots']}; it names the location Boston.")
    return {"conversation": conversation, "turns": turns, "intent": INTENT, "slots": PUBLISHED}


if __name__ == "__main__":
    program.run(main)
