"""Copy a trained model's files to their place on the model volume, whole or not at all.

    python -m tasks.models.publish --source /ws/.mlops/run --destination /models/r20261121...

The model is ``model.json``, which a training writes last, and the files it lists under ``files`` with their SHA-256.
Of a run, it is the model trained in the run's folder, and goes to ``<run key>/`` on the model volume. Run again, the
program finds the finished folder and changes nothing. The result says ``folder`` (its name on the model volume),
``digest``, ``files`` and ``bytes``; of a run, also ``scan``: what personal data was found in the dataset version it was
trained on (``tasks.governance.scan``), without which nothing is published. With ``--evidence``, what MLflow knows of
the run is put beside the model too (``tasks.governance.tracking``).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tasks.common.cli import Flags
from tasks.common.mlflow_rest import MlflowRest
from tasks.common.model_folder import DESCRIPTION, trained_by
from tasks.common.program import BadInput, run
from tasks.common.progress import say
from tasks.common.tracking import EXPERIMENT
from tasks.governance import scan, tracking
from tasks.models.folders import copy_durably, digest_of, model_files, place_whole


def main() -> dict[str, Any]:
    options = parse_options()
    files = files_of_model(options.source)
    scanned = scan_of(options)
    digest = digest_of(files)
    if options.destination.exists():
        check_same(options.destination, digest)
        say(f"{options.destination} holds this model already")
    else:
        publish(files, options.destination, digest)
        say(f"{len(files)} files are in {options.destination}: {digest}")
    size = sum(file.stat().st_size for file in files)
    result = {"folder": options.destination.name, "digest": digest, "files": [f.name for f in files], "bytes": size}
    return {**result, **scanned, **evidence_of(options)}


def parse_options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument("--source", type=Path, required=True, help="output folder of the training", from_run=trained_by)
    flags.add_argument(
        "--destination",
        type=Path,
        required=True,
        help="folder of this model version",
        from_run=lambda run: run.inside("models", run.run_key) if run.run_key else None,
    )
    flags.add_argument("--allow-personal-data", action="store_true", help="the dataset's rules let it hold some")
    flags.add_argument("--evidence", action="store_true", help="keep what MLflow knows of the run beside the model")
    return flags.parse()


def scan_of(options: argparse.Namespace) -> dict[str, Any]:
    """``scan`` of the version the run has trained on; {} for a model that belongs to no run."""
    workspace = options.run.folders.get("workspace") if options.run else None
    if workspace is None or not options.run.dataset_version:
        return {}
    version = options.run.dataset_version
    return {"scan": scan.of_version(Path(workspace), version, allowed=bool(options.allow_personal_data))}


def evidence_of(options: argparse.Namespace) -> dict[str, Any]:
    if not options.evidence:
        return {}
    run, uri = options.run, os.environ.get("MLFLOW_TRACKING_URI", "")
    if run is None or not run.run_folder or not run.run_key:
        raise BadInput("--evidence keeps what MLflow knows of a run, and RUN_FILE names none; leave it out.")
    destination = options.destination.parent / tracking.FOLDER / run.run_key
    facts = {"experiment": run.experiment or EXPERIMENT, "run_key": run.run_key, "destination": destination}
    return {"evidence": tracking.export(MlflowRest(uri), run_folder=Path(run.run_folder), **facts)}


def files_of_model(source: Path) -> list[Path]:
    """Return the description and the files it lists. Raises BadInput when one is missing or not what it lists."""
    try:
        listed: dict[str, str] = json.loads((source / DESCRIPTION).read_text())["files"]
    except FileNotFoundError:
        raise BadInput(f"{source} holds no {DESCRIPTION}: name the output folder of a finished training.") from None
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{source / DESCRIPTION} lists no files with their SHA-256; train again.") from None
    for name, expected in listed.items():
        path = source / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise BadInput(f"{path} is not the file that {DESCRIPTION} lists; train again.")
    return [source / name for name in sorted([DESCRIPTION, *listed])]


def check_same(destination: Path, digest: str) -> None:
    """Raise BadInput when ``destination`` holds anything but the files of this digest."""
    found = digest_of(model_files(destination, "*"))
    if found != digest:
        raise BadInput(
            f"{destination} holds another model ({found}) than the one to publish ({digest}), and a published model "
            "never changes: publish under the key of another run."
        )


def publish(files: list[Path], destination: Path, digest: str) -> None:
    def build(folder: Path) -> None:
        for file in files:
            copy_durably(file, folder / file.name)
        if digest_of(folder.iterdir()) != digest:
            raise OSError(f"what was copied to {destination} does not read back as it was written; run it again")

    destination.parent.mkdir(parents=True, exist_ok=True)
    place_whole(destination, build)


if __name__ == "__main__":
    run(main)
