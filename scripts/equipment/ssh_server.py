"""An OpenSSH server on loopback with keys of its own, which lets in whoever has the user's key that it made."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.equipment import processes

PACKAGES = ("openssh-server",)
START_S = 20


def unavailable() -> str | None:
    """Return in one sentence why none can run here; None when one can."""
    if processes.program("sshd") is None and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        return "OpenSSH's server is not installed, and cannot be by this user"
    return None


@dataclass(frozen=True)
class SshServer:
    folder: Path
    port: int

    @property
    def user_key(self) -> Path:
        return self.folder / "user_key"

    @property
    def host_key(self) -> str:
        """Its public half, as clients write it down: type and key."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    @property
    def user(self) -> str:
        return getpass.getuser()

    def up(self) -> None:
        """Start it, and make its keys the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("host_key", "user_key"):
            if not (self.folder / name).exists():
                make_key(self.folder / name)
        self.admit(self.user_key)
        (self.folder / "sshd_config").write_text(self._config())
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself up; distributions make it at boot
        command = ["sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")]
        processes.launch(command, env=dict(os.environ), log=self.folder / "log", pid_file=self._pid)
        deadline = time.monotonic() + START_S
        while not self._answers():
            if not processes.alive(self._pid) or time.monotonic() > deadline:
                raise RuntimeError(f"sshd does not answer on port {self.port}; {self.folder}/log says why")
            time.sleep(0.05)

    def down(self) -> None:
        """End it; sessions that are open go on until their clients close them."""
        processes.end(self._pid)

    def admit(self, key: Path | None) -> None:
        """Let in whoever has this key, and nobody else; None lets nobody in."""
        allowed = key.with_suffix(".pub").read_text() if key else ""
        (self.folder / "authorized_keys").write_text(allowed)

    @property
    def _pid(self) -> Path:
        return self.folder / "started"

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _config(self) -> str:
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder}/host_key",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            f"PidFile {self.folder}/sshd.pid",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "StrictModes no",
        ]
        return "\n".join(lines) + "\n"


def make_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ontap-mlops-test", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
