"""How the image of our programs is built, without building it: what it holds, and where its packages come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import tasks_image

ROOT = Path(__file__).resolve().parents[2]


def test_everything_a_program_imports_is_a_requirement_of_the_image():
    printed = subprocess.run(
        [sys.executable, "docker/tasks/requirements.py", "tasks/pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {"torch", "onnxruntime", "boto3>=1.40"} <= set(printed)
    assert not [line for line in printed if line.startswith(("apache-airflow", "netapp"))]


def test_the_dockerfile_copies_only_what_the_build_may_see():
    copied = [
        word
        for line in (ROOT / tasks_image.DOCKERFILE).read_text().splitlines()
        if line.startswith("COPY")
        for word in line.split()[1:-1]
    ]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [path for path in copied if path.split("/")[0] not in allowed] == []
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_folders_in_which_pip_looks_here_are_seen_by_the_build(tmp_path: Path):
    wheels, index = tmp_path / "wheels", tmp_path / "index" / "simple"
    wheels.mkdir()
    index.mkdir(parents=True)
    told = f"global.find-links='{wheels}'\nglobal.extra-index-url='file://{index} https://pypi.example/simple'\n"
    told += "global.cert='/etc/ssl/certs/ca.crt'\nglobal.no-such='/nowhere'\n"
    assert tasks_image.package_folders(told) == [str(tmp_path / "index"), str(wheels)]


def test_without_docker_and_podman_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(tasks_image.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="Neither docker nor podman was found; install one"):
        tasks_image.tool_of_this_machine()
