"""Whether the data that a model was trained on has been looked at for personal data, and what was found.

Ingest's check leaves its findings in the version's manifest. A version that came another way, such as a snapshot taken
by a person or by another DAG, has none, or one of other data: then its files are looked at now, in the run's workspace.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.common import manifest
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.data import check

CHECK, PROMOTION = "check", "promotion"
SHOWN = 3  # names of files in a sentence


def of_version(workspace: Path, version: Mapping[str, Any], *, allowed: bool) -> dict[str, Any]:
    """Return the scan of a dataset version: ``by`` (``check`` before it was frozen, ``promotion`` just now), ``digest``
    of all names and contents, ``files``, ``personal_data`` (kind to number of files), ``allowed``.

    Raises BadInput when personal data was found and is not allowed.

    :param workspace: clone of the version, with its folder ``data``.
    :param version: the DatasetVersion as a run's record has it.
    :param allowed: whether the dataset's rules let it hold personal data.
    """
    known = manifest.of(f"{workspace}/{manifest.DATA}")
    if known.digest and known.digest == version.get("digest") and "personal_data" in known.facts:
        by, found = CHECK, dict(known.facts)
        count = len(known.files)
    else:
        by, found = PROMOTION, _now(workspace, str(version.get("id")))
        count = found["files"]
    personal: Mapping[str, list[str]] = found["personal_data"] or {}
    if personal and not allowed:
        kinds = "; ".join(f"{kind} in {len(names)} files ({_some(names)})" for kind, names in personal.items())
        raise BadInput(
            f"The model is not promoted: dataset version {version.get('id')} of {version.get('dataset')}, which it was "
            f"trained on, holds personal data that is not allowed: {kinds}. Train on a version without it, or allow it "
            "(check: allow_personal_data in datasets.yaml)."
        )
    return {
        "by": by,
        "digest": found["digest"],
        "files": count,
        "personal_data": {kind: len(names) for kind, names in personal.items()},
        "allowed": allowed,
    }


def _now(workspace: Path, version: str) -> dict[str, Any]:
    root = workspace / manifest.DATA
    if not root.is_dir():
        raise BadInput(
            f"The model is not promoted: dataset version {version} has no scan, and its folder {manifest.DATA} is not "
            f"in {workspace} to be scanned now. Make a version by ingest, or check it before it is frozen "
            "(tasks.data.check)."
        )
    say(f"Nobody has scanned dataset version {version} before it was frozen: its files are looked at now.")
    present, hidden = check.listed(root)
    threads = min(8, 2 * (os.cpu_count() or 1))
    return {**check.summary(check.inspected(root, present, workspace / manifest.FOLDER, threads)), "hidden": hidden}


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
