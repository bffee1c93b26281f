"""Set accuracy against privacy for every ALPHA that was tried, and make a model of the one that a rule chooses.

    python -m tasks.faces.choose --sweep /tmp/run/sweep --network /tmp/run/network --output /tmp/run

The rule: of the ALPHAs at which detection keeps all but ``--most-lost`` of its average precision without noise, and at
which an attacker surely makes out less than without noise, the greatest. Where there is none, the program says so and
makes no model.

Learned noise is compared with the two plain ways at equal privacy: the plain one's accuracy is read off its own curve,
between the points that were tried, where an attacker makes out as much (SSIM). Intervals are by the bootstrap over
held-out pictures, every curve on the same draws.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.comparison import CONFIDENCE
from tasks.common.model_folder import LOADED, write_best
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.run_file import RunFile
from tasks.common.tracking import Run
from tasks.faces import judging
from tasks.faces.export import WEIGHTS, export, read_network
from tasks.faces.judging import AP, Floats, Point
from tasks.faces.noise import BLUR, GAUSSIAN, LEARNED, NOISE, Noise
from tasks.faces.sweep import POINTS, SHOWN, sweep_folder
from tasks.faces.train import MODEL_FOLDER, network_folder

MOST_LOST = 0.1
METHOD = "paired bootstrap over pictures"
SHOWN_FIGURES = (AP, judging.AP_HALVED, judging.AP_CONTINUOUS, *judging.SEEN)


@dataclass(frozen=True)
class Swept:
    """One ALPHA and kind: its ``figures``, and the same on each draw of the bootstrap [draws]."""

    alpha: float
    figures: dict[str, float]
    draws: dict[str, Floats]

    def interval(self, name: str, confidence: float) -> tuple[float, float]:
        return interval(self.draws[name], confidence)


Curves = dict[str, list[Swept]]  # by kind, the smallest ALPHA first; all begin with none


def main() -> dict[str, Any]:
    options = _options()
    if not 0 <= options.most_lost < 1:
        raise BadInput(f"--most-lost is {options.most_lost:g}; it is a share of the accuracy, from 0 to below 1.")
    network, chosen, told = read_network(Path(options.network))
    curves = read(Path(options.sweep))
    compared = {kind: at_equal_privacy(curves, kind, options.confidence) for kind in (GAUSSIAN, BLUR)}
    picked, reason = pick(curves[LEARNED], options.most_lost, options.confidence)
    folder = Path(options.output) / MODEL_FOLDER
    mlflow = told.get("mlflow") or {}
    if options.run is None:
        options.experiment = options.experiment or mlflow.get("mlflow_experiment")
    with mlflow_run(options, mlflow.get("mlflow_run_name", Path(options.output).name)) as run:
        _record(run, curves, compared)
        pictures = _pictures(run, options, curves)
        if picked is None:
            raise BadInput(reason)
        say(reason)
        noise = Noise.load((Path(options.sweep) / f"{picked.alpha:g}" / NOISE).read_bytes(), NOISE)
        privacy = {name: round(picked.figures[name], 6) for name in judging.SEEN}
        description = {**told, "alpha": picked.alpha, "privacy": privacy, "mlflow": run.identity}
        adapted, weights = copy.deepcopy(network), Path(options.sweep) / f"{picked.alpha:g}" / WEIGHTS
        adapted.load_state_dict(torch.load(weights, weights_only=True))
        digests = export(adapted, noise, chosen, folder, {**description, "metrics": picked.figures}, trained=network)
        write_best(Path(options.output), folder)
        for name in LOADED:
            run.artifact(folder / name, "model")
        return {
            "alpha": picked.alpha,
            "reason": reason,
            "metrics": {name: round(picked.figures[name], 6) for name in SHOWN_FIGURES},
            "points": {kind: _rows(points, options.confidence) for kind, points in curves.items()},
            "at_equal_privacy": compared,
            "pictures": pictures,
            "files": digests,
            **run.identity,
        }


def read(folder: Path) -> Curves:
    """What the sweep left, each kind's curve beginning without noise. Raises BadInput."""
    found: dict[float, dict[str, Any]] = {}
    for file in sorted(folder.glob(f"*/{POINTS}")):
        told = json.loads(file.read_text())
        found[float(told["alpha"])] = told["points"]
    if 0.0 not in found or len(found) < 2:
        raise BadInput(f"{folder} needs the points of ALPHA 0 and of one above it: sweep over 0 too, and over more.")
    pictures = len(found[0.0][LEARNED])
    weights = judging.weights_of_draws(pictures)
    none = _swept(0.0, found[0.0][LEARNED], weights)
    alphas = sorted(alpha for alpha in found if alpha)
    return {
        kind: [none, *(_swept(alpha, found[alpha][kind], weights) for alpha in alphas)]
        for kind in (LEARNED, GAUSSIAN, BLUR)
    }


def _swept(alpha: float, rows: list[dict[str, Any]], weights: Floats) -> Swept:
    if len(rows) != weights.shape[1]:
        raise BadInput(f"The points of ALPHA {alpha:g} are of other pictures than those of ALPHA 0: sweep again.")
    point = Point.of(rows)
    return Swept(alpha, point.figures(), point.drawn(weights))


