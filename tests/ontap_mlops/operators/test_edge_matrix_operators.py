"""Programs of the edge matrix see the model, the very snapshot it was trained on, and one folder of the run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops import names
from ontap_mlops.operators.edge_matrix import EdgeCellsOperator, EdgeProgramOperator
from tests.ontap_mlops.operators.run_context import CHAMPION, NOW


@pytest.fixture
def context() -> Any:
    results = {"version": CHAMPION.to_json(), "gate": {"metric": "accuracy", "share": {}, "passed": [], "cells": ["a"]}}
    ti = SimpleNamespace(task_id="t", map_index=-1, xcom_pull=lambda task_ids, key="return_value": results[task_ids])
    return {"ti": ti, "dag_run": SimpleNamespace(dag_id="edge_inference", run_id="manual__1", run_after=NOW)}


def test_what_lays_out_the_folder_reads_the_model_and_its_dataset_version(context):
    flags = {"workload": "tyre", "samples": "64", "limit": None}
    program = EdgeProgramOperator(task_id="t", program="prepare", reads=True, flags=flags).kind_program(context)
    key = names.run_key("edge_inference", "manual__1", NOW)
    assert program.program == "tasks.edge.prepare"
    assert set(program.arguments) == {
        "--workload=tyre",
        "--samples=64",
        f"--work={{shared}}/{key}",
        f"--model={{models}}/{CHAMPION.folder}",
        f"--data={{data}}/.snapshot/{CHAMPION.dataset_version.snapshot}/data",
    }
    assert program.mounts["models"] == {"svm": "svm1", "junction_path": "/tyre_models", "read_only": True}
    assert program.mounts["data"]["read_only"] and "read_only" not in program.mounts["shared"]


def test_a_cell_is_measured_in_the_same_folder_without_model_and_data(context):
    made = EdgeProgramOperator(task_id="t", program="measure", cell="int8:offline:2", flags={"bound_ms": "0"})
    program = made.kind_program(context)
    assert "--cell=int8:offline:2" in program.arguments and "--bound-ms=0" in program.arguments
    assert set(program.mounts) == {"shared"}


def test_the_cells_are_those_that_the_gate_names(context):
    assert EdgeCellsOperator(task_id="cells", gate="gate").execute(context) == ["a"]
