"""Make sure that a model version is at an edge site as it is at home, file by file, before a server reads it there.

    python -m tasks.edge.arrive --repository /mnt/tyre_models_at_edge_1/triton --name tyre --version 3 \
        --digest sha256:... [--source /mnt/tyre_models/triton]

Through a cache or a mirror the files are there by themselves; with ``--source`` they are copied first, whole or not at
all, and only those of a version that is not there yet. Then all of them are read where the server reads them. The
result has ``config``, to load the version with, ``digest``, ``bytes``, ``seconds`` (of reading) and ``copied``, a count
of files.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput, run
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.models.folders import copy_durably, digest_of, model_files, place_whole

ACTIVE = "config.pbtxt"  # what a server that restarts reads


def main() -> dict[str, Any]:
    options = parse_arguments()
    folder = options.repository / options.name / str(options.version)
    copied = bring(options.source / options.name, folder) if options.source else 0
    began = time.monotonic()
    found = files_at(folder)
    digest = digest_of(found)
    if options.digest and digest != options.digest:
        raise BadInput(
            f"Version {options.version} of {options.name} at {folder} is {digest}, and at home it is {options.digest}: "
            "it was changed on its way or at the site, so it is not served. Remove the folder there and run it again."
        )
    size = sum(path.stat().st_size for path in found)
    say(f"Version {options.version} of {options.name} is at {folder}: {digest}")
    told = {"digest": digest, "bytes": size, "seconds": round(time.monotonic() - began, 3), "copied": copied}
    return {"config": json.loads((folder / "config.json").read_text()), **told}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True, help="model repository, as the site's server sees it")
    parser.add_argument("--name", required=True, help="name the model is served under")
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--digest", default="", help="of the version's folder at home")
    parser.add_argument("--source", type=Path, help="the repository at home, to copy from")
    return parser.parse_args()


def files_at(folder: Path) -> list[Path]:
    """Return the files of a version. Raises BadInput when it is not there as a server needs it."""
    if not (folder / "config.json").is_file():
        raise BadInput(
            f"{folder} holds no model version: it has not come to the site, or was removed there or at home. Roll out "
            "a version that the repository at home still has."
        )
    return model_files(folder, "*")


def bring(source: Path, folder: Path) -> int:
    """Copy the version, and what a restart serves, where they are not there; returns how many files."""
    wanted, copied = files_at(source / folder.name), 0
    if not folder.exists():

        def build(partial: Path) -> None:
            for file in wanted:
                copy_durably(file, partial / file.name)

        folder.parent.mkdir(parents=True, exist_ok=True)
        place_whole(folder, build)
        copied = len(wanted)
    active = source / ACTIVE
    if active.is_file() and (text := active.read_bytes()) != _read(folder.parent / ACTIVE):
        write_whole(folder.parent / ACTIVE, text)
        copied += 1
    return copied


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


if __name__ == "__main__":
    run(main)
