"""No default password, no page without a login, and a table of ports that is true."""

from __future__ import annotations

import ast
import inspect
import math
import re
import subprocess
from collections import Counter
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import yaml

from scripts.embedded import ports
from tests import secret_finder
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "security.md"
COMPOSE = REPOSITORY / "docker-compose.yaml"
TEXT = {".py", ".sh", ".yaml", ".yml", ".json", ".cfg", ".ini", ".toml", ".md", ".env", ".example", ".txt", ""}
_KEYS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
)
_SECRET = re.compile(r"(?i)passw|secret(?!_store|_suffix)|token|private_key|access_key")


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("This is no checkout, so nobody says which files belong to it.")
    return [REPOSITORY / line for line in done.stdout.splitlines() if (REPOSITORY / line).is_file()]


def test_no_file_gives_a_password_key_or_token() -> None:
    named = [(path, path.relative_to(REPOSITORY)) for path in tracked() if path.suffix in TEXT]
    shipped = [(path, name) for path, name in named if name.parts[0] != "tests"]
    assert len(shipped) > 300
    assert {str(name): found for path, name in shipped if (found := secret_finder.values(path))} == {}


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("a.yaml", "postgres:\n  POSTGRES_PASSWORD: airflow\n", ["airflow"]),
        ("a.yaml", "password: ${DB_PASSWORD:?say}\n", []),
        ("a.env", "FERNET_KEY=abcDEF123=\n", ["abcDEF123="]),
        ("a.sh", 'export AWS_SECRET_KEY="minio123"\n', ["minio123"]),
        ("a.py", "connect(user='u', password='Netapp1!')\n", ["Netapp1!"]),
        ("a.py", "def f(password='changeme1'): ...\n", ["changeme1"]),
        ("a.py", "facts = {'password': secrets.get('x')}\n", []),
    ],
)
def test_a_default_password_would_be_found(tmp_path: Path, name: str, text: str, values: list[str]) -> None:
    (tmp_path / name).write_text(text)
    assert secret_finder.values(tmp_path / name) == values


def test_no_file_holds_what_looks_like_a_private_key_or_a_cloud_key() -> None:
    texts = {str(path): path.read_text(errors="replace") for path in tracked() if path.suffix in TEXT}
    assert [path for path, text in texts.items() if _KEYS.search(text)] == []


def operators() -> list[type]:
    import ontap_mlops.operators
    import ontap_mlops.sensors

    rooms = (ontap_mlops.operators, ontap_mlops.sensors)
    modules = [import_module(f"{room.__name__}.{info.name}") for room in rooms for info in iter_modules(room.__path__)]
    classes = [each for module in modules for _, each in inspect.getmembers(module, inspect.isclass)]
    ours = [each for each in dict.fromkeys(classes) if each.__module__.startswith("ontap_mlops")]
    return [each for each in ours if hasattr(each, "template_fields")]


def test_no_operator_takes_a_secret_as_an_argument_so_that_none_is_rendered() -> None:
    known = operators()
    assert len(known) > 100
    for kind in known:
        names = {*kind.template_fields, *inspect.signature(kind.__init__).parameters}  # type: ignore[misc]
        assert [name for name in names if _SECRET.search(name)] == [], kind


def test_the_data_hub_is_the_only_page_that_we_add_to_airflow() -> None:
    """Whoever adds another gives it Airflow's login, and a test of that in tests/docker/test_airflow_here.py."""
    found = set()
    for path in (REPOSITORY / "plugins").rglob("*.py"):
        classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        bases = [ast.unparse(base) for node in classes for base in node.bases]
        found |= {path for base in bases if base.endswith("AirflowPlugin")}
    assert found == {REPOSITORY / "plugins" / "ontap_mlops" / "ui" / "plugin.py"}


def test_every_address_of_the_data_hub_asks_airflow_who_it_is_and_only_reads() -> None:
    from fastapi.testclient import TestClient

    from ontap_mlops.ui.app import create_app
    from ontap_mlops.ui.pages import router as pages

    app = create_app()
    described = app.openapi()["paths"]
    addresses = [*described, *(route.path for route in pages.routes)]
    assert len(addresses) > 20 and all(set(methods) == {"get"} for methods in described.values())
    with TestClient(app) as stranger:
        for address in addresses:
            path = re.sub(r"{\w+(:path)?}", "1", address)
            query = {"path": "a.png", "since": "1", "before": "1", "after": "1"}
            assert stranger.get(path, params=query).status_code == 401, path
            assert stranger.post(path, params=query).status_code == 405, path


def table() -> list[list[str]]:
    part = PAGE.read_text().split("## Who talks to whom")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def listed_ports() -> set[int]:
    return {int(number) for row in table() for number in re.findall(r"\b\d{2,5}\b", row[1])}


def test_the_table_of_ports_has_each_of_ours_and_says_who_may_use_it() -> None:
    from scripts.exporter.__main__ import PORT

    assert {*ports.USUAL.values(), PORT} <= listed_ports()
    assert all(len(row) == 4 and all(row) for row in table())
    assert max(Counter(row[0] for row in table()).values()) == 1


def published() -> list[str]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return [str(port) for service in services.values() for port in service.get("ports", ())]


@pytest.mark.skipif(not COMPOSE.exists(), reason="There is no docker-compose.yaml here.")
def test_containers_publish_on_loopback_only_and_what_they_publish_is_in_the_table() -> None:
    for port in published():
        assert port.startswith("127.0.0.1:"), port
        usual = re.sub(r"\$\{\w+:-(\d+)\}", r"\1", port).split(":")[1]
        assert int(usual) in listed_ports(), port


def test_secrets_that_are_made_are_long_and_each_is_another(tmp_path: Path) -> None:
    from scripts.embedded import layout, secrets

    here = layout.Layout(tmp_path / "local")
    here.make()
    names = [value for name, value in vars(secrets).items() if name.isupper() and isinstance(value, str)]
    made = {name: secrets.get(here, name) for name in names}
    assert len(set(made.values())) == len(names) >= 9
    assert all(len(value) * math.log2(16) >= 80 for value in made.values())
    for name in names:
        assert secrets.path(here, name).stat().st_mode & 0o077 == 0
