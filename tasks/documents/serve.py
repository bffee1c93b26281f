"""Let a frozen index serve, or be known for the date of its version alone.

    python -m tasks.documents.serve --output /tmp/index --decision serve --instead-of r20261127t000000z0a1b2c3d

The service takes it with its next question. Where another index has come to serve since this one was judged, nothing is
changed (exit code 2).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.run_file import RunFile
from tasks.documents import layout, serving
from tasks.documents.answer import THRESHOLD
from tasks.documents.index import Index
from tasks.documents.serving import Served

SERVE, REMEMBER = "serve", "remember"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.output("folder of the index's volume", from_run=lambda run: run.folders.get("index"))
    flags.add_argument("--decision", choices=[SERVE, REMEMBER], default=SERVE)
    flags.add_argument("--instead-of", default="", help="run whose index it was judged against; none where none served")
    flags.add_argument("--threshold", type=float, default=THRESHOLD, help="how sure an answer has to be")
    options = flags.parse()
    if options.run is None:
        raise BadInput("Which index is to serve, the file tells that RUN_FILE names; start this through the DAG.")
    volume = Path(options.output)
    served = served_by(options.run, options.threshold)
    Index(layout.frozen(volume, served.snapshot))  # raises where it is not whole
    before = serving.current(volume)
    if options.decision == REMEMBER:
        serving.remember(volume, served)
    else:
        serving.serve(volume, served, instead_of=options.instead_of or None)
    now = serving.current(volume)
    say(f"Serves: the index of version {now.version}" if now else "No index serves.")
    return {
        "decision": options.decision,
        "version": served.version,
        "serves": now.version if now else "",
        "snapshot": served.snapshot,
        "before": before.run_key if before and before.run_key != served.run_key else "",
    }


def served_by(run: RunFile, threshold: float) -> Served:
    """Return the run's index as the list of those that serve has it."""
    at = datetime.fromisoformat(str(run.dataset_version["created_at"]))
    return Served(run.run_key, str(run.rest["index_snapshot"]), run.version_id, at, datetime.now(UTC), threshold)


if __name__ == "__main__":
    program.run(main)
