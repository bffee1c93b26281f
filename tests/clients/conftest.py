"""An emulator of their own for clients that others wrote, over HTTPS, and a home for them to run in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from programs import Programs

from scripts.environment import clients_environment
from tests.conftest import Emulator


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
