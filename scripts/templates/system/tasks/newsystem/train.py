"""Train the classifier.

    python -m tasks.newsystem.train --data /data/newsystem --output /tmp/run

The output folder gets the model: ``model.onnx`` and, written last, ``model.json``, which describes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.lineage import TRAINING
from tasks.common.metrics import judge, softmax
from tasks.common.model_folder import LOADED, ONNX, Tensor, write_model
from tasks.common.program import stop_deferred
from tasks.newsystem import data, model
from tasks.newsystem.configs import CLASSES, FEATURES, FIGURES, HELD_OUT_SHARE, INPUT, OUTPUT, STEPS


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix of CSV files")
    flags.output("folder for the model")
    flags.add_argument("--steps", type=int, default=STEPS)
    flags.add_argument("--seed", type=int, default=1)
    flags.tracking(lambda run: "")
    options = flags.parse()
    training, held_out = data.load(open_source(options.data))
    facts = {"training": len(training), "held_out": len(held_out), "held_out_share": HELD_OUT_SHARE}
    with mlflow_run(options, Path(options.output).name) as run:
        run.parameters({"steps": options.steps, "seed": options.seed})
        run.reads(data.lineage(options.run, options.data, training, held_out), TRAINING)
        network = model.fit(training, options.steps, options.seed)
        with torch.no_grad():
            scores = softmax(network(torch.from_numpy(held_out.features)).numpy())[:, 1]
        figures = judge(scores, held_out.labels == 1).figures(FIGURES)
        run.metrics(figures)
        description = {"seed": options.seed, "steps": options.steps, "classes": list(CLASSES), "data": facts}
        with stop_deferred():
            files = write_model(
                Path(options.output),
                {**description, "mlflow": run.identity, "metrics": figures},
                {ONNX: model.to_onnx(network)},
                Tensor(INPUT, "float32", (-1, len(FEATURES))),
                Tensor(OUTPUT, "float32", (-1, len(CLASSES))),
            )
            for name in LOADED:
                run.artifact(Path(options.output) / name, "model")
        return {"metrics": figures, "data": facts, "files": files, **run.identity}


if __name__ == "__main__":
    program.run(main)
