"""Judge models with their noise on the same held-out pictures, which none of them has been trained on.

    python -m tasks.faces.evaluate --data /data/faces --model challenger=/tmp/run/model
    python -m tasks.faces.evaluate --data /data/faces --model challenger=/tmp/run/model --model champion=/models/a

A model is a folder that choosing left, head, noise and tail: what is judged is what is deployed. A challenger that
hides less than the champion (a smaller ALPHA, and faces that an attacker made out better) is not compared with it:
accuracy is not bought with privacy without somebody who says so.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.evaluation import add_evaluation
from tasks.common.judging import Incomparable, Model
from tasks.common.lineage import EVALUATION
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.faces import dataset, judging
from tasks.faces.choose import METHOD, interval
from tasks.faces.dataset import Example
from tasks.faces.detector import Detector
from tasks.faces.judging import FIGURES, Curves
from tasks.faces.train import add_data_flags

_SEED = 1  # noise of the judgement: the same for both models and in every run


def main() -> dict[str, Any]:
    options = _options()
    models = [Model.parse(text) for text in options.model]
    first, *others = models
    detector = Detector.of(first.onnx.parent, options.threads)
    faces = dataset.load(
        open_source(options.data), detector.chosen, detector.held_out, corrupt_share=options.corrupt_share
    )
    trained_in = first.description.get("mlflow") or {}
    if options.run is None:
        options.experiment = options.experiment or trained_in.get("mlflow_experiment")
    with mlflow_run(options, trained_in.get("mlflow_run_name", "evaluate")) as run:
        run.reads(dataset.lineage(options.run, faces), EVALUATION)
        champion = options.run.champion if options.run else None
        curves = {first.name: _curves(detector, faces.examples)}
        result: dict[str, Any] = {
            "held_out": len(faces.examples),
            "champion_version": champion.version if champion else None,
        }
        if others:
            try:
                result |= _compared(first, others[0], detector, faces.examples, curves, options)
            except Incomparable as error:
                say(f"{error}.")
                result["refused"] = f"{error}."
        result["metrics"] = {name: each.figures() for name, each in curves.items()}
        for name, figures in result["metrics"].items():
            run.metrics({f"{name}.{key}": value for key, value in figures.items()})
            say(f"{name} on {len(faces.examples)} held-out pictures: {judging.told(figures)}")
        return {**result, "data_digest": faces.digest, **run.identity}


def _compared(
    first: Model,
    second: Model,
    detector: Detector,
    examples: list[Example],
    curves: dict[str, Curves],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Judge the second and compare it with the first. Raises Incomparable."""
    if second.description.get("preprocessing") != first.description.get("preprocessing"):
        raise Incomparable(
            f"Model {second.name} was trained on pictures prepared in another way; train it again, or promote without "
            "a comparison"
        )
    try:
        other = Detector.of(second.onnx.parent, options.threads)
    except BadInput as error:
        raise Incomparable(f"Model {second.name} cannot be judged: {str(error).rstrip('.')}") from error
    check_privacy(first, second)
    common = [example for example in examples if example.fold in other.held_out]
    if not common:
        raise Incomparable(f"Model {second.name} has been trained on all folds that model {first.name} held out")
    curves[second.name] = _curves(other, common)
    mine = curves[first.name] if len(common) == len(examples) else _curves(detector, common)
    weights = judging.weights_of_draws(len(common))
    whole = [each.figures() for each in (mine, curves[second.name])]
    drawn = [each.drawn(weights) for each in (mine, curves[second.name])]
    comparison = {}
    for name in FIGURES:
        low, high = interval(drawn[0][name] - drawn[1][name], options.confidence)
        comparison[name] = {
            "gain": round(whole[0][name] - whole[1][name], 6),
            "low": round(low, 6),
            "high": round(high, 6),
            "confidence": options.confidence,
            "method": METHOD,
        }
    return {"comparison": comparison, "compared": len(common)}


def check_privacy(first: Model, second: Model) -> None:
    """Raise Incomparable where the first hides less than the second, or where that is not known."""
    try:
        alphas = [float(model.description["alpha"]) for model in (first, second)]
        likeness = [float(model.description["privacy"]["ssim"]) for model in (first, second)]
    except (KeyError, TypeError, ValueError):
        raise Incomparable(
            f"Model {first.name} or {second.name} does not say how much an attacker makes out of what it sends; "
            "sweep again"
        ) from None
    if alphas[0] < alphas[1] and likeness[0] > likeness[1]:
        raise Incomparable(
            f"Model {first.name} hides less than {second.name}: ALPHA {alphas[0]:g} against {alphas[1]:g}, and an "
            f"attacker's faces have SSIM {likeness[0]:.3f} against {likeness[1]:.3f}; promote it only if that is meant"
        )


def _curves(detector: Detector, examples: list[Example]) -> Curves:
    answers = detector.answers(examples, np.random.default_rng(_SEED))
    return Curves.of(judging.found(detector.chosen, examples, answers))


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_data_flags(flags)
    add_evaluation(flags)
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
