"""The frame of every ``evaluate``: its flags, its record in MLflow, its pictures and the result that decides."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.cli import Flags, mlflow_run
from tasks.common.comparison import CONFIDENCE
from tasks.common.judging import Judged, Model, Rows, judge_models
from tasks.common.lineage import EVALUATION, Dataset
from tasks.common.model_folder import judged_models
from tasks.common.pictures import draw_confusion, draw_roc
from tasks.common.progress import say

CHALLENGER, CHAMPION = "challenger", "champion"


@dataclass(frozen=True)
class System:
    """What is one system's own of its evaluation.

    ``figures`` maps the name of a figure in the result to its name in ``metrics.Judgement``; ``classes`` are the
    negative and the positive one. ``dataset`` is what holds the rows. ``draw`` adds pictures to a folder and returns
    their files.
    """

    figures: Mapping[str, str]
    classes: tuple[str, str]
    dataset: Dataset
    draw: Callable[[Path, Judged], list[Path]] = lambda folder, judged: []


def add_evaluation(flags: Flags) -> None:
    """Add the flags that every evaluation has."""
    models = "may be given repeatedly; by default the run's own and the champion"
    flags.add_argument(
        "--model", action="append", required=True, metavar="NAME=FOLDER", help=models, from_run=judged_models
    )
    flags.add_argument("--output", help="folder for the pictures, which go to MLflow in any case")
    flags.add_argument("--confidence", type=float, default=CONFIDENCE, help="of the interval around the gain")
    flags.add_argument("--threads", type=int, default=2)
    # In the run that trained the first model, unless another is named.
    flags.tracking(lambda run: None)


def evaluate(options: argparse.Namespace, models: list[Model], rows: Rows, system: System) -> dict[str, Any]:
    """Judge, record and draw; what ``decide`` reads:

    ``metrics`` by model, ``held_out`` rows of the first, ``comparison`` by figure where there is a second and
    ``compared`` rows for it, ``champion_version``; or ``refused`` with the reason why there is no comparison. And
    ``pictures``, the names of those that the MLflow run has in its folder ``evaluation``.
    """
    trained_in = models[0].description.get("mlflow") or {}
    if options.run is None:
        options.experiment = options.experiment or trained_in.get("mlflow_experiment")
    with mlflow_run(options, trained_in.get("mlflow_run_name", "evaluate")) as run:
        run.reads(system.dataset, EVALUATION)
        judged = judge_models(models, rows, system.figures, options.confidence)
        metrics = {name: verdict.judgement.figures(system.figures) for name, verdict in judged.verdicts.items()}
        _report(judged, metrics)
        for name, figures in metrics.items():
            run.metrics({f"{name}.{key}": value for key, value in figures.items()})
        run.metrics({f"gain.{name}.{key}": told[key] for name, told in judged.comparison.items() for key in _EDGES})
        pictures = run.drawn(options.output, lambda folder: _draw(folder, judged, rows, system))
        return {**_result(judged, metrics, models, options), "pictures": pictures, **run.identity}


_EDGES = ("gain", "low", "high")


def _result(
    judged: Judged, metrics: dict[str, dict[str, float]], models: list[Model], options: argparse.Namespace
) -> dict[str, Any]:
    first = judged.verdicts[models[0].name]
    champion = options.run.champion if options.run else None
    result: dict[str, Any] = {"metrics": metrics, "held_out": int(first.judged.sum())}
    result["champion_version"] = champion.version if champion else None
    if judged.refused:
        result["refused"] = judged.refused
    elif judged.comparison:
        rounded = {
            name: {key: round(value, 6) if isinstance(value, float) else value for key, value in told.items()}
            for name, told in judged.comparison.items()
        }
        result |= {"comparison": rounded, "compared": judged.compared}
    return result


def _report(judged: Judged, metrics: Mapping[str, Mapping[str, float]]) -> None:
    for name, figures in metrics.items():
        shown = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        say(f"{name} on {judged.verdicts[name].judged.sum()} rows: {shown}")
    for name, told in judged.comparison.items():
        say(
            f"Gain in {name}: {told['gain']:+.4f}, from {told['low']:+.4f} to {told['high']:+.4f} at "
            f"{told['confidence']:.0%} confidence"
        )
    if judged.refused:
        say(judged.refused)


def _draw(folder: Path, judged: Judged, rows: Rows, system: System) -> list[Path]:
    """Draw all pictures and return their files."""
    files = [folder / "roc.png"]
    shown = {name: (v.scores[v.judged], rows.positives[v.judged]) for name, v in judged.verdicts.items()}
    draw_roc(files[0], shown, system.classes)
    for name, verdict in judged.verdicts.items():
        files.append(folder / f"confusion_{name}.png")
        draw_confusion(files[-1], verdict.judgement, system.classes, name)
    files += system.draw(folder, judged)
    return files
