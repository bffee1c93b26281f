"""Copies a trained model's files to their place on the model volume, whole or not at all.

    python -m tasks.models.publish --source /ws/.mlops/run --destination /models/models/tyre/r20261121...

Run again it finds the finished folder and changes nothing. The result says ``digest``, ``files`` and ``bytes``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput, run
from tasks.common.progress import say
from tasks.models.folders import copy_durably, digest_of, model_files, place_whole


def main() -> dict[str, Any]:
    options = parse_arguments()
    files = model_files(options.source, options.pattern)
    digest = digest_of(files)
    if options.destination.exists():
        check_same(options.destination, digest)
        say(f"{options.destination} holds this model already")
    else:
        publish(files, options.destination, digest)
        say(f"{len(files)} files are in {options.destination}: {digest}")
    return {"digest": digest, "files": [f.name for f in files], "bytes": sum(f.stat().st_size for f in files)}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="output folder of the training")
    parser.add_argument("--destination", type=Path, required=True, help="folder of this model version")
    parser.add_argument("--pattern", default="model*", help="which files belong to the model (default: %(default)s)")
    return parser.parse_args()


def check_same(destination: Path, digest: str) -> None:
    """Raises BadInput when ``destination`` holds anything but the files of this digest."""
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
