"""Choose the newest versions of everything in the requirement files that fit together, and pin them.

Writes constraints.txt; look at the difference and run the tests before committing it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.environment import INSTALLER, ROOT, index_options

HEAD = "# Every version this project is tested with; made by `make lock`. Upgrade on purpose.\n"


def main() -> int:
    files = ["requirements.txt", "requirements-dev.txt"]
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name(INSTALLER)), "pip", "compile", "--quiet", "--upgrade", *files),
            *("--python-version", "3.11", "--no-header", "--no-annotate", *index_options()),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        return done.returncode
    # A wheel's local version (torch 2.13.0+cpu) says where it was built, not which version it is.
    pins = [line.split("+")[0] for line in done.stdout.splitlines() if "==" in line]
    (ROOT / "constraints.txt").write_text(HEAD + "\n".join(pins) + "\n")
    print(f"{len(pins)} versions are pinned in constraints.txt.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
