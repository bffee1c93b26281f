"""Ask a deployed model about one image, over the Open Inference Protocol (HTTP).

    python -m tasks.tyre.predict --endpoint http://127.0.0.1:8000 --image /data/tyre/good/tyre_00007.png
    python -m tasks.tyre.predict --endpoint http://127.0.0.1:8000/v2/models/tyre/infer --version 3 --model /tmp/run \
        --data s3://bucket/tyre

Given a data set instead of an image, it asks about one image of it that no training has seen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.common import manifest, program
from tasks.common.cli import Flags
from tasks.common.data import is_s3, open_source, read_url
from tasks.common.inference import add_endpoint, infer, infer_url
from tasks.common.metrics import Floats, softmax
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.split import Split
from tasks.tyre import preprocessing
from tasks.tyre.dataset import POSITIVE, SPLIT, list_images
from tasks.tyre.preprocessing import INPUT, OUTPUT

CLASSES = (POSITIVE, "good")


def main() -> dict[str, Any]:
    arguments = _options()
    classes, split = _told(arguments.model)
    url = arguments.image or _unseen(arguments.data, split)
    address = infer_url(arguments.endpoint, arguments.name, arguments.version)
    try:
        pixels = preprocessing.decode(read_url(url))
    except preprocessing.NotAnImage as error:
        raise BadInput(f"{url} cannot be read as an image: {error}.") from error
    begun = time.perf_counter()
    logits = infer(address, preprocessing.normalise(pixels[None]), inputs=INPUT, outputs=OUTPUT)
    milliseconds = (time.perf_counter() - begun) * 1000
    return {**_answer(url, classes, softmax(logits)[0], milliseconds), "endpoint": address}


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_endpoint(flags, "tyre")
    flags.add_argument("--image", help="path or s3:// URL of an image")
    flags.add_argument(
        "--data", help="folder or s3://bucket/prefix with a folder per class", from_run=lambda run: run.data
    )
    options = flags.parse()
    if not options.image and not options.data:
        raise BadInput("Neither --image nor --data says which image to ask about; see --help.")
    return options


def _told(model: str | None) -> tuple[tuple[str, ...], Split]:
    """Return the model's classes, and which images it has not trained on."""
    if not model:
        return CLASSES, SPLIT
    told: Mapping[str, Any] = json.loads(read_url(f"{model.rstrip('/')}/{DESCRIPTION}"))
    if told["preprocessing"] != preprocessing.description():
        raise BadInput(f"The model of {model} was trained on images prepared in another way than this program's.")
    return tuple(told["classes"]), Split(told["data"]["held_out_share"], told["data"].get("group") or "")


def _unseen(url: str, split: Split) -> str:
    """Return an image of the held-out part, always the same one of the same data."""
    store, listed = open_source(url), manifest.of(url)
    entries = sorted(list_images(store), key=lambda e: hashlib.sha256(e.key.encode()).digest())
    for entry in entries:
        digest = listed.sha256(entry) or hashlib.sha256(store.read(entry.key)).hexdigest()
        if entry.key not in listed.corrupt and split.held_out(entry.key, digest):
            return f"{url.rstrip('/')}/{entry.key}" if is_s3(url) else str(Path(url) / entry.key)
    raise BadInput(f"None of the {len(entries)} images under {url} is in the held-out part; name one image.")


def _answer(url: str, classes: tuple[str, ...], probabilities: Floats, milliseconds: float) -> dict[str, Any]:
    """``actual`` is the class that the image's folder names, null where it names none."""
    place = int(probabilities.argmax())
    folder = url.rsplit("/", 2)[-2] if "/" in url else ""
    actual = folder if folder in classes else None
    said = f"{url}: {classes[place]} with probability {probabilities[place]:.3f}, answered in {milliseconds:.0f} ms"
    say(f"{said}; its folder says {actual}" if actual else said)
    return {
        "image": url,
        "predicted": classes[place],
        "probability": float(probabilities[place]),
        "actual": actual,
        "latency_ms": milliseconds,
    }


if __name__ == "__main__":
    program.run(main)
