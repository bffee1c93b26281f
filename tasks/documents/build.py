"""Bring the index to the files of the version: what is new is embedded, what is as it was is taken over.

    python -m tasks.documents.build --output /tmp/index --policy mask

It works on what ``scan`` has left in the same folder, with the same policy. A build that is killed is run again, and
goes on: each file is in the index whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.common.run_file import RunFile
from tasks.documents import layout, scanned
from tasks.documents.convert import Document
from tasks.documents.embedding import Embedding
from tasks.documents.index import Before, Building, Passage
from tasks.documents.scan import add_policy, chosen
from tasks.documents.split import passages

AT_ONCE = 512
"""Passages that are embedded and written together."""
NAMED = 20


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.output("folder of the index", from_run=lambda run: run.folders.get("index"))
    add_policy(flags)
    options = flags.parse()
    policy, made_with = chosen(options)
    facts = {**facts_of(options.run), "policy": dict(policy.actions)}
    return build(Path(options.output), made_with, Embedding(options.encoder), facts, options.run)


def facts_of(run: RunFile | None) -> dict[str, Any]:
    """Return what the index keeps of the run that makes it."""
    version = run.dataset_version if run else {}
    told = {name: version.get(name) for name in ("id", "snapshot", "created_at")}
    return {"run_key": run.run_key if run else "", "dataset_version": told, "built_at": datetime.now(UTC).isoformat()}


def build(
    folder: Path, made_with: str, embedding: Embedding, facts: Mapping[str, Any], run: RunFile | None = None
) -> dict[str, Any]:
    """Return counts of files and passages. Raises BadInput where a document is neither indexed nor scanned."""
    begun = time.monotonic()
    found = scanned.kept(folder / layout.SCANNED)
    if not found or any(each.made_with != made_with for each in found):
        raise BadInput(f"{folder} holds no scan by this policy and encoder; scan the documents first.")
    wanted = {each.path: each.digest for each in found if each.is_indexed}
    building = Building(folder / layout.INDEX, made_with)
    there = building.files()
    gone = {path for path, digest in there.items() if wanted.get(path) != digest}
    building.remove(gone - wanted.keys())
    lacking = {path: digest for path, digest in wanted.items() if there.get(path) != digest}
    texts = layout.texts_of(folder, run.run_key if run else "")
    with Progress(len(lacking), "documents", "Embedding") as progress:
        for files, part in _together(_documents(texts, lacking)):
            building.replace(part, _vectors(part, building, embedding))
            progress.advance(files)
    there = building.files()
    if missing := sorted(path for path, digest in lacking.items() if there.get(path) != digest):
        raise BadInput(f"{missing[0]} and {len(missing) - 1} more documents are not scanned; run the scan again.")
    outcomes = {name: sum(each.outcome == name for each in found) for name in scanned.OUTCOMES}
    counts = {"embedded": len(lacking), "taken_over": len(wanted) - len(lacking), "removed": len(gone - wanted.keys())}
    named = {"embedded_files": sorted(lacking)[:NAMED]}
    building.finish({**facts, **counts, **named, "encoder": embedding.digest, "outcomes": outcomes})
    texts.unlink(missing_ok=True)
    return {**counts, **named, "files": len(wanted), "seconds": round(time.monotonic() - begun, 2)}


def said(passage: Passage | Before) -> str:
    """Return what of a passage is embedded: a passage alone seldom says what it is about."""
    return f"{passage.title}. {passage.text}"


def _vectors(part: Sequence[Passage], building: Building, embedding: Embedding) -> Floats:
    """Return the vectors of passages; of what a changed file says as before, those that it has."""
    known = {said(each): each.vector for each in building.before({passage.file for passage in part})}
    fresh = list(dict.fromkeys(text for passage in part if (text := said(passage)) not in known))
    known.update(zip(fresh, embedding.of(fresh), strict=True))
    return np.stack([known[said(passage)] for passage in part])


def _documents(texts: Path, wanted: Mapping[str, str]) -> Iterator[list[Passage]]:
    """Go through the passages of each document that is wanted; the same file twice counts once."""
    left = dict(wanted)
    for line in scanned.lines(texts) if left and texts.exists() else ():
        path, digest = line["scanned"]["path"], line["scanned"]["digest"]
        if line["document"] and left.get(path) == digest:
            del left[path]
            document = Document.from_json(line["document"])
            yield passages(document, path, digest, document.title)


def _together(documents: Iterator[list[Passage]]) -> Iterator[tuple[int, list[Passage]]]:
    """Yield passages of as many whole documents as are embedded at once, with how many these are."""
    files, part = 0, list[Passage]()
    for each in documents:
        files, part = files + 1, part + each
        if len(part) >= AT_ONCE:
            yield files, part
            files, part = 0, []
    if part:
        yield files, part


if __name__ == "__main__":
    program.run(main)
