"""The mark in the comment of everything made here: it tells our own earlier try from somebody else's object."""

from __future__ import annotations

MARK = "ontap-mlops"


def mark(owner: str) -> str:
    """Comment for an object made for ``owner``: a run key, or the name of a dataset."""
    return f"{MARK} {owner}"


def is_ours(comment: str | None) -> bool:
    return (comment or "").split(" ", 1)[0] == MARK
