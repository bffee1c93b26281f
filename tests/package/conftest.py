"""The wheels of provider and programs, built from a copy of the sources, in an environment that has nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.environment import index_options
from tests.clouds import certificates
from tests.clouds.azure_service import AzureService
from tests.clouds.copy_sync_service import CopySyncService
from tests.clouds.fsx_service import FsxService
from tests.clouds.google_service import GoogleService
from tests.clouds.local_service import serving
from tests.conftest import REPOSITORY, Emulator

UV = Path(sys.executable).with_name("uv")
PROVIDER = ("pyproject.toml", "README.md", "LICENSE", "plugins")
IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")


@dataclass(frozen=True)
class Installed:
    """A virtual environment, an Airflow home with a database, and the variables by which it finds the emulator."""

    folder: Path
    variables: dict[str, str]

    def install(self, *packages: Path | str) -> None:
        options = [
            "pip",
            "install",
            "--quiet",
            "--python",
            "venv/bin/python",
            "-c",
            str(REPOSITORY / "constraints.txt"),
        ]
        uv(*options, *index_options(), *map(str, packages), folder=self.folder)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """A command of the environment's own, in a folder that has none of the repository's files."""
        line = [str(self.folder / "venv" / "bin" / command[0]), *map(str, command[1:])]
        return subprocess.run(line, cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=250)


def uv(*arguments: str, folder: Path) -> None:
    done = subprocess.run([str(UV), *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    (folder / "provider").mkdir()
    for name in PROVIDER:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy2
        copy(REPOSITORY / name, folder / "provider" / name, **({"ignore": IGNORED} if copy is shutil.copytree else {}))
    shutil.copytree(REPOSITORY / "tasks", folder / "programs", ignore=IGNORED)
    links = [option for option in index_options() if option not in ("--torch-backend", "cpu")]
    built = {}
    for name in ("provider", "programs"):
        uv("build", "--quiet", "--wheel", "-o", f"{name}-wheel", *links, name, folder=folder)
        (built[name],) = (folder / f"{name}-wheel").glob("*.whl")
    return built


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which examples/ finds the services beside ONTAP."""
    xcp = tmp_path_factory.mktemp("xcp")
    (xcp / "license").write_text("ACTIVE")
    certificate, key = certificates.write(tmp_path_factory.mktemp("azure"))
    tls = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    with (
        serving(CopySyncService()) as copy_sync,
        serving(FsxService()) as fsx,
        serving(AzureService(certificate), **tls) as azure,
        serving(GoogleService()) as google,
    ):
        yield {
            "AIRFLOW_CONN_AZURE_NETAPP_DEFAULT": azure.connection(),
            "AIRFLOW_CONN_GOOGLE_NETAPP_DEFAULT": google.connection(),
            "AIRFLOW_CONN_COPY_SYNC_DEFAULT": copy_sync.connection(),
            "AIRFLOW_CONN_AWS_DEFAULT": fsx.connection(),
            "PATH": f"{REPOSITORY / 'tests' / 'clouds' / 'xcp_command'}:{os.environ['PATH']}",
            "XCP_STATE": str(xcp),
        }


@pytest.fixture(scope="session")
def installed(
    tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path], emulator: Emulator, clouds: dict[str, str]
) -> Installed:
    """Airflow with the provider and without the programs; ONTAP is the emulator, the clouds are services of our own."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "config").mkdir()
    place = {
        "kind": "local",
        "namespace_roots": {"default": str(emulator.namespace)},
        "environment": {"XCP_STATE": clouds["XCP_STATE"]},
    }
    (folder / "config" / "compute.yaml").write_text(json.dumps({"places": {"local": place}}))
    connection = {
        "conn_type": "ontap",
        "host": emulator.host,
        "port": emulator.port,
        "login": emulator.user,
        "password": emulator.password,
        "extra": {"verify": emulator.ca, "svm": "svm1"},
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    airflow = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "examples"),
        "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR": str(folder / "config"),
        "AIRFLOW__ONTAP_MLOPS__PROGRAMS_DIR": str(REPOSITORY / "examples"),
        "AIRFLOW__ONTAP_MLOPS__SECRET_STORE": f"file://{folder}/secrets/s3.json",
        "AIRFLOW__ONTAP_MLOPS__SECRETS_DIR": str(folder / "secrets"),
        "AIRFLOW_CONN_ONTAP_DEFAULT": json.dumps(connection),
        **clouds,
    }
    uv("venv", "--quiet", "--python", sys.executable, "venv", folder=folder)
    made = Installed(folder, {**kept, **airflow, "PYTHONDONTWRITEBYTECODE": "1"})
    made.install(f"{wheels['provider']}[amazon,azure,google]")  # examples/ use it
    migrated = made.run("airflow", "db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    return made
