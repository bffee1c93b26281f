"""The shape of the DAGs that watch for drift, without a scheduler."""

from __future__ import annotations

from datetime import timedelta

import pytest

WATCHED = {
    "drift_calls": ("calls", "call_sentiment"),
    "drift_chest": ("chest_xray", "chest_xray"),
    "drift_ctr": ("ctr_days", "click_through"),
    "drift_faces": ("faces", "private_inference"),
    "drift_lane": ("lane_detection", "lane_detection"),
    "drift_retail": ("questions", "retail_assistant"),
    "drift_tyre": ("tyre_images", "tyre"),
}


@pytest.mark.parametrize("dag_id", sorted(WATCHED))
def test_a_new_version_is_compared_and_an_alarm_waits_for_a_person(dags, dag_id):
    dag, (dataset, model) = dags[dag_id], WATCHED[dag_id]
    assert dag.timetable.asset_condition.uri == f"ontap://dataset/{dataset}"
    assert dag.get_task("compare").get_flat_relative_ids(upstream=True) == {"choose", "baseline"}
    alarm, approve = dag.get_task("raise_alarm"), dag.get_task("approve")
    assert alarm.upstream_task_ids == {"decide", "approve"}
    assert [asset.uri for asset in alarm.outlets] == [f"ontap://drift/{model}"]
    assert approve.defaults == ["Reject"] and approve.response_timeout == timedelta(days=7), "silence is a no"
    assert dag.params["approval"] is True and dag.params["start"] == "champion"
    for name, value in {"alpha": 0.6, "separation": 0.5, "rows": 5, "alarm_on": [], "start": "later"}.items():
        with pytest.raises(Exception, match=name):
            dag.params[name] = value


@pytest.mark.parametrize(("dag_id", "model"), [("click_through", "click_through"), ("tyre_quality", "tyre")])
def test_drift_starts_the_training_of_the_model(dags, dag_id, model):
    started_by = {asset.uri for asset in dags[dag_id].timetable.asset_condition.objects}
    assert f"ontap://drift/{model}" in started_by and len(started_by) == 2
