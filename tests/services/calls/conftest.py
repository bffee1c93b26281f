"""A store of calls in a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.calls.store import Store
from tests import databases


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database: on PostgreSQL where the suite runs on it, one for each file of tests; else a file."""
    there = databases.settings(request.module.__name__)
    return there["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] if there else f"sqlite:///{tmp_path / 'calls.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()
