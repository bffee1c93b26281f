"""The examples are short, parse without any configuration, and are a page of the docs; tests/package runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ontap_mlops import settings
from scripts.generate_docs import examples_page
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
FILES = sorted(EXAMPLES.glob("*.py"))


def test_they_parse_where_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    for name in settings.OPTIONS:
        monkeypatch.delenv(settings.variable(name), raising=False)
    bag = DagBag(str(EXAMPLES))
    assert bag.import_errors == {}
    assert sorted(bag.dags) == [f"example_{file.stem}" for file in FILES]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_short_and_stands_in_the_docs(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 40
    assert text.partition('"""\n')[2].strip() in examples_page()


def test_their_programs_need_python_only(tmp_path: Path) -> None:
    def run(program: str, folder: Path) -> dict[str, int]:
        result = tmp_path / "result.json"
        result.unlink(missing_ok=True)
        command = [sys.executable, "-S", "-m", f"programs.{program}", str(folder)]
        subprocess.run(command, cwd=EXAMPLES, env={**os.environ, "RESULT_FILE": str(result)}, check=True)
        return json.loads(result.read_text()) if result.exists() else {}

    run("write", tmp_path / "data")
    assert run("count", tmp_path / "data") == {"files": 3, "bytes": 210}
