"""What a watcher of storage remembers from look to look, and over restarts: in the state store of its asset."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ontap_mlops.ontap.events import OVERLAP

MADE_HERE = "made_here"
"""Key in the asset's state store: the last runs whose own task tells the dataset version that it makes."""


class Memory:
    """Every time here but ``looked_at`` is by the clock of what is watched.

    :param kept: what ``to_json`` gave to an earlier watcher; None for the first one, which begins with now.
    :param spread_s: seconds by which its first word about an uneventful time comes early.
    :param overlap: how much older than what has been seen something new may be.
    """

    def __init__(self, kind: str, kept: Any = None, spread_s: float = 0.0, overlap: timedelta = OVERLAP) -> None:
        kept = kept if isinstance(kept, Mapping) else {}
        self.kind = kind
        self.overlap = overlap
        self.until = _time(kept.get("until"))
        self.since = _time(kept.get("since"))
        self.seen: dict[str, str] = dict(kept.get("seen") or {})
        self.events = int(kept.get("events") or 0)
        self.last: dict[str, Any] | None = kept.get("last_event")
        self.looked_at: str = kept.get("looked_at") or ""
        self.trouble: dict[str, str] | None = kept.get("trouble")
        self._is_due = self.until is None
        self._written_at = time.monotonic() - spread_s

    def is_news(self, id_: str, at: datetime) -> bool:
        """Tell whether this has not been seen, and is no older than what no look can show for the first time."""
        return id_ not in self.seen and (self.until is None or at >= self.until - self.overlap)

    def looked(self, trouble: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if trouble and self.trouble is None:
            self.trouble, self._is_due = {"since": now, "said": trouble}, True
        elif not trouble:
            self.looked_at = now
            if self.trouble is not None:
                self.trouble, self._is_due = None, True

    def told(self, until: datetime, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Remember what has been told, and that all before ``until`` has been looked at."""
        self.since = self.since or until
        self.until = max(self.until or until, until)
        for payload in payloads:
            self.seen[payload["id"]] = payload["at"]
            self.last = dict(payload)
        self.events += len(payloads)
        self._is_due = self._is_due or bool(payloads)
        self.seen = {
            id_: at for id_, at in self.seen.items() if datetime.fromisoformat(at) >= self.until - self.overlap
        }

    def pass_over(self, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Remember what is never to be told."""
        self.seen |= {payload["id"]: payload["at"] for payload in payloads}

    def is_due(self, every_s: float) -> bool:
        return self._is_due or time.monotonic() - self._written_at >= every_s

    def written(self) -> None:
        self._is_due, self._written_at = False, time.monotonic()

    def to_json(self) -> dict[str, Any]:
        return {
            "looked_at": self.looked_at,
            "until": self.until.isoformat() if self.until else None,
            "since": self.since.isoformat() if self.since else None,
            "events": self.events,
            "last_event": self.last,
            "trouble": self.trouble,
            "seen": self.seen,
        }


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
