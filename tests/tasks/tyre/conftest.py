from __future__ import annotations

from pathlib import Path

import pytest

from tasks.common.data import open_target
from tasks.tyre import samples

COUNT = 72


@pytest.fixture(scope="session")
def tyres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, drawn once and only read."""
    folder = tmp_path_factory.mktemp("tyres")
    samples.bring(open_target(str(folder)), list(samples.plan(COUNT, seed=1, revision=1)), processes=1)
    return folder
