"""How images are built, without building any: by which program, and where their packages come from."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts import image_tools, images, package_sources
from scripts.composing import podman

SOURCES = package_sources.PackageSources({"uv": Path("/scratch/uv")}, ("/wheels",))


@pytest.fixture
def machine(monkeypatch):
    """A machine with these programs, whose Docker daemon answers or does not."""

    def has(*programs: str, daemon: bool = True) -> None:
        monkeypatch.setattr(image_tools.shutil, "which", lambda name: f"/bin/{name}" if name in programs else None)
        answer = SimpleNamespace(returncode=0 if daemon else 1)
        monkeypatch.setattr(image_tools.subprocess, "run", lambda *_, **__: answer)

    return has


def test_docker_builds_where_its_daemon_answers(machine):
    machine("docker", "podman")
    command = image_tools.tool_of_this_machine().build(SOURCES)
    assert command == ["docker", "build", "--network", "host", "--secret", "id=uv,src=/scratch/uv"]


def test_podman_builds_where_no_daemon_answers(machine):
    machine("docker", "podman", daemon=False)
    assert image_tools.tool_of_this_machine().name == "podman"


def test_health_checks_are_kept_by_podman_and_its_limits_are_not_above_the_machines(machine, monkeypatch):
    machine("podman")
    monkeypatch.setattr(podman.resource, "getrlimit", lambda kind: (500, podman.resource.RLIM_INFINITY))
    command = " ".join(image_tools.tool_of_this_machine().build(SOURCES))
    assert "--format docker" in command
    assert "--ulimit nofile=500:1000 --ulimit nproc=500:1000" in command
    assert "-v /wheels:/wheels:ro" in command


def test_podman_is_told_which_runtime_there_is(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(podman, "SYSTEMD", tmp_path / "none")
    machine("podman", "runc")
    assert image_tools.tool_of_this_machine().command == (
        *("podman", "--runtime", "runc"),
        *("--cgroup-manager", "cgroupfs"),
    )
    machine("podman", "runc", "crun")
    assert "--runtime" not in image_tools.tool_of_this_machine().command


def test_without_any_of_them_one_sentence_says_so(machine):
    machine()
    with pytest.raises(SystemExit, match="Neither docker nor podman nor buildah works here; install one"):
        image_tools.tool_of_this_machine()


LISTED = """\
:env:.find-links='/of/the/environment'
global.cert='{cert}'
global.constraint='/etc/constraints.txt'
global.extra-index-url='file://{index} https://index.example/simple'
global.find-links='/of/the/file'
global.index-url='https://index.example/simple'
"""


def test_what_tells_pip_tells_uv(tmp_path: Path):
    told = package_sources.pip_settings(LISTED.format(cert="/etc/ssl/ca.crt", index="/x"))
    assert told["find-links"] == "/of/the/environment"  # as with pip, the environment wins
    assert "constraint" not in told
    assert tomllib.loads(package_sources.uv_toml(told)) == {
        "system-certs": True,
        "index-url": "https://index.example/simple",
        "find-links": ["/of/the/environment"],
    }


def test_pip_in_a_build_is_told_nothing_of_a_file_that_is_not_there(tmp_path: Path):
    told = package_sources.pip_settings(LISTED.format(cert=tmp_path / "gone.crt", index="/x"))
    assert "index-url = https://index.example/simple" in package_sources.pip_conf(told)
    assert "cert" not in package_sources.pip_conf(told)


def test_a_machine_without_settings_hands_none_over():
    assert package_sources.pip_conf({}) == package_sources.uv_toml({}) == ""


def test_folders_in_which_pip_looks_here_are_seen_by_the_build(tmp_path: Path):
    wheels, index = tmp_path / "wheels", tmp_path / "index" / "simple"
    wheels.mkdir()
    index.mkdir(parents=True)
    told = {"find-links": f"{wheels} /nowhere", "extra-index-url": f"file://{index} https://index.example/simple"}
    assert package_sources.folders(told) == [str(tmp_path / "index"), str(wheels)]


def test_settings_are_read_by_their_owner_only(tmp_path: Path, monkeypatch):
    told = "global.index-url='https://me:secret@index.example/simple'"
    monkeypatch.setattr(package_sources, "pip_config", lambda: told)
    sources = package_sources.package_sources(tmp_path)
    assert {name: file.stat().st_mode & 0o777 for name, file in sources.secrets.items()} == {"pip": 0o600, "uv": 0o600}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["airfow"], "no image is called airfow; there are emulator"), (["--tag", "x"], "--tag names one image")],
)
def test_a_wrong_call_is_refused(arguments: list[str], sentence: str, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["images", *arguments])
    with pytest.raises(SystemExit):
        images.main()
    assert sentence in capsys.readouterr().err


def test_the_label_names_the_commit():
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=images.ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert images.revision() in (head, f"{head}-dirty")
