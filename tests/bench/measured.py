"""When and of which commit a bench was measured: kept with its numbers, which hold for that code."""

from __future__ import annotations

from datetime import UTC, datetime

from scripts.embedded.environment import code_commit


def stamp() -> dict[str, str]:
    return {"measured": f"{datetime.now(UTC):%Y-%m-%d}", "commit": code_commit()[:7]}
