"""Rules that the Dockerfile keeps, read from it: nothing is built here."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.images import DOCKERFILE, LABEL, NAMES, labels

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = {"python:3.11-slim-bookworm", "scratch"}
LABELS = {"title", "description", "version", "revision", "licenses", "source"}


@dataclass
class Stage:
    base: str
    name: str
    steps: list[tuple[str, str]]

    def all(self, word: str) -> list[str]:
        return [rest for instruction, rest in self.steps if instruction == word]


def stages() -> dict[str, Stage]:
    lines = [line for line in (ROOT / DOCKERFILE).read_text().splitlines() if not line.startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name, []))
        elif word:
            found[-1].steps.append((word, rest))
    assert len({stage.name for stage in found}) == len(found)
    return {stage.name: stage for stage in found}


STAGES = stages()


def lineage(name: str) -> list[Stage]:
    """The image's stage and those which it stands on, the base first."""
    line = [STAGES[name]]
    while line[0].base in STAGES:
        line.insert(0, STAGES[line[0].base])
    return line


every_image = pytest.mark.parametrize(("name", "line"), [(name, lineage(name)) for name in NAMES], ids=NAMES)


def every(word: str) -> list[str]:
    return [rest for stage in STAGES.values() for rest in stage.all(word)]


def last(line: list[Stage], word: str) -> str:
    return [rest for stage in line for rest in stage.all(word)][-1]


def test_every_stage_is_an_image_or_for_one():
    used = {stage.base for stage in STAGES.values()} | {name for rest in every("COPY") for name in copied_from(rest)}
    assert set(STAGES) - used == set(NAMES)


def copied_from(rest: str) -> list[str]:
    return re.findall(r"--from=(\S+)", rest)


def test_bases_are_public_and_pinned_or_stages_of_the_file():
    assert {stage.base for stage in STAGES.values()} - set(STAGES) <= PUBLIC
    assert {name for rest in every("COPY") for name in copied_from(rest)} <= set(STAGES)


@every_image
def test_it_runs_as_a_user_without_rights(name: str, line: list[Stage]):
    assert last(line, "USER") == "10001:10001"


@every_image
def test_a_signal_reaches_the_program(name: str, line: list[Stage]):
    """In the exec form no shell stands in front of it."""
    for word in ("ENTRYPOINT", "CMD"):
        assert json.loads(last(line, word))
    check = last(line, "HEALTHCHECK")
    assert check == "NONE" if name == "tasks" else json.loads(check.split(" CMD ")[1])


@every_image
def test_it_is_labelled(name: str, line: list[Stage]):
    lines = " ".join(rest for stage in line for rest in stage.all("LABEL"))
    told = dict(re.findall(LABEL + r"(\w+)=\"([^\"]*)\"", lines))
    assert told["title"] == f"ontap-mlops-{name}"
    assert set(told) | set(labels()) == LABELS and not set(told) & set(labels())


@every_image
def test_nothing_is_compiled_or_cached_in_it(name: str, line: list[Stage]):
    for command in [rest for stage in line for rest in stage.all("RUN")]:
        assert not re.search(r"\bpip\b|\buv\b|build-essential|\bgcc\b", command)
        if "apt-get" in command:
            assert "--no-install-recommends" in command and "rm -rf /var/lib/apt/lists/*" in command


def test_installations_are_held_to_the_pins_and_leave_no_cache():
    installing = [command for command in every("RUN") if re.search(r"pip install", command)]
    assert len(installing) >= len(NAMES)
    for command in installing:
        assert command.startswith("--mount=type=cache,target=/root/.cache --mount=type=secret,id=")
        assert re.search(r"-c /build/constraints.txt|--no-deps", command)


def test_no_secret_is_an_argument_or_variable_of_a_build():
    assert not re.search(r"(?i)password|secret|token|key|credential", "\n".join([*every("ARG"), *every("ENV")]))
    assert not every("ADD")


def test_what_is_copied_is_there_and_let_through():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for rest in (rest for rest in every("COPY") if not copied_from(rest)):
        for path in rest.split()[:-1]:
            assert path.split("/")[0] in allowed and (ROOT / path).exists(), path


def test_everything_that_an_image_installs_is_pinned():
    pins = {pinned(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    for file in (ROOT / "docker").glob("*/requirements.txt"):
        if file.parent.name == "triton":  # pins its own
            continue
        asked = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        assert {pinned(line) for line in asked} <= pins, file


def pinned(line: str) -> str:
    return re.split(r"[\[=<>]", line)[0].lower().replace("_", "-")


OTHERWISE = {"yaml": "pyyaml", "prometheus_client": "prometheus-client", "mcp_types": "mcp"}
"""Packages that are not called as what one imports of them."""


@pytest.mark.parametrize(
    ("image", "patterns"),
    [
        ("emulator", ("emulator/**/*.py",)),
        ("services", ("services/*.py", "services/dialog/*.py", "services/calls/**/*.py")),
        ("documents", ("services/documents/*.py",)),
    ],
)
def test_everything_that_a_service_imports_is_in_its_image(image: str, patterns: tuple[str, ...]):
    files = [file for each in patterns for file in ROOT.glob(each)]
    imported = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").split(".")[0])
    foreign = imported - sys.stdlib_module_names - {"emulator", "services", "tasks"}
    named = {pinned(line) for line in (ROOT / "docker" / image / "requirements.txt").read_text().splitlines()}
    assert {OTHERWISE.get(name, name) for name in foreign} - named <= {"anyio"}  # starlette's


def test_everything_that_a_program_imports_is_in_its_image():
    printed = subprocess.run(
        [sys.executable, "docker/tasks/requirements.py", "tasks/pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {"torch", "onnxruntime", "boto3>=1.40"} <= set(printed)
    assert not [line for line in printed if line.startswith(("apache-airflow", "netapp"))]
