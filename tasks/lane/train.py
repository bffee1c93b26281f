"""Train a lane detector, in one process or several.

    python -m tasks.lane.train --data /data/lanes --output /tmp/run
    torchrun --standalone --nproc-per-node 2 -m tasks.lane.train --data s3://bucket/lanes --output /tmp/run
    python -m tasks.lane.train --data /data/lanes --output /tmp/run --configuration published   # SCNN; wants GPUs

The output folder gets ``checkpoint.pt``, ``log.jsonl`` with a line for each epoch, and the model: ONNX, weights and,
written last, ``model.json``, which describes it. Stopped or killed, it goes on from the checkpoint when run again with
the same output, to the same weights. All processes together work on ``--batch-size`` times as many pictures at once.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tasks.common import device, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.description import identity_of, parameters_of
from tasks.common.lineage import TRAINING
from tasks.common.model_folder import LOADED
from tasks.common.processes import Group, together
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.split import Split
from tasks.common.tracking import Run
from tasks.common.training import add_training_flags
from tasks.lane import dataset
from tasks.lane.configs import CONFIGURATIONS, DEFAULT, SLOTS, configuration
from tasks.lane.export import export
from tasks.lane.training import State, Training

LOG = "log.jsonl"
PARAMETERS = ("seed", "threads", "device", "processes", "configuration", "data")  # of the MLflow run


def main() -> dict[str, Any]:
    options = _options()
    options.device = device.chosen(options.device)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True, warn_only=options.device != device.CPU)
    with together(options.device) as group:
        return train(options, group)


def train(options: argparse.Namespace, group: Group) -> dict[str, Any]:
    """Train as one of the processes of a group; only the first one reports, and has a result."""
    chosen = configuration(
        options.configuration,
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_batch=options.validation_batch,
        learning_rate=options.learning_rate,
    )
    scenes = dataset.load(
        open_source(options.data),
        (chosen.width, chosen.height),
        split=Split(options.held_out_share, options.group),
        limit=options.limit,
        part=(group.rank, group.size),
    )
    description = _describe(options, asdict(chosen), scenes, group)
    # A training that is cleared after an upgrade of torch goes on from its checkpoint.
    identity = identity_of(description, without=["torch"])
    output = Path(options.output)
    training = Training(
        scenes,
        chosen,
        options.seed,
        identity,
        output / "checkpoint.pt",
        group,
        options.loader_workers,
        options.validate == "true",
    )
    with mlflow_run(options, output.name) as run:
        run.parameters(parameters_of(description, PARAMETERS))
        ran_on = device.named(group.device)
        say(f"Training in {group.size} process(es) on {ran_on} ({group.device})")
        run.tag({"torch": torch.__version__, "device": ran_on})
        run.reads(dataset.lineage(options.run, scenes), TRAINING)
        state = training.run(lambda number, figures: _report(run, number, figures))
        with program.stop_deferred():
            figures = training.validation(state.network)
            if not group.is_first:
                return {}
            return _finish(run, state, figures, output, {**description, "tags": options.tags})


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with clips/ and label_data_....json")
    flags.output("folder for checkpoint, log and model; the same one for all processes")
    add_training_flags(flags, CONFIGURATIONS, DEFAULT, threads=1, batch="of one process, ")
    flags.add_argument("--validation-batch", type=int, help="instead of the configuration's")
    flags.add_argument("--loader-workers", type=int, default=0, help="processes that prepare pictures; 0: none")
    validate = "judge the held-out pictures after every epoch"
    flags.add_argument("--validate", choices=("true", "false"), default="true", help=validate, from_run=_validate)
    flags.add_argument("--limit", type=int, default=0, help="use so many pictures only; 0: all")
    flags.add_argument("--held-out-share", type=float, default=dataset.HELD_OUT_SHARE)
    flags.add_argument("--group", default="", help="pattern for names of pictures that belong together")
    flags.tracking(lambda run: "")
    return flags.parse()


def _validate(run: Any) -> str | None:
    told = run.parameters.get("validate")
    return None if told is None else str(told).lower()


def _describe(
    options: argparse.Namespace, settings: dict[str, Any], scenes: dataset.Scenes, group: Group
) -> dict[str, Any]:
    """Return what decides the weights: two trainings with equal descriptions make the same model."""
    return {
        "configuration": {"name": options.configuration, **settings},
        "seed": options.seed,
        "threads": options.threads,
        "device": options.device,
        "processes": group.size,
        "torch": torch.__version__,
        "lanes": SLOTS,
        "preprocessing": dataset.preprocessing(scenes.size),
        "data": {
            "digest": scenes.digest,
            "training": len(scenes.training),
            "held_out": len(scenes.held_out),
            "held_out_share": options.held_out_share,
            "group": options.group,
            "limit": options.limit,
        },
    }


def _report(run: Run, number: int, figures: dict[str, float]) -> None:
    values = {name: value for name, value in figures.items() if name != "time_ms"}
    run.metrics(values, step=number, time_ms=int(figures["time_ms"]))
    accuracy = figures.get("held_out_accuracy")
    held_out = f"; accuracy {accuracy:.3f} held out" if accuracy is not None else ""
    say(f"Epoch {number}: loss {figures['train_loss']:.3f}{held_out}; {figures['pictures_per_s']:.0f} pictures/s")


def _finish(
    run: Run, state: State, figures: dict[str, float], output: Path, description: dict[str, Any]
) -> dict[str, Any]:
    lines = [json.dumps({"epoch": number, **told}) for number, told in enumerate(state.history, 1)]
    write_whole(output / LOG, "".join(f"{line}\n" for line in lines).encode())
    digests = export(state.network, output, {**description, "mlflow": run.identity, "metrics": figures})
    for name in (*LOADED, LOG):
        run.artifact(output / name, "model" if name != LOG else "")
    times = ("epoch_s", "loader_s", "step_s", "communication_s")
    return {
        "metrics": figures,
        "epochs": state.epoch,
        "processes": description["processes"],
        "seconds": {name: round(sum(told[name] for told in state.history), 3) for name in times},
        "configuration": description["configuration"]["name"],
        "device": device.named(description["device"]),
        "data": description["data"],
        "output": str(output),
        "files": digests,
        **run.identity,
    }


if __name__ == "__main__":
    program.run(main)
