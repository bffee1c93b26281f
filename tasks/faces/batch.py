"""The batch scenario: the average precision of every fold, in the published words.

    python -m tasks.faces.batch --data /data/FDDB --model /models/r20261127...

    FDDB-fold-1 Val AP: 0.9491
    ...
    FDDB Dataset Average AP: 0.9387
    mAP: 0.9387

It is printed twice: without noise (the data is here, so nothing crosses a wire), and with the model's. The published
programs halve the threshold when noise is on; so each part says at which threshold it is. Folds that the network was
trained on are said, since their figures are not those of unseen pictures.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_source
from tasks.common.model_folder import trained_by
from tasks.common.progress import say
from tasks.faces import dataset, judging
from tasks.faces.dataset import Example, Faces
from tasks.faces.detector import Detector
from tasks.faces.ellipses import FOLDS
from tasks.faces.judging import AP, AP_HALVED, HALVED, THRESHOLD
from tasks.faces.train import add_data_flags

THRESHOLDS = {AP: THRESHOLD, AP_HALVED: HALVED}


def main() -> dict[str, Any]:
    options = _options()
    detector = Detector.of(Path(options.model), threads=options.threads)
    faces = dataset.load(
        open_source(options.data), detector.chosen, limit=options.limit, corrupt_share=options.corrupt_share
    )
    trained = sorted(set(range(1, FOLDS + 1)) - set(detector.held_out))
    result: dict[str, Any] = {"alpha": detector.noise.alpha, "held_out": list(detector.held_out), "trained_on": trained}
    for noisy in (False, True):
        curves = _curves(detector, faces, noisy)
        for figure, threshold in THRESHOLDS.items():
            result["noisy" if noisy else "clear"] = result.get("noisy" if noisy else "clear", {}) | {
                figure: _tell(curves, figure, threshold, detector, noisy, trained)
            }
    return result


def _curves(detector: Detector, faces: Faces, noisy: bool) -> dict[int, judging.Curves]:
    random = np.random.default_rng()
    found = {}
    for fold in range(1, FOLDS + 1):
        examples: list[Example] = faces.of([fold])
        answers = detector.answers(examples, random if noisy else None)
        found[fold] = judging.Curves.of(judging.found(detector.chosen, examples, answers))
    return found


def _tell(
    curves: dict[int, judging.Curves],
    figure: str,
    threshold: float,
    detector: Detector,
    noisy: bool,
    trained: list[int],
) -> dict[str, Any]:
    """Print the folds in the published words; returns them, their mean, and that of the held-out ones."""
    what = f"with noise, ALPHA {detector.noise.alpha:g}" if noisy else "without noise"
    halved = f", half of {THRESHOLD:g}" if threshold != THRESHOLD else ""
    say(f"{what.capitalize()}, at threshold {threshold:g}{halved}; trained on folds {', '.join(map(str, trained))}:")
    folds = {fold: each.figures()[figure] for fold, each in curves.items()}
    for fold, value in folds.items():
        print(f"FDDB-fold-{fold} Val AP: {value}", flush=True)
    mean = float(np.mean(list(folds.values())))
    print(f"FDDB Dataset Average AP: {mean}", flush=True)
    print(f"mAP: {mean}", flush=True)
    unseen = float(np.mean([folds[fold] for fold in detector.held_out]))
    say(f"Mean of the held-out folds alone: {unseen:.4f}")
    return {
        "folds": [round(value, 6) for value in folds.values()],
        "mean": round(mean, 6),
        "held_out_mean": round(unseen, 6),
    }


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_data_flags(flags)
    flags.add_argument("--model", required=True, help="folder that training left", from_run=trained_by)
    flags.add_argument("--threads", type=int, default=2)
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
