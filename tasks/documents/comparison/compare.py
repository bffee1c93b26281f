"""Compare ways of answering from documents: retrieve, fine-tune, or both, on the same questions, in one table.

    python -m tasks.documents.comparison.compare --index /tmp/index/index --output /tmp/comparison --price-per-hour 2.5

Works on the encoder that ``tune`` has left in the same output, with the same flags for what is learned and asked.
Written there: ``comparison.html`` (a page of its own), ``comparison.md`` and ``comparison.png``; all go to MLflow with
every figure and the tuned encoder. Seconds are of this machine, cost is seconds times the price of an hour of it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tasks.common import encoder, lineage, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.comparison import CONFIDENCE
from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.common.tracking import Run
from tasks.documents.build import said
from tasks.documents.comparison import table
from tasks.documents.comparison.material import Material
from tasks.documents.comparison.measured import Measured, gains, measure
from tasks.documents.comparison.table import ANSWERS, BASE, BOTH, RETRIEVAL, TUNED, WAYS
from tasks.documents.comparison.tune import ENCODER, FACTS, add_material, dataset, read
from tasks.documents.comparison.ways import ByHeart, ByMeaning, ByWordsToo, Way
from tasks.documents.embedding import Embedding


@dataclass(frozen=True)
class Encoded:
    """All passages by an encoder: vectors [N, width], and seconds of its tuning and of embedding them."""

    embedding: Embedding
    bytes: int
    tuned_s: float
    vectors: Floats
    embedded_s: float

    @classmethod
    def of(cls, material: Material, folder: Path, tuned_s: float = 0.0) -> Encoded:
        embedding = Embedding(folder)
        begun = time.perf_counter()
        vectors = embedding.of([said(passage) for passage in material.passages])
        seconds = time.perf_counter() - begun
        return cls(embedding, (folder / encoder.WEIGHTS).stat().st_size, tuned_s, vectors, seconds)


def main() -> dict[str, Any]:
    options = _options()
    if options.price_per_hour < 0:
        raise BadInput(f"--price-per-hour is {options.price_per_hour:g}; it cannot be below 0.")
    torch.set_num_threads(options.threads)
    folder, base, material = Path(options.output, ENCODER), options.encoder or encoder.pretrained(), read(options)
    tuned_s = tuned_in(folder, material, base)
    with mlflow_run(options, "compare") as run:
        run.reads(dataset(options, material), lineage.EVALUATION)
        measured = compare(material, Encoded.of(material, base), Encoded.of(material, folder, tuned_s), options.seed)
        result = result_of(measured, material, options)
        files = run.drawn(options.output, lambda place: table.write(place, measured, result, options.confidence))
        _record(run, result, folder)
        return {**result, "pictures": [name for name in files if name.endswith(".png")], **run.identity}


def tuned_in(folder: Path, material: Material, base: Path) -> float:
    """Return the seconds that the tuning of an encoder took. Raises BadInput where it learned something else."""
    try:
        told = json.loads((folder / FACTS).read_text())
    except FileNotFoundError:
        raise BadInput(f"{folder} holds no tuned encoder; run tasks.documents.comparison.tune first.") from None
    if (told["material"], told["encoder"]) != (material.digest, encoder.digest_of(base)):
        raise BadInput(
            f"The encoder in {folder} was tuned on another index, seed, share, number of questions or base; tune it "
            "again with these flags."
        )
    return float(told["seconds"])


def compare(material: Material, base: Encoded, tuned: Encoded, seed: int) -> dict[str, Measured]:
    """Measure every way, one after the other, in the order of the table."""

    def words_too(of: Encoded, folder: Path) -> Callable[[], Way]:
        return lambda: ByWordsToo(of.embedding, material.passages, of.vectors, folder)

    def meaning(of: Encoded) -> Callable[[], Way]:
        return lambda: ByMeaning(of.embedding, material.passages, of.vectors)

    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, tuple[Encoded, float, Callable[[], Way]]] = {
            BASE: (base, base.embedded_s, meaning(base)),
            TUNED: (tuned, tuned.tuned_s + tuned.embedded_s, meaning(tuned)),
            ANSWERS: (tuned, tuned.tuned_s, lambda: ByHeart(tuned.embedding, material, seed)),
            RETRIEVAL: (base, base.embedded_s, words_too(base, Path(folder, RETRIEVAL))),
            BOTH: (tuned, tuned.tuned_s + tuned.embedded_s, words_too(tuned, Path(folder, BOTH))),
        }
        return {name: measure(name, material, *_of(*way)) for name, way in ways.items()}


def _of(encoded: Encoded, before_s: float, prepare: Callable[[], Way]) -> tuple[float, Callable[[], Way], int]:
    return before_s, prepare, encoded.bytes


def result_of(measured: Mapping[str, Measured], material: Material, options: argparse.Namespace) -> dict[str, Any]:
    """Return the rows of the table, and by how much one way is better than another."""
    rows = {name: one.figures(options.price_per_hour) for name, one in measured.items()}
    gained = {f"{new}-{old}": gains(measured[new], measured[old], options.confidence) for new, old in table.PAIRS}
    return {
        "metrics": {name: {key: round(value, 6) for key, value in row.items()} for name, row in rows.items()},
        "held_out": len(material.known) + len(material.later),
        "questions": {"known": len(material.known), "later": len(material.later)},
        "documents": {"learned": len(material.learned), "all": len({each.file for each in material.passages})},
        "passages": len(material.passages),
        "price_per_hour": options.price_per_hour,
        "gains": gained,
        "decision": table.verdict(gained),
    }


def _record(run: Run, result: Mapping[str, Any], folder: Path) -> None:
    if not run.run_id:
        return
    for name in WAYS:
        run.metrics({f"{name}.{key}": value for key, value in result["metrics"][name].items()})
    for pair, sides in result["gains"].items():
        run.metrics({f"gain.{pair}.{side}.{edge}": v for side, told in sides.items() for edge, v in told.items()})
    for file in sorted(each for each in folder.iterdir() if each.is_file()):
        run.artifact(file, ENCODER)


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.output("folder with the tuned encoder, for the report too")
    add_material(flags)
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--threads", type=int, default=2, help="for arithmetic")
    flags.add_argument("--price-per-hour", type=float, default=1.0, help="of this place, in your currency")
    flags.add_argument("--confidence", type=float, default=CONFIDENCE, help="of intervals")
    flags.tracking(lambda run: "compare")
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
