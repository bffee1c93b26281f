"""Check style, imports, types and that the generated pages of docs/ are current; all checks run even when one fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = {
    "ruff": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "imports": ["lint-imports"],
    "types": ["mypy"],
    "docs": ["python", "-m", "scripts.generate_docs", "--check"],
}


def main() -> int:
    tools = Path(sys.executable).parent
    running = {
        name: subprocess.Popen(
            [str(tools / command[0]), *command[1:]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in CHECKS.items()
    }
    failed = []
    for name, process in running.items():
        output, _ = process.communicate()
        if process.returncode:
            failed.append(name)
            print(output.strip())
        print(f"== {name}: {'FAILED' if process.returncode else 'passed'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
