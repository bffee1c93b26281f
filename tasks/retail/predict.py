"""Ask a deployed model what a question means, over the Open Inference Protocol (HTTP).

    python -m tasks.retail.predict --endpoint http://127.0.0.1:8000 --model /tmp/run --text "is it raining in boston"

Without a text it asks where to get the best pasta.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.inference import add_endpoint, infer, infer_url
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.tokens import Tokens
from tasks.retail.dataset import MOST_WORDS
from tasks.retail.labels import OUTSIDE, spans
from tasks.retail.model import INPUT, OUTPUT
from tasks.retail.reading import answers

PASTA = "where can i get the best pasta"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    add_endpoint(flags, "retail_assistant")
    flags.add_argument("--text", default=PASTA, help="what is asked")
    options = flags.parse()
    if not options.model:
        raise BadInput("--model does not say which model it is; name the folder that training left.")
    words = options.text.split()
    if not words or len(words) > MOST_WORDS:
        raise BadInput(f"--text has {len(words)} words; a question has 1 to {MOST_WORDS}.")
    folder = Path(options.model)
    told: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
    slots: list[str] = told["slots"]
    numbers, first = Tokens.of(folder).numbers([words])
    address = infer_url(options.endpoint, options.name, options.version)
    begun = time.perf_counter()
    logits = infer(address, numbers, inputs=INPUT, outputs=OUTPUT)
    milliseconds = (time.perf_counter() - begun) * 1000
    (answer,) = answers(logits, first, len(slots), slots.index(OUTSIDE))
    found = [
        {"slot": name, "text": " ".join(words[begin:end])}
        for name, begin, end in spans([slots[slot] for slot in answer.slots])
    ]
    intent = told["intents"][answer.intent]
    say(
        f"{options.text!r}: {intent} ({answer.confidence:.2f}), "
        + ", ".join(f"{s['slot']} {s['text']!r}" for s in found)
    )
    return {
        "text": options.text,
        "intent": intent,
        "confidence": round(answer.confidence, 4),
        "slots": found,
        "milliseconds": round(milliseconds, 1),
        "endpoint": address,
    }


if __name__ == "__main__":
    program.run(main)
