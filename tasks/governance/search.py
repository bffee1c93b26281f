"""Find where data of one person is: in which dataset versions, files and lines, and so in which models and indexes.

    DATA_SUBJECT='["Jane Doe", "jane.doe@example.com"]' python -m tasks.governance.search

Works on what ``collect`` of the DAG ``data_subject_search`` has put into RUN_FILE: every version's snapshot, read
through its path, and the models that were trained on each. A content that is the same in many versions, by the digests
in their manifests, is read once. Nothing is changed. Written are ``<output>/data_subject/<run key>.html`` and
``.json``, which name files and lines, and the identifiers by number and kind only.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.common import manifest
from tasks.common.cli import Flags
from tasks.common.listing import is_data, walk
from tasks.common.program import BadInput, run
from tasks.common.progress import Progress, say
from tasks.common.result import write_whole
from tasks.governance import consequences, person, tracking
from tasks.governance.person import Identifier
from tasks.governance.reading import Unreadable, lines

SUBJECT = "DATA_SUBJECT"
SNAPSHOTS = ".snapshot"
MOST = 20  # places of one identifier in one file
NAMED = 8  # versions and models in the result, which must stay small


@dataclass
class Found:
    """``holders`` are (dataset, version, path) of each content by its digest; ``places`` (identifier, place) in it."""

    holders: dict[str, list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))
    sample: dict[str, Path] = field(default_factory=dict)
    places: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    gone: list[str] = field(default_factory=list)


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--output", type=Path, required=True, help="folder", from_run=lambda r: r.folders.get("output"))
    options = flags.parse()
    if options.run is None or "facts" not in options.run.rest:
        raise BadInput("RUN_FILE has no facts of dataset versions; start the DAG data_subject_search.")
    wanted, facts = person.identifiers(given()), options.run.rest["facts"]
    found = Found()
    for dataset in facts["datasets"]:
        for version in dataset["versions"]:
            list_version(found, dataset["name"], version, Path(options.run.folders[dataset["key"]]))
    search(found, wanted)
    whole = report(found, facts, [each.label for each in wanted], options.run.folders)
    target = options.output / "data_subject" / options.run.run_key
    write_whole(target.with_suffix(".json"), json.dumps(whole, indent=1).encode())
    write_whole(target.with_suffix(".html"), consequences.as_page(whole).encode())
    say(f"{len(whole['files'])} files in {len(whole['versions'])} versions hold it: {target}.html")
    return {
        "html": f"{target}.html",
        "files": len(whole["files"]),
        "versions": [each["id"] for each in whole["versions"]][-NAMED:],
        "models": [f"{each['model']} {each['version']}" for each in whole["models"]][-NAMED:],
        "contents_read": len(found.sample),
        "files_listed": sum(map(len, found.holders.values())),
        "complete": not found.gone and not found.unread,
    }


def given() -> list[str]:
    try:
        told = json.loads(os.environ.get(SUBJECT) or "[]")
        return [str(each) for each in told]
    except (ValueError, TypeError):
        raise BadInput(f"The variable {SUBJECT} is no JSON list of identifiers.") from None


def list_version(found: Found, dataset: str, version: Mapping[str, Any], folder: Path) -> None:
    """Add the files of a version by the digest of their content, which its own manifest tells, or reading them."""
    root = folder / SNAPSHOTS / version["snapshot"]
    if not (root / manifest.DATA).is_dir():
        found.gone.append(f"{dataset} {version['id']}: {root} cannot be read here")
        return
    known = manifest.of(f"{root}/{manifest.DATA}")
    if known.digest and known.digest == version["digest"]:
        digests = {key: listed.sha256 for key, listed in known.files.items()}
    else:
        keys = [local.key for local in walk(root / manifest.DATA, follow=False) if is_data(local.key)]
        digests = {key: tracking.facts_of(root / manifest.DATA / key)["sha256"] for key in keys}
    for key, digest in digests.items():
        found.holders[digest].append((dataset, version["id"], key))
        found.sample.setdefault(digest, root / manifest.DATA / key)


def search(found: Found, wanted: Sequence[Identifier]) -> None:
    """Read each content once; the names of all its files count too."""
    with Progress(len(found.sample), "files", "Searching") as progress:
        for digest, path in found.sample.items():
            hits = named(found.holders[digest], wanted)
            try:
                hits += list(person.places(lines(path), wanted, MOST))
            except Unreadable as reason:
                found.unread[str(reason)] += 1
            except OSError as error:
                found.gone.append(f"{path}: {error.strerror}")
            if hits:
                found.places[digest] = hits
            progress.advance()


def named(holders: Iterable[tuple[str, str, str]], wanted: Sequence[Identifier]) -> list[tuple[str, str]]:
    paths = {path for _, _, path in holders}
    return [(each.label, "the name of the file") for each in wanted if any(each.pattern.search(path) for path in paths)]


def report(found: Found, facts: Mapping[str, Any], labels: Sequence[str], folders: Mapping[str, str]) -> dict[str, Any]:
    files: list[dict[str, Any]] = []
    holding: dict[tuple[str, str], int] = Counter()
    for digest, hits in found.places.items():
        versions = defaultdict(list)
        for dataset, version, path in found.holders[digest]:
            holding[dataset, version] += 1
            versions[dataset, path].append(version)
        for (dataset, path), ids in sorted(versions.items()):
            where = [{"identifier": label, "place": place} for label, place in hits]
            files.append({"dataset": dataset, "path": path, "versions": ids, "found": where})
    whole = {
        "schema": 1,
        "asked_at": facts["asked_at"],
        "identifiers": list(labels),
        "files": sorted(files, key=lambda each: (each["dataset"], each["path"])),
        "not_searched": dict(found.unread),
        "could_not_be_read": found.gone,
        "contents_read": len(found.sample),
        "files_listed": sum(map(len, found.holders.values())),
    }
    return {**whole, **consequences.of(holding, facts, folders)}


if __name__ == "__main__":
    run(main)
