"""The mark by which an object made here is known in a service that has tags or labels."""

from __future__ import annotations

import hashlib
import re

TAG = "ontap-mlops"
"""Key of the tag; its value says for whom the object was made."""


def token(*parts: str) -> str:
    """A request token that is the same on every try, for services that do a thing once per token (32 characters)."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def label(text: str) -> str:
    """``text`` as a label's value: at most 63 of lower-case letters, digits, hyphen and underscore."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:63].strip("-_")
