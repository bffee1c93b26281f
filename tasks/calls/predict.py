"""Ask a deployed model for the sentiment of a sentence, over the Open Inference Protocol (HTTP).

    python -m tasks.calls.predict --endpoint http://127.0.0.1:8000 --model /tmp/run --text "nobody has called me back"

Without a text it asks about a third call.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tasks.calls.dataset import words
from tasks.calls.sentiment import INPUT, MODEL, OUTPUT, numbers, scores
from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.inference import add_endpoint, infer, infer_url
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.tokens import Tokens

THIRD_CALL = "This is the third time that I call about my router."


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    add_endpoint(flags, MODEL)
    flags.add_argument("--text", default=THIRD_CALL, help="what is said")
    options = flags.parse()
    if not options.model:
        raise BadInput("--model does not say which model it is; name the folder that training left.")
    if not words(options.text):
        raise BadInput(f"--text {options.text!r} holds no word.")
    asked = numbers(Tokens.of(Path(options.model)), [options.text])
    address = infer_url(options.endpoint, options.name, options.version)
    begun = time.perf_counter()
    logits = infer(address, asked, inputs=INPUT, outputs=OUTPUT)
    milliseconds = (time.perf_counter() - begun) * 1000
    (found,) = scores(logits)
    say(f"{options.text!r}: {found.label} ({max(found.to_json().values()):.2f})")
    return {
        "text": options.text,
        "sentiment": found.label,
        "scores": found.to_json(),
        "milliseconds": round(milliseconds, 1),
        "endpoint": address,
    }


if __name__ == "__main__":
    program.run(main)
