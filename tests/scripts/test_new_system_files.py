"""`make new-system`: the files it writes parse, train and keep the house's rules, before anybody has changed them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import new_system

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of what the new system joins, with the system `probe` in it."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("config", "dags", "tasks", "tests/dags", "tests/journey", "scripts", "plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "tests/databases.py", "tests/least_rights.py", "tests/pages.py"):
        shutil.copy(ROOT / name, folder / name)
    new_system.write("probe", folder)
    return folder


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR": str(checkout / "config"),
        "PYTHONPATH": f"{checkout}:{checkout / 'plugins'}",
    }
    return subprocess.run([sys.executable, *arguments], cwd=checkout, env=env, capture_output=True, text=True)


def test_its_dag_keeps_the_rules_of_every_dag(checkout):
    """The graph's rules and the inventory, in a checkout that has one system more."""
    done = run(checkout, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/dags/test_graph.py")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "probe" in (checkout / "tests/dags/inventory.py").read_text()


def test_its_own_tests_pass(checkout):
    done = run(checkout, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/tasks/probe")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout


def test_its_journey_is_found_with_the_others(checkout):
    """It is run, for a system written just then, by tests/journey/test_new_system.py."""
    done = run(checkout, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "tests/journey")
    assert "tests/journey/test_probe.py::test_from_measurements_to_a_deployed_model" in done.stdout, done.stdout[-3000:]


def test_a_page_of_a_new_system_is_short(checkout):
    assert len((checkout / "dags/probe.py").read_text().splitlines()) <= 120


def test_nothing_of_the_template_is_left_in_the_names(checkout):
    written = [path for path in checkout.rglob("*probe*") if path.is_file()]
    assert written
    for path in [*written, *(checkout / "tasks/probe").glob("*.py")]:
        assert "newsystem" not in path.read_text().lower(), path


def test_its_files_are_formatted_and_clean(checkout):
    files = [
        "dags/probe.py",
        "tasks/probe",
        "scripts/systems/probe.py",
        "tests/tasks/probe",
        "tests/journey/test_probe.py",
    ]
    for command in (["check"], ["format", "--check"]):
        done = run(checkout, "-m", "ruff", *command, *files)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["Probe", "x", "1st", "two words", "../up", "a" * 21])
def test_a_name_that_is_none_is_refused_and_nothing_is_written(checkout, name):
    before = sorted(checkout.rglob("*.py"))
    with pytest.raises(ValueError, match="cannot be called .* 2 to 20 of a-z"):
        new_system.write(name, checkout)
    assert sorted(checkout.rglob("*.py")) == before


def test_a_system_that_is_there_is_not_overwritten(checkout):
    datasets = (checkout / "config/datasets.yaml").read_text()
    with pytest.raises(ValueError, match="a system 'probe' already.*dags/probe.py.*choose another name"):
        new_system.write("probe", checkout)
    assert (checkout / "config/datasets.yaml").read_text() == datasets
