"""Programs run as they are on compute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


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
