"""Keep the programs running: one supervisord per folder, detached from the terminal, spoken to over its socket."""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ontap_mlops import settings
from scripts.embedded import environment
from scripts.embedded.catalog import Ports, Program
from scripts.embedded.environment import FOREIGN
from scripts.embedded.launch import INSTANCE_VARIABLE
from scripts.embedded.layout import ROOT, Layout

SOCKET_PATH_LIMIT = 100  # the kernel takes 107 bytes; supervisord adds its process id while it binds
STOPPING_S = 60
ANSWER_S = 60.0
DEAD = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")

# Holds no path: a blank, quote, percent or comment sign in one would be read as the file's own. supervisord works in
# the file's folder, and paths that lie elsewhere stand in the script `start` beside it.
_HEAD = """\
[supervisord]
logfile=supervisord.log
pidfile=supervisord.pid
childlogdir=.
{user}
[unix_http_server]
file=%(ENV_{socket})s
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
_PROGRAM = """
[program:{name}]
command=./start {name}
environment=STARTED_FOR="{digest}"
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
redirect_stderr=true
autorestart=true
startsecs={settled_s}
startretries=1
stopwaitsecs={stop_s}
stopasgroup=true
killasgroup=true
"""
_START = """\
#!/bin/sh
cd {root} && exec {python} -m scripts.embedded.launch "$1" {local}
"""
_SOCKET_VARIABLE = "MLOPS_SUPERVISOR_SOCKET"


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class _OverSocket(xmlrpc.client.Transport):
    """supervisord's own client waits for ever when the daemon is frozen; this one gives up with a TimeoutError."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _SocketConnection(self.path)


