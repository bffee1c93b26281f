"""Bring what an edge server was asked from the site's volume to a dataset's source, and remove it once it is safe.

    python -m tasks.edge.inputs gather --inputs /mnt/tyre_inputs_at_edge_1 --target s3://lake/edge/tyre/edge_1/
    python -m tasks.edge.inputs held --version /mnt/edge_inputs/.snapshot/mlops_v... --under tyre/edge_1 \
        --batch ID:DIGEST
    python -m tasks.edge.inputs clear --inputs /mnt/tyre_inputs_at_edge_1 --batch ID:DIGEST

``gather`` verifies the closed batches by their digests and copies those that are not there yet, the oldest first; its
``batches`` are those that are there then, each with the digest of its list of digests, and its ``bad`` those that are
not what their lists say, which stay where they are. ``held`` says which of the named are in a dataset version, file by
file, and ``clear`` removes the named ones at the site. Each may be repeated.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.common import manifest
from tasks.common.cli import Flags
from tasks.common.data import open_target
from tasks.common.program import BadInput, run
from tasks.common.progress import Progress, say, warn

CLOSED, REMOVED = "closed", "removed"
MANIFEST = "batch.json"  # of a batch, written by services.edge.archive; sent last
MOST = 60  # batches of one run: their names have to fit into the result
DIGEST = 16  # hex digits of a batch's digest


def main() -> dict[str, Any]:
    verbs = {"gather": gather, "held": held, "clear": clear}
    verb, *rest = sys.argv[1:] or [""]
    if verb not in verbs:
        raise BadInput(f"Say what to do: {', '.join(verbs)}.")
    flags = Flags(__doc__)
    if verb == "held":
        flags.add_argument("--version", type=Path, required=True, help="folder of the dataset version's snapshot")
        flags.add_argument("--under", required=True, help="where the site's batches are in it, such as tyre/edge_1")
    else:
        flags.add_argument("--inputs", type=Path, required=True, help="the volume with the site's inputs")
    if verb == "gather":
        flags.add_argument("--target", required=True, help="folder or s3://bucket/prefix/ for this site's batches")
    else:
        flags.add_argument("--batch", action="append", required=True, metavar="ID:DIGEST", help="may be repeated")
    options = flags.parse(rest)
    return verbs[verb](options)


def gather(options: Any) -> dict[str, Any]:
    target = open_target(options.target)
    there = {entry.key for entry in target.entries()}
    closed = sorted(path for path in (options.inputs / CLOSED).glob("*/") if (path / MANIFEST).is_file())
    batches: dict[str, str] = {}
    bad: list[str] = []
    copied = inputs = size = 0
    with Progress(len(closed[:MOST]), "batches", "Bringing inputs home") as progress:
        for folder in closed[:MOST]:
            told = (folder / MANIFEST).read_bytes()
            try:
                files = _verified(folder, told)
            except BadInput as error:
                warn(str(error))
                bad.append(folder.name)
                continue
            if f"{folder.name}/{MANIFEST}" not in there:
                for name, content in files.items():
                    target.write(f"{folder.name}/{name}", content)
                    size += len(content)
                target.write(f"{folder.name}/{MANIFEST}", told)
                copied += 1
                inputs += json.loads(told)["inputs"]
            batches[folder.name] = _digest(told)
            progress.advance()
    if len(closed) > MOST:
        say(f"{len(closed) - MOST} younger batches wait for the next run")
    left = max(0, len(closed) - MOST)
    return {"batches": batches, "bad": bad, "copied": copied, "inputs": inputs, "bytes": size, "left": left}


def held(options: Any) -> dict[str, Any]:
    """Of a batch every file counts, by the digest that the version's own check has found."""
    listed = json.loads((options.version / manifest.FOLDER / manifest.NAME).read_text())
    known = {entry["path"]: entry["sha256"] for entry in listed["files"]}
    found = {}
    for name, digest in _named(options.batch).items():
        where = f"{options.under}/{name}"
        path = options.version / manifest.DATA / where / MANIFEST
        if not known.get(f"{where}/{MANIFEST}", "").startswith(digest) or not path.is_file():
            say(f"Batch {name} is not in the version")
            continue
        files = json.loads(path.read_bytes())["files"]
        if other := [file for file, sha in files.items() if known.get(f"{where}/{file}") != sha]:
            say(f"Batch {name} is not whole in the version: {other[0]} is missing there, or is another one")
            continue
        found[name] = digest
    return {"held": found}


def clear(options: Any) -> dict[str, Any]:
    """A batch goes in one step, so that no half of one is ever taken for a batch."""
    aside, removed = options.inputs / REMOVED, 0
    for name, digest in _named(options.batch).items():
        folder = options.inputs / CLOSED / name
        if not folder.is_dir():
            continue
        if _digest((folder / MANIFEST).read_bytes()) != digest:
            raise BadInput(f"{folder} is not the batch that was brought home; it is left alone.")
        aside.mkdir(exist_ok=True)
        folder.rename(aside / name)
        removed += 1
    shutil.rmtree(aside, ignore_errors=True)
    say(f"{removed} batches are removed at the site")
    return {"removed": removed}


def _verified(folder: Path, told: bytes) -> dict[str, bytes]:
    """Return the files of a batch by name. Raises BadInput where one is not what the batch's list says."""
    found = {}
    for name, digest in json.loads(told)["files"].items():
        path = folder / name
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != digest:
            raise BadInput(
                f"{path} is missing, or not what was archived: it was changed at the site or on its way, so batch "
                f"{folder.name} stays where it is. Mend it there, or move it out of {folder.parent}."
            )
        found[name] = content
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST]


def _named(texts: list[str]) -> Mapping[str, str]:
    pairs = dict(text.partition(":")[::2] for text in texts)
    if wrong := [name for name, digest in pairs.items() if not name or "/" in name or len(digest) != DIGEST]:
        raise BadInput(f"--batch {wrong[0]} is no batch; give it as ID:DIGEST.")
    return pairs


if __name__ == "__main__":
    run(main)
