from __future__ import annotations

from pathlib import Path

import pytest

from tasks.chest import generate
from tasks.common.data import open_target

COUNT, SIDE = 90, 64


@pytest.fixture(scope="session")
def chests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set in NIH's layout, drawn once and only read."""
    folder = tmp_path_factory.mktemp("chests")
    generate.bring(open_target(str(folder)), list(generate.plan(1, COUNT)), 1, SIDE)
    return folder
