"""What provider and programs import is declared by the package that carries them, or by one of its extras."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

OURS = {"ontap_mlops", "tasks", "preprocessing"}  # the last one lies beside the model in its archive for SageMaker
# Installed on machines with a GPU only, from requirements-gpu.txt; SageMaker gives its own.
ELSEWHERE = {"cudf", "cuml", "dask_cudf", "dask_cuda", "cupy", "rmm"}
# What another requirement is made of and always brings.
BROUGHT = {
    "pydantic_core": "pydantic",
    "botocore": "boto3",
    "distributed": "dask",
    "scipy": "scikit-image",
    "croniter": "apache-airflow",
    "cryptography": "apache-airflow",
    "fastapi": "apache-airflow",
    "mcp_types": "mcp",
    "sqlalchemy": "apache-airflow",
    "starlette": "apache-airflow",
    "structlog": "apache-airflow",
    "openlineage": "apache-airflow-providers-openlineage",
}


def imported(folder: Path) -> set[str]:
    """Third-party packages, wherever in a module they are imported; not those asked for with ``try``."""
    found = set()
    for file in folder.rglob("*.py"):
        tree = ast.parse(file.read_text())
        optional = {id(n) for t in ast.walk(tree) if isinstance(t, ast.Try) for n in ast.walk(t)}
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found |= {name.partition(".")[0] for name in names if id(node) not in optional}
    return found - set(sys.stdlib_module_names) - OURS - ELSEWHERE


def declared(pyproject: Path) -> set[str]:
    project = tomllib.loads(pyproject.read_text())["project"]
    lines = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    return {re.split(r"[\[<>=~! ]", line)[0].lower() for line in lines}


@pytest.mark.parametrize(
    ("folder", "pyproject", "brings"),
    [
        (REPOSITORY / "plugins", REPOSITORY / "pyproject.toml", {"apache-airflow-providers-amazon": {"boto3"}}),
        (REPOSITORY / "tasks", REPOSITORY / "tasks" / "pyproject.toml", {}),
    ],
    ids=["provider", "programs"],
)
def test_every_import_is_declared(folder: Path, pyproject: Path, brings: dict[str, set[str]]) -> None:
    known, owners = declared(pyproject), packages_distributions()
    for requirement, others in brings.items():
        known |= others if requirement in known else set()
    missing = {}
    for module in imported(folder):
        wanted = (
            {BROUGHT[module]}
            if module in BROUGHT
            else {owner.lower().replace("_", "-") for owner in owners.get(module, [module])}
        )
        if not any(one in known or one.startswith("apache-airflow") for one in wanted):
            missing[module] = wanted
    assert not missing, f"add to {pyproject.relative_to(REPOSITORY)}"


def test_provider_and_programs_are_released_together() -> None:
    from ontap_mlops import __version__

    programs = tomllib.loads((REPOSITORY / "tasks" / "pyproject.toml").read_text())["project"]
    assert programs["version"] == __version__
