"""Rules that every Dockerfile keeps, read from the files: nothing is built here."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.images import IMAGES

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = {"python:3.11-slim-bookworm", "scratch"}
FILES = sorted((ROOT / "docker").glob("*/Dockerfile"))
LABELS = {"title", "description", "version", "revision", "licenses", "source"}


@dataclass
class Stage:
    base: str
    name: str
    steps: list[tuple[str, str]]

    def all(self, word: str) -> list[str]:
        return [rest for instruction, rest in self.steps if instruction == word]


def stages(file: Path) -> list[Stage]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name, []))
        elif word:
            found[-1].steps.append((word, rest))
    return found


def images() -> list[tuple[str, list[Stage]]]:
    """Each image with its stage and those which that one stands on, the base first."""
    made = []
    for image in IMAGES.values():
        named = {stage.name: stage for stage in stages(ROOT / image.dockerfile)}
        line = [named[image.name]]
        while line[0].base in named:
            line.insert(0, named[line[0].base])
        made.append((image.name, line))
    return made


every_file = pytest.mark.parametrize("file", FILES, ids=[file.parent.name for file in FILES])
every_image = pytest.mark.parametrize(("name", "line"), images(), ids=list(IMAGES))


def last(line: list[Stage], word: str) -> str:
    return [rest for stage in line for rest in stage.all(word)][-1]


def test_every_dockerfile_makes_an_image():
    assert {image.dockerfile for image in IMAGES.values()} == {str(file.relative_to(ROOT)) for file in FILES}


@every_file
def test_bases_are_public_and_pinned_or_stages_of_the_file(file: Path):
    found = stages(file)
    own = {stage.name for stage in found}
    assert {stage.base for stage in found} - own <= PUBLIC
    copied = [re.findall(r"--from=(\S+)", rest) for stage in found for rest in stage.all("COPY")]
    assert {name for names in copied for name in names} <= own


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
    told = [pair for stage in line for rest in stage.all("LABEL") for pair in re.findall(r"\.(\w+)=\"([^\"]*)\"", rest)]
    assert set(dict(told)) == LABELS
    assert dict(told)["title"] == f"ontap-mlops-{name}"
    assert {dict(told)[key] for key in ("version", "revision", "source")} == {"$VERSION", "$REVISION", "$SOURCE"}


@every_image
def test_nothing_is_compiled_or_cached_in_it(name: str, line: list[Stage]):
    for command in [rest for stage in line for rest in stage.all("RUN")]:
        assert not re.search(r"\bpip\b|\buv\b|build-essential|\bgcc\b", command)
        if "apt-get" in command:
            assert "--no-install-recommends" in command and "rm -rf /var/lib/apt/lists/*" in command


@every_file
def test_installations_are_held_to_the_pins_and_leave_no_cache(file: Path):
    installing = [r for stage in stages(file) for r in stage.all("RUN") if re.search(r"pip install", r)]
    assert installing
    for command in installing:
        assert command.startswith("--mount=type=cache,target=/root/.cache --mount=type=secret,id=")
        assert re.search(r"-c /build/constraints.txt|--no-deps", command)


@every_file
def test_no_secret_is_an_argument_or_variable_of_a_build(file: Path):
    given = [rest for stage in stages(file) for word in ("ARG", "ENV") for rest in stage.all(word)]
    assert not re.search(r"(?i)password|secret|token|key|credential", "\n".join(given))
    assert not [rest for stage in stages(file) for rest in stage.all("ADD")]


@every_file
def test_what_is_copied_is_there_and_let_through(file: Path):
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for rest in (rest for stage in stages(file) for rest in stage.all("COPY") if "--from" not in rest):
        for path in rest.split()[:-1]:
            assert path.split("/")[0] in allowed and (ROOT / path).exists(), path


def test_both_images_with_the_programs_make_them_alike():
    """Then the second build finds what the first has made, and neither lags behind."""
    (worker,) = [stage for stage in stages(ROOT / "docker/airflow/Dockerfile") if stage.name == "programs"]
    (tasks,) = [stage for stage in stages(ROOT / "docker/tasks/Dockerfile") if stage.name == "programs"]
    assert worker == tasks


def test_everything_that_an_image_installs_is_pinned():
    pins = {pinned(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    for file in (ROOT / "docker").glob("*/requirements.txt"):
        if file.parent.name == "triton":  # pins its own
            continue
        asked = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        assert {pinned(line) for line in asked} <= pins, file


def pinned(line: str) -> str:
    return re.split(r"[\[=<>]", line)[0].lower().replace("_", "-")


def test_everything_that_the_emulator_imports_is_in_its_image():
    nodes = (node for file in (ROOT / "emulator").rglob("*.py") for node in ast.walk(ast.parse(file.read_text())))
    imported = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").split(".")[0])
    foreign = imported - sys.stdlib_module_names - {"emulator"}
    named = {pinned(line) for line in (ROOT / "docker/emulator/requirements.txt").read_text().splitlines()}
    assert foreign - named <= {"anyio"}  # starlette's


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