def interval(draws: Floats, confidence: float) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise BadInput(f"--confidence is {confidence}; it must be between 0 and 1, such as 0.95.")
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def at_equal_privacy(curves: Curves, kind: str, confidence: float) -> dict[str, Any]:
    """How much average precision learned noise has above ``kind`` where an attacker makes out as much (SSIM).

    Where the other's curve does not reach as much privacy, its most private point stands in for it, to its advantage.
    Returns ``each``, a row of ALPHA, gain and its interval, and their mean as ``gain``, ``low`` and ``high``.
    """
    mine = [point for point in curves[LEARNED] if point.alpha]

    def gains(value: Callable[[Swept, str], float]) -> list[float]:
        other = sorted((value(point, "ssim"), value(point, AP)) for point in curves[kind])
        likeness, accuracy = zip(*other, strict=True)
        return [value(point, AP) - float(np.interp(value(point, "ssim"), likeness, accuracy)) for point in mine]

    found = gains(lambda point, name: point.figures[name])
    count = len(curves[LEARNED][0].draws[AP])
    drawn = np.array([gains(partial(_drawn, draw)) for draw in range(count)])
    each = [
        [point.alpha, *(round(value, 4) for value in (gain, *interval(drawn[:, place], confidence)))]
        for place, (point, gain) in enumerate(zip(mine, found, strict=True))
    ]
    low, high = interval(drawn.mean(axis=1), confidence)
    return {
        "gain": round(float(np.mean(found)), 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "each": each,
        "confidence": confidence,
        "method": METHOD,
    }


def _drawn(draw: int, point: Swept, name: str) -> float:
    return float(point.draws[name][draw])


def pick(learned: list[Swept], most_lost: float, confidence: float) -> tuple[Swept | None, str]:
    """(the point the rule chooses, a sentence); None where no point obeys the rule."""
    none, *others = learned
    least = (1 - most_lost) * none.figures[AP]
    kept = [point for point in others if point.figures[AP] >= least]
    hiding = [point for point in kept if interval(none.draws["ssim"] - point.draws["ssim"], confidence)[0] > 0]
    said = f"{most_lost:.0%} of the average precision without noise ({none.figures[AP]:.4f})"
    if hiding:
        best = max(hiding, key=lambda point: point.alpha)
        return best, (
            f"ALPHA {best.alpha:g}: the greatest that loses at most {said}: {best.figures[AP]:.4f}, and an attacker's "
            f"faces have SSIM {best.figures['ssim']:.3f} instead of {none.figures['ssim']:.3f}, "
            f"{best.figures['recognised']:.0%} of them recognised instead of {none.figures['recognised']:.0%}"
        )
    nearest = max(others, key=lambda point: point.figures[AP])
    if kept:
        return None, f"No ALPHA that loses at most {said} surely hides more than none: try greater ones."
    return None, (
        f"No ALPHA loses at most {said}: {nearest.alpha:g} has {nearest.figures[AP]:.4f}. Try smaller ones, or allow "
        "more to be lost."
    )


def _rows(points: list[Swept], confidence: float) -> list[list[float]]:
    """ALPHA, average precision with its interval, SSIM, share recognised: a result has room for no more."""
    made = []
    for point in points:
        low, high = point.interval(AP, confidence)
        values = (point.alpha, point.figures[AP], low, high, point.figures["ssim"], point.figures["recognised"])
        made.append([round(value, 4) for value in values])
    return made


def _record(run: Run, curves: Curves, compared: Mapping[str, Mapping[str, Any]]) -> None:
    for kind, points in curves.items():
        for point in points:
            step = round(1000 * point.alpha)
            run.metrics({f"{kind}.{name}": value for name, value in point.figures.items()}, step=step)
    for kind, told in compared.items():
        run.metrics({f"gain_over_{kind}.{edge}": told[edge] for edge in ("gain", "low", "high")})
        verdict = "better" if told["low"] > 0 else "not surely better"
        say(
            f"At equal privacy learned noise is {verdict} than {kind}: {told['gain']:+.4f} average precision, from "
            f"{told['low']:+.4f} to {told['high']:+.4f} at {told['confidence']:.0%}"
        )
        for alpha, gain, low, high in told["each"]:
            say(f"  at the privacy of ALPHA {alpha:g}: {gain:+.4f}, from {low:+.4f} to {high:+.4f}")


def _pictures(run: Run, options: argparse.Namespace, curves: Curves) -> list[str]:
    from tasks.faces import pictures

    with tempfile.TemporaryDirectory() as folder:
        where = Path(options.pictures or folder)
        shown = sorted(Path(options.sweep).glob(f"*/{SHOWN}"), key=lambda file: float(file.parent.name))
        files = pictures.draw_all(where, curves, shown, options.confidence)
        for file in files:
            run.artifact(file, "evaluation")
        return [file.name for file in files]


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument("--sweep", required=True, help="folder that sweep left", from_run=sweep_folder)
    flags.add_argument("--network", required=True, help="folder that train left", from_run=network_folder)
    flags.output("the run's folder, which gets the model")
    flags.add_argument("--most-lost", type=float, default=MOST_LOST, help="share of the accuracy that may be lost")
    flags.add_argument("--confidence", type=float, default=CONFIDENCE, help="of the intervals")
    flags.add_argument("--pictures", help="folder for the pictures, which go to MLflow in any case", from_run=_nowhere)
    flags.tracking(lambda run: "")
    return flags.parse()


def _nowhere(run: RunFile) -> None:
    return None


if __name__ == "__main__":
    program.run(main)
