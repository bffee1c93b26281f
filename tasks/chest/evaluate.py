"""Judge trained models on the same held-out pictures, of patients that none of them has been trained on.

    python -m tasks.chest.evaluate --data /data/chest --model challenger=/tmp/run
    python -m tasks.chest.evaluate --data /data/chest --model challenger=/tmp/run --model champion=/models/a

A model is a folder that training left: what is judged is what is deployed. Each finding has the area under its ROC
curve (AUROC) with an interval by the bootstrap over patients, and the gain over the champion is of the same draws.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.chest import dataset, preprocessing, scoring
from tasks.chest.dataset import HELD_OUT, Asked, Example, XRays
from tasks.chest.export import PATIENTS, digest_of
from tasks.chest.findings import FINDINGS
from tasks.chest.scoring import Scored, Scores
from tasks.chest.train import add_data_flags
from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.evaluation import add_evaluation
from tasks.common.judging import Incomparable, Model
from tasks.common.lineage import EVALUATION
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.tracking import Run

BATCH = 32
EDGES = ("gain", "low", "high")


@dataclass(frozen=True)
class Judged:
    """One model's answers for the pictures it has not been trained on."""

    examples: list[Example]
    logits: Scores
    scored: Scored


def main() -> dict[str, Any]:
    options = _options()
    models = [Model.parse(text) for text in options.model]
    asked = Asked(
        side_of(models[0]), options.limit, options.partial, options.corrupt_share, options.connections, (HELD_OUT,)
    )
    xrays = dataset.load(open_source(options.data, options.connections), asked)
    trained_in = models[0].description.get("mlflow") or {}
    if options.run is None:
        options.experiment = options.experiment or trained_in.get("mlflow_experiment")
    with mlflow_run(options, trained_in.get("mlflow_run_name", "evaluate")) as run:
        run.reads(dataset.lineage(options.run, xrays), EVALUATION)
        judged, comparison, refused = judge(models, xrays, options.confidence, options.threads)
        result = _result(judged, comparison, refused, options)
        _record(run, judged, comparison)
        pictures = _pictures(run, options.output, judged, xrays)
        return {**result, "data_digest": xrays.digest, "pictures": pictures, **run.identity}


def judge(
    models: list[Model], xrays: XRays, confidence: float, threads: int
) -> tuple[dict[str, Judged], dict[str, dict[str, Any]], str]:
    """Every model on its own unseen patients; the first compared with the second on those that neither has seen.

    Raises BadInput where the first cannot be judged; where the second cannot, the last of what is returned says why.
    """
    first, *others = models
    try:
        judged = {first.name: _judged(first, xrays, unseen(first, xrays), confidence, threads)}
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    comparison: dict[str, dict[str, Any]] = {}
    refused = ""
    for model in others:
        own = {example.key for example in judged[first.name].examples}
        try:
            common = [example for example in unseen(model, xrays) if example.key in own]
            judged[model.name] = _judged(model, xrays, common, confidence, threads)
        except Incomparable as error:
            refused = refused or f"{error}."
            continue
        if not comparison and not refused:
            comparison = _compared(judged[first.name], judged[model.name], confidence)
    return judged, comparison, refused


def unseen(model: Model, xrays: XRays) -> list[Example]:
    """Pictures of patients that the model has not been trained on. Raises Incomparable where that cannot be told."""
    known = known_to(model, xrays.side)
    found = [example for example in xrays.held_out if digest_of(example.patient) not in known]
    if not found:
        raise Incomparable(f"Model {model.name} has been trained on all {len(xrays.held_out)} held-out pictures")
    return found


def known_to(model: Model, side: int) -> frozenset[str]:
    """Digests of the patients that the model has been trained on. Raises Incomparable where that cannot be told, or the
    model takes other pictures than those of this side, or tells other findings."""
    if tuple(model.description.get("findings", ())) != FINDINGS:
        raise Incomparable(f"Model {model.name} tells other findings than these {len(FINDINGS)}")
    if model.description.get("preprocessing") != preprocessing.description(side):
        raise Incomparable(
            f"Model {model.name} was trained on pictures prepared in another way; "
            "train it again, or promote without a comparison"
        )
    try:
        return frozenset(json.loads((model.onnx.parent / PATIENTS).read_text()))
    except (OSError, ValueError):
        raise Incomparable(
            f"Model {model.name} does not say which patients it was trained on, so it may have seen these; "
            "train it again, or promote without a comparison"
        ) from None


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix in NIH's layout")
    # Not the run's own: a training on a few pictures is judged on all that are held out, like every other.
    add_data_flags(flags, from_run=lambda run: None)
    add_evaluation(flags)
    return flags.parse()


