"""Judge trained models on the same held-out rows, which none of them has seen.

python -m tasks.newsystem.evaluate --data /data/newsystem --model challenger=/tmp/run
python -m tasks.newsystem.evaluate --data /data/newsystem --model challenger=/tmp/run --model champion=/models/a
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_source
from tasks.common.evaluation import System, add_evaluation, evaluate
from tasks.common.judging import Incomparable, Model
from tasks.common.metrics import Booleans, Floats, softmax
from tasks.common.onnx_model import OnnxModel
from tasks.newsystem import data
from tasks.newsystem.configs import CLASSES, FIGURES, HELD_OUT_SHARE, INPUT, OUTPUT


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix of CSV files")
    add_evaluation(flags)
    options = flags.parse()
    training, held_out = data.load(open_source(options.data))
    models = [Model.parse(text) for text in options.model]
    read = data.lineage(options.run, options.data, training, held_out)
    return evaluate(options, models, HeldOut(held_out, options.threads), System(FIGURES, CLASSES, read))


class HeldOut:
    """The held-out rows: chosen by content, so that every model trained here has held out the same ones."""

    def __init__(self, rows: data.Rows, threads: int) -> None:
        self._rows, self._threads = rows, threads
        self.positives: Booleans = rows.labels == 1

    def unseen(self, model: Model) -> Booleans:
        if model.data.get("held_out_share") != HELD_OUT_SHARE:
            raise Incomparable(f"Model {model.name} does not say that it held out {HELD_OUT_SHARE} of the rows")
        return np.ones(len(self._rows), bool)

    def scores(self, model: Model) -> Floats:
        network = OnnxModel.load(model.onnx, inputs=INPUT, outputs=OUTPUT, threads=self._threads)
        return softmax(network(self._rows.features))[:, 1]


if __name__ == "__main__":
    program.run(main)
