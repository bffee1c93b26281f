"""Measure accuracy for CPU seconds, which is how the recommended network was chosen (``configs.py`` has the figures).

    python -m tasks.tyre.compare_networks --data /tmp/tyre --candidates recommended narrower wider

Every candidate is trained on the training part by one thread, and judged on the held-out part and, when ``--judge-on``
names one, on a whole other data set: the held-out part of a small one is too small to tell candidates apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tasks.common import program
from tasks.common.data import open_source
from tasks.common.metrics import judge
from tasks.common.program import BadInput
from tasks.tyre import dataset
from tasks.tyre.configs import CONFIGURATIONS
from tasks.tyre.training import Training, predict

_BEST = CONFIGURATIONS["recommended"]
CANDIDATES = {
    **CONFIGURATIONS,
    "narrower": replace(_BEST, network="compact-narrow"),
    "wider": replace(_BEST, network="compact-wide"),
    "larger-batches": replace(_BEST, batch_size=32),
    "half-the-rate": replace(_BEST, learning_rate=_BEST.learning_rate / 2),
    "twice-the-rate": replace(_BEST, learning_rate=_BEST.learning_rate * 2),
    "half-the-epochs": replace(_BEST, epochs=_BEST.epochs // 2),
    "constant-rate": replace(_BEST, schedule="constant"),
    "no-turns": replace(_BEST, turns=False),
}


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder or s3://bucket/prefix to train on")
    parser.add_argument("--judge-on", help="another data set, wholly unseen")
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # CPU seconds of several threads include their waiting for each other
    images = dataset.load(open_source(arguments.data), limit=arguments.limit)
    unseen = dataset.load(open_source(arguments.judge_on)) if arguments.judge_on else images
    if unseen.classes != images.classes:
        raise BadInput(f"{arguments.judge_on} has other classes than {arguments.data}.")
    rows = {}
    print(f"{'candidate':16} {'seed':>4} {'weights':>9} {'CPU s':>7} {'accuracy':>8} {'ROC AUC':>7} {'log loss':>8}")
    for name in arguments.candidates:
        for seed in arguments.seeds:
            rows[f"{name}:{seed}"] = _measure(name, seed, images, unseen, whole=bool(arguments.judge_on))
    return rows


def _measure(name: str, seed: int, images: dataset.Images, unseen: dataset.Images, whole: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        training = Training(images, CANDIDATES[name], seed, name, Path(folder) / "checkpoint.pt")
        begun = time.process_time()
        network = training.run(lambda number, figures: None).network
        seconds = time.process_time() - begun
    examples = unseen.training + unseen.held_out if whole else unseen.held_out
    figures = judge(*predict(network, unseen, examples))
    weights = sum(parameter.numel() for parameter in network.parameters())
    measured = f"{seconds:7.1f} {figures.accuracy:8.3f} {figures.roc_auc:7.3f} {figures.log_loss:8.3f}"
    print(f"{name:16} {seed:4} {weights:9,} {measured}", flush=True)
    return {"cpu_seconds": seconds, "accuracy": figures.accuracy, "roc_auc": figures.roc_auc, "weights": weights}


if __name__ == "__main__":
    program.run(main)
