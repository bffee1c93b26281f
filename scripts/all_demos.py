"""The demos of all systems, one after another, with a table at the end.

Each is a program of its own, so that one that fails stops no other. What has succeeded is kept in demo-all.json of the
services' folder: cut off or partly failed, it goes on where it was; once all have succeeded, it begins anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from scripts import systems
from scripts.services import Stack, shown

NAME, FILE = "all", "demo-all.json"
_SAID = 96  # characters of a failure in the table


def run(stack: Stack) -> int:
    """0 when every system's demo has succeeded, now or in the try before."""
    folder = stack.layout.local
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / FILE
    rows = _before(kept)
    for number, name in enumerate(systems.names(), 1):
        if rows.get(name, {}).get("succeeded"):
            continue
        log = folder / f"demo-all-{name}.log"
        print(f"[{number} of {len(systems.names())}] {name}; its lines are in {shown(log)}", flush=True)
        rows[name] = _row(name, folder, log)
        _keep(kept, rows)
    print("\n" + table(rows), flush=True)
    return 0 if all(rows[name]["succeeded"] for name in systems.names()) else 1


def table(rows: dict[str, dict[str, Any]]) -> str:
    """A line for each system: whether it succeeded, how long it took, and why not."""
    lines = []
    for name in systems.names():
        row = rows[name]
        mark, of_dag = "✓" if row["succeeded"] else "✗", systems.find(name).train_dag
        lines.append(f"{mark} {name:<10} {of_dag:<20} {row['seconds']:>6.0f} s  {row['said'][:_SAID]}".rstrip())
    done = sum(rows[name]["succeeded"] for name in systems.names())
    return "\n".join([*lines, f"{done} of {len(lines)} demos have succeeded."])


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
