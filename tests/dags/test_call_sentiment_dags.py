"""The shape of the two DAGs of calls, without a scheduler."""

from __future__ import annotations

import pytest


def test_each_part_of_the_new_calls_is_a_task_of_its_own(dags):
    dag = dags["call_sentiment"]
    assert dag.get_task("score").is_mapped and dag.get_task("score").upstream_task_ids == {"parts"}
    assert dag.get_task("summary").upstream_task_ids == {"score", "plan"}, "without a new call, not without a version"
    assert dag.get_task("corrections").upstream_task_ids == {"has_pages"}


def test_new_calls_and_a_new_model_both_start_it(dags):
    assets = dags["call_sentiment"].timetable.asset_condition.objects
    assert {asset.uri for asset in assets} == {"ontap://dataset/calls", "ontap://model/call_sentiment"}


def test_the_pipelines_metric_decides_by_default(dags):
    dag = dags["call_sentiment_training"]
    assert dag.params["metric"] == "pipeline_difference" and dag.params["judge_by"] == "interval"
    assert dag.get_task("evaluate").champion
    for name, value in {"hints": 41, "held_out_share": 1.0, "hint_sentences": 0}.items():
        with pytest.raises(Exception, match=name):
            dag.params[name] = value
