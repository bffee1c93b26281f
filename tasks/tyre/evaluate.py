"""Judge trained models on the same held-out images, which none of them has seen.

    python -m tasks.tyre.evaluate --data /data/tyre --model challenger=/tmp/run
    python -m tasks.tyre.evaluate --data s3://bucket/tyre --model challenger=/tmp/run --model champion=/models/a

A model is a folder that training left, or the ``model.onnx`` in it: what is judged is what is deployed. The result has
``metrics`` by model. In MLflow they join the run that trained the first model named.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.model_folder import judged_models
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.split import Split
from tasks.common.tracking import Run
from tasks.tyre import dataset, preprocessing
from tasks.tyre.dataset import Images
from tasks.tyre.metrics import Floats, Integers, Judgement, judge, softmax

BATCH = 32


@dataclass(frozen=True)
class Model:
    """A trained model's network as ONNX, with the description training left beside it."""

    name: str
    onnx: Path
    description: Mapping[str, Any]

    def check(self, images: Images, held_out_share: float) -> None:
        """Raises BadInput where judging it on these images would be unfair or meaningless."""
        classes = tuple(self.description["classes"])
        if classes != images.classes:
            raise BadInput(
                f"Model {self.name} tells {' from '.join(classes)}; the data has {', '.join(images.classes)}."
            )
        if self.description["preprocessing"] != preprocessing.description():
            raise BadInput(f"Model {self.name} was trained on images prepared in another way; train it again.")
        share = self.description["data"]["held_out_share"]
        if share < held_out_share:
            raise BadInput(
                f"Model {self.name} was trained with {share:.3f} of the images held out, so it has seen some of the "
                f"{held_out_share:.3f} it would be judged on; give --held-out-share {share}."
            )

    def probabilities(self, images: Images, threads: int) -> Floats:
        """[N, 2] for the held-out images."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(self.onnx, options, providers=["CPUExecutionProvider"])
        logits = []
        with Progress(len(images.held_out), "images", f"Judging {self.name}") as progress:
            for pixels, _ in dataset.batches(images.store, images.held_out, BATCH):
                logits.append(session.run([preprocessing.OUTPUT], {preprocessing.INPUT: pixels})[0])
                progress.advance(len(pixels))
        return softmax(np.concatenate(logits))


def main() -> dict[str, Any]:
    arguments = _options()
    models = [_model(text) for text in arguments.model]
    images = dataset.load(
        open_source(arguments.data, arguments.connections),
        split=Split(arguments.held_out_share),
        limit=arguments.limit,
        corrupt_share=arguments.corrupt_share,
        connections=arguments.connections,
        parts=("held_out",),
    )
    for model in models:
        model.check(images, arguments.held_out_share)
    labels = np.array([example.label for example in images.held_out])
    trained_in = models[0].description.get("mlflow", {})
    arguments.experiment = arguments.experiment or trained_in.get("mlflow_experiment")
    with mlflow_run(arguments, trained_in.get("mlflow_run_name", "evaluate")) as run:
        probabilities = {model.name: model.probabilities(images, arguments.threads) for model in models}
        judged = {name: judge(values, labels, images.positive) for name, values in probabilities.items()}
        _record(run, arguments, images, probabilities, judged)
        facts = {"held_out": len(labels), "data_digest": images.digest, "corrupt": images.corrupt[:5]}
        confusion = {name: judgement.confusion for name, judgement in judged.items()}
        metrics = {name: judgement.figures for name, judgement in judged.items()}
        return {"metrics": metrics, "confusion": confusion, **facts, **run.identity}


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with a folder per class")
    models = "may be given repeatedly; by default the run's own and the champion"
    flags.add_argument(
        "--model", action="append", required=True, metavar="NAME=PATH", help=models, from_run=judged_models
    )
    flags.add_argument(
        "--output", help="folder for the pictures, which go to MLflow in any case", from_run=lambda run: run.run_folder
    )
    flags.add_argument("--limit", type=int, default=0, help="use so many images only; 0: all")
    flags.add_argument("--held-out-share", type=float, default=dataset.HELD_OUT_SHARE)
    flags.add_argument("--corrupt-share", type=float, default=dataset.CORRUPT_SHARE, help="allowed; above it: exit 2")
    flags.add_argument("--connections", type=int, default=16, help="files read at once")
    flags.add_argument("--threads", type=int, default=2)
    flags.tracking(lambda run: None)
    return flags.parse()


def _model(text: str) -> Model:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise BadInput(f"--model {text!r} is not of the form name=path.")
    onnx = Path(path) if path.endswith(".onnx") else Path(path) / "model.onnx"
    description = onnx.parent / "model.json"
    for file in (onnx, description):
        if not file.is_file():
            raise BadInput(f"Model {name}: {file} does not exist.")
    return Model(name, onnx, json.loads(description.read_text()))


def _record(
    run: Run,
    arguments: argparse.Namespace,
    images: Images,
    probabilities: Mapping[str, Floats],
    judged: Mapping[str, Judgement],
) -> None:
    for name, judgement in judged.items():
        figures = judgement.figures
        run.metrics({f"{name}.{key}": value for key, value in figures.items()})
        say(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    if arguments.output:
        _draw(run, Path(arguments.output), images, probabilities, judged)
    elif run.run_id:
        with tempfile.TemporaryDirectory() as folder:
            _draw(run, Path(folder), images, probabilities, judged)


def _draw(
    run: Run, folder: Path, images: Images, probabilities: Mapping[str, Floats], judged: Mapping[str, Judgement]
) -> None:
    from tasks.tyre.pictures import draw_confusion, draw_mistakes, draw_roc

    labels = np.array([example.label for example in images.held_out])
    files = [folder / "roc.png"]
    curves = {name: (values[:, images.positive], judged[name]) for name, values in probabilities.items()}
    draw_roc(files[0], curves, labels == images.positive)
    for name, values in probabilities.items():
        files += [folder / f"confusion_{name}.png", folder / f"mistakes_{name}.png"]
        draw_confusion(files[-2], judged[name], images.classes, name)
        draw_mistakes(files[-1], _mistakes(images, values, labels))
    for file in files:
        run.artifact(file, "evaluation")


def _mistakes(images: Images, probabilities: Floats, labels: Integers) -> list[tuple[dataset.Pixels, str]]:
    """The surest first; pixels of those that were kept in memory."""
    predicted = probabilities.argmax(axis=1)
    wrong = [i for i in np.argsort(-probabilities.max(axis=1)) if predicted[i] != labels[i]]
    kept = [(images.held_out[i], i) for i in wrong]
    return [
        (
            example.pixels,
            f"{images.classes[example.label]}, {probabilities[i].max():.0%} {images.classes[predicted[i]]}",
        )
        for example, i in kept
        if example.pixels is not None
    ]


if __name__ == "__main__":
    program.run(main)
