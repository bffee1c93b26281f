"""All that a cluster holds, comparable between two runs: its records and files, without uuids, times and keys."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

# What is no object of ONTAP's, or is the same whatever a task does.
_NOT_HELD = ("job", "security_account", "security_role", "setting")
_SECRETS = ("access_key", "secret_key", "salt", "digest", "passphrase", "secret", "serial_number")
_OF_THE_DISK = ("inode",)  # of an origin's folder, by which a cache knows it
_MEASURED = ("begun", "ended", "total_s", "looked_at")  # by the machine's clock
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_KEY = re.compile(r"\b[A-Z0-9]{20}\b|(?<!sha256:)\b[0-9a-f]{64}\b")
# The end of the name of a snapshot that SnapMirror made, whose beginning is the uuid of an SVM.
_SNAPMIRRORS_OWN = re.compile(r"_\w+\.<time>(?:_[0-9a-f]{4})?")
_TIMES = (
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d:\d\d|Z)?"),
    re.compile(r"\d{8}[tT]\d{6}[zZ]"),
    re.compile(r"\d{4}-\d\d-\d\d_\d{6}"),
)


def held(root: Path, *others: Path) -> dict[str, Any]:
    """Return "kind name" to record for the emulator under ``root``.

    :param others: roots of clusters whose objects it may name.
    """
    records, names = _records(root), {}
    for place in (root, *others):
        names |= {body["uuid"]: f"{kind} {_called(body)}" for kind, body in _records(place)}
    found: dict[str, Any] = {}
    for kind, body in records:
        key, number = f"{kind} {_said(_called(body), names)}", 1
        while (called := key if number == 1 else f"{key} #{number}") in found:
            number += 1
        found[called] = _plain(body, names)
    return dict(sorted(found.items())) | _files(root, records, names)


def _records(root: Path) -> list[tuple[str, dict[str, Any]]]:
    with sqlite3.connect(f"file:{root / 'state.sqlite'}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT kind, body FROM records ORDER BY kind, seq").fetchall()
    db.close()
    return [(kind, json.loads(body)) for kind, body in rows if kind not in _NOT_HELD]


def _called(body: dict[str, Any]) -> str:
    parts = [body.get("name") or body.get("path") or "", (body.get("svm") or {}).get("name", "")]
    if isinstance(body.get("volume"), str):  # of a snapshot
        parts.append(f"on {body['volume']}")
    return " ".join(str(part) for part in parts if part)


def _plain(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if key not in (*_SECRETS, *_MEASURED, *_OF_THE_DISK, "_seq")}
        return {_said(key, names): _plain(inner, names) for key, inner in sorted(kept.items())}
    if isinstance(value, list):
        return [_plain(inner, names) for inner in value]
    return _said(value, names) if isinstance(value, str) else value


def _said(text: str, names: dict[str, str], depth: int = 2) -> str:
    """A uuid becomes the name of what has it."""

    def called(match: re.Match[str]) -> str:
        name = names.get(match[0], "<uuid>")
        return _said(name, names, depth - 1) if depth else "<uuid>"

    text = _KEY.sub("<key>", _UUID.sub(called, text))
    for pattern in _TIMES:
        text = pattern.sub("<time>", text)
    return _SNAPMIRRORS_OWN.sub("_<number>.<time>", text)


def _files(root: Path, records: list[tuple[str, dict[str, Any]]], names: dict[str, str]) -> dict[str, Any]:
    found = {}
    for kind, body in records:
        for part in ("data", "snapshots", "kept"):
            folder = root / "volumes" / body["uuid"] / part
            if kind == "volume" and folder.is_dir():
                found[f"files {_said(_called(body), names)} {part}"] = _tree(folder, names)
    return found


def _tree(folder: Path, names: dict[str, str]) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {
        _said(str(path.relative_to(folder)), names): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in sorted(files)
    }
