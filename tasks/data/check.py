"""Looks at every file of a dataset volume before it becomes a version: what it is, whether it may be used.

    python -m tasks.data.check --volume /mnt/tyre_images --folders good,defective --minimum-files 20

Reads ``<volume>/data``. Writes ``<volume>/.mlops/manifest.json`` (every file with size and SHA-256, the source, and all
that was found; ``tasks.common.manifest`` reads it), and the result: the digest of the whole, which depends on names and
contents only, counts and findings. A file whose size, times and inode did not change is not read again
(``.mlops/check.json``). Hidden files, which no training reads, are counted and passed over.
Exit code 2, with a sentence, for too few files, too many broken ones, or personal data that is not allowed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.common import manifest
from tasks.common.cli import Flags
from tasks.common.listing import Local, is_data, readable, say_passed_over, shown, walk
from tasks.common.program import BadInput, TryAgain, run
from tasks.common.progress import Progress, say, warn
from tasks.common.result import write_whole
from tasks.data.inspection import inspect
from tasks.data.parallel import each

RULES = 3  # what inspect() looks at; another number makes every file be read again
EXAMPLES = 3  # file names in a sentence
NAMED = 50  # broken files named in the log; the manifest names all of them
LISTED = 20  # folders, types and schemas in the result, which must stay small
CORRUPT_SHARE = 0.01

Facts = Mapping[str, Any]


def check(options: argparse.Namespace) -> dict[str, Any]:
    root, ours = options.volume / manifest.DATA, options.volume / manifest.FOLDER
    if not root.is_dir():
        raise BadInput(f"{options.volume} holds no folder data; sync the dataset first.")
    present, hidden = listed(root)
    files = inspected(root, present, ours, options.threads)
    found = {**summary(files), "hidden": hidden}
    write_manifest(ours / manifest.NAME, files, {**found, "source": options.source})
    report(found)
    judge(found, files, options)
    return {**result_of(found), "source": options.source}


def inspected(root: Path, present: Mapping[str, list[int]], ours: Path, threads: int) -> dict[str, dict[str, Any]]:
    """Facts of every file by its path relative to ``root``, sorted; those of unchanged files from the last time."""
    known = remembered(ours / "check.json")
    facts: dict[str, dict[str, Any]] = {
        key: known[key] for key, mark in present.items() if key in known and known[key]["mark"] == mark
    }
    fresh = [key for key in present if key not in facts]
    with Progress(len(fresh), "files", "Checking") as progress:

        def look(key: str) -> None:
            try:
                looked = inspect(root / key)
                mark = mark_of(Local.of(key, (root / key).lstat()))
            except PermissionError as error:
                raise BadInput(f"{root / key} cannot be read: {error.strerror}.") from None
            except FileNotFoundError:
                mark = []
            if mark != present[key]:
                raise TryAgain(f"{root / key} changed while it was checked; run it again when nobody writes.")
            facts[key] = {"mark": present[key], **looked}
            progress.advance()

        try:
            each(fresh, look, threads)
        finally:
            if fresh or len(known) != len(facts):
                remember(ours / "check.json", facts)
    return {key: facts[key] for key in sorted(facts)}


def listed(root: Path) -> tuple[dict[str, list[int]], int]:
    """Marks of the files of the version by key, and how many hidden ones were passed over."""
    found = list(walk(root, follow=False))
    hidden = [local.key for local in found if not is_data(local.key)]
    say_passed_over(hidden, str(root))
    return {local.key: mark_of(_plain(local, root)) for local in found if is_data(local.key)}, len(hidden)


def _plain(local: Local, root: Path) -> Local:
    """The same. Raises BadInput for what no version may hold."""
    if "\n" in local.key:
        raise BadInput(f"The file name {local.key!r} has a line break; rename it.")
    readable(local)
    if local.is_link:
        raise BadInput(f"{shown(str(root / local.key))} is a link; a version holds plain files only. Remove it.")
    return local


def mark_of(local: Local) -> list[int]:
    """Size, times of modification and of change, and inode: all the same means the content is."""
    return [local.size, local.mtime_ns, local.inode, local.ctime_ns]


def remembered(path: Path) -> dict[str, dict[str, Any]]:
    try:
        kept = json.loads(path.read_text())
        return kept["files"] if kept["rules"] == RULES else {}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def remember(path: Path, facts: Mapping[str, Facts]) -> None:
    write_whole(path, json.dumps({"rules": RULES, "files": dict(facts)}, separators=(",", ":")).encode())


def summary(files: Mapping[str, Facts]) -> dict[str, Any]:
    """All that is found over the whole dataset, as JSON; names of files in full."""
    personal, corrupt = defaultdict(list), {}
    schemas: Counter[tuple[str, ...]] = Counter()
    for key, facts in files.items():
        for kind in facts.get("personal", ()):
            personal[kind].append(key)
        if "corrupt" in facts:
            corrupt[key] = facts["corrupt"]
        if "columns" in facts:
            schemas[tuple(facts["columns"])] += 1
    return {
        "digest": digest_of(files),
        "files": len(files),
        "bytes": sum(facts["mark"][0] for facts in files.values()),
        "folders": dict(Counter(key.rpartition("/")[0] for key in files)),
        "types": dict(Counter(Path(key).suffix.lower() or "none" for key in files)),
        "images": images_of([facts["image"] for facts in files.values() if "image" in facts]),
        "tables": [{"columns": list(columns), "files": count} for columns, count in schemas.most_common()],
        "alike": alike(files),
        "duplicates": len(files) - len({facts["sha256"] for facts in files.values()}),
        "corrupt": corrupt,
        "personal_data": dict(personal),
    }


def alike(files: Mapping[str, Facts]) -> dict[str, int]:
    """Folders, such as a class's, of several images that all look alike: of one colour, or one file many times."""
    images: dict[str, list[str]] = defaultdict(list)
    for key, facts in files.items():
        if "image" in facts and "/" in key:
            images[key.split("/", 1)[0]].append(str(facts.get("flat") or facts["sha256"]))
    return {folder: len(looks) for folder, looks in images.items() if len(looks) > 1 and len(set(looks)) == 1}


