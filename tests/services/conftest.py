"""A database server that tests may kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.equipment import postgresql


@pytest.fixture
def database() -> Iterator[postgresql.Server]:
    """A PostgreSQL server of the test's own, with an empty database."""
    if reason := postgresql.unavailable():
        pytest.skip(reason)
    with postgresql.killable() as server:
        yield server
