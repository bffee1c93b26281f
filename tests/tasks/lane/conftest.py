from __future__ import annotations

from pathlib import Path

import pytest

from tasks.common.data import open_target
from tasks.lane import samples

COUNT, WIDTH = 24, 160


@pytest.fixture(scope="session")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, drawn once and only read."""
    folder = tmp_path_factory.mktemp("lanes")
    samples.bring(open_target(str(folder)), COUNT, WIDTH)
    return folder
