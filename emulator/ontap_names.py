"""The names that ONTAP's own resources have, whether or not the emulator has anything to show for them.

``ontap_names.json`` is made by ``python -m scripts.generate_ontap_names`` from the official client.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("ontap_names.json")


@dataclass(frozen=True)
class Names:
    read: frozenset[str] = frozenset()
    """Leaves that a GET may name, e.g. ``tiering.object_tags``."""
    lists: frozenset[str] = frozenset()
    """Fields that hold several values, e.g. ``aggregates``."""


def of(href: str) -> Names:
    """The names of the resource whose one record is at ``href``, e.g. ``/svm/svms/{uuid}``."""
    return _all().get(collection_of(href), Names())


def collection_of(href: str) -> str:
    """``/a/{x}/b`` of ``/a/{x.uuid}/b/{y}/{z}``, without the names of what varies."""
    return anonymous(re.sub(r"(/\{[^}]+\})+$", "", href))


def anonymous(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path)


@functools.cache
def _all() -> dict[str, Names]:
    entries = json.loads(FILE.read_text()) if FILE.exists() else {}
    return {path: Names(frozenset(each["read"]), frozenset(each["lists"])) for path, each in entries.items()}
