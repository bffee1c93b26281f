"""Starting services apart from whoever asks, and ending exactly those again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

GRACE_S = 10


def program(name: str) -> str | None:
    """Its path; daemons lie where a user's PATH often does not look."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def launch(command: list[str], *, env: Mapping[str, str], log: Path, pid_file: Path) -> None:
    """Start it in a session of its own; ``pid_file`` tells it from a later process of the same id."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [program(command[0]) or command[0], *command[1:]],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    pid_file.write_text(f"{started.pid} {_start_time(started.pid)}")


def alive(pid_file: Path) -> bool:
    return _pid(pid_file) is not None


def end(pid_file: Path, signum: int = signal.SIGTERM) -> None:
    """Signal it, and kill it when it does not end within the grace; returns when it is gone."""
    pid = _pid(pid_file)
    if pid is not None:
        os.kill(pid, signum)
        deadline = time.monotonic() + GRACE_S
        while alive(pid_file) and time.monotonic() < deadline:
            time.sleep(0.05)
        if alive(pid_file):
            os.kill(pid, signal.SIGKILL)
        while alive(pid_file):
            time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _pid(pid_file: Path) -> int | None:
    try:
        pid, started = pid_file.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    _reap(int(pid))
    return int(pid) if _start_time(int(pid)) == started else None


def _reap(pid: int) -> None:
    """Where the one who asks is also the parent, an ended process waits to be asked after."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _start_time(pid: int) -> str:
    """In the kernel's ticks since boot; "" when it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] in "ZX" else after_name[19]
