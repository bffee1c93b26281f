from __future__ import annotations

from pathlib import Path

import pytest

from tasks.common.data import open_target
from tasks.retail import generate


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set in the published form, made once and only read."""
    folder = tmp_path_factory.mktemp("questions")
    generate.bring(open_target(str(folder)), list(generate.plan(1, 200)))
    return folder
