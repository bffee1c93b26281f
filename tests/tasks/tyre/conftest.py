from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.common.data import open_target
from tasks.tyre import samples
from tests.lake import Lake

COUNT = 72


@pytest.fixture(scope="session")
def tyres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, drawn once and only read."""
    folder = tmp_path_factory.mktemp("tyres")
    samples.bring(open_target(str(folder)), list(samples.plan(COUNT, seed=1, revision=1)), processes=1)
    return folder


@pytest.fixture(scope="module")
def running_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("lake") / "data"
    folder.mkdir()
    lake = Lake(folder)
    lake.start()
    lake.client.create_bucket(Bucket="lake")
    yield lake
    lake.stop()


@pytest.fixture
def lake(running_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    for name, value in running_lake.environment.items():
        monkeypatch.setenv(name, value)
    return running_lake
