"""Score days of a click log with a trained model: every row's chance of a click, as Parquet.

    python -m tasks.ctr.score --data /data/clicks --model /tmp/dask --output /data/scores
    python -m tasks.ctr.score --data s3://lake/clicks --day day_7 --model /models/models/ctr/r2026... --output /scores

A model is a folder that training left, or the ``model.onnx`` in it: what scores is what is deployed. A day becomes
``<day>.parquet`` with the columns ``row`` (its place among the day's well-formed rows), ``score`` and ``label``. Days
that this model has scored are left.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import Store, open_target
from tasks.common.metrics import auc_of_counts, losses
from tasks.common.model_folder import ONNX
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.ctr.blocks import MALFORMED_SHARE, Batch, batches, check_malformed, left_out
from tasks.ctr.converted import fingerprint
from tasks.ctr.days import find_days, parts_of
from tasks.ctr.forest import INPUT, OUTPUT
from tasks.ctr.parse import Malformed
from tasks.ctr.places import add_days, scores_folder
from tasks.ctr.placing import place
from tasks.ctr.reading import PARQUET, Day, File, parquet_file

_PART_BYTES = 64 << 20
_BINS = 10_000  # of scores, from which the AUC is found within 0.0001


def main() -> dict[str, Any]:
    arguments = _options()
    path = Path(arguments.model)
    path = path if path.suffix == ".onnx" else path / ONNX
    model = OnnxModel.load(path, inputs=INPUT, outputs=OUTPUT, threads=arguments.threads)
    days = find_days(arguments.data, arguments.days)
    target = open_target(arguments.output)
    there = {entry.key: entry.size for entry in target.entries()}
    with mlflow_run(arguments, "score") as run:
        tallies = [_bring(day, model, target, there, arguments.malformed_share) for day in days]
        total = sum(tallies[1:], tallies[0])
        figures = total.figures()
        by_convert = sum((left_out(part) for day in days for part in parts_of(day, _PART_BYTES)), Malformed())
        run.metrics({f"scores.{name}": value for name, value in figures.items()})
        return {
            "days": len(days),
            "rows": total.rows,
            "malformed": total.malformed.count + by_convert.count,
            "metrics": figures,
            "model": model.digest,
            "output": arguments.output,
            **run.identity,
        }


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_days(flags, "score")
    flags.add_argument(
        "--model",
        required=True,
        help="folder training left, or the model.onnx in it; by default the champion's",
        from_run=lambda run: run.champion.folder if run.champion else None,
    )
    flags.output("folder or s3://bucket/prefix for the scores", from_run=scores_folder)
    flags.add_argument("--malformed-share", type=float, default=MALFORMED_SHARE, help="allowed; above it: exit 2")
    flags.add_argument("--threads", type=int, default=2)
    flags.tracking()
    return flags.parse()


@dataclass(frozen=True)
class Tally:
    """Sums over scored rows; ``bins`` [2, _BINS] counts rows without and with a click by score."""

    rows: int
    malformed: Malformed
    loss: float
    hits: int
    bins: Any

    @classmethod
    def of(cls, scores: Any, labels: Any, malformed: Malformed) -> Tally:
        clicked = labels.astype(bool)
        places = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
        bins = np.stack([np.bincount(places[clicked == click], minlength=_BINS) for click in (False, True)])
        loss = float(losses(scores, clicked).sum())
        return cls(len(scores), malformed, loss, int(((scores > 0.5) == clicked).sum()), bins)

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def figures(self) -> dict[str, float]:
        others, clicks = self.bins
        auc = auc_of_counts(clicks, others)
        rate = float(clicks.sum() / self.rows)
        return {"accuracy": self.hits / self.rows, "auc": auc, "log_loss": self.loss / self.rows, "click_rate": rate}


def _bring(day: Day, model: OnnxModel, target: Store, there: dict[str, int], share: float) -> Tally:
    key, source = f"{day.name}.parquet", fingerprint(day)
    if key in there:
        file = File(key, there[key], PARQUET)
        with parquet_file(target.url, file) as opened:
            told = opened.metadata.metadata or {}
            if (told.get(b"model"), told.get(b"source")) == (model.digest.encode(), source.encode()):
                say(f"{day.name} has this model's scores already.")
                return _retell(opened, int(told[b"malformed"]))
    return place(target, key, lambda file: _score(file, day, model, source, share))


def _score(file: IO[bytes], day: Day, model: OnnxModel, source: str, share: float) -> Tally:
    import pyarrow
    import pyarrow.parquet

    types = [("row", pyarrow.int64()), ("score", pyarrow.float32()), ("label", pyarrow.int8())]
    schema = pyarrow.schema(types)
    total = Tally(0, Malformed(), 0.0, 0, np.zeros((2, _BINS), np.int64))
    with (
        Progress(None, "rows", f"Scoring {day.name}") as progress,
        pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for batch in _batches(day):
            scores = model(batch.values)[:, 1]
            numbers = np.arange(total.rows, total.rows + len(scores))
            columns = [numbers, scores, batch.labels.astype(np.int8)]
            writer.write_table(pyarrow.table(columns, schema=schema))
            total += Tally.of(scores, batch.labels, batch.malformed)
            progress.advance(len(scores))
        check_malformed(total.malformed, total.rows, share, f"{day.url} in {day.name}")
        facts = {"model": model.digest, "source": source, "malformed": str(total.malformed.count)}
        writer.add_key_value_metadata(facts)
    if not total.rows:
        raise BadInput(f"{day.name} under {day.url} has no rows to score.")
    return total


def _batches(day: Day) -> Iterator[Batch]:
    return (batch for part in parts_of(day, _PART_BYTES) for batch in batches(part))


def _retell(opened: Any, malformed: int) -> Tally:
    """Return the tally of scores that are there."""
    total = Tally(0, Malformed(malformed), 0.0, 0, np.zeros((2, _BINS), np.int64))
    for batch in opened.iter_batches(1 << 18, columns=["score", "label"]):
        scores, labels = (batch.column(name).to_numpy() for name in ("score", "label"))
        total += Tally.of(scores, labels, Malformed())
    return total


if __name__ == "__main__":
    program.run(main)
