"""The form of a service level, and what puts it back."""

from __future__ import annotations

import pytest
import yaml

from scripts.embedded.layout import ROOT

DAG_ID = "storage_service_level"


def test_the_wait_lies_between_setup_and_teardown_and_a_failure_shows(dags):
    dag = dags[DAG_ID]
    give, back = dag.get_task("give"), dag.get_task("put_back")
    assert give.is_setup and back.is_teardown and back.on_failure_fail_dagrun
    assert dag.get_task("keep").upstream_task_ids == {"give"}
    assert dag.get_task("keep").until.key == "return_value", "a task has no XCom of another name"
    assert back.upstream_task_ids == {"give", "keep"}
    assert dag.get_task("done").upstream_task_ids == {"keep"}


def test_the_form_offers_the_levels_and_datasets_there_are(dags):
    params = dags[DAG_ID].params
    assert params.get_param("level").schema["enum"] == ["extreme", "performance", "value"]
    datasets = sorted(yaml.safe_load((ROOT / "config" / "datasets.yaml").read_text())["datasets"])
    assert params.get_param("dataset").schema["enum"] == [None, *datasets]


@pytest.mark.parametrize(
    ("given", "hours", "until"),
    [
        ({"hours": 8, "until": None}, "8", ""),
        ({"hours": 8, "until": "2030-01-01T00:00:00Z"}, "", "2030-01-01T00:00:00Z"),
    ],
)
def test_a_moment_goes_before_the_hours(dags, given, hours, until):
    give = dags[DAG_ID].get_task("give")
    rendered = {name: give.render_template(getattr(give, name), {"params": given}) for name in ("hours", "until")}
    assert rendered == {"hours": hours, "until": until}
