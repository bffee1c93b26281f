from __future__ import annotations

import pytest

from scripts.embedded import ports
from tests.serving import free_ports


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services take ports of the test's own: others, and whoever works on this machine, start theirs meanwhile."""
    monkeypatch.setattr(ports, "USUAL", dict(zip(ports.USUAL, free_ports(len(ports.USUAL)), strict=True)))
