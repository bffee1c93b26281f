"""Tune the encoder on questions and passages of the documents that an index holds.

    python -m tasks.documents.comparison.tune --index /tmp/index/index --output /tmp/comparison

A share of the documents is kept from it (``material.py`` says which and why). The output folder gets a checkpoint and
the folder ``encoder``: a BERT like its base, which every program of documents takes as ``--encoder``. Stopped or
killed, it goes on from its checkpoint when run again with the same output, to the same weights.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tasks.common import device, encoder, lineage, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.description import identity_of, parameters_of
from tasks.common.program import BadInput, stop_deferred
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.run_file import RunFile
from tasks.common.tracking import Run
from tasks.common.training import add_training_flags, prepared
from tasks.documents import layout, questions, serving
from tasks.documents.comparison.configs import CONFIGURATIONS, DEFAULT, configuration
from tasks.documents.comparison.material import Material, divided
from tasks.documents.comparison.tuning import Tuning, write
from tasks.documents.index import Index

ENCODER, FACTS = "encoder", "tuned.json"
LATER_SHARE, MOST_QUESTIONS = 0.2, 200


def main() -> dict[str, Any]:
    options = _options()
    chosen = prepared(options, configuration)
    material, base = read(options), options.encoder or encoder.pretrained()
    facts = {
        "configuration": {"name": options.configuration, **asdict(chosen)},
        "seed": options.seed,
        "threads": options.threads,
        "device": options.device,
        "torch": torch.__version__,
        "encoder": encoder.digest_of(base),
        "later_share": options.later_share,
        "material": material.digest,
    }
    identity, output = identity_of(facts, without=["torch"]), Path(options.output)
    with mlflow_run(options, output.name) as run:
        run.parameters(parameters_of(facts, [name for name in facts if name != "torch"]))
        run.tag({"torch": torch.__version__, "device": device.named(options.device)})
        run.reads(dataset(options, material), lineage.TRAINING)
        tuning = Tuning(material, base, chosen, options.seed, identity, output / "checkpoint.pt", options.device)
        state = tuning.run(lambda number, figures: _report(run, number, figures))
        told = {"seconds": round(state.seconds, 2), "examples": len(material.examples), "material": material.digest}
        with stop_deferred():
            write(state.network, base, output / ENCODER)
            write_whole(output / ENCODER / FACTS, json.dumps({**facts, **told}, indent=2).encode())
        return {**told, "files_learned": len(material.learned), "output": str(output), **run.identity}


def read(options: argparse.Namespace) -> Material:
    """Return what the flags of ``add_material`` name, divided. Raises BadInput."""
    index = Index(options.index)
    own = questions.own(Path(options.data)) if options.data else []
    material = divided(index.passages(), options.seed, options.later_share, options.questions, own)
    say(
        f"{len(material.learned)} of {len(index.files)} documents are learned, by {len(material.examples)} wordings; "
        f"asked are {len(material.known)} questions about them and {len(material.later)} about the others"
    )
    return material


def add_material(flags: Flags) -> None:
    """Add what decides what is learned and asked: the flags that ``tune`` and ``compare`` have in common."""
    flags.add_argument("--data", help="folder with documents, for questions.jsonl", from_run=lambda run: run.data)
    flags.add_argument("--index", type=Path, required=True, help="folder of a frozen index", from_run=indexed)
    flags.add_argument("--encoder", type=Path, help="folder of the base; the one that is installed if not given")
    flags.add_argument("--later-share", type=float, default=LATER_SHARE, help="of the documents, that are not learned")
    flags.add_argument("--questions", type=int, default=MOST_QUESTIONS, help="made of either kind, at most")


def indexed(run: RunFile) -> str | None:
    """Return the folder of the index of the run's version, if its volume is there. Raises BadInput without an index."""
    if not (volume := run.folders.get("index")):
        return None
    found = [each for each in serving.history(Path(volume)) if each.version == run.version_id]
    if not found:
        raise BadInput(
            f"No index is known of version {run.version_id} of the documents: run the DAG documents for it first."
        )
    return str(layout.frozen(Path(volume), found[-1].snapshot))


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.output("folder for checkpoint and encoder")
    add_material(flags)
    add_training_flags(flags, CONFIGURATIONS, DEFAULT, threads=2, batch="questions with their passages, ")
    flags.tracking(lambda run: "tune")
    return flags.parse()


def dataset(options: argparse.Namespace, material: Material) -> lineage.Dataset:
    counts = {"passages": len(material.passages), "learned_files": len(material.learned)}
    schema = lineage.column_schema({"text": "string"})
    return lineage.dataset(options.run, str(options.index), material.digest, profile=counts, schema=schema)


def _report(run: Run, number: int, figures: dict[str, float]) -> None:
    values = {name: value for name, value in figures.items() if name != "time_ms"}
    run.metrics(values, step=number, time_ms=int(figures["time_ms"]))
    say(f"Epoch {number}: loss {figures['train_loss']:.3f} after {figures['seconds']:.0f} s")


if __name__ == "__main__":
    program.run(main)
