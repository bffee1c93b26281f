"""The served scenario: a client that obfuscates locally asks the endpoint about many held-out pictures.

    python -m tasks.faces.served --endpoint http://127.0.0.1:8000 --model /models/r20261127... --data /data/faces

It says how well faces are found in what was sent, at the full and at the halved threshold, and what the noise costs:
its mean and spread in milliseconds, and its part of the whole.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_source, read_url
from tasks.common.inference import add_endpoint, infer_url
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.faces import dataset, judging
from tasks.faces.client import Client

COUNT = 60


def main() -> dict[str, Any]:
    options = _options()
    client = Client.of(options.model, infer_url(options.endpoint, options.name, options.version))
    store = open_source(options.data)
    faces = dataset.load(store, client.chosen, held_out_of(options.model), limit=options.pictures)
    answers, spent = [], []
    with Progress(len(faces.examples), "pictures", "Asking") as progress:
        for example in faces.examples:
            answer = client.look(store.read(example.key), example.key)
            answers.append(answer.answers)
            spent.append(answer.milliseconds)
            progress.advance()
    found = judging.found(client.chosen, faces.examples, np.stack(answers))
    figures = judging.Curves.of(found).figures()
    cost = costs([[each[part] for part in ("head", "noise", "server")] for each in spent])
    say(f"{len(answers)} pictures asked about at {client.address}, ALPHA {client.alpha:g}: {judging.told(figures)}")
    say(
        f"The noise took {cost['noise_ms']:.2f} ms a picture (standard deviation {cost['noise_sd_ms']:.2f}), "
        f"{cost['noise_share']:.1%} of the {cost['whole_ms']:.1f} ms that a picture took"
    )
    return {
        "pictures": len(answers),
        "metrics": {name: round(value, 6) for name, value in figures.items()},
        "alpha": client.alpha,
        "cost": cost,
        "endpoint": client.address,
    }


def costs(milliseconds: list[list[float]]) -> dict[str, float]:
    """Mean and standard deviation of head, noise and server, and the noise's part of all three.

    :param milliseconds: of head, noise and server, for each picture; the first is left out, which warms everything up.
    """
    values = np.array(milliseconds[1:] or milliseconds)
    made = {}
    for name, column in zip(("head", "noise", "server"), values.T, strict=True):
        made[f"{name}_ms"] = round(float(column.mean()), 4)
        made[f"{name}_sd_ms"] = round(float(column.std()), 4)
    whole = float(values.sum(axis=1).mean())
    return {**made, "whole_ms": round(whole, 4), "noise_share": round(float(values[:, 1].mean()) / whole, 4)}


def held_out_of(model: str) -> tuple[int, ...]:
    """Folds that a model was not trained on, by the description in its folder."""
    try:
        told = json.loads(read_url(f"{model.rstrip('/')}/{DESCRIPTION}"))
        return tuple(int(fold) for fold in told["data"]["held_out"])
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{model} does not say which folds were held out; train it again.") from None


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_endpoint(flags, "private_inference")
    flags.data("folder or s3://bucket/prefix in FDDB's layout")
    flags.add_argument("--pictures", type=int, default=COUNT, help="to ask about", from_run=lambda run: None)
    options = flags.parse()
    if not options.model:
        raise BadInput("--model does not say which model it is; name the folder that training left.")
    return options


if __name__ == "__main__":
    program.run(main)
