"""Judge trained models on the same held-out rows: a new one, and the one that is deployed.

    python -m tasks.ctr.evaluate --data /data/clicks --model challenger=/tmp/dask --model champion=/models/r2026...

The rows are the last of the days, as many as the first model's training held out, so that none of it was trained
on. A model is a folder with ``model.onnx`` and, for the first, ``report.json``. The result holds the figures of each
under its name, and all of them as ``metrics``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.model_folder import judged_models
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.ctr.blocks import batches
from tasks.ctr.days import Day, find_days, parts_of
from tasks.ctr.metrics import judge
from tasks.ctr.places import add_days
from tasks.ctr.score import Model
from tasks.ctr.train import REPORT

_PART_BYTES = 16 << 20


def main() -> dict[str, Any]:
    arguments = _options()
    folders = dict(_named(text) for text in arguments.model)
    count = _held_out(next(iter(folders.values())))
    values, labels = last_rows(find_days(arguments.data, arguments.days), count)
    figures = {}
    for name, folder in folders.items():
        if not (folder / "model.onnx").is_file():
            raise BadInput(f"{folder} holds no model.onnx; name the output folder of a finished training.")
        figures[name] = judge(Model(folder / "model.onnx", arguments.threads).scores(values), labels).figures
        shown = ", ".join(f"{key} {figures[name][key]:.4f}" for key in ("accuracy", "auc", "log_loss"))
        say(f"{name} on {len(labels)} rows: {shown}")
    return {"rows": len(labels), "metrics": figures, **figures}


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_days(flags, "judge on")
    flags.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="NAME=FOLDER",
        help="may be given repeatedly; by default the run's own and the champion",
        from_run=judged_models,
    )
    flags.add_argument("--threads", type=int, default=2)
    return flags.parse()


def _named(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or not name or name in ("rows", "metrics"):
        raise BadInput(f"--model {text!r} is not of the form name=folder.")
    return name, Path(folder)


def _held_out(folder: Path) -> int:
    try:
        return int(json.loads((folder / REPORT).read_text())["test_rows"])
    except FileNotFoundError:
        raise BadInput(f"{folder} holds no {REPORT}; name the output folder of a finished training first.") from None


def last_rows(days: list[Day], count: int) -> tuple[Any, Any]:
    """Values float32 [count, 13] and labels uint8 [count] of the days' last well-formed rows, in order."""
    values: list[Any] = []
    labels: list[Any] = []
    found = 0
    for part in reversed([part for day in days for part in parts_of(day, _PART_BYTES)]):
        read = list(batches(part))
        values = [batch.values for batch in read] + values
        labels = [batch.labels for batch in read] + labels
        found += sum(len(batch.labels) for batch in read)
        if found >= count:
            break
    if found < count:
        raise BadInput(f"{found} rows are under {days[0].url}, and {count} were held out: give the same data.")
    return np.concatenate(values)[found - count :], np.concatenate(labels)[found - count :]


if __name__ == "__main__":
    program.run(main)