def digest_of(files: Mapping[str, Facts]) -> str:
    """SHA-256 over the sorted lines of path, size and SHA-256 of each file: the same data gives the same everywhere."""
    digest = hashlib.sha256()
    for key, facts in sorted(files.items()):
        digest.update(f"{key}\0{facts['mark'][0]}\0{facts['sha256']}\n".encode())
    return digest.hexdigest()


def images_of(images: list[Any]) -> dict[str, Any]:
    if not images:
        return {}
    widths, heights = [image[2] for image in images], [image[3] for image in images]
    return {
        "count": len(images),
        "formats": dict(Counter(image[0] for image in images)),
        "modes": dict(Counter(image[1] for image in images)),
        "width": [min(widths), max(widths)],
        "height": [min(heights), max(heights)],
    }


def write_manifest(path: Path, files: Mapping[str, Facts], found: Mapping[str, Any]) -> None:
    """Says nothing that changes while the data does not, such as a time: then the file is not touched either."""
    listed = [{"path": key, "size": facts["mark"][0], "sha256": facts["sha256"]} for key, facts in files.items()]
    whole = {**found, "schema": manifest.SCHEMA, "files": listed, "count": found["files"]}
    text = json.dumps(whole, indent=1, sort_keys=True).encode()
    if not path.exists() or path.read_bytes() != text:
        write_whole(path, text)


def report(found: Mapping[str, Any]) -> None:
    say(f"{found['files']} files, {found['bytes']} bytes, digest {found['digest'][:16]}...")
    for folder, count in sorted(found["folders"].items())[:LISTED]:
        say(f"  {folder or '.'}: {count}")
    if found["corrupt"]:
        names = ", ".join(list(found["corrupt"])[:NAMED]) + (", ..." if len(found["corrupt"]) > NAMED else "")
        warn(f"{len(found['corrupt'])} of {found['files']} files are broken: {names}")
    for folder, count in found["alike"].items():
        warn(f"All {count} images of {folder} look alike, of one colour or one file: nothing is learned from them")
    for kind, names in found["personal_data"].items():
        say(f"Personal data: {kind} in {len(names)} files, such as {_some(names)}")


def judge(found: Mapping[str, Any], files: Mapping[str, Facts], options: argparse.Namespace) -> None:
    """Raise BadInput with one sentence for the first thing that forbids using the data."""
    for folder in options.folders or [""]:
        count = sum(key.startswith(f"{folder}/") for key in files) if folder else len(files)
        where = f"Folder {folder}" if folder else "The dataset"
        if count < options.minimum_files:
            raise BadInput(f"{where} holds {count} files, but at least {options.minimum_files} are needed.")
    if len(found["corrupt"]) > options.corrupt_share * found["files"]:
        raise BadInput(
            f"{len(found['corrupt'])} of {found['files']} files are broken ({_some(found['corrupt'])}), more than the "
            f"{100 * options.corrupt_share:g}% that is tolerated; replace or remove them, or tolerate more "
            "(check: broken_share in datasets.yaml, or --corrupt-share)."
        )
    if found["personal_data"] and not options.allow_personal_data:
        kinds = "; ".join(f"{kind} in {len(n)} files ({_some(n)})" for kind, n in found["personal_data"].items())
        raise BadInput(f"Personal data found: {kinds}. Remove it from the source, or allow it (allow_personal_data).")


def result_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Small enough for the runner: counts instead of names, and only the most frequent of what can be many."""
    result = {key: found[key] for key in ("digest", "files", "bytes", "duplicates", "hidden")}
    if found["images"]:
        result["images"] = {**found["images"], "formats": _top(found["images"]["formats"])}
    return result | {
        "folders": _top(found["folders"]),
        "types": _top(found["types"]),
        "tables": len(found["tables"]),
        "corrupt": len(found["corrupt"]),
        "alike": _top(found["alike"]),
        "personal_data": {kind: len(names) for kind, names in found["personal_data"].items()},
    }


def _top(counts: Mapping[str, int]) -> dict[str, int]:
    return {name[-80:]: count for name, count in Counter(counts).most_common(LISTED)}


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:EXAMPLES]) + (", ..." if len(listed) > EXAMPLES else "")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument(
        "--volume",
        type=Path,
        required=True,
        help="folder of the volume; its data/ is checked",
        from_run=lambda run: run.folders.get("volume"),
    )
    flags.add_argument("--source", default="", help="where the data came from, such as s3://lake/tyre; kept with it")
    flags.add_argument("--folders", type=_listed, default=[], help="folders that must be there, joined by commas")
    flags.add_argument("--minimum-files", type=int, default=1, help="least number of files in each of the folders")
    flags.add_argument("--corrupt-share", type=float, default=CORRUPT_SHARE, help="share of broken files tolerated")
    flags.add_argument("--allow-personal-data", action="store_true", help="report it, and go on")
    flags.add_argument("--threads", type=int, default=min(8, 2 * (os.cpu_count() or 1)), help="files read at once")
    return flags.parse(arguments)


def _listed(text: str) -> list[str]:
    return [part.strip().strip("/") for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    run(lambda: check(parse()))
