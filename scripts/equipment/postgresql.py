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
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.equipment.slurm_cluster import EquipmentError, install

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
    reason = unavailable()
    if reason:
        raise EquipmentError(reason)
    if programs() is None:
        install(("postgresql",))
    folder = Path(tempfile.mkdtemp(prefix="ontap-mlops-postgresql-"))
    try:
        with _Server(folder, secrets.token_urlsafe(16), _user()).started() as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> pwd.struct_passwd | None:
    """Return whom root lends to the server; None for anybody else, who runs it himself."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EquipmentError(f"PostgreSQL runs as no root and this machine has none of the users {', '.join(UNPRIVILEGED)}")


@dataclass(frozen=True)
class _Server:
    folder: Path
    password: str
    user: pwd.struct_passwd | None

    @contextlib.contextmanager
    def started(self) -> Iterator[str]:
        told, data = self.folder / "password", self.folder / "data"
        told.touch(mode=0o600)
        told.write_text(self.password)
        if self.user:
            for path in (self.folder, told):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        options = ["--auth=scram-sha-256", "--username", NAME, "--pwfile", str(told), "--no-sync", "--encoding=UTF8"]
        self._run(["initdb", *options, "-D", str(data)])
        process, port = self._on_a_free_port(data)
        try:
            self._run(["createdb", "-h", HOST, "-p", str(port), "-U", NAME, NAME])
            yield f"postgresql+psycopg2://{NAME}:{self.password}@{HOST}:{port}/{NAME}"
        finally:
            process.send_signal(signal.SIGINT)  # it cuts every connection and ends
            process.wait()

    def _on_a_free_port(self, data: Path) -> tuple[subprocess.Popen[str], int]:
        log = self.folder / "log"
        for _ in range(TRIES):
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                port = probe.getsockname()[1]
            settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
            process = self._popen(["postgres", "-D", str(data), "-p", str(port), *settings], log)
            if self._answers(process, port):
                return process, port
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

    def _run(self, command: list[str]) -> None:
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
