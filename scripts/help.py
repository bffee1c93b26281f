"""List the Makefile's targets with the sentence above each."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = re.compile(r"^# (?P<sentence>.+)\n(?P<name>[a-z][a-z-]*):", re.MULTILINE)


def targets(makefile: str) -> dict[str, str]:
    return {match["name"]: match["sentence"] for match in TARGET.finditer(makefile)}


if __name__ == "__main__":
    for name, sentence in targets((ROOT / "Makefile").read_text()).items():
        print(f"  make {name:<12} {sentence}")
