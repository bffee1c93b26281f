"""Programs of .venv-clients, started as a user starts them, and an emulator of their own with an S3 server.

Clients are processes in an environment that holds nothing of ours. They write below a temporary home only, and know the
emulator's certificate authority as a user tells them: by a variable or a setting, with verification on.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.environment import clients_environment
from tests.conftest import Emulator

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")
TIMEOUT_S = 120


@dataclass(frozen=True)
class Programs:
    """What is installed in .venv-clients, run in ``home`` with ``variables`` and little else of our environment."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return clients_environment().python.parent

    def run(
        self, program: str, *arguments: str | Path, stdin: str = "", timeout_s: float = TIMEOUT_S, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, whatever that is; TimeoutExpired when there is none."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment = kept | {"HOME": str(self.home)} | self.variables | variables
        return subprocess.run(
            [str(self.folder / program), *map(str, arguments)],
            cwd=self.home,
            env=environment | {"PATH": f"{self.folder}:{environment['PATH']}"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )


@pytest.fixture(scope="session")
def installed() -> None:
    """Skip where nobody has asked for the clients; `make test` has."""
    if not clients_environment().current():
        pytest.skip("the clients are not installed: python scripts/environment.py --clients")


@pytest.fixture(scope="module")
def system(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that a module shares, over HTTPS with a certificate authority of its own."""
    running = Emulator(tmp_path_factory.mktemp("clients") / "ontap").start()
    yield running
    running.close()


@pytest.fixture(scope="module")
def programs(system: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """A home that a module shares, in which requests, botocore and OpenSSL trust the emulator's authority."""
    names = ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE")
    return Programs(tmp_path_factory.mktemp("home"), {name: str(system.ca) for name in names})
