"""Train a network that tells the findings of chest X-rays.

    python -m tasks.chest.train --data /data/chest --output /tmp/run                            # small, for a CPU
    python -m tasks.chest.train --data s3://bucket/chest --output /tmp/run --configuration published   # ResNet-50

The output folder gets ``checkpoint.pt`` and the model: ONNX, weights, digests of the patients it was trained on and,
written last, ``model.json``, which describes it. Stopped or killed, it goes on from the checkpoint when run again with
the same output, to the same weights.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tasks.chest import dataset, preprocessing, scoring
from tasks.chest.configs import CONFIGURATIONS, DEFAULT, configuration
from tasks.chest.dataset import Asked, XRays
from tasks.chest.export import export
from tasks.chest.findings import FINDINGS
from tasks.chest.training import Training, predict
from tasks.common import device, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.description import identity_of, parameters_of
from tasks.common.lineage import TRAINING
from tasks.common.model_folder import LOADED
from tasks.common.program import stop_deferred
from tasks.common.progress import say
from tasks.common.tracking import Run
from tasks.common.training import State, add_training_flags

PARAMETERS = ("seed", "threads", "device", "configuration", "data")  # of the MLflow run


def main() -> dict[str, Any]:
    options = _options()
    chosen = configuration(
        options.configuration,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        side=options.side,
    )
    options.device = device.chosen(options.device)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    asked = Asked(chosen.side, options.limit, options.partial, options.corrupt_share, options.connections)
    xrays = dataset.load(open_source(options.data, options.connections), asked)
    say(f"{xrays.bytes:,} bytes of {options.data} read in {xrays.seconds:.1f} s")
    description = _describe(options, asdict(chosen), xrays)
    # A training that is cleared after an upgrade of torch goes on from its checkpoint.
    identity = identity_of(description, without=["torch"])
    output = Path(options.output)
    training = Training(xrays, chosen, options.seed, identity, output / "checkpoint.pt", options.device)
    with mlflow_run(options, output.name) as run:
        run.parameters(parameters_of(description, PARAMETERS))
        ran_on = device.named(options.device)
        say(f"Training on {ran_on} ({options.device})")
        run.tag({"torch": torch.__version__, "device": ran_on})
        run.reads(dataset.lineage(options.run, xrays), TRAINING)
        state = training.run(lambda number, figures: _report(run, number, figures))
        with stop_deferred():
            return _finish(run, state, training, output, {**description, "tags": options.tags})


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix in NIH's layout")
    flags.output("folder for checkpoint and model")
    add_training_flags(flags, CONFIGURATIONS, DEFAULT, threads=2)
    flags.add_argument("--side", type=int, help="of a picture in pixels, instead of the configuration's")
    add_data_flags(flags)
    flags.tracking(lambda run: "")
    return flags.parse()


def add_data_flags(flags: Flags, **settings: Any) -> None:
    """Add the flags that say what is read of the data. ``settings`` are those of ``--limit``."""
    flags.add_argument("--limit", type=int, default=0, help="use about so many pictures only; 0: all", **settings)
    flags.add_argument("--partial", action="store_true", help="let rows pass whose pictures are not there")
    flags.add_argument("--corrupt-share", type=float, default=dataset.CORRUPT_SHARE, help="allowed; above it: exit 2")
    flags.add_argument("--connections", type=int, default=dataset.CONNECTIONS, help="files read at once")


def _describe(options: argparse.Namespace, settings: dict[str, Any], xrays: XRays) -> dict[str, Any]:
    """Return what decides the weights: two runs with equal descriptions train the same model."""
    return {
        "configuration": {"name": options.configuration, **settings},
        "seed": options.seed,
        "threads": options.threads,
        "device": options.device,
        "torch": torch.__version__,
        "findings": list(FINDINGS),
        "preprocessing": preprocessing.description(xrays.side),
        "data": {
            "digest": xrays.digest,
            "training": len(xrays.training),
            "held_out": len(xrays.held_out),
            "split": "official, by patient" if xrays.official else "by patient",
            "corrupt": len(xrays.corrupt),
            "inverted": len(xrays.inverted),
            "limit": options.limit,
        },
    }


def _report(run: Run, number: int, figures: dict[str, float]) -> None:
    values = {name: value for name, value in figures.items() if name != "time_ms"}
    run.metrics(values, step=number, time_ms=int(figures["time_ms"]))
    say(f"Epoch {number}: loss {figures['train_loss']:.3f}, mean AUROC {figures['held_out_mean_auroc']:.3f} held out")


def _finish(run: Run, state: State, training: Training, output: Path, description: dict[str, Any]) -> dict[str, Any]:
    xrays = training.xrays
    logits = predict(state.network, xrays, xrays.held_out, training.device)
    figures = {scoring.MEAN: scoring.mean_auroc(logits, dataset.truth(xrays.held_out))}
    run.metrics({"data_seconds": xrays.seconds, "data_bytes": xrays.bytes})
    whole = {**description, "mlflow": run.identity, "metrics": figures}
    digests = export(state.network, output, whole, dataset.patients(xrays.training))
    for name in LOADED:
        run.artifact(output / name, "model")
    return {
        "metrics": figures,
        "epochs": state.epoch,
        "configuration": description["configuration"]["name"],
        "device": device.named(description["device"]),
        "data": description["data"],
        "data_seconds": xrays.seconds,
        "data_bytes": xrays.bytes,
        "corrupt": xrays.corrupt[:5],
        "output": str(output),
        "files": digests,
        **run.identity,
    }


if __name__ == "__main__":
    program.run(main)
