"""A real S3 server with one bucket, and programs run as they are on compute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lake import Lake


@pytest.fixture(scope="session")
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


class Program:
    """Runs ``python -m <module>`` as a runner does, and gives exit code, result and last sentence."""

    def __init__(self, module: str, folder: Path) -> None:
        self.module, self.result_file = module, folder / "result.json"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        self.result_file.unlink(missing_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            env={**os.environ, "RESULT_FILE": str(self.result_file)},
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        process = self.start(*arguments)
        _, said = process.communicate(timeout=120)
        result = json.loads(self.result_file.read_text()) if self.result_file.exists() else {}
        return process.returncode, result, said.strip().splitlines()[-1] if said.strip() else ""


@pytest.fixture
def program_of(tmp_path: Path) -> Callable[[str], Program]:
    return lambda module: Program(module, tmp_path)
