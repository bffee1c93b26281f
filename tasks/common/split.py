"""Which items train and which judge, by content: the same side in every version of the data and in every run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tasks.common.program import BadInput


@dataclass(frozen=True)
class Split:
    """``share`` of the items are held out. ``group`` is a pattern (regular expression) for keys.

    Items whose keys match it in the same way are of one object, such as two photographs of one tyre, and stay
    together: the match decides, or what its first parentheses hold. Without a group, or where it does not match, the
    item's content decides, so that copies stay together.
    """

    share: float
    group: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise BadInput(f"--held-out-share is {self.share}; it must be from 0 to 1.")
        try:
            re.compile(self.group)
        except re.error as error:
            raise BadInput(f"--group {self.group!r} is no regular expression: {error}.") from error

    def held_out(self, key: str, digest: str) -> bool:
        """``digest`` is the SHA-256 of the item's content, in hex digits."""
        match = re.search(self.group, key) if self.group else None
        if match:
            digest = hashlib.sha256((match[1] if match.re.groups else match[0]).encode()).hexdigest()
        return is_held_out(digest, self.share)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Split:
        """Read what ``to_json`` wrote. Raises KeyError where it does not name the share."""
        return cls(float(told["share"]), str(told.get("group") or ""))


def is_held_out(digest: str, share: float) -> bool:
    """By content alone."""
    return int(digest[:16], 16) < share * 2**64
