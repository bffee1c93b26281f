"""Who may ask the documents on this machine, made once; whoever changes the file keeps what they wrote.

Tokens are secrets of their own, ``secrets/documents_NAME``; the file holds their SHA-256 only.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from scripts.embedded import secrets
from scripts.embedded.layout import Layout

PEOPLE = {secrets.DOCUMENTS: (), "documents_board": ("board",), "documents_hr": ("hr",)}
"""Secret with a person's token, and the groups that they are in; the first asks for DAGs, what everybody may read."""


def file(layout: Layout) -> Path:
    """Return the people file of the document assistant; it is made on first use."""
    path = layout.documents / "people.yaml"
    if not path.exists():
        told = [
            {
                "name": name,
                "token": hashlib.sha256(secrets.get(layout, name).encode()).hexdigest(),
                "groups": list(groups),
            }
            for name, groups in PEOPLE.items()
        ]
        path.write_text(json.dumps(told, indent=1))  # JSON is YAML
    return path
