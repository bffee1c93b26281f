"""Who may ask the documents on this machine, made once; whoever changes the file keeps what they wrote.

Tokens are secrets of their own, ``secrets/documents_NAME``; the file holds their SHA-256 only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path

from scripts.embedded import secrets
from scripts.embedded.layout import Layout

PEOPLE = {secrets.DOCUMENTS: (), "documents_board": ("board",), "documents_hr": ("hr",)}
"""Secret with a person's token, and the groups that they are in; the first asks for DAGs, what everybody may read."""


def file(layout: Layout) -> Path:
    """Return the people file of the document assistant; it is made on first use."""
    path = layout.documents / "people.yaml"
    if not path.exists():
        path.write_text(told({name: (secrets.get(layout, name), groups) for name, groups in PEOPLE.items()}))
    return path


def told(people: Mapping[str, tuple[str, Collection[str]]]) -> str:
    """Return the file that knows these people, by name, each with a token and the groups that they are in."""
    entries = [
        {"name": name, "token": hashlib.sha256(token.encode()).hexdigest(), "groups": list(groups)}
        for name, (token, groups) in people.items()
    ]
    return json.dumps(entries, indent=1)  # JSON is YAML
