"""Stands over one program of the local runner, apart from the worker that started it, and writes down how it ended.

Started by path as ``python -I -S _local_supervisor.py FOLDER`` in a session of its own, with the standard library only,
so that it costs a few megabytes for as long as the program runs. The worker may die; this process does not notice.

It is handed an open, locked file (see local.py) that it keeps open while it lives: the kernel drops the lock the moment
this process ends, however it ends, so the lock, and no process id, says whether the workload runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

TAIL = 4096  # bytes of the log's end in which the program's last sentence is looked for
SENTENCE = 500  # characters of it that are kept


class Supervisor:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec: dict[str, Any] = json.loads((folder / "spec.json").read_text())
        self.program: subprocess.Popen[bytes] | None = None
        self.stopped_by: str | None = None
        self.started_at = time.time()

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGALRM, self._on_alarm)
        self._write("supervisor.json", {"pid": os.getpid(), "started": start_time(os.getpid())})
        try:
            code = self._run_program()
        except OSError as error:
            self._finish("failed", None, f"{self.spec['command'][0]} could not be started: {error}")
            return
        self._finish(*self._verdict(code))

    def _run_program(self) -> int:
        if self.spec["time_limit_s"]:
            signal.setitimer(signal.ITIMER_REAL, self.spec["time_limit_s"])
        with (self.folder / "log").open("ab") as log:
            self.program = subprocess.Popen(
                self.spec["command"],
                cwd=self.spec["working_directory"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=die_with_parent,
            )
        self._write("program.json", {"pid": self.program.pid, "started": start_time(self.program.pid)})
        if self.stopped_by:  # asked to stop before there was anything to stop
            self._stop(self.stopped_by)
        code = self.program.wait()
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._signal_group(signal.SIGKILL)  # whatever the program started and left running
        return code

    def _on_sigterm(self, _signum: int, _frame: FrameType | None) -> None:
        self._stop("cancel")

    def _on_alarm(self, _signum: int, _frame: FrameType | None) -> None:
        if self.stopped_by is None:
            self._stop("time limit")
        else:  # the grace is over
            self._signal_group(signal.SIGKILL)

    def _stop(self, reason: str) -> None:
        self.stopped_by = self.stopped_by or reason
        (self.folder / "stopping").touch()
        self._signal_group(signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, max(self.spec["grace_s"], 0.01))

    def _signal_group(self, signum: int) -> None:
        if self.program is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.program.pid, signum)

    def _verdict(self, code: int) -> tuple[str, int, str]:
        last = last_sentence(self.folder / "log")
        if code == 0:
            return "succeeded", 0, ""
        if self.stopped_by == "cancel":
            return "cancelled", code, "it was cancelled"
        if self.stopped_by == "time limit":
            return "failed", code, f"it was stopped at its time limit of {self.spec['time_limit_s']:g} s"
        if code < 0:
            name = signal.Signals(-code).name
            hint = " (often for want of memory)" if name == "SIGKILL" else ""
            return "failed", code, f"it was killed by {name}{hint}; its last line was: {last}"
        return "failed", code, last or f"it ended with exit code {code} and printed nothing"

    def _finish(self, state: str, code: int | None, message: str) -> None:
        ended = time.time()
        facts = {"state": state, "exit_code": code, "message": message, "started_at": self.started_at}
        out_of_time = state == "failed" and self.stopped_by == "time limit"
        self._write("status.json", {**facts, "ended_at": ended, "out_of_time": out_of_time})

    def _write(self, name: str, value: dict[str, Any]) -> None:
        write_json(self.folder / name, value)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all, also through a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def start_time(pid: int) -> str:
    """When this process began, in the kernel's ticks since boot; "" when it is gone or the system does not tell."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] in "ZX" else after_name[19]


def last_sentence(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
    return next((line.strip()[-SENTENCE:] for line in reversed(lines) if line.strip()), "")


def die_with_parent() -> None:
    """Linux: the program is killed when its supervisor is, so that none runs on unseen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


if __name__ == "__main__":
    if os.fork():  # the worker is not to be its parent: some executors end all descendants of a task
        os._exit(0)
    Supervisor(Path(sys.argv[1])).run()
