"""A database server that tests may kill, and a voice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.equipment import postgresql
from tests.speech import Say, speaker


@pytest.fixture
def database() -> Iterator[postgresql.Server]:
    """A PostgreSQL server of the test's own, with an empty database."""
    if reason := postgresql.unavailable():
        pytest.skip(reason)
    with postgresql.killable() as server:
        yield server


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Say:
    return speaker(tmp_path_factory.mktemp("said"))
