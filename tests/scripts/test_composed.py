"""What runs in containers of docker-compose.yaml before the services do: secrets, databases, Airflow's first rows."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from ontap_mlops.compute import places
from scripts.composed import airflow_database, databases, prepare
from scripts.composing import lake, podman
from scripts.composing.file import COMPOSE, ComposeFile
from services.documents.people import People
from tests.scripts.test_compose_file import EVERY, EXAMPLE

TALKED_TO = ("dialog", "calls", "documents")
SERVICES = (
    *("airflow", "postgres", "redis", "mlflow", "ontap", "ontap_remote", "lake", "triton", "prometheus", "grafana"),
    *TALKED_TO,
)


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for service in ("kept", *SERVICES):
        (tmp_path / "secrets" / service).mkdir(parents=True)
    for volume in ("logs", "documents"):
        (tmp_path / "data" / volume).mkdir(parents=True)
    monkeypatch.setattr(prepare, "OWNER", os.getuid())
    for name in ("ONTAP_PASSWORD", "WEATHER_URL", "WEATHER_KEY", "STOCK_DATABASE", "GENERATOR_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def told(volumes: Path) -> dict[str, str]:
    return {str(f.relative_to(volumes)): f.read_text() for f in volumes.rglob("*") if f.is_file()}


def test_secrets_are_made_once_and_stay(volumes: Path) -> None:
    prepare.main(volumes)
    first = told(volumes)
    prepare.main(volumes)
    assert told(volumes) == first
    kept = [(volumes / "secrets" / "kept" / name).read_text() for name in prepare.NAMES]
    assert len(set(kept)) == len(prepare.NAMES) and min(map(len, kept)) >= 20
    Fernet(first["secrets/kept/fernet"])
    folder = volumes / "secrets" / "kept"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o400}


def test_each_service_gets_only_what_it_needs_and_a_shell_reads_it(volumes: Path) -> None:
    prepare.main(volumes)
    kept = {name: (volumes / "secrets" / "kept" / name).read_text() for name in prepare.NAMES}
    for service, allowed in {
        "redis": {"redis"},
        "mlflow": {"mlflow_db"},
        "ontap": {"ontap"},
        "lake": {"lake_access", "lake_secret"},
        "triton": {"triton"},
        "prometheus": {"metrics"},
        "grafana": {"grafana"},
        "ontap_remote": {"ontap_remote"},
        "dialog": {"dialog", "dialog_db"},
        "calls": {"calls", "calls_db"},
        "documents": {"documents_db"},
        "postgres": {"postgres", *(f"{owner}_db" for owner in databases.OWNERS)},
    }.items():
        said = "".join(file.read_text() for file in (volumes / "secrets" / service).iterdir())
        assert {name for name, value in kept.items() if value in said} == allowed, service
    shell = f'. {volumes}/secrets/mlflow/env; printf %s "$MLFLOW_BACKEND_STORE_URI"'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout == f"postgresql+psycopg2://mlflow:{kept['mlflow_db']}@postgres:5432/mlflow"


def test_the_files_that_the_services_read_are_those_that_are_made() -> None:
    made = prepare.files_of(dict.fromkeys(prepare.NAMES, "x"), {})
    assert set(made) == set(SERVICES)
    environment = EVERY.services["scheduler"]["environment"]
    read = {Path(value.split()[1]).name for name, value in environment.items() if name.endswith("_CMD")}
    assert read <= set(made["airflow"])
    for name, service in EVERY.services.items():
        volume = next((v for v in service.get("volumes", ()) if v.startswith("secrets_")), "")
        if "/run/secrets/env" in str(service.get("entrypoint")):
            assert "env" in made[volume.split(":")[0].removeprefix("secrets_")], name


def test_the_password_of_an_ontap_that_is_not_ours_comes_from_outside(volumes: Path, monkeypatch) -> None:
    monkeypatch.setenv("ONTAP_PASSWORD", "from outside")
    prepare.main(volumes)
    rows = json.loads((volumes / "secrets" / "airflow" / "connections.json").read_text())
    assert rows["ontap"] == "from outside"
    assert (volumes / "secrets" / "kept" / "ontap").read_text() != "from outside", "and is not kept"


def test_the_assistant_asks_stubs_until_services_are_named(volumes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACES_URL", "https://places.example.com")
    monkeypatch.setenv("PLACES_KEY", "it's $HOME")
    prepare.main(volumes)
    shell = (
        f'. {volumes}/secrets/dialog/env; printf "%s\n" "$WEATHER_URL" "$PLACES_URL" "$PLACES_KEY" "$STOCK_DATABASE"'
    )
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    stub = "http://dialog-stubs:8700/weatherstack"
    assert done.stdout.splitlines() == [stub, "https://places.example.com", "it's $HOME", ""]
    assert EVERY.services["dialog-stubs"]["command"][-1] == "8700"


def test_who_may_ask_documents_is_made_once_and_then_somebodys_own(volumes: Path) -> None:
    prepare.main(volumes)
    file = volumes / "data" / "documents" / "people.yaml"
    token = (volumes / "secrets" / "kept" / "documents").read_text()
    assert People(file).of(f"Bearer {token}").name == "documents"
    file.write_text("[]")
    prepare.main(volumes)
    assert file.read_text() == "[]"


class Cursor:
    """A PostgreSQL that has these accounts and databases."""

    def __init__(self, roles: set[str], known: set[str]) -> None:
        self.roles, self.known, self.answer, self.done = roles, known, False, []

    def execute(self, statement: Any, values: tuple[str, ...] = ()) -> None:
        text = statement if isinstance(statement, str) else repr(statement)
        if values:
            self.answer = values[0] in (self.roles if "pg_roles" in text else self.known)
        else:
            self.done.append(text)

    def fetchone(self) -> tuple[int] | None:
        return (1,) if self.answer else None


@pytest.mark.parametrize(
    ("roles", "known", "verbs", "sentence"),
    [
        (set(), set(), ["CREATE ROLE", "CREATE DATABASE", "REVOKE ALL"], "Database airflow is made."),
        ({"airflow"}, set(), ["ALTER ROLE", "CREATE DATABASE", "REVOKE ALL"], "Database airflow is made."),
        ({"airflow"}, {"airflow"}, ["ALTER ROLE"], "Database airflow is there."),
    ],
)
def test_a_database_is_made_once(roles: set[str], known: set[str], verbs: list[str], sentence: str) -> None:
    cursor = Cursor(roles, known)
    assert databases.ensure(cursor, "airflow", "p") == sentence
    assert [verb in text for verb, text in zip(verbs, cursor.done, strict=True)] == [True] * len(verbs)


def test_connections_name_the_services_of_the_file() -> None:
    environment = EVERY.services["airflow-init"]["environment"]
    names = ("ontap", "ontap_remote", "lake_access", "lake_secret", "triton", "airflow", *TALKED_TO)
    secrets = dict.fromkeys(names, "s")
    rows = airflow_database.wanted(secrets, environment)
    hosts = {rows[name]["host"] for name in ("ontap_default", "mlflow_default", "inference_default", "airflow_api")}
    lake = rows["aws_default"]["extra"]["endpoint_url"].split("/")[2].split(":")[0]
    assert {*hosts, lake} <= set(EVERY.services)
    for name in TALKED_TO:
        row = rows[f"{name}_default"]
        assert row["host"] == name and row["password"] == "s"
        assert any(port.endswith(f":{row['port']}") for port in EVERY.services[name]["ports"])
    (site,) = yaml.safe_load((EXAMPLE.parent / "config" / "sites.yaml").read_text())["sites"].values()
    row, told = rows[site["ontap_conn_id"]], EVERY.services["ontap-remote"]
    assert row["host"] == told["hostname"] and f"--svm={site['svm']}" in told["command"]
    own = airflow_database.wanted(secrets, {**environment, "ONTAP_HOST": "cluster1", "ONTAP_CA": "true"})
    assert own["ontap_default"]["host"] == "cluster1" and own["ontap_default"]["extra"]["verify"] is True


def test_each_place_of_the_shipped_file_has_workers_in_the_compose_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task in a queue that no worker takes from waits for ever."""
    settings = EVERY.services["scheduler"]["environment"]
    root = EXAMPLE.parent
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(root / "config"))
    monkeypatch.setenv("ONTAP_MLOPS_LOCAL_QUEUE", settings["ONTAP_MLOPS_LOCAL_QUEUE"])
    commands = [service["command"] for service in EVERY.services.values() if "celery" in service.get("command", ())]
    taken = {queue for command in commands for queue in command[command.index("--queues") + 1].split(",")}
    assert {queue or "default" for queue in places.queues().values()} | {"default"} == taken


