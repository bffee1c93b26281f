"""The shape of the DAG of documents, without a scheduler."""

from __future__ import annotations

import pytest

from tasks.documents.policy import ACTIONS, KINDS, POLICIES


def before(dag, task_id: str) -> set[str]:
    return dag.get_task(task_id).get_flat_relative_ids(upstream=True)


def test_nothing_serves_before_it_is_scanned_frozen_and_judged(dags):
    dag = dags["documents"]
    assert {"scan", "build", "freeze", "evaluate", "decide"} <= before(dag, "serve")
    assert "serve" in before(dag, "ask") and "ask" in before(dag, "expire")
    assert before(dag, "choose") == set()


def test_a_new_version_starts_it(dags):
    assets = dags["documents"].timetable.asset_condition.objects
    assert {asset.uri for asset in assets} == {"ontap://dataset/documents"}


def test_the_form_takes_what_the_programs_know_and_nothing_else(dags):
    dag = dags["documents"]
    assert dag.params.get_param("policy").schema["enum"] == list(POLICIES)
    for kind in KINDS:
        dag.params["but"] = [f"{kind}={action}" for action in ACTIONS]
    for name, value in {"but": ["wealth=mask"], "minimum_recall": 2, "most_mb": 0, "ask_by": "anybody"}.items():
        with pytest.raises(Exception, match=name):
            dag.params[name] = value
