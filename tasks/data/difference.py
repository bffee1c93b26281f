"""Find what differs between two versions of a dataset, for programs that work on what is new only.

    python -m tasks.data.difference --before /mnt/tyre/.snapshot/V1/data --data /mnt/tyre/.snapshot/V2/data \
        --changes changes.jsonl

Both are compared by the digests in their manifests (``.mlops/manifest.json`` beside ``data``): no file is read, and one
that was only touched, or written again with the same content, is no change. The file of changes has one JSON object a
line, in order of path: ``change`` (``added``, ``changed``, ``removed``), ``path``, ``size`` in bytes, ``sha256``; of
what was removed, as it was before. Without ``--before`` everything is new.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from tasks.common import manifest, program
from tasks.common.cli import Flags
from tasks.common.data import open_target
from tasks.common.manifest import EMPTY, Listed, Manifest
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.run_file import RunFile

Change = tuple[str, str, Listed]
NAME = "changes.jsonl"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--before", help="folder or s3://bucket/prefix, named data, of the earlier version")
    flags.data("folder or s3://bucket/prefix, named data, of the later version")
    flags.add_argument(
        "--changes", required=True, help="file to write; by default in the run's folder", from_run=_changes_of
    )
    options = flags.parse()
    before = _manifest(options.before) if options.before else EMPTY
    after = _manifest(options.data)
    found = list(changes(before, after))
    _write(options.changes, found)
    counts = Counter(change for change, _, _ in found)
    told = {change: counts[change] for change in ("added", "changed", "removed")}
    say(f"From {options.before or 'nothing'} to {options.data}: {told}; the list is {options.changes}.")
    size = sum(file.size for change, _, file in found if change != "removed")
    digests = {"before": before.digest or None, "after": after.digest}
    return {**told, "bytes": size, "digests": digests, "changes": options.changes}


def _changes_of(run: RunFile) -> str | None:
    return f"{run.run_folder}/{NAME}" if run.run_folder else None


def _manifest(url: str) -> Manifest:
    found = manifest.of(url)
    if found is EMPTY:
        raise BadInput(
            f"{url} is not the data of a dataset version: there is no {manifest.FOLDER}/{manifest.NAME} beside a "
            f"folder named {manifest.DATA}. Name the folder {manifest.DATA} of a version, or check the dataset first."
        )
    return found


def changes(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield what differs, with the file as it is after, or was before it was removed; in order of path."""
    for path in sorted(before.files.keys() | after.files.keys()):
        old, new = before.files.get(path), after.files.get(path)
        if new is None:
            assert old is not None
            yield "removed", path, old
        elif old is None:
            yield "added", path, new
        elif old.sha256 != new.sha256:
            yield "changed", path, new


def _write(target: str, found: list[Change]) -> None:
    """Whole or not at all, to a file or an object."""
    folder, _, name = target.rpartition("/")
    if not name or not PurePosixPath(target).name:
        raise BadInput(f"--changes is {target}; name a file.")
    lines = [
        json.dumps({"change": change, "path": path, "size": file.size, "sha256": file.sha256})
        for change, path, file in found
    ]
    open_target(folder or ".").write(name, "".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    program.run(main)
