"""Ask a deployed model about one picture, over the Open Inference Protocol (HTTP).

    python -m tasks.chest.predict --endpoint http://127.0.0.1:8000 --model /tmp/run --image /data/chest/1.png
    python -m tasks.chest.predict --endpoint http://127.0.0.1:8000/v2/models/chest_xray/infer --model /tmp/run \
        --data /data/chest

Given a data set instead of a picture, it asks about one of a patient that the model has not been trained on, and says
what the table says of it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.chest import preprocessing, table
from tasks.chest.export import PATIENTS, digest_of
from tasks.chest.findings import FINDINGS, NONE
from tasks.chest.preprocessing import INPUT, OUTPUT, IsDicom, NotAPicture
from tasks.common import manifest, program
from tasks.common.cli import Flags
from tasks.common.data import open_source, read_url
from tasks.common.inference import add_endpoint, infer, infer_url
from tasks.common.listing import only_data
from tasks.common.metrics import Floats
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.progress import say

TOLD = 3  # findings of the answer, the surest first


@dataclass(frozen=True)
class Question:
    """``actual`` is what the table says of the picture; None where no table was read."""

    name: str
    content: bytes
    actual: frozenset[str] | None = None


def main() -> dict[str, Any]:
    options = _options()
    told: Mapping[str, Any] = json.loads(read_url(f"{options.model.rstrip('/')}/{DESCRIPTION}"))
    side = int(told["preprocessing"]["height"])
    if told["preprocessing"] != preprocessing.description(side):
        raise BadInput(f"The model of {options.model} was trained on pictures prepared in another way than here.")
    asked = Question(options.image, read_url(options.image)) if options.image else _unseen(options.data, options.model)
    try:
        pixels = preprocessing.decode(asked.content, side).pixels
    except IsDicom:
        raise BadInput(f"{asked.name} is DICOM where PNG is expected: convert it to a grey PNG.") from None
    except NotAPicture as error:
        raise BadInput(f"{asked.name} cannot be read as a picture: {error}.") from error
    address = infer_url(options.endpoint, options.name, options.version)
    begun = time.perf_counter()
    logits = infer(address, preprocessing.normalise(pixels[None]), inputs=INPUT, outputs=OUTPUT)
    milliseconds = (time.perf_counter() - begun) * 1000
    return {**_answer(asked, 1 / (1 + np.exp(-logits[0].astype(np.float64))), milliseconds), "endpoint": address}


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_endpoint(flags, "chest_xray")
    flags.add_argument("--image", help="path or s3:// URL of a PNG")
    flags.add_argument("--data", help="folder or s3://bucket/prefix in NIH's layout", from_run=lambda run: run.data)
    options = flags.parse()
    if not options.model:
        raise BadInput("--model does not say which model it is; name the folder that training left.")
    if not options.image and not options.data:
        raise BadInput("Neither --image nor --data says which picture to ask about; see --help.")
    return options


def _unseen(url: str, model: str) -> Question:
    """A held-out picture of a patient that the model does not know, always the same one of the same data."""
    store, known = open_source(url), frozenset(json.loads(read_url(f"{model.rstrip('/')}/{PATIENTS}")))
    entries = only_data(store.entries(), store.url)
    keys = {entry.key.rpartition("/")[2]: entry.key for entry in entries}
    told, corrupt = table.read(store, entries), manifest.of(url).corrupt
    rows = sorted((row for row in told.rows if row.patient in told.held_out), key=lambda row: digest_of(row.picture))
    for row in sorted(rows, key=lambda row: not row.findings):  # one that shows something, where there is one
        key = keys.get(row.picture)
        if key and key not in corrupt and digest_of(row.patient) not in known:
            return Question(f"{url.rstrip('/')}/{key}", store.read(key), row.findings)
    raise BadInput(f"None of the {len(rows)} held-out pictures under {url} is of a patient new to the model.")


def _answer(asked: Question, chances: Floats, milliseconds: float) -> dict[str, Any]:
    surest = np.argsort(-chances, kind="stable")
    predicted = [FINDINGS[place] for place in surest if chances[place] > 0.5]
    shown = ", ".join(f"{FINDINGS[place]} {chances[place]:.3f}" for place in surest[:TOLD])
    actual = None if asked.actual is None else sorted(asked.actual) or [NONE]
    said = f"{asked.name}: {', '.join(predicted) or NONE} ({shown}), answered in {milliseconds:.0f} ms"
    say(f"{said}; its table says {', '.join(actual)}" if actual else said)
    return {
        "image": asked.name,
        "predicted": predicted or [NONE],
        "chances": {FINDINGS[place]: round(float(chances[place]), 4) for place in surest[:TOLD]},
        "actual": actual,
        "latency_ms": milliseconds,
    }


if __name__ == "__main__":
    program.run(main)
