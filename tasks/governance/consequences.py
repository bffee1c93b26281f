"""What follows from where a person's data is: which models and indexes hold it too, and what has to be done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.common.progress import warn
from tasks.governance import page

SERVING = "serving.json"  # in the folder of an index: which index belongs to which version


def of(holding: Mapping[tuple[str, str], int], facts: Mapping[str, Any], folders: Mapping[str, str]) -> dict[str, Any]:
    """``versions``, ``models`` and ``indexes`` that hold it, and ``to_do``: sentences, in the order to go by."""
    versions = [
        {
            **version,
            "dataset": dataset["name"],
            "source": dataset["source"],
            "files": holding[dataset["name"], version["id"]],
        }
        for dataset in facts["datasets"]
        for version in dataset["versions"]
        if (dataset["name"], version["id"]) in holding
    ]
    held = {(each["dataset"], each["id"]) for each in versions}
    models = [each for each in facts["models"] if (each["dataset"], each["dataset_version"]) in held]
    ids = {each["id"] for each in versions}
    indexes = [each for each in _indexes(facts, folders) if each.get("dataset_version") in ids]
    return {
        "versions": versions,
        "models": models,
        "indexes": indexes,
        "to_do": list(_to_do(versions, models, indexes)),
    }


def _indexes(facts: Mapping[str, Any], folders: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every index that ever served, of each volume of indexes."""
    found = []
    for key in facts.get("indexes", ()):
        path = Path(folders[key], SERVING)
        try:
            told = [(each["snapshot"], each["version"]) for each in json.loads(path.read_text())]
            found += [{"volume": key, "snapshot": snapshot, "dataset_version": version} for snapshot, version in told]
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            warn(f"{path} cannot be read, so the indexes of {key} are not told.")
    return found


def _to_do(versions: list[dict[str, Any]], models: list[dict[str, Any]], indexes: list[dict[str, Any]]) -> Any:
    if not versions:
        return
    for source in sorted({each["source"] for each in versions if each["source"]}):
        yield f"Remove the data from its source, {source}, and ingest: the newest version is then without it."
    for each in models:
        if each["state"] == "serving":
            yield (
                f"Train {each['model']} again on a version without it: version {each['version']} serves and was "
                f"trained on {each['dataset_version']}."
            )
    for each in models:
        until = f", which is locked until {each['locked_until']}" if each.get("locked_until") else ""
        if each["state"] != "serving":
            yield f"Retire version {each['version']} of {each['model']} and remove its snapshot{until}."
    for each in indexes:
        yield f"Build the index of {each['volume']} again and remove its snapshot {each['snapshot']}."
    for each in versions:
        clones = f" Its clones go first: {', '.join(each['clones'])}." if each.get("clones") else ""
        if each.get("locked_until"):
            yield (
                f"Version {each['id']} of {each['dataset']} is locked until {each['locked_until']}: nobody can remove "
                f"it before. Restrict who may read it, and note the date.{clones}"
            )
        else:
            yield f"Remove snapshot {each['snapshot']} of version {each['id']} of {each['dataset']}.{clones}"


def as_page(whole: Mapping[str, Any]) -> str:
    read = (
        f"{whole['contents_read']} different contents of {whole['files_listed']} files in all versions were looked at"
    )
    parts = [page.paragraph(f"Asked {whole['asked_at']} for {', '.join(whole['identifiers'])}; {read}.")]
    missing = [f"{count}: {reason}" for reason, count in whole["not_searched"].items()] + whole["could_not_be_read"]
    if missing:
        parts += [page.paragraph(f"Not searched: {'; '.join(missing)}.", "no")]
    if not whole["files"]:
        parts += [page.paragraph("In what was searched, none of them was found.")]
        return page.page("Where a person's data is", parts)
    rows = [
        (e["dataset"], e["path"], _found(e), f"{e['versions'][0]} to {e['versions'][-1]} ({len(e['versions'])})")
        for e in whole["files"]
    ]
    parts += [page.heading("Files"), page.table(("Dataset", "File", "What, and where", "Versions"), rows)]
    versions = [(e["dataset"], e["id"], e["files"], e.get("locked_until") or "not locked") for e in whole["versions"]]
    parts += [page.heading("Dataset versions"), page.table(("Dataset", "Version", "Files", "Locked until"), versions)]
    models = [(e["model"], e["version"], e["dataset_version"], e["state"]) for e in whole["models"]]
    parts += [page.heading("Models"), page.table(("Model", "Version", "Trained on", "State"), models)]
    if whole["indexes"]:
        indexes = [(e["volume"], e["snapshot"], e["dataset_version"]) for e in whole["indexes"]]
        parts += [page.heading("Indexes"), page.table(("Volume", "Snapshot", "Of version"), indexes)]
    parts += [page.heading("What has to be done"), *(page.paragraph(each) for each in whole["to_do"])]
    return page.page("Where a person's data is", parts)


def _found(entry: Mapping[str, Any]) -> str:
    return "; ".join(f"{each['identifier']}: {each['place']}" for each in entry["found"])
