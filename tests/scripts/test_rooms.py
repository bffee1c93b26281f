"""Where things are, and what may import what: the rules of CONTRIBUTING.md that no linter holds."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROVIDER = ROOT / "plugins" / "ontap_mlops"
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
ROOMS = (
    "pipelines",
    "operators",
    "assets",
    "locations",
    "registry",
    "service_levels",
    "sites",
    "edge_sites",
    "drift_watches",
    "names",
)  # of the provider, that a DAG file may use


def imports(code: str) -> Iterator[str]:
    """Full names of what is imported, anywhere in the file."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(code: str) -> list[str]:
    """What is neither Python's own, nor Airflow's interface and operators for DAGs, nor of a room that DAGs may use."""
    allowed = re.compile(
        rf"airflow\.sdk\.\w+|airflow\.providers\.standard\.operators\.[\w.]+|ontap_mlops\.({'|'.join(ROOMS)})(\.\w+)*"
    )
    return [
        name
        for name in imports(code)
        if not allowed.fullmatch(name) and name.partition(".")[0] not in {*sys.stdlib_module_names, "__future__"}
    ]


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_uses_airflow_and_the_rooms_for_dags_only(file: Path):
    """Every parse of a DAG file pays for what it imports, and what it decides by itself is copied by the next one."""
    assert foreign(file.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "import torch",
        "from tasks.tyre import model",
        "from ontap_mlops.compute import places",
        "from ontap_mlops.hooks.mlflow import MlflowHook",
        "from airflow.sdk.execution_time.context import get_previous_dagrun_success",
        "def task():\n    import pandas",
    ],
)
def test_other_imports_are_noticed(line: str):
    assert len(foreign(line)) == 1


def test_every_module_of_the_provider_and_every_folder_has_a_row_in_the_table_of_rooms():
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Rooms\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    rows = {name for line in table for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    modules = {path.name for path in PROVIDER.iterdir() if (path / "__init__.py").exists()}
    modules |= {path.name for path in PROVIDER.glob("*.py") if path.stem != "__init__"}
    wanted = {f"plugins/ontap_mlops/{name}/" if "." not in name else f"plugins/ontap_mlops/{name}" for name in modules}
    left_out = {"plugins/", "build/", "dist/", *(f"{path.name}/" for path in ROOT.glob("*.egg-info"))}
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"} - left_out
    assert sorted((wanted | folders) - rows) == [], "without a row"
    assert sorted(name for name in rows if not (ROOT / name).exists()) == [], "rows of what is not there"
