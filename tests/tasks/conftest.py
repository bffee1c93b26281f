"""A real S3 server with one bucket, for the programs' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lake import Lake


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