class Supervisor:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.supervisor
        self.config = self.folder / "supervisord.conf"

    @property
    def socket(self) -> Path:
        """In the folder, or, where that path is too long for a socket, in a private temporary one."""
        path = self.folder / "supervisor.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            return path
        return Path(tempfile.gettempdir()) / f"ontap-mlops-{os.getuid()}" / f"{self.layout.instance}.sock"

    def write_config(self, programs: Iterable[Program], ports: Ports) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        text = _HEAD.format(socket=_SOCKET_VARIABLE, user="user=root" if os.getuid() == 0 else "")
        for program in programs:
            text += _PROGRAM.format(
                name=program.name,
                log=os.path.relpath(self.layout.log(program.name), self.folder),
                settled_s=program.settled_s,
                stop_s=program.stop_s,
                digest=self._digest(program, ports),
            )
        self.config.write_text(text)
        self._write_start()

    def configured(self) -> set[str]:
        """Return the programs that were to run at the last start; none before the first."""
        file = configparser.RawConfigParser()
        file.read(self.config)
        return {name.removeprefix("program:") for name in file.sections() if name.startswith("program:")}

    def _write_start(self) -> None:
        """Write the script that becomes a program, in whole, since a restarting program may read it at any time."""
        words = {"root": ROOT, "python": sys.executable, "local": self.layout.local}
        draft = self.folder / "start.new"
        draft.write_text(_START.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
        draft.chmod(0o700)
        draft.replace(self.folder / "start")

    def _digest(self, program: Program, ports: Ports) -> str:
        """Changes when what the program is started with changes, so that supervisord restarts it, and only it."""
        variables = program.variables(self.layout, ports)
        if program.name != "airflow-scheduler":  # only the scheduler's children run code of this commit
            variables.pop(settings.variable("code_commit"), None)
        own = {k: v for k, v in variables.items() if k.startswith((*FOREIGN, "TRITON_"))}
        if program.name == "airflow-api-server":  # one of Airflow's programs writes them, and this one ends no task
            own["connections"] = environment.connections_digest(self.layout, ports)
        facts = repr((program.command(self.layout, ports), sorted(own.items())))
        return hashlib.sha256(facts.encode()).hexdigest()

    @property
    def rpc(self) -> Any:
        return xmlrpc.client.ServerProxy("http://localhost", transport=_OverSocket(self.socket)).supervisor

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return supervisord's facts per program; {} when it does not run."""
        try:
            return {facts["name"]: facts for facts in self.rpc.getAllProcessInfo()}
        except (OSError, http.client.HTTPException, xmlrpc.client.Fault):
            return {}

    def start(self) -> None:
        """Have every program of the configuration run; restart those whose start has changed."""
        if not self.is_running():
            self._start_daemon()
            return
        try:
            added, changed, removed = self.rpc.reloadConfig()[0]
        except xmlrpc.client.Fault:  # an earlier release has started it, and it cannot read this one's configuration
            self.stop()
            self._start_daemon()
            return
        for name in (*changed, *removed):
            self.rpc.stopProcessGroup(name)
            self.rpc.removeProcessGroup(name)
        for name in (*added, *changed):
            self.rpc.addProcessGroup(name)
        for name, facts in self.processes().items():
            if facts["statename"] in DEAD:
                self.rpc.startProcess(name, False)

    def restart(self, names: Collection[str]) -> None:
        """End these programs, side by side, and start them again."""
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it is not running
                self.rpc.stopProcess(name, False)
        deadline = time.monotonic() + STOPPING_S
        while any(self.processes()[name]["statename"] not in DEAD for name in names) and time.monotonic() < deadline:
            time.sleep(0.1)
        for name in names:
            self.rpc.startProcess(name, False)

    def is_running(self) -> bool:
        """Say whether it runs. While it ends, wait until that is over, so that a new one may be started."""
        deadline = time.monotonic() + STOPPING_S
        while time.monotonic() < deadline:
            try:
                self.rpc.getState()
                return True
            except xmlrpc.client.Fault:  # it is shutting down
                time.sleep(0.1)
            except (OSError, http.client.HTTPException):
                return False
        raise SystemExit(f"The supervisor has been ending for {STOPPING_S} s; see {self.folder / 'supervisord.log'}.")

    def _start_daemon(self) -> None:
        self.socket.unlink(missing_ok=True)
        daemon = [sys.executable, "-m", "supervisor.supervisord", "-c", self.config.name]
        environment = os.environ | {INSTANCE_VARIABLE: self.layout.instance, _SOCKET_VARIABLE: str(self.socket)}
        done = subprocess.run(daemon, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"The supervisor did not start: {(done.stderr or done.stdout).strip()}")
        deadline = time.monotonic() + 10
        while not self.is_running():
            if time.monotonic() > deadline:
                raise SystemExit(f"The supervisor does not answer; see {self.folder / 'supervisord.log'}.")
            time.sleep(0.05)

    def stop(self) -> None:
        """End every process of this folder.

        Airflow ends first, then the programs it has started, while the services they still write to are there.
        """
        if self.is_running():
            with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Fault):
                self._stop_airflow()
                end(self.layout.instance, keep=self._supervised())
                self.rpc.stopAllProcesses()  # side by side; a shutdown alone ends one after the other
                self.rpc.shutdown()
            self.is_running()
        end(self.layout.instance)

    def _stop_airflow(self) -> None:
        names = [name for name in self.processes() if name.startswith("airflow-")]
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it is not running
                self.rpc.stopProcess(name, False)
        deadline = time.monotonic() + STOPPING_S
        while any(self.processes()[name]["statename"] == "STOPPING" for name in names) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _supervised(self) -> set[int]:
        """Return the ids of supervisord and of all that descends from it."""
        parents = {pid: parent(pid) for pid in members(self.layout.instance)}
        found = {int((self.folder / "supervisord.pid").read_text())}
        while more := {pid for pid, its_parent in parents.items() if its_parent in found} - found:
            found |= more
        return found


def members(instance: str) -> list[int]:
    """Return the processes with this folder's mark in their environment: children inherit it, groups do not lose it."""
    mark = f"{INSTANCE_VARIABLE}={instance}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def end(instance: str, grace_s: float = 10, keep: Collection[int] = ()) -> None:
    """Send SIGTERM to every process of the folder, SIGKILL to those that stay; trainings write a checkpoint first."""
    for number, seconds in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5)):
        for pid in set(members(instance)).difference(keep):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while set(members(instance)).difference(keep) and time.monotonic() < deadline:
            time.sleep(0.1)
