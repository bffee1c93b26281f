"""Runs workloads as processes of this machine that outlive the worker which started them.

Each workload has a folder ``<workloads dir>/<name>/``:

===================  =================================================================================================
``spec.json``        what was started (no secrets)
``alive``            locked by the supervisor while it lives; the lock decides whether the workload runs
``supervisor.json``  process id and start time of the supervisor; ``program.json`` the same of the program
``log``              what the program printed
``run.json``         the record of the run it belongs to (its RUN_FILE), where there is one
``result.json``      the program's result (its RESULT_FILE)
``progress.json``    how far it is (its PROGRESS_FILE)
``status.json``      how it ended, written once, whole
``stopping``         there while it was told to stop and has not yet
===================  =================================================================================================
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import Field

from ontap_mlops import settings
from ontap_mlops.compute import programs
from ontap_mlops.compute.kinds import _local_processes, _local_supervisor
from ontap_mlops.compute.kinds.base import BasePlace, base_folder
from ontap_mlops.compute.workload import Mount, PlaceRefused, PlaceUnavailable, State, Status, Workload

# What a program needs to know of the machine. Everything else in the worker's environment is the worker's: settings,
# passwords, the keys of some cloud account.
_MACHINE = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|NO_COLOR|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|XDG_\w+|LD_LIBRARY_PATH"
    r"|(?i:(https?|ftp|all|no)_proxy)"
    r"|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL|AWS)_CA_BUNDLE|MLFLOW_TRACKING_SERVER_CERT_PATH"
    r"|(CUDA|NVIDIA|NCCL|RMM|OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|VECLIB|NUMEXPR|NUMBA|PYTORCH|DASK)_\w+"
)
_LOG_CHUNK = 1 << 20


class LocalPlace(BasePlace):
    """This machine. Relative folders start at the folder of ``compute.yaml``."""

    kind: Literal["local"]
    namespace_roots: dict[str, str] = {}
    python: str = ""
    working_directory: str = ""
    grace_s: Annotated[float, Field(ge=0)] = 30.0
    keep_days: Annotated[float, Field(ge=0)] = 30.0

    def runner(self) -> LocalRunner:
        base, workloads = base_folder(), settings.workloads_dir().resolve()
        programs_dir = (settings.programs_dir() or workloads).resolve()
        return LocalRunner(
            folder=workloads,
            namespace_roots={svm: (base / root).resolve() for svm, root in self.namespace_roots.items()},
            python=self.python or sys.executable,
            working_directory=(base / (self.working_directory or programs_dir)).resolve(),
            cpus=self.resources.cpus,
            environment={**self.environment, **self.variables()},
            grace_s=self.grace_s,
            keep_days=self.keep_days,
        )

    def variables(self) -> dict[str, str]:
        """Return what programs are told of the place by their environment."""
        return {}


@dataclass(frozen=True, kw_only=True)
class LocalRunner:
    """``namespace_roots`` says where each SVM's namespace is mounted, ``default`` where that of any other is.

    ``grace_s`` lies between SIGTERM and SIGKILL. Of the worker's environment a program gets what describes the machine
    (paths, language, proxies, certificates, devices, threads), then ``environment``, then the workload's own.

    What ended more than ``keep_days`` ago is forgotten when something new starts; 0 keeps everything.
    """

    folder: Path
    namespace_roots: Mapping[str, Path] = field(default_factory=dict)
    python: str = sys.executable
    working_directory: Path = field(default_factory=Path.cwd)
    cpus: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 30.0
    keep_days: float = 30.0

    @property
    def host(self) -> str:
        return socket.gethostname()

    def submit(self, workload: Workload, *, fresh: bool = False) -> str:
        """Start it, or join the one of this name. Safe to call from several processes at once."""
        self.check_program(workload.program)
        folders = {key: str(self._folder_of(key, mount, workload)) for key, mount in workload.mounts.items()}
        with self._guarded(workload.name):
            home = self._home(workload.name)
            if (home / "spec.json").exists() and not fresh and self._status(home).state is not State.MISSING:
                return workload.name
            with self._alive_lock(home) as alive:
                if alive is not None:
                    self._start(workload, folders, home, alive)
        self._forget_old()
        return workload.name

    def check_program(self, program: str) -> None:
        """Raises PlaceRefused when it is one of ours and is not installed here."""
        programs.check(
            program,
            python=self.python,
            working_directory=self.working_directory,
            environment={**_of_the_machine(), **self.environment},
        )

    def status(self, name: str) -> Status:
        with self._guarded(name):
            return self._status(self._home(name))

    def logs(self, name: str, cursor: str | None = None) -> tuple[str, str | None]:
        """At most one mebibyte of text, never cutting a character. The cursor is an offset in bytes."""
        offset = int(cursor or 0)
        try:
            with (self._home(name) / "log").open("rb") as file:
                file.seek(offset)
                data = file.read(_LOG_CHUNK)
        except FileNotFoundError:
            return "", cursor
        if not data:
            return "", cursor
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        text = decoder.decode(data)
        return text, str(offset + len(data) - len(decoder.getstate()[0]))

    def result(self, name: str) -> dict[str, Any]:
        path = self._home(name) / "result.json"
        try:
            value = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(f"workload {name} wrote a result that is not JSON ({path}): {error}") from None
        if not isinstance(value, dict):
            raise ValueError(f"workload {name} wrote a result that is not a JSON object ({path})")
        return value

    def cancel(self, name: str) -> None:
        """The supervisor stops the program; when it does not within the grace and some seconds, both are killed."""
        home = self._home(name)

        def ended() -> bool:
            return not self.status(name).state.active

        def told() -> bool:  # not before its supervisor has written down who it is
            return ended() or _signal(home / "supervisor.json", signal.SIGTERM)

        if not ended():
            _wait_until(told, 5)
            _wait_until(ended, self.grace_s + 5)
        with self._guarded(name):
            self._kill_leftovers(home)
        _wait_until(ended, 5)

    def remove(self, name: str) -> None:
        with self._guarded(name):
            home = self._home(name)
            if self._status(home).state.active:
                raise PlaceUnavailable(f"workload {name} still runs; cancel it before removing it")
            self._kill_leftovers(home)
            shutil.rmtree(home, ignore_errors=True)

    def _command(self, workload: Workload, folders: Mapping[str, str]) -> list[str]:
        launcher = [self.python, "-m"]
        if workload.processes > 1:
            launcher = [self.python, _local_processes.__file__, f"--nproc-per-node={workload.processes}"]
        return [*launcher, workload.program, *workload.arguments_at(folders)]

    def _folder_of(self, key: str, mount: Mount, workload: Workload) -> Path:
        asked = f"workload {workload.name} mounts {mount.svm}:{mount.junction_path} as {{{key}}}"
        root = self.namespace_roots.get(mount.svm, self.namespace_roots.get("default"))
        if root is None:
            known = ", ".join(sorted(self.namespace_roots)) or "none"
            raise PlaceRefused(
                f"{asked}, but compute.yaml does not say where the namespace of SVM {mount.svm!r} is mounted on this "
                f"machine (known: {known}); add it to namespace_roots"
            )
        relative = mount.junction_path.strip("/")
        if not mount.junction_path.startswith("/") or ".." in relative.split("/"):
            raise PlaceRefused(f"{asked}, which is not a junction path; give one such as /tyre_images")
        folder = root / relative
        if not folder.is_dir():
            raise PlaceUnavailable(
                f"{asked}, but {folder} is not there; check that the volume is mounted in its SVM's namespace and the "
                "namespace on this machine"
            )
        return folder

    def _start(self, workload: Workload, folders: Mapping[str, str], home: Path, alive: IO[bytes]) -> None:
        self._kill_leftovers(home)
        for name in ("status", "supervisor", "program", "result", "progress", "run"):
            (home / f"{name}.json").unlink(missing_ok=True)
        for name in ("stopping", "log"):
            (home / name).unlink(missing_ok=True)
        run = workload.run_at(folders)
        if run is not None:
            _local_supervisor.write_json(home / "run.json", run)
        _local_supervisor.write_json(
            home / "spec.json",
            {
                "name": workload.name,
                "program": workload.program,
                "labels": dict(workload.labels),
                "command": self._command(workload, folders),
                "working_directory": str(self.working_directory),
                "time_limit_s": workload.time_limit_s,
                "grace_s": self.grace_s,
            },
        )
        try:
            with (home / "supervisor.log").open("wb") as complaints:
                subprocess.run(
                    [sys.executable, "-I", "-S", _local_supervisor.__file__, str(home)],
                    env=self._environment(workload, home),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=complaints,
                    start_new_session=True,
                    pass_fds=(alive.fileno(),),
                    check=True,
                )
        except (OSError, subprocess.CalledProcessError) as error:
            raise PlaceUnavailable(f"workload {workload.name} could not be started: {error}") from error

    def _environment(self, workload: Workload, home: Path) -> dict[str, str]:
        environment = _of_the_machine()
        cpus = workload.resources.cpus or self.cpus
        if cpus:
            environment["OMP_NUM_THREADS"] = str(max(1, int(cpus)))
        environment |= {**self.environment, **workload.environment, **workload.secrets}
        files = {"RESULT_FILE": str(home / "result.json"), "PROGRESS_FILE": str(home / "progress.json")}
        if workload.run is not None:
            files["RUN_FILE"] = str(home / "run.json")
        return environment | files | {"PYTHONUNBUFFERED": "1"}

    def _status(self, home: Path) -> Status:
        if not (home / "spec.json").exists():
            return Status(state=State.MISSING)
        with self._alive_lock(home) as alive:
            if alive is None:
                return Status(state=State.RUNNING, stopping=(home / "stopping").exists())
        try:
            facts = json.loads((home / "status.json").read_text())
        except FileNotFoundError:
            return Status(
                state=State.FAILED,
                message="nobody saw how it ended: its supervisor was killed, the machine stopped or its disk was full",
            )
        return Status(
            state=State(facts["state"]),
            exit_code=facts["exit_code"],
            message=facts["message"],
            out_of_time=facts.get("out_of_time", False),
        )

    def _kill_leftovers(self, home: Path) -> None:
        """For a system where a program can outlive its killed supervisor."""
        _signal(home / "program.json", signal.SIGKILL, group=True)
        _signal(home / "supervisor.json", signal.SIGKILL)

    def _forget_old(self) -> None:
        before = time.time() - self.keep_days * 86400
        for ended in self.folder.glob("*/status.json") if self.keep_days else ():
            with contextlib.suppress(
                FileNotFoundError, PlaceUnavailable
            ):  # another worker was quicker, or it runs again
                if ended.stat().st_mtime < before:
                    self.remove(ended.parent.name)

    def _home(self, name: str) -> Path:
        return self.folder / name

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """One process at a time looks at or changes a workload; held for milliseconds, never while a program runs.

        The lock's file goes with the workload: whoever waited for a file that is gone takes the one there is now.
        """
        lock = self.folder / ".locks" / name
        lock.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with lock.open("wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not _is_at(file, lock):
                    continue
                try:
                    yield
                finally:
                    if not self._home(name).exists():
                        lock.unlink(missing_ok=True)
                return

    @contextlib.contextmanager
    def _alive_lock(self, home: Path) -> Iterator[IO[bytes] | None]:
        """The open, locked file when nothing runs; None when a supervisor holds it. Only under ``_guarded``.

        A supervisor started meanwhile shares the open file, and so keeps the lock when it is closed here.
        """
        home.mkdir(mode=0o700, parents=True, exist_ok=True)  # a log may show what is nobody else's business
        with (home / "alive").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield file


def _of_the_machine() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _MACHINE.fullmatch(name)}


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _signal(facts: Path, signum: int, *, group: bool = False) -> bool:
    """Signal the process written down in ``facts`` if it is still that one, not another of the same id."""
    try:
        told = json.loads(facts.read_text())
    except FileNotFoundError:
        return False
    if not told["started"] or _local_supervisor.start_time(told["pid"]) != told["started"]:
        return False
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(told["pid"], signum)
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
