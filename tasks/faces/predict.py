"""Ask a deployed detector about one picture without showing it the picture.

    python -m tasks.faces.predict --endpoint http://127.0.0.1:8000 --model /models/r20261127... --image /data/photo.jpg
    python -m tasks.faces.predict --endpoint http://127.0.0.1:8000 --model /models/r20261127... --data /data/faces

The head and the noise of the model's folder run here; the server gets an activation with noise. Given a data set
instead of a picture, it asks about the first held-out picture that has a face.
"""

from __future__ import annotations

import argparse
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_source, read_url
from tasks.common.inference import add_endpoint, infer_url
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.faces import dataset
from tasks.faces.client import Client, both_thresholds
from tasks.faces.judging import HALVED, THRESHOLD
from tasks.faces.served import held_out_of

MODEL = "private_inference"


def main() -> dict[str, Any]:
    options = _options()
    client = Client.of(options.model, infer_url(options.endpoint, options.name, options.version))
    name, content, actual = _question(options, client)
    answer = client.look(content, name)
    counts = both_thresholds(answer, client.chosen)
    full, halved = counts.values()
    known = "" if actual is None else f"; it has {actual}"
    spent = ", ".join(f"{part} {value:.1f} ms" for part, value in answer.milliseconds.items())
    say(f"{name}: {full} faces at threshold {THRESHOLD:g}, {halved} at the halved one ({HALVED:g}){known}; {spent}")
    return {
        "image": name,
        "faces": counts,
        "actual": actual,
        "alpha": client.alpha,
        "boxes": [[round(float(edge), 1) for edge in box] for box in answer.boxes[:10]],
        "latency_ms": sum(answer.milliseconds.values()),
        "noise_ms": answer.milliseconds["noise"],
        "endpoint": client.address,
    }


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_endpoint(flags, MODEL)
    flags.add_argument("--image", help="path or s3:// URL of a JPEG or PNG")
    flags.add_argument("--data", help="folder or s3://bucket/prefix in FDDB's layout", from_run=lambda run: run.data)
    options = flags.parse()
    if not options.model:
        raise BadInput("--model does not say which model it is; name the folder that training left.")
    if not options.image and not options.data:
        raise BadInput("Neither --image nor --data says which picture to ask about; see --help.")
    return options


def _question(options: argparse.Namespace, client: Client) -> tuple[str, bytes, int | None]:
    if options.image:
        return options.image, read_url(options.image), None
    store = open_source(options.data)
    faces = dataset.load(store, client.chosen, held_out_of(options.model)[:1])
    example = next((example for example in faces.examples if example.faces), None)
    if example is None:
        raise BadInput(f"No held-out picture under {options.data} has a face, so there is nothing to ask about.")
    return f"{options.data.rstrip('/')}/{example.key}", store.read(example.key), len(example.faces)


if __name__ == "__main__":
    program.run(main)
