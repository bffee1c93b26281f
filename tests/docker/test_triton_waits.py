"""The inference server of a container before the first deployment has made its folder of models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

SERVE = Path(__file__).resolve().parents[2] / "docker" / "triton" / "serve.py"


def test_it_ends_when_told_while_it_waits_for_the_first_model(tmp_path: Path) -> None:
    server = tmp_path / "tritonserver"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    command = [sys.executable, str(SERVE), "--repository", str(tmp_path / "models")]
    found = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(command, env=found, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None and "waiting for the model repository" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(60) == 0, "of its own accord, and not by the signal"
