"""Records of transfers, as far as those who run them need to know them."""

from __future__ import annotations

import time

from emulator.store import Record, Store

KIND = "snapmirror_transfer"
OPEN = ("queued", "transferring")
KEPT = 50
"""Ended transfers that are kept of each relationship."""


def of(store: Store, relationship: str) -> list[Record]:
    return store.find(KIND, relationship=relationship)


def duration_s(record: Record) -> float:
    return max(0.0, (record["ended"] or time.time()) - record["begun"]) if record["begun"] else 0.0


def forget_old(store: Store, relationship: str) -> None:
    ended = [each for each in of(store, relationship) if each["state"] not in OPEN]
    for each in ended[: max(0, len(ended) - KEPT)]:
        store.delete(KIND, each["uuid"])
