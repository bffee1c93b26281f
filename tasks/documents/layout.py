"""What lies where on the volume of the index.

The live folder is where runs work, one at a time; what is searched is the folder ``index`` of one of its snapshots.
"""

from __future__ import annotations

from pathlib import Path

INDEX = "index"
SCANNED = "scanned.jsonl"
"""A line for each file of the version that the index is of: what the scan found, and what came of the file."""
RESERVED = frozenset({"access.yaml", "questions.jsonl"})
"""Files beside the documents, at their top, that are no documents themselves."""


def texts_of(folder: Path, run_key: str) -> Path:
    """Return the file in which ``scan`` hands over to ``build`` what documents say that are new to the index."""
    return folder / f"texts-{run_key or 'by-hand'}.jsonl"


def frozen(folder: Path, snapshot: str) -> Path:
    """Return the folder of the index as a snapshot holds it."""
    return folder / ".snapshot" / snapshot / INDEX
