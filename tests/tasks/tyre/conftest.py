from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tasks.common.data import open_target
from tasks.tyre import samples

COUNT = 72

# pytest puts tests/ on the path, where torch, looking for its compiler, would take the folder tests/triton for it.
sys.path[:] = [entry for entry in sys.path if Path(entry) != Path(__file__).parents[2]]


@pytest.fixture(scope="session")
def tyres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, drawn once and only read."""
    folder = tmp_path_factory.mktemp("tyres")
    samples.bring(open_target(str(folder)), list(samples.plan(COUNT, seed=1, revision=1)), processes=1)
    return folder
