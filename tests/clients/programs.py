"""Programs of .venv-clients, started as a user starts them.

They are processes in an environment that holds nothing of ours. They write below a temporary home only, and know the
emulator's certificate authority as a user tells them: by a variable or a setting, with verification on.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from scripts.environment import clients_environment

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")
TIMEOUT_S = 120


@dataclass(frozen=True)
class Programs:
    """What is installed in .venv-clients, run in ``home`` with ``variables`` and little else of our environment."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return clients_environment().python.parent

    def run(
        self, program: str, *arguments: str | Path, stdin: str = "", timeout_s: float = TIMEOUT_S, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, whatever that is; TimeoutExpired when there is none."""
        process = self.start(program, *arguments, **variables)
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(
        self, program: str, *arguments: str | Path, stderr: int | IO[str] = subprocess.PIPE, **variables: str
    ) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment = kept | {"HOME": str(self.home)} | self.variables | variables
        return subprocess.Popen(
            [str(self.folder / program), *map(str, arguments)],
            cwd=self.home,
            env=environment | {"PATH": f"{self.folder}:{environment['PATH']}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