def test_podman_gets_no_more_than_this_machine_may_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman.resource, "getrlimit", lambda kind: (500, podman.resource.RLIM_INFINITY))
    monkeypatch.setattr(podman.shutil, "which", lambda name: name if name == "runc" else None)
    monkeypatch.setattr(podman, "SYSTEMD", Path("/nowhere"))
    said = podman.configuration()
    assert 'default_ulimits = ["nofile=500:1000", "nproc=500:1000"]' in said
    assert 'runtime = "runc"' in said and 'cgroup_manager = "cgroupfs"' in said
    assert podman.environment(Path("c.conf")) == {"CONTAINERS_CONF": "c.conf", "DISABLE_HC_SYSTEMD": "true"}


def test_the_example_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)
    file = ComposeFile.load(EXAMPLE)
    assert {"ontap", "programs", "triton", "grafana", "api-server"} <= set(file.services)
    assert file.project == "ontap-mlops" and file.addresses()["api-server"] == "http://127.0.0.1:8080"


class LakeWithKeys:
    """What an engine tells of the lake."""

    file = ComposeFile(COMPOSE, EXAMPLE, {"COMPOSE_PROFILES": "cpu", "PORT_LAKE": "19100"})

    def __init__(self, env: str) -> None:
        self.env = env

    def output(self, service: str, *command: str) -> str:
        assert (service, command) == ("lake", ("cat", "/run/secrets/env"))
        return self.env


def test_the_lake_is_filled_with_its_own_keys_and_no_others(volumes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare.main(volumes)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    told = lake.variables(LakeWithKeys((volumes / "secrets" / "lake" / "env").read_text()))  # type: ignore[arg-type]
    kept = {name: (volumes / "secrets" / "kept" / name).read_text() for name in ("lake_access", "lake_secret")}
    assert {name: value for name, value in told.items() if re.match(r"AWS_(?!CA_BUNDLE)", name)} == {
        "AWS_ACCESS_KEY_ID": kept["lake_access"],
        "AWS_SECRET_ACCESS_KEY": kept["lake_secret"],
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:19100",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
