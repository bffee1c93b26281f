"""A PostgreSQL server of one's own, for tests: in a temporary folder, on loopback, gone with whoever started it.

    with postgresql.server() as url: ...     ``postgresql+psycopg2://...`` of an empty database

Debian's package ``postgresql`` is installed where its programs are missing and that is possible. Root's server runs as
another user, since PostgreSQL refuses to run as root. What is written is not flushed to the disk: it is for tests only.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.equipment.slurm_cluster import EquipmentError, free_ports, install

HOST = "127.0.0.1"
NAME = "airflow"
START_S = 60
TRIES = 5  # at a free port, which another program may take before the server does
UNPRIVILEGED = ("postgres", "nobody")
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
}


def programs() -> Path | None:
    """Return the folder of the newest server's programs; None where none is installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: float(folder.parent.name))
    other = shutil.which("initdb")
    return Path(other).resolve().parent if other else None


def unavailable() -> str | None:
    """Return in one sentence why no PostgreSQL can run here; None when one can."""
    if programs() is None and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        return "PostgreSQL is not installed: PATH and /usr/lib/postgresql have no initdb; install Debian's postgresql"
    return None


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start one, give the URL of its empty database, and end it; EquipmentError says in a sentence what failed."""
    with killable() as running:
        yield running.url


@contextlib.contextmanager
def killable() -> Iterator[Server]:
    """As ``server``, but give the server itself, which may be killed and started again."""
    reason = unavailable()
    if reason:
        raise EquipmentError(reason)
    if programs() is None:
        install(("postgresql",))
    folder = Path(tempfile.mkdtemp(prefix="ontap-mlops-postgresql-"))
    made = Server(folder, secrets.token_urlsafe(16), _user())
    try:
        made.lay_out()
        made.start()
        made.run(["createdb", "-h", HOST, "-p", str(made.port), "-U", NAME, NAME])
        yield made
    finally:
        made.stop(signal.SIGINT)  # it cuts every connection and ends
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> pwd.struct_passwd | None:
    """Return whom root lends to the server; None for anybody else, who runs it himself."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EquipmentError(f"PostgreSQL runs as no root and this machine has none of the users {', '.join(UNPRIVILEGED)}")


@dataclass
class Server:
    """One server, over its folder; it keeps its port when it is started again."""

    folder: Path
    password: str
    user: pwd.struct_passwd | None
    port: int = 0
    _process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://{NAME}:{self.password}@{HOST}:{self.port}/{NAME}"

    def lay_out(self) -> None:
        told = self.folder / "password"
        told.touch(mode=0o600)
        told.write_text(self.password)
        if self.user:
            for path in (self.folder, told):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        options = ["--auth=scram-sha-256", "--username", NAME, "--pwfile", str(told), "--no-sync", "--encoding=UTF8"]
        self.run(["initdb", *options, "-D", str(self.folder / "data")])

    def kill(self) -> None:
        """End all its processes at once, in the middle of whatever they do; its next start recovers from its log."""
        self.stop(signal.SIGQUIT)

    def stop(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def start(self) -> None:
        """Come back when it answers."""
        log = self.folder / "log"
        for _ in range(TRIES):
            # Not a port that the kernel gives to connections: who asks a server that is away could connect to itself.
            port = self.port or free_ports(1)
            settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
            process = self._popen(["postgres", "-D", str(self.folder / "data"), "-p", str(port), *settings], log)
            if self._answers(process, port):
                self.port, self._process = port, process
                return
            process.kill()
            process.wait()
            if "Address already in use" not in log.read_text():
                break
        last = (log.read_text().strip() or "nothing said").splitlines()[-1]
        raise EquipmentError(f"PostgreSQL did not start within {START_S} s; its log ends: {last}")

    def _answers(self, process: subprocess.Popen[str], port: int) -> bool:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            asked = self._popen(["pg_isready", "-q", "-h", HOST, "-p", str(port)])
            asked.communicate()
            if asked.returncode == 0 and process.poll() is None:
                return True
            time.sleep(0.1)
        return False

    def run(self, command: list[str]) -> None:
        started = self._popen(command)
        said, _ = started.communicate()
        if started.returncode:
            last = (said.strip() or "nothing said").splitlines()[-1]
            raise EquipmentError(f"`{command[0]}` of PostgreSQL failed: {last}")

    def _popen(self, command: list[str], log: Path | None = None) -> subprocess.Popen[str]:
        folder = programs()
        assert folder, "looked for before"
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "PGPASSWORD": self.password}
        with log.open("a") if log else contextlib.nullcontext(subprocess.PIPE) as output:
            return subprocess.Popen(
                [str(folder / command[0]), *command[1:]],
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                user=self.user.pw_uid if self.user else None,
                group=self.user.pw_gid if self.user else None,
                extra_groups=() if self.user else None,
            )
