"""Checks of the systems that the connections name, before the first DAG runs on them.

python -m scripts.preflight              in the environment of your Airflow; makes a small volume and removes it
python -m scripts.preflight --read-only  makes nothing, and so cannot tell which rights the account has

One line for each check; the exit code is the number of failed ones, at most 99.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """``run`` gives what was found as a sentence, and raises with the reason when it is not as it should be.

    ``needed_by`` names the tasks that cannot work without it; ``after`` the check that has to pass first.
    """

    name: str
    run: Callable[[], str]
    needed_by: str = ""
    after: str = ""


class Failed(Exception):
    """What was checked is not as it should be; the message says what to do."""


def report(checks: list[Check], say: Callable[[str], None] = print) -> int:
    """Run them in order and say one line for each; the number that failed. A check is skipped after a failed one."""
    bad: set[str] = set()
    failed = 0
    for check in checks:
        if check.after in bad:
            bad.add(check.name)
            say(f"skipped  {check.name:<34} needs: {check.after}")
            continue
        try:
            # Airflow logs to stdout while it looks up a connection; the lines are to stand there alone.
            with contextlib.redirect_stdout(sys.stderr):
                found = check.run()
            say(f"ok       {check.name:<34} {found}")
        except Exception as error:  # whatever a system answers becomes a line, and the other checks still run
            bad.add(check.name)
            failed += 1
            needed = f" [needed by {check.needed_by}]" if check.needed_by else ""
            say(f"FAILED   {check.name:<34} {_sentence(error)}{needed}")
    return failed


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
