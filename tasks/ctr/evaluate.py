"""Judge trained models on the same held-out rows: a new one, and the one that is deployed.

    python -m tasks.ctr.evaluate --data /data/clicks --model challenger=/tmp/dask --model champion=/models/r2026...

The rows are the last of the days, as many as the first model's training held out. Of them, a model is judged on those
that it has not trained on, and the first two are compared on those that neither has: a champion of these very days
leaves none, and is not compared. The first model is the best of several engines on these same rows, so that its
figures are the luckiest of a few; among a million rows that is less than the last digit shown.
"""

from __future__ import annotations

from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.evaluation import System, add_evaluation, evaluate
from tasks.common.judging import Judged, Model
from tasks.common.program import BadInput
from tasks.ctr.days import find_days
from tasks.ctr.figures import CLASSES, FIGURES
from tasks.ctr.held_out import HeldOutRows
from tasks.ctr.pictures import draw_bands
from tasks.ctr.places import add_days, lineage


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    add_days(flags, "judge on")
    add_evaluation(flags)
    options = flags.parse()
    models = [Model.parse(text) for text in options.model]
    days = find_days(options.data, options.days)
    rows = HeldOutRows(days, _held_out(models[0]), options.threads)
    return evaluate(options, models, rows, System(FIGURES, CLASSES, lineage(options.run, days), _draw))


def _held_out(model: Model) -> int:
    try:
        return int(model.data["held_out"])
    except (KeyError, TypeError, ValueError):
        raise BadInput(
            f"Model {model.name} does not say how many rows its training held out; train it again."
        ) from None


def _draw(folder: Any, judged: Judged) -> list[Any]:
    path = folder / "calibration.png"
    draw_bands(path, {name: verdict.judgement.bands for name, verdict in judged.verdicts.items()})
    return [path]


if __name__ == "__main__":
    program.run(main)
