"""Find out which calls each operator makes and which rights they need, and write scripts/ontap_calls.json.

python -m tests.faults.record              anew, of every operator (minutes)
python -m tests.faults.record OntapVolume  only of those whose scenarios' titles have this in them
"""

from __future__ import annotations

import os
import subprocess
import sys

from scripts import roles


def main() -> int:
    names = sys.argv[1:]
    if not names:
        roles.CALLS.write_text("{}\n")
    options = ["-q", "-n", "0", "-k", "test_record" + "".join(f" and {name}" for name in names)]
    command = [sys.executable, "-m", "pytest", *options, "tests/faults/test_fault_roles.py"]
    return subprocess.run(command, env=os.environ | {"ONTAP_FAULTS": "record"}).returncode


if __name__ == "__main__":
    sys.exit(main())