def side_of(model: Model) -> int:
    """Return the side of the pictures that the model takes, in pixels. Raises BadInput where it does not say."""
    try:
        return int(model.description["preprocessing"]["height"])
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"Model {model.name} does not say how its pictures were prepared; train it again.") from None


def _judged(model: Model, xrays: XRays, examples: list[Example], confidence: float, threads: int) -> Judged:
    network = OnnxModel.load(model.onnx, inputs=preprocessing.INPUT, outputs=preprocessing.OUTPUT, threads=threads)
    found = []
    if not examples:
        raise Incomparable(f"There is no held-out picture that model {model.name} and the first have both not seen")
    with Progress(len(examples), "pictures", f"Judging {model.name}") as progress:
        for pictures, _ in dataset.batches(xrays, examples, BATCH):
            found.append(network(pictures))
            progress.advance(len(pictures))
    logits = np.concatenate(found).astype(np.float64)
    scored = scoring.score(logits, dataset.truth(examples), [example.patient for example in examples], confidence)
    say(f"{model.name} on {len(examples)} pictures: {scoring.told(scored.areas)}")
    return Judged(examples, logits, scored)


def _compared(one: Judged, other: Judged, confidence: float) -> dict[str, dict[str, Any]]:
    keys = {example.key for example in other.examples}
    both = np.array([example.key in keys for example in one.examples])
    owners = [example.patient for example in other.examples]
    found = scoring.compare(one.logits[both], other.logits, dataset.truth(other.examples), owners, confidence)
    gain = found[scoring.MEAN]
    say(f"Gain in the mean: {gain['gain']:+.4f}, from {gain['low']:+.4f} to {gain['high']:+.4f} at {confidence:.0%}")
    return found


def _result(
    judged: Mapping[str, Judged], comparison: dict[str, dict[str, Any]], refused: str, options: argparse.Namespace
) -> dict[str, Any]:
    first, champion = next(iter(judged.values())), options.run.champion if options.run else None
    result: dict[str, Any] = {
        "metrics": {name: each.scored.areas for name, each in judged.items()},
        # The mean's alone: those of every finding are in MLflow, and a result is at most 4 KB.
        "intervals": {
            name: [round(each.scored.low[scoring.MEAN], 6), round(each.scored.high[scoring.MEAN], 6)]
            for name, each in judged.items()
        },
        "held_out": len(first.examples),
        "held_out_patients": len(dataset.patients(first.examples)),
        "champion_version": champion.version if champion else None,
    }
    if refused:
        say(refused)
        return {**result, "refused": refused}
    if comparison:
        told = {scoring.MEAN: comparison[scoring.MEAN]}
        rounded = {
            name: {key: round(value, 6) if isinstance(value, float) else value for key, value in told[name].items()}
            for name in told
        }
        result |= {"comparison": rounded, "compared": len(list(judged.values())[1].examples)}
    return result


def _record(run: Run, judged: Mapping[str, Judged], comparison: Mapping[str, Mapping[str, Any]]) -> None:
    for name, each in judged.items():
        run.metrics({f"{name}.{key}": value for key, value in each.scored.areas.items()})
        for edge in ("low", "high"):
            values = getattr(each.scored, edge)
            run.metrics({f"{name}.{key}.{edge}": value for key, value in values.items()})
    run.metrics({f"gain.{name}.{edge}": told[edge] for name, told in comparison.items() for edge in EDGES})


def _pictures(run: Run, output: str | None, judged: Mapping[str, Judged], xrays: XRays) -> list[str]:
    def draw(folder: Path) -> list[Path]:
        from tasks.chest import pictures

        return pictures.draw_all(folder, judged, xrays)

    return run.drawn(output, draw)


if __name__ == "__main__":
    program.run(main)
