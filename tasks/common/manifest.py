"""What is known of a dataset version without reading it: ``.mlops/manifest.json``, beside the folder ``data``.

``tasks.data.check`` writes it before the version is frozen, so that it lies in the snapshot and in every clone of it.
Programs take digests of files from there and hash nothing again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.common.data import Entry, open_source
from tasks.common.program import BadInput
from tasks.common.progress import say

SCHEMA = 1
FOLDER, NAME = ".mlops", "manifest.json"
DATA = "data"


@dataclass(frozen=True)
class Listed:
    """One file: its size in bytes, the SHA-256 of its content in hex digits."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """``files`` by their key, as the store of the data lists them; ``corrupt`` are those that cannot be decoded.

    ``source`` is where the data came from, ``digest`` that of all names and contents.
    """

    files: Mapping[str, Listed]
    digest: str = ""
    source: str = ""
    schema: int = SCHEMA
    corrupt: frozenset[str] = frozenset()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def sha256(self, entry: Entry) -> str | None:
        """None for a file that was not there, or of another size, when the manifest was made."""
        listed = self.files.get(entry.key)
        return listed.sha256 if listed and listed.size == entry.size else None


EMPTY = Manifest({})


def of(url: str) -> Manifest:
    """Return the manifest of the data at ``url``; an empty one for a folder that is not the data of a version.

    Raises BadInput for a manifest that cannot be understood. Unknown fields are let pass.
    """
    parent, _, name = url.rstrip("/").rpartition("/")
    if name != DATA or not parent or parent.endswith("/"):
        return EMPTY
    try:
        text = open_source(parent).read(f"{FOLDER}/{NAME}")
    except BadInput:
        say(f"There is no {FOLDER}/{NAME} beside {url}: what its files hold is found by reading them.")
        return EMPTY
    return _parsed(text, f"{parent}/{FOLDER}/{NAME}")


def _parsed(text: bytes, name: str) -> Manifest:
    try:
        told = json.loads(text)
        files = {file["path"]: Listed(int(file["size"]), str(file["sha256"])) for file in told["files"]}
        schema = int(told.get("schema", SCHEMA))
        corrupt = frozenset(told.get("corrupt") or ())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{name} is not a manifest that this release can read ({type(error).__name__}: {error}); "
            "check the dataset again, or upgrade."
        ) from error
    rest = {key: value for key, value in told.items() if key not in ("files", "corrupt")}
    return Manifest(files, str(told.get("digest") or ""), str(told.get("source") or ""), schema, corrupt, rest)
