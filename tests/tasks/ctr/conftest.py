from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.common import program
from tasks.ctr import generate, synthetic, train

ROWS = 24_000
Trained = tuple[int, dict[str, Any]]

# pytest puts tests/ on the path, where a library may take the folder tests/triton for its own.
sys.path[:] = [entry for entry in sys.path if Path(entry) != Path(__file__).parents[2]]


@pytest.fixture(scope="session")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small days, only read."""
    folder = tmp_path_factory.mktemp("clicks")
    world = synthetic.world(5, 0, generate.CLICK_RATE, generate.DRIFT)
    later = synthetic.world(5, 1, generate.CLICK_RATE, generate.DRIFT)
    (folder / "day_0").write_bytes(synthetic.block(world, 0, ROWS)[0])
    (folder / "day_1").write_bytes(synthetic.block(later, 0, ROWS // 4)[0])
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Trained]:
    """A program run in this process: exit code and result."""

    def call(main: Callable[[], Any], *flags: object) -> Trained:
        result = tmp_path / "result.json"
        result.unlink(missing_ok=True)
        monkeypatch.setenv("RESULT_FILE", str(result))
        monkeypatch.setattr(sys, "argv", ["program", *map(str, flags)])
        code = program.exit_code(main)
        return code, json.loads(result.read_text()) if code == 0 else {}

    return call


@pytest.fixture
def trained(run: Callable[..., Trained]) -> Callable[..., Trained]:
    """A training of day_0, on Dask in this process where no other engine is named."""

    def call(data: Path, output: Path, *flags: object) -> Trained:
        where = ("--engine=dask", "--scheduler=in-process", "--day=day_0")
        return run(train.main, f"--data={data}", f"--output={output}", *where, *flags)

    return call
