import re
from pathlib import Path

import pytest

from scripts import environment
from scripts.environment import Environment, clients_environment, environments


@pytest.fixture
def made(tmp_path: Path) -> Environment:
    """An environment whose installation is over."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("numpy==2\n")
    env = Environment(folder=tmp_path / "venv", inputs=(requirements,), packages=(f"-r{requirements}",))
    env.python.parent.mkdir(parents=True)
    env.python.touch()
    env.stamp.write_text(env.digest())
    return env


def test_an_installed_environment_is_current(made: Environment):
    assert made.current()


def test_a_changed_requirement_calls_for_an_installation(made: Environment):
    made.inputs[0].write_text("numpy==3\n")
    assert not made.current()


def test_an_interrupted_installation_starts_from_an_empty_folder(made: Environment):
    made.unfinished.touch()
    leftover = made.folder / "half-unpacked"
    leftover.touch()
    environment.prepare(made, fresh=False)
    assert not leftover.exists()
    assert made.unfinished.exists() and not made.current(), "until the installer has finished, nobody may trust it"


def test_an_environment_without_its_python_is_not_current(made: Environment):
    made.python.unlink()
    assert not made.current()


def test_the_installer_is_told_where_pip_finds_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    monkeypatch.delenv("TORCH_BACKEND", raising=False)
    monkeypatch.setattr(environment, "pip_setting", lambda name: str(tmp_path) if name == "global.find-links" else None)
    assert environment.index_options() == ["--find-links", str(tmp_path)]


@pytest.mark.parametrize("links", [None, "https://wheels.example/links"])
def test_without_a_local_torch_the_cpu_build_is_asked_for(links, monkeypatch: pytest.MonkeyPatch):
    """Whatever an address has: PyPI's build, with CUDA, may be there as well."""
    monkeypatch.delenv("TORCH_BACKEND", raising=False)
    monkeypatch.setattr(environment, "pip_setting", lambda name: links if name == "global.find-links" else None)
    assert environment.index_options()[-2:] == ["--torch-backend", "cpu"]


def test_a_local_torch_with_cuda_is_not_taken_for_the_cpu_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    monkeypatch.delenv("TORCH_BACKEND", raising=False)
    monkeypatch.setattr(environment, "pip_setting", lambda name: str(tmp_path) if name == "global.find-links" else None)
    assert environment.torch_backend() == "cpu"


@pytest.mark.parametrize("named", ["cu128", ""])
def test_who_has_gpus_or_a_mirror_names_the_build(named: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_BACKEND", named)
    monkeypatch.setattr(environment, "pip_setting", lambda name: None)
    assert environment.index_options() == (["--torch-backend", named] if named else [])


def test_a_wrong_python_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or 3\.12 is needed and this is 3\.9\.1"):
        environment.check_needs()


def test_every_environment_names_files_that_exist():
    every = [*environments(), clients_environment()]
    assert [path for env in every for path in env.inputs if not path.exists()] == []


def test_the_clients_environment_is_made_only_when_asked_for(monkeypatch: pytest.MonkeyPatch):
    installed: list[str] = []
    monkeypatch.setattr(Environment, "current", lambda env: env.folder.name != ".venv-clients")
    monkeypatch.setattr(environment, "check_needs", lambda: None)
    monkeypatch.setattr(environment, "prepare", lambda env, fresh: installed.append(env.folder.name))
    monkeypatch.setattr(environment, "install", lambda wanted, installer: None)
    monkeypatch.setattr(environment, "install_installer", lambda main: main.python)
    environment.ensure()
    assert installed == []
    environment.ensure(clients=True)
    assert installed == [".venv-clients"]


def test_the_requirements_of_the_clients_are_complete_and_name_no_registry():
    """They are installed without looking for further requirements, so each line pins a version."""
    lines = clients_environment().inputs[0].read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins and [line for line in pins if not re.fullmatch(r"[a-z0-9.-]+==[a-z0-9.]+", line)] == []


def test_the_package_is_found_once(tmp_path: Path):
    """Airflow reports a plugin that it finds twice as one that it could not load."""
    (tmp_path / "plugins" / "some_package.egg-info").mkdir(parents=True)
    (tmp_path / "plugins" / "some_package.egg-info" / "entry_points.txt").touch()
    (tmp_path / "plugins" / "some_package").mkdir()
    environment.forget_build(tmp_path)
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["some_package"]
