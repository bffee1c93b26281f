"""Train a network that tells what people want: the intent of a question, and the slots of its words.

    python -m tasks.retail.train --data /data/questions --output /tmp/run                    # small, for a CPU
    python -m tasks.retail.train --data s3://lake/questions --output /tmp/run --configuration published

With ``--start`` it begins with the weights of an earlier model, whose labels, encoder and network are the same.

The output folder gets ``checkpoint.pt`` and the model: ONNX, tokenizer, weights, digests of the questions it was
trained on and, written last, ``model.json``, which describes it. Stopped or killed, it goes on from the checkpoint when
run again with the same output, to the same weights.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from tasks.common import device, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.description import identity_of, parameters_of
from tasks.common.lineage import TRAINING
from tasks.common.model_folder import DESCRIPTION, LOADED
from tasks.common.program import BadInput, stop_deferred
from tasks.common.progress import say
from tasks.common.run_file import RunFile
from tasks.common.tokens import Tokens
from tasks.common.tracking import Run
from tasks.common.training import add_training_flags, prepared
from tasks.retail import dataset, precision, scoring
from tasks.retail.configs import CONFIGURATIONS, DEFAULT, configuration
from tasks.retail.dataset import Questions
from tasks.retail.export import WEIGHTS as TRAINED
from tasks.retail.export import export, graph_of
from tasks.retail.model import WEIGHTS, Joint, pretrained
from tasks.retail.training import Training

ANEW = "anew"
PARAMETERS = ("seed", "threads", "device", "configuration", "data", "encoder")  # of the MLflow run


def main() -> dict[str, Any]:
    options = _options()
    chosen = prepared(options, configuration)
    encoder = Path(options.encoder) if options.encoder else pretrained()
    questions = dataset.load(open_source(options.data), options.held_out_share, options.people_only)
    tokens = Tokens.of(encoder)
    description = _describe(options, asdict(chosen), questions, encoder)
    start = _start(Path(options.start), description) if options.start else None
    if start:
        description["start"] = start.digest
    # A training that is cleared after an upgrade of torch goes on from its checkpoint.
    identity = identity_of(description, without=["torch"])
    output = Path(options.output)
    training = Training(
        questions,
        tokens,
        encoder,
        chosen,
        options.seed,
        identity,
        output / "checkpoint.pt",
        options.device,
        start.weights if start else None,
    )
    with mlflow_run(options, output.name) as run:
        run.parameters(parameters_of(description, PARAMETERS))
        ran_on = device.named(options.device)
        say(f"Training on {ran_on} ({options.device})")
        run.tag({"torch": torch.__version__, "device": ran_on})
        run.reads(dataset.lineage(options.run, questions), TRAINING)
        network = training.run(lambda number, figures: _report(run, number, figures))
        with stop_deferred():
            told = {**description, "tags": options.tags}
            return _finish(run, network, training, output, told, options.precision)


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with questions in the published form")
    flags.output("folder for checkpoint and model")
    add_training_flags(flags, CONFIGURATIONS, DEFAULT, threads=2)
    flags.add_argument("--encoder", help="folder of a pretrained BERT; else the one that an installed package carries")
    flags.add_argument("--start", help="folder of a model whose weights to begin with; else anew", from_run=_of_run)
    flags.add_argument(
        "--people-only", action="store_true", default=False, help="leave out what a model labelled and nobody looked at"
    )
    flags.add_argument(
        "--precision",
        choices=(precision.INT8, precision.FP32),
        default=precision.INT8,
        help="of what is served; INT8 only where it keeps 99 %% of FP32's figures",
    )
    flags.add_argument("--held-out-share", type=float, default=dataset.HELD_OUT_SHARE, help="where no file holds out")
    flags.tracking(lambda run: "")
    return flags.parse()


@dataclass(frozen=True)
class Start:
    """Weights of an earlier model by name, and the digest of their file."""

    weights: Mapping[str, torch.Tensor]
    digest: str


def _of_run(run: RunFile) -> str | None:
    """The folder of the model of the run whose key the parameter ``start`` is."""
    key = run.parameters.get("start")
    return run.inside("models", str(key)) if key and key != ANEW else None


def _start(folder: Path, description: Mapping[str, Any]) -> Start:
    """Read the weights to begin with. Raises BadInput where they are of another network, or of none."""
    try:
        told: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
        content = (folder / TRAINED).read_bytes()
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} holds no model to start from ({type(error).__name__}); train anew.") from error
    for name in ("intents", "slots", "encoder"):
        if told.get(name) != description[name]:
            raise BadInput(f"The model in {folder} has other {name} than this training; train anew.")
    for name in ("tunes_encoder", "hidden"):
        one, other = told["configuration"][name], description["configuration"][name]
        if one != other:
            raise BadInput(f"The model in {folder} has {name} {one} and this training {other}; train anew.")
    weights: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), weights_only=True)
    say(f"Starting from the weights in {folder}")
    return Start(weights, hashlib.sha256(content).hexdigest())


def _describe(
    options: argparse.Namespace, settings: dict[str, Any], questions: Questions, encoder: Path
) -> dict[str, Any]:
    """Return what decides the weights: two runs with equal descriptions train the same model."""
    try:
        encoder_digest = hashlib.sha256((encoder / WEIGHTS).read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput(f"{encoder} holds no {WEIGHTS}; name the folder of a pretrained encoder.") from error
    return {
        "configuration": {"name": options.configuration, **settings},
        "seed": options.seed,
        "threads": options.threads,
        "device": options.device,
        "torch": torch.__version__,
        "encoder": encoder_digest,
        "intents": list(questions.intents),
        "slots": list(questions.slots),
        "data": {
            "digest": questions.digest,
            "training": len(questions.training),
            "held_out": len(questions.held_out),
            "split": questions.split,
            "people_only": options.people_only,
        },
    }


def _report(run: Run, number: int, figures: dict[str, float]) -> None:
    values = {name: value for name, value in figures.items() if name != "time_ms"}
    run.metrics(values, step=number, time_ms=int(figures["time_ms"]))
    told = ", ".join(f"{name} {figures[f'held_out_{name}']:.3f}" for name in scoring.FIGURES)
    say(f"Epoch {number}: loss {figures['train_loss']:.3f}; held out: {told}")


def _finish(
    run: Run, network: Joint, training: Training, output: Path, description: dict[str, Any], wanted: str
) -> dict[str, Any]:
    tokens, questions, threads = training.tokens, training.questions, description["threads"]
    served = precision.chosen(wanted, graph_of(network, tokens), tokens, questions, threads)
    run.tag({"precision": served.told["served"]})
    whole = {**description, "mlflow": run.identity, "metrics": served.figures, "precision": served.told}
    digests = export(network, served.onnx, tokens, output, whole, (each.digest for each in questions.training))
    for name in LOADED:
        run.artifact(output / name, "model")
    return {
        "metrics": served.figures,
        "precision": served.told,
        "configuration": description["configuration"]["name"],
        "device": device.named(description["device"]),
        "data": description["data"],
        "output": str(output),
        "files": digests,
        **run.identity,
    }


if __name__ == "__main__":
    program.run(main)
