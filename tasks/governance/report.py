"""Write what a model version was made of, for a reader who has to answer for it: a page of its own, and JSON.

    python -m tasks.governance.report --recompute

Works on what ``collect`` of the DAG ``model_report`` has put into RUN_FILE: statements, each with where it can be
checked. What lies on the volumes is checked here, in the snapshots: the digest of the model's files and of the evidence
beside them, and that of the data by its manifest or, with ``--recompute``, by reading every file again. Written are
``<output>/<model>/<version>/<run key>.html`` and ``.json``. Exit code 2 when a statement does not hold; the report is
written before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.common import manifest
from tasks.common.cli import Flags
from tasks.common.listing import is_data, walk
from tasks.common.program import BadInput, run
from tasks.common.progress import Progress, say
from tasks.common.result import write_whole
from tasks.data import check
from tasks.governance import page, tracking
from tasks.models.folders import digest_of, model_files

PARTS = ("Model", "Data", "Code", "Parameters", "Judgement", "Who", "Service", "Evidence")
SNAPSHOTS = ".snapshot"
NOW = "just now"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--output", type=Path, required=True, help="folder", from_run=lambda r: r.folders.get("output"))
    flags.add_argument("--recompute", action="store_true", help="read every file of the data again")
    options = flags.parse()
    if options.run is None or "facts" not in options.run.rest:
        raise BadInput("RUN_FILE has no facts of a model version; start the DAG model_report.")
    facts, folders = options.run.rest["facts"], options.run.folders
    statements = [*facts["statements"], *checked(facts["record"], folders, options.recompute)]
    wrong = [each for each in statements if each["holds"] is False]
    whole = {"schema": 1, "model": facts["model"], "version": facts["version"], "asked_at": facts["asked_at"]}
    whole |= {"holds": not wrong, "statements": statements}
    target = options.output / facts["model"] / str(facts["version"]) / options.run.run_key
    write_whole(target.with_suffix(".json"), json.dumps(whole, indent=1).encode())
    write_whole(target.with_suffix(".html"), as_page(whole).encode())
    say(f"{len(statements)} statements, {len(wrong)} of which do not hold: {target}.html")
    if wrong:
        named = "; ".join(f"{each['part']}, {each['name']}: {each['value']}" for each in wrong)
        raise BadInput(
            f"{len(wrong)} statements on {facts['model']} {facts['version']} do not hold: {named}. "
            f"The report {target}.html says where each was checked."
        )
    now = sum(1 for each in statements if each["checked"])
    return {"statements": len(statements), "checked_now": now, "html": f"{target}.html", "json": f"{target}.json"}


def checked(record: Mapping[str, Any], folders: Mapping[str, str], recompute: bool) -> Iterator[dict[str, Any]]:
    """Statements on what lies in the snapshots, each checked now, or with the reason why it could not be."""
    data, model = record["dataset_version"], record
    frozen = Path(folders["data"], SNAPSHOTS, data["snapshot"])
    where = f"{data['svm']}:{data['volume']}, snapshot {data['snapshot']}"
    yield of_data(frozen, data, where, recompute)
    frozen = Path(folders["models"], SNAPSHOTS, model["snapshot"])
    where = f"{model['svm']}:{model['volume']}, snapshot {model['snapshot']}"
    yield of_model(frozen / model["folder"], model, where)
    yield from environment(frozen / model["folder"], where)
    yield of_evidence(frozen / tracking.FOLDER / model["run_key"], where)


def of_data(frozen: Path, data: Mapping[str, Any], where: str, recompute: bool) -> dict[str, Any]:
    recorded, name = data.get("digest") or "", "Digest of all files"
    if not (frozen / manifest.DATA).is_dir():
        return statement("Data", name, f"{recorded}; the snapshot cannot be read here", where)
    if recompute:
        found = recomputed(frozen / manifest.DATA)
        how = "every file read again"
    else:
        found, how = manifest.of(f"{frozen}/{manifest.DATA}").digest, "by its manifest"
    if not recorded or not found:
        return statement("Data", name, f"{found or recorded or 'nobody has checked it'} ({how})", where)
    same = found == recorded
    value = f"{recorded} ({how})" if same else f"recorded {recorded}, found {found} ({how})"
    return statement("Data", name, value, where, NOW, same)


def recomputed(root: Path) -> str:
    """The digest of names and contents, as a check gives it, from the files themselves."""
    keys = [local.key for local in walk(root, follow=False) if is_data(local.key)]
    facts: dict[str, Any] = {}
    with Progress(len(keys), "files", "Reading") as progress:
        for key in keys:
            told = tracking.facts_of(root / key)
            facts[key] = {"mark": [told["size"]], "sha256": told["sha256"]}
            progress.advance()
    return check.digest_of(facts)


def of_model(folder: Path, record: Mapping[str, Any], where: str) -> dict[str, Any]:
    if not folder.is_dir():
        return statement("Model", "Digest", f"{record['digest']}; the snapshot cannot be read here", where)
    found = digest_of(model_files(folder, "*"))
    same = found == record["digest"]
    value = found if same else f"recorded {record['digest']}, found {found}"
    return statement("Model", "Digest", value, where, NOW, same)


def environment(folder: Path, where: str) -> Iterator[dict[str, Any]]:
    for name, title in (("requirements.txt", "Needs"), ("MLmodel", "Python")):
        path = folder / name
        if path.is_file():
            lines = [line.strip() for line in path.read_text().splitlines()]
            told = (
                [line for line in lines if line]
                if name != "MLmodel"
                else [line.partition(":")[2].strip() for line in lines if line.startswith("python_version")]
            )
            yield statement("Code", title, ", ".join(told), f"{where}, {folder.name}/{name}", NOW, True)


def of_evidence(folder: Path, where: str) -> dict[str, Any]:
    name = "What MLflow knew, as files"
    try:
        listed = json.loads((folder / tracking.INDEX).read_text())["files"]
    except FileNotFoundError:
        return statement("Evidence", name, "was not kept with this version", where)
    bad = [
        key for key, told in listed.items() if not (folder / key).is_file() or tracking.facts_of(folder / key) != told
    ]
    value = f"{len(listed)} files, each as its digest says" if not bad else f"changed or missing: {', '.join(bad)}"
    return statement("Evidence", name, value, f"{where}, {tracking.FOLDER}/{folder.name}", NOW, not bad)


def statement(
    part: str, name: str, value: str, where: str, checked: str = "", holds: bool | None = None
) -> dict[str, Any]:
    return {"part": part, "name": name, "value": value, "where": where, "checked": checked, "holds": holds}


def as_page(whole: Mapping[str, Any]) -> str:
    statements = whole["statements"]
    now = sum(1 for each in statements if each["checked"])
    said = f"Made {whole['asked_at']}. {len(statements)} statements, {now} of them checked just now. "
    said += "All of these hold." if whole["holds"] else "NOT ALL OF THESE HOLD: see what is marked."
    parts = [page.paragraph(said, "yes" if whole["holds"] else "no")]
    for part in PARTS:
        if rows := [each for each in statements if each["part"] == part]:
            parts += [page.heading(part), _table(rows)]
    return page.page(f"{whole['model']} version {whole['version']}: what it was made of", parts)


def _table(rows: list[Mapping[str, Any]]) -> str:
    looks = ["no" if each["holds"] is False else "yes" if each["checked"] else "as" for each in rows]
    words = {"no": "does not hold", "yes": "checked just now", "as": "as recorded"}
    cells = [(r["name"], r["value"], r["where"], words[look]) for r, look in zip(rows, looks, strict=True)]
    return page.table(("What", "Is", "Can be checked at", "Checked"), cells, looks)


if __name__ == "__main__":
    run(main)
