"""What both fuzzers share: how many requests they send, and what must not change meanwhile."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("EMULATOR_FUZZ_EXAMPLES", "0"))


def requests(by_default: int) -> settings:
    """The same requests in each run, ``by_default`` of them; others each time when the environment says how many."""
    return settings(
        max_examples=EXAMPLES or by_default,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def outside(target) -> dict[str, object]:
    """Everything beside the emulator's folder, with what is in it."""
    home = target.root.parent
    kept = [path for path in home.rglob("*") if target.root not in (path, *path.parents) and path.suffix != ".log"]
    beside = {str(path): path.read_text() if path.is_file() else None for path in kept}
    return beside | {str(path): None for path in home.parent.iterdir()}
