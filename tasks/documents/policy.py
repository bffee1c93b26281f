"""What is done with a document in which something personal or sensitive was found, kind by kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tasks.common.program import BadInput

KINDS = ("personal", "financial", "health", "biometric", "location", "communication", "online", "legal")
"""The published eight: PII, financial, health, biometric, location, communication, online behaviour, legal."""
REFUSE, KEEP_OUT, MASK, LIST = "refuse", "keep_out", "mask", "list"
ACTIONS = {
    REFUSE: "refuse the version",
    KEEP_OUT: "keep the document out",
    MASK: "mask it in the text",
    LIST: "list it only",
}
"""From the strictest to the mildest."""
STRICT, USUAL, OPEN = "strict", "mask", "open"
POLICIES = {
    STRICT: dict.fromkeys(KINDS, KEEP_OUT),
    USUAL: dict.fromkeys(KINDS, MASK) | dict.fromkeys(("health", "biometric", "legal"), KEEP_OUT),
    OPEN: dict.fromkeys(KINDS, LIST),
}


@dataclass(frozen=True)
class Policy:
    """``actions`` by kind."""

    actions: Mapping[str, str]

    @classmethod
    def of(cls, name: str, but: Mapping[str, str]) -> Policy:
        """Return the policy of that name, with other actions for some kinds. Raises BadInput."""
        if name not in POLICIES:
            raise BadInput(f"There is no policy {name!r}; choose one of {', '.join(POLICIES)}.")
        for kind, action in but.items():
            if kind not in KINDS:
                raise BadInput(f"There is no kind {kind!r} of personal data; the kinds are {', '.join(KINDS)}.")
            if action not in ACTIONS:
                raise BadInput(f"Of {kind} data one can {', '.join(ACTIONS)}, not {action!r}.")
        return cls({**POLICIES[name], **but})

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(dict(self.actions), sort_keys=True).encode()).hexdigest()[:16]

    def of_kinds(self, action: str) -> frozenset[str]:
        return frozenset(kind for kind, chosen in self.actions.items() if chosen == action)

    def strictest(self, found: Collection[str]) -> str:
        """Return what is done with a document in which these kinds were found; LIST where none was."""
        chosen = {self.actions[kind] for kind in found}
        return next((action for action in ACTIONS if action in chosen), LIST)


def parse(text: str) -> dict[str, str]:
    """Read ``health=list,legal=mask``. Raises BadInput."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, equals, action = part.partition("=")
        if not equals:
            raise BadInput(f"{part!r} is not of the form kind=action, such as health=keep_out.")
        found[kind.strip()] = action.strip()
    return found
