"""A browser, and a dialog service for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from talking import Served

from scripts import browser as chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium.chromium() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser() as running:
        yield running


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(f"sqlite:///{tmp_path / 'talk.db'}")
    served.start()
    yield served
    served.stop()
