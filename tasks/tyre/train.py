"""Train a tyre classifier.

    python -m tasks.tyre.train --data /data/tyre --output /tmp/run                       # the recommended network
    python -m tasks.tyre.train --data s3://bucket/tyre --output /tmp/run --limit 600     # on a part of the images
    python -m tasks.tyre.train --data /data/tyre --output /tmp/run --configuration walkthrough

The output folder gets ``checkpoint.pt`` and the model: ONNX, TorchScript, SageMaker archive, weights and, written last,
``model.json``, which describes it. Stopped or killed, it goes on from the checkpoint when run again with the same
output, to the same weights.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tasks.common import device, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.description import identity_of, parameters_of
from tasks.common.lineage import TRAINING
from tasks.common.metrics import judge
from tasks.common.model_folder import LOADED
from tasks.common.program import stop_deferred
from tasks.common.progress import say
from tasks.common.split import Split
from tasks.common.tracking import Run
from tasks.common.training import add_training_flags, prepared
from tasks.tyre import dataset, preprocessing
from tasks.tyre.configs import CONFIGURATIONS, DEFAULT, FIGURES, configuration
from tasks.tyre.export import export
from tasks.tyre.training import State, Training, predict

PARAMETERS = ("seed", "threads", "device", "configuration", "data")  # of the MLflow run


def main() -> dict[str, Any]:
    arguments = _options()
    chosen = prepared(arguments, configuration)
    images = dataset.load(
        open_source(arguments.data, arguments.connections),
        split=Split(arguments.held_out_share, arguments.group),
        limit=arguments.limit,
        corrupt_share=arguments.corrupt_share,
        connections=arguments.connections,
    )
    description = _describe(arguments, asdict(chosen), images)
    # A training that is cleared after an upgrade of torch goes on from its checkpoint.
    identity = identity_of(description, without=["torch"])
    output = Path(arguments.output)
    training = Training(images, chosen, arguments.seed, identity, output / "checkpoint.pt", arguments.device)
    with mlflow_run(arguments, output.name) as run:
        run.parameters(parameters_of(description, PARAMETERS))
        ran_on = device.named(arguments.device)
        say(f"Training on {ran_on} ({arguments.device})")
        run.tag({"torch": torch.__version__, "device": ran_on})
        run.reads(dataset.lineage(arguments.run, images), TRAINING)
        state = training.run(lambda number, figures: _report(run, number, figures))
        with stop_deferred():
            return _finish(run, state, training, output, {**description, "tags": arguments.tags})


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with a folder per class")
    flags.output("folder for checkpoint and model")
    add_training_flags(flags, CONFIGURATIONS, DEFAULT, threads=2)
    flags.add_argument("--limit", type=int, default=0, help="use so many images only; 0: all")
    flags.add_argument("--held-out-share", type=float, default=dataset.HELD_OUT_SHARE)
    flags.add_argument("--group", default="", help="pattern for names of photographs of one tyre, which stay together")
    flags.add_argument("--corrupt-share", type=float, default=dataset.CORRUPT_SHARE, help="allowed; above it: exit 2")
    flags.add_argument("--connections", type=int, default=dataset.CONNECTIONS, help="files read at once")
    flags.tracking(lambda run: "")
    return flags.parse()


def _describe(arguments: argparse.Namespace, settings: dict[str, Any], images: dataset.Images) -> dict[str, Any]:
    """Return what decides the weights: two runs with equal descriptions train the same model."""
    return {
        "configuration": {"name": arguments.configuration, **settings},
        "seed": arguments.seed,
        "threads": arguments.threads,
        "device": arguments.device,
        "torch": torch.__version__,
        "classes": list(images.classes),
        "positive": images.classes[images.positive],
        "preprocessing": preprocessing.description(),
        "data": {
            "digest": images.digest,
            "training": len(images.training),
            "held_out": len(images.held_out),
            "held_out_share": arguments.held_out_share,
            "group": arguments.group,
            "corrupt": len(images.corrupt),
            "limit": arguments.limit,
        },
    }


def _report(run: Run, number: int, figures: dict[str, float]) -> None:
    values = {name: value for name, value in figures.items() if name != "time_ms"}
    run.metrics(values, step=number, time_ms=int(figures["time_ms"]))
    say(
        f"Epoch {number}: loss {figures['train_loss']:.3f} in training, {figures['held_out_loss']:.3f} held out; "
        f"accuracy {figures['train_accuracy']:.3f} and {figures['held_out_accuracy']:.3f}"
    )


def _finish(run: Run, state: State, training: Training, output: Path, description: dict[str, Any]) -> dict[str, Any]:
    images = training.images
    figures = judge(*predict(state.network, images, images.held_out, training.device)).figures(FIGURES)
    whole = {**description, "mlflow": run.identity, "metrics": figures}
    digests = export(state.network, output, whole)
    for name in LOADED:
        run.artifact(output / name, "model")
    return {
        "metrics": figures,
        "epochs": state.epoch,
        "configuration": description["configuration"]["name"],
        "classes": description["classes"],
        "device": device.named(description["device"]),
        "data": description["data"],
        "corrupt": images.corrupt[:5],
        "output": str(output),
        "files": digests,
        **run.identity,
    }


if __name__ == "__main__":
    program.run(main)
