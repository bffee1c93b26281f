"""Choose the newest versions of everything in the requirement files that fit together, and pin them.

Writes constraints.txt, and tests/clients/requirements.txt for clients that have an environment of their own. Look at
the difference and run the tests before committing it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.environment import INSTALLER, ROOT, clients_environment, index_options

HEAD = "# Every version this project is tested with; made by `make lock`. Upgrade on purpose.\n"
CLIENTS_HEAD = "# requirements.in with everything that it needs, pinned; made by `make lock`. Upgrade on purpose.\n"


def compiled(files: list[Path]) -> list[str]:
    """Return a pin for everything that the files ask for; SystemExit when nothing fits together."""
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name(INSTALLER)), "pip", "compile", "--quiet", "--upgrade"),
            *map(str, files),
            *("--python-version", "3.11", "--no-header", "--no-annotate", *index_options()),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    # A wheel's local version (torch 2.13.0+cpu) says where it was built, not which version it is.
    return [line.split("+")[0] for line in done.stdout.splitlines() if "==" in line]


def main() -> int:
    clients = clients_environment().inputs[0]
    here = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
    inside = sorted(ROOT / "docker" / name / "requirements.txt" for name in ("airflow", "emulator", "lake", "mlflow"))
    pinned = {
        ROOT / "constraints.txt": (HEAD, compiled([*here, *inside])),
        clients: (CLIENTS_HEAD, compiled([clients.with_suffix(".in")])),
    }
    for file, (head, pins) in pinned.items():
        file.write_text(head + "\n".join(pins) + "\n")
        print(f"{len(pins)} versions are pinned in {file.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
