"""Run the tests: the quick ones side by side, then those that start real services one after another.

python -m scripts.tests            everything that needs no GPU, no cluster and no cloud
python -m scripts.tests quick      without Airflow, browser and Triton
python -m scripts.tests journey    only those in which the real scheduler runs the DAGs; `browser` likewise
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SLOW = "journey or browser or triton"
QUICK = ("quick tests", "-m", f"not ({SLOW})", "-n", "2", "--dist", "loadfile")
SUITES = {
    "all": [QUICK, ("tests with real services", "-m", SLOW)],
    "quick": [QUICK],
    "journey": [("journey", "-m", "journey")],
    "browser": [("browser", "-m", "browser")],
}
NO_TESTS_COLLECTED = 5


def run(title: str, *arguments: str) -> bool:
    """One pytest run with its seconds; True when nothing failed."""
    print(f"== {title}", flush=True)
    started = time.monotonic()
    # Tests must not see, or write into, a user's own Airflow, cluster or cloud.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_", "MLFLOW_"))}
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-tests-") as home:
        code = subprocess.run(command, cwd=ROOT, env=kept | {"AIRFLOW_HOME": home}).returncode
    print(
        f"== {title}: {'passed' if code in (0, NO_TESTS_COLLECTED) else 'FAILED'} in {time.monotonic() - started:.0f} s"
    )
    return code in (0, NO_TESTS_COLLECTED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="?", choices=SUITES, default="all")
    # A list, not a generator: a failure in one round does not hide what the next one would say.
    return 0 if all([run(*round_) for round_ in SUITES[parser.parse_args().suite]]) else 1


if __name__ == "__main__":
    sys.exit(main())
