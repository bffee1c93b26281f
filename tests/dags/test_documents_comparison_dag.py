"""The shape of the DAG that compares ways of answering from documents, without a scheduler."""

from __future__ import annotations

import pytest

from tasks.documents.comparison.configs import CONFIGURATIONS


def before(dag, task_id: str) -> set[str]:
    return dag.get_task(task_id).get_flat_relative_ids(upstream=True)


def test_it_tunes_then_compares_in_a_workspace_that_is_removed(dags):
    dag = dags["documents_comparison"]
    assert before(dag, "compare") == {"choose", "create_workspace", "tune"}
    assert dag.get_task("delete_workspace").is_teardown and "compare" in before(dag, "delete_workspace")
    assert "delete_workspace" not in before(dag, "summary")
    assert {dag.get_task(name).program for name in ("tune", "compare")} == {
        "tasks.documents.comparison.tune",
        "tasks.documents.comparison.compare",
    }
    assert dag.get_task("tune").volumes == {"workspace": "", "index": "documents_index"}


def test_what_the_programs_read_stands_in_the_record_and_in_the_form(dags):
    dag = dags["documents_comparison"]
    assert set(dag.get_task("choose").parameters) <= set(dag.params)
    assert dag.params.get_param("configuration").schema["enum"] == list(CONFIGURATIONS)
    for name, value in {"later_share": 1, "questions": 1, "price_per_hour": -1, "epochs": 0}.items():
        with pytest.raises(Exception, match=name):
            dag.params[name] = value
