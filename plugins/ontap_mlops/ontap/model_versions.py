"""Model versions as ONTAP knows them: snapshots of a model volume whose comment says which model and run they hold."""

from __future__ import annotations

import re

from ontap_mlops.ontap.marks import mark
from ontap_mlops.ontap.snapshots import Snapshot

_COMMENT = re.compile(re.escape(mark("model ")) + r"(\S+) of run \S+")


def comment(model: str, run_key: str) -> str:
    """Return the comment of the snapshot that freezes the model version a run made."""
    return mark(f"model {model} of run {run_key}")


def is_version(snapshot: Snapshot) -> bool:
    """Tell whether the snapshot is a version of any model."""
    return _COMMENT.fullmatch(snapshot.comment) is not None


def model_of(snapshot: Snapshot) -> str:
    """Return the name of the model that the snapshot is a version of; empty if it is none."""
    match = _COMMENT.fullmatch(snapshot.comment)
    return match[1] if match else ""
