"""Train FaceBoxes on the folds that are not held out, or take a network that was trained before.

    python -m tasks.faces.train --data /data/faces --output /tmp/run                     # small, for a CPU
    python -m tasks.faces.train --data s3://bucket/FDDB --output /tmp/run --configuration published
    python -m tasks.faces.train --data /data/faces --output /tmp/run --network-of /models/r20261127...

The output folder gets ``checkpoint.pt``, ``weights.pt`` and, written last, ``network.json``. While it is trained, the
tail hears plain noise of any strength up to the configuration's, so that it bears what is fitted later. Stopped or
killed, it goes on from the checkpoint when run again with the same output, to the same weights.
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
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.run_file import RunFile
from tasks.common.tracking import Run
from tasks.common.training import add_training_flags
from tasks.faces import dataset, judging, preprocessing
from tasks.faces.configs import CONFIGURATIONS, DEFAULT, Configuration, configuration
from tasks.faces.dataset import Faces
from tasks.faces.ellipses import FOLDS
from tasks.faces.export import NETWORK, read_network, write_network
from tasks.faces.training import Training

PARAMETERS = ("seed", "threads", "device", "configuration", "data")  # of the MLflow run
NETWORK_FOLDER, SWEEP_FOLDER, MODEL_FOLDER = "network", "sweep", "model"  # in the run's folder


def main() -> dict[str, Any]:
    options = _options()
    folds = dataset.held_out(options.held_out)
    options.device = device.chosen(options.device)
    set_up(options.threads)
    taken = _taken(options.network_of) if options.network_of else None
    chosen = taken[1] if taken else _configured(options)
    faces = dataset.load(open_source(options.data), chosen, limit=options.limit, corrupt_share=options.corrupt_share)
    training = [example for example in faces.examples if example.fold not in folds]
    if not any(example.faces for example in training):
        raise BadInput(f"No picture of the folds to train on under {options.data} has a face: hold other folds out.")
    output = Path(options.output)
    description = _describe(options, chosen, faces, folds)
    with mlflow_run(options, output.name) as run:
        run.parameters(parameters_of(description, PARAMETERS))
        ran_on = device.named(options.device)
        run.tag({"torch": torch.__version__, "device": ran_on})
        run.reads(dataset.lineage(options.run, faces), TRAINING)
        if taken:
            network, _, told = taken
            _check_folds(told, folds, options.network_of)
            description |= {"network_of": told.get("network_of") or options.network_of, "data": told["data"]}
            say(f"The network of {options.network_of} is taken as it is; noise is fitted anew, and the network to it")
        else:
            say(f"Training on {len(training)} pictures, on {ran_on} ({options.device})")
            identity = identity_of(description, without=["torch"])
            loop = Training(training, chosen, options.seed, identity, output / "checkpoint.pt", options.device)
            network = loop.run(lambda number, figures: _report(run, number, figures)).network
        figures = judging.clear(network, chosen, faces.of(folds), options.device)
        run.metrics({f"clear.{name}": value for name, value in figures.items()})
        say(f"Held out, without noise: {judging.told(figures)}")
        write_network(network, output, {**description, "mlflow": run.identity, "clear": figures})
        return {
            "metrics": figures,
            "configuration": description["configuration"]["name"],
            "device": ran_on,
            "data": description["data"],
            "corrupt": faces.corrupt[:5],
            "output": str(output),
            **run.identity,
        }


def set_up(threads: int) -> None:
    """As every program here begins: so many threads, the same weights every time, no time lost on vanishing numbers."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(True)


def network_folder(run: RunFile) -> str | None:
    """Where the network of a run is, by its RUN_FILE."""
    return f"{run.run_folder}/{NETWORK_FOLDER}" if run.run_folder else None


def add_data_flags(flags: Flags) -> None:
    flags.data("folder or s3://bucket/prefix in FDDB's layout")
    flags.add_argument("--limit", type=int, default=0, help="use about so many pictures only; 0: all")
    flags.add_argument("--corrupt-share", type=float, default=dataset.CORRUPT_SHARE, help="allowed; above it: exit 2")


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_data_flags(flags)
    flags.output("folder for checkpoint and network", from_run=network_folder)
    add_training_flags(flags, CONFIGURATIONS, DEFAULT, threads=2)
    flags.add_argument("--held-out", default=",".join(map(str, dataset.HELD_OUT)), help="folds not to train on")
    flags.add_argument(
        "--network-of", help="model's folder, to take its network instead of training", from_run=_network_of
    )
    flags.tracking(lambda run: "")
    return flags.parse()


def _network_of(run: RunFile) -> str | None:
    """The folder of the run whose key the parameter ``network_of`` is."""
    key = run.parameters.get("network_of")
    return run.inside("models", str(key)) if key else None


def _configured(options: argparse.Namespace) -> Configuration:
    return configuration(
        options.configuration,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
    )


def _taken(folder: str) -> Any:
    if not Path(folder, DESCRIPTION).is_file() and not Path(folder, NETWORK).is_file():
        raise BadInput(f"{folder} holds no trained network: give the key of a run whose model was promoted, or train.")
    return read_network(Path(folder), DESCRIPTION if Path(folder, DESCRIPTION).is_file() else NETWORK)


def _check_folds(told: dict[str, Any], folds: tuple[int, ...], where: str) -> None:
    trained = set(range(1, FOLDS + 1)) - set(told["data"]["held_out"])
    if both := sorted(trained & set(folds)):
        raise BadInput(
            f"The network of {where} was trained on folds {', '.join(map(str, both))}, so they cannot be held out: "
            f"hold out only {', '.join(map(str, told['data']['held_out']))}, or train a network."
        )


def _describe(
    options: argparse.Namespace, chosen: Configuration, faces: Faces, folds: tuple[int, ...]
) -> dict[str, Any]:
    """Return what decides the weights: two runs with equal descriptions train the same network."""
    return {
        "configuration": {"name": options.configuration, **asdict(chosen)},
        "seed": options.seed,
        "threads": options.threads,
        "device": options.device,
        "torch": torch.__version__,
        "preprocessing": preprocessing.description(chosen),
        "data": {
            "digest": faces.digest,
            "pictures": len(faces.examples),
            "faces": sum(len(example.faces) for example in faces.examples),
            "held_out": list(folds),
            "corrupt": len(faces.corrupt),
            "limit": options.limit,
        },
    }


def _report(run: Run, number: int, figures: dict[str, float]) -> None:
    values = {name: value for name, value in figures.items() if name != "time_ms"}
    run.metrics(values, step=number, time_ms=int(figures["time_ms"]))


if __name__ == "__main__":
    program.run(main)
