"""The demos of all systems, one after another, with a table of the published designs at the end.

Each is a program of its own, so that one that fails stops no other. What has succeeded is kept in demo-all.json of the
services' folder: cut off or partly failed, it goes on where it was; once all have succeeded, it begins anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts import systems
from scripts.services import Stack, shown

NAME, FILE = "all", "demo-all.json"
DESIGNS = {
    1: "tyre quality",
    2: "click-through rate",
    3: "lane detection",
    4: "hybrid-cloud cache",
    5: "private inference",
    6: "call sentiment",
    7: "retail assistant",
    8: "edge inference",
    9: "GPU projects",
    10: "document assistant",
    11: "data movement",
    12: "storage proof",
}
_SAID = 80  # characters of a failure in the table


def run(stack: Stack) -> int:
    """0 when every system's demo has succeeded, now or in the try before."""
    folder = stack.layout.local
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / FILE
    rows, names = _before(kept), _names()
    for number, name in enumerate(names, 1):
        if rows.get(name, {}).get("succeeded"):
            continue
        log = folder / f"demo-all-{name}.log"
        print(f"[{number} of {len(names)}] {name}; its lines are in {shown(log)}", flush=True)
        rows[name] = _row(name, folder, log)
        _keep(kept, rows)
    print("\n" + table(rows), flush=True)
    return 0 if all(rows[name]["succeeded"] for name in names) else 1


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each published design: whether all its demos succeeded, how long they took, and why one did not."""
    own = [("", name, [name]) for name in systems.by_number().get(None, [])]
    published = [(str(number), design, systems.by_number().get(number, [])) for number, design in DESIGNS.items()]
    lines, done = [], 0
    for number, design, names in [*published, *own]:
        good = bool(names) and all(rows[name]["succeeded"] for name in names)
        done += good
        lines.append(_line("✓" if good else "✗", number, design, names, rows))
    return "\n".join([*lines, f"{done} of {len(lines)} systems have succeeded."])


def _line(mark: str, number: str, design: str, names: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    seconds = sum(rows[name]["seconds"] for name in names)
    said = "; ".join(rows[name]["said"] for name in names if rows[name]["said"])[:_SAID] if names else "it has no demo"
    return f"{mark} {number:>2} {design:<19} {', '.join(names):<17} {seconds:>5.0f} s  {said}".rstrip()


def _names() -> list[str]:
    """All demos, in the order of the published designs."""
    return [name for names in systems.by_number().values() for name in names]


def _row(name: str, folder: Path, log: Path) -> dict[str, Any]:
    begun = time.monotonic()
    with log.open("wb") as lines:
        command = [sys.executable, "-m", "scripts.demo", name, "--local", str(folder)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=lines, stderr=lines)
    said = "" if done.returncode == 0 else _last(log.read_text(errors="replace"))
    return {"succeeded": done.returncode == 0, "seconds": round(time.monotonic() - begun, 1), "said": said}


def _before(kept: Path) -> dict[str, dict[str, Any]]:
    """The rows of the try before, unless it was done with all."""
    rows: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else {}
    done = all(rows.get(name, {}).get("succeeded") for name in systems.names())
    return {} if done else {name: row for name, row in rows.items() if name in systems.names()}


def _keep(kept: Path, rows: dict[str, dict[str, Any]]) -> None:
    draft = kept.with_suffix(".new")
    draft.write_text(json.dumps(rows, indent=2) + "\n")
    draft.replace(kept)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
