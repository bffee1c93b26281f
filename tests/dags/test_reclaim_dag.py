"""The DAG that reclaims space removes nothing unless somebody says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture
def dag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS / "reclaim_space.py"))
    assert bag.import_errors == {}
    return bag.dags["reclaim_space"]


@pytest.mark.parametrize(("given", "removes"), [({}, "False"), ({"dry_run": False}, "True")])
def test_it_is_a_dry_run_unless_told_otherwise(dag: Any, given: dict[str, Any], removes: str) -> None:
    params = {name: dag.params[name] for name in dag.params} | given
    plan, reclaim = dag.get_task("plan"), dag.get_task("reclaim")
    for task in (plan, reclaim):
        task.render_template_fields({"params": params})
    assert reclaim.remove == removes
    assert (reclaim.svm, reclaim.keep_newest_models, reclaim.workspace_days) == ("", "10", "")
    assert [getattr(plan, name) for name in plan.template_fields] == [
        getattr(reclaim, name) for name in plan.template_fields
    ]


def test_what_is_planned_is_what_is_removed(dag: Any) -> None:
    assert dag.get_task("reclaim").upstream_task_ids == {"plan"} == {dag.get_task("reclaim").plan}
