"""A folder with a small program and places to run it, and the context of a task."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ontap_mlops.operators.two_sites import two

__all__ = ["two"]

PROGRAM = """
import json, os, sys, time
from pathlib import Path
code, seconds, sentence = sys.argv[1:4]
print("begun", flush=True)
time.sleep(float(seconds))
print(sentence, flush=True)
Path(os.environ["RESULT_FILE"]).write_text(json.dumps({"key": os.environ.get("AWS_ACCESS_KEY_ID"), "said": sentence}))
sys.exit(int(code))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "ns" / "tyres").mkdir(parents=True)
    place = f"{{kind: local, working_directory: {tmp_path}, grace_s: 1, namespace_roots: {{svm1: ns}}}}"
    (tmp_path / "compute.yaml").write_text(f"places:\n  local: {place}\n  elsewhere: {{kind: local}}\n")
    return tmp_path


class Store(dict):
    def set(self, key: str, value: Any) -> None:
        json.dumps(value)
        self[key] = value


@pytest.fixture
def context() -> Any:
    pushed: dict[str, Any] = {}
    push = lambda key, value: pushed.update({key: value})  # noqa: E731
    return {
        "ti": SimpleNamespace(max_tries=3, map_index=-1, stats_tags={}, xcom_push=push, pushed=pushed),
        "dag_run": SimpleNamespace(dag_id="d", run_id="manual", run_after=datetime(2026, 7, 1, tzinfo=UTC)),
        "task_state_store": Store(),
    }
