from __future__ import annotations

from pathlib import Path

import pytest

from tasks.common.data import open_target
from tasks.documents import generate


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made company's documents, as they lie in a version; made once and only read."""
    folder = tmp_path_factory.mktemp("documents") / "data"
    generate.bring(open_target(str(folder)))
    return folder
