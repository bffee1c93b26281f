"""What stands in the fenced blocks of a page of docs/, so that a test can do what a reader does."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def files(page: str) -> dict[str, str]:
    """Return the files that the page tells to write: blocks whose first line is a comment with their path."""
    found = {}
    for _, text in _BLOCK.findall((DOCS / page).read_text()):
        first, _, rest = text.partition("\n")
        if match := re.fullmatch(r"# ([\w./-]+\.\w+)", first):
            found[match[1]] = rest
    return found


def commands(page: str) -> list[str]:
    """Return the lines that the page tells to type."""
    blocks = _BLOCK.findall((DOCS / page).read_text())
    return [line for kind, text in blocks if kind == "bash" for line in text.splitlines() if line.strip()]
