"""Which data a run takes, and what becomes of its model; the ONTAP side is covered with the emulator elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators import training
from ontap_mlops.operators.training import PromotionDecideOperator, RunChooseOperator, RunCompareOperator

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)


def decision(*, promote="if_better", challenger=0.9, champion=0.8, repeat_of=None, minimum_gain=0.0):
    metrics = {"challenger": {"accuracy": challenger}}
    if champion is not None:
        metrics["champion"] = {"accuracy": champion}
    operator = PromotionDecideOperator(
        task_id="decide",
        plan={"promote": promote, "repeat_of": repeat_of},
        metrics=metrics,
        promote="promote",
        keep="summary",
        compare="compare",
        minimum_gain=minimum_gain,
    )
    return operator.decide()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "promote"),
        ({"challenger": 0.8}, "keep"),
        ({"challenger": 0.81, "minimum_gain": 0.05}, "keep"),
        ({"champion": None, "challenger": 0.1}, "promote"),
        ({"promote": "never"}, "keep"),
        ({"promote": "always", "challenger": 0.1}, "promote"),
        ({"promote": "always", "repeat_of": {"run_key": "r1"}}, "compare"),
    ],
)
def test_a_model_is_promoted_only_if_better_or_asked(facts, expected):
    decided, reason = decision(**facts)
    assert decided == expected
    assert reason


def test_the_reason_names_both_figures():
    assert "accuracy 0.9000 against 0.8000" in decision()[1]


def plan(promote="if_better"):
    return RunChooseOperator(task_id="choose", dataset="tyre_images", model="tyre", parameters=[], promote=promote)


def run(run_type="manual", logical_date=NOW, run_after=NOW):
    return {"dag_run": SimpleNamespace(run_type=run_type, logical_date=logical_date, run_after=run_after)}


def test_a_backfill_leaves_the_deployed_model_alone_unless_asked():
    assert plan()._promote(run("backfill"), None) == "never"
    assert plan("if_better_even_in_backfill")._promote(run("backfill"), None) == "if_better"
    assert plan("always")._promote(run("backfill"), None) == "always"
    assert plan()._promote(run("scheduled"), None) == "if_better"


def test_a_repeated_run_never_promotes():
    assert plan("always")._promote(run(), {"run_key": "r1"}) == "never"


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(AirflowFailException, match="'sometimes'; choose one of if_better"):
        plan("sometimes")._promote(run(), None)


def test_a_run_started_by_a_person_now_means_the_newest_version():
    assert training._logical_date(run("manual")) is None
    assert training._logical_date(run("manual", logical_date=None)) is None
    past = NOW - timedelta(days=3)
    assert training._logical_date(run("manual", logical_date=past)) == past
    assert training._logical_date(run("scheduled")) == NOW
    assert training._logical_date(run("backfill", logical_date=past)) == past


def test_the_newest_event_decides_the_version():
    def event(id_, created_at):
        return SimpleNamespace(extra={"dataset_version": {"id": id_, "created_at": created_at}})

    events = {"asset": [event("v2", "2026-11-20"), event("v1", "2026-11-19"), SimpleNamespace(extra={})]}
    assert training._event_version({"triggering_asset_events": events}) == "v2"
    assert training._event_version({"triggering_asset_events": {}}) is None


def test_a_time_is_utc_unless_it_says_otherwise():
    assert training._parse_time("2026-11-20") == datetime(2026, 11, 20, tzinfo=UTC)
    with pytest.raises(AirflowFailException, match="'yesterday', which is not a time"):
        training._parse_time("yesterday")


RECORD = {"run_key": "r1", "code_commit": "abc", "metrics": {"accuracy": 0.9, "f1": 0.8}}


def compare(**metrics):
    return RunCompareOperator(task_id="compare", plan={"repeat_of": RECORD, "code_commit": "def"}, metrics=metrics)


def test_equal_metrics_pass_and_are_named():
    assert compare(accuracy=0.9, f1=0.8).execute({})["equal"] == ["accuracy", "f1"]


def test_a_metric_that_differs_fails_the_repeat():
    with pytest.raises(AirflowFailException, match="f1 differ .* code abc, repeated with def"):
        compare(accuracy=0.9, f1=0.7).execute({})


def test_a_removed_snapshot_says_which_record_needed_it():
    record = {
        "run_key": "r1",
        "mlflow_run_id": "m1",
        "dataset_version": {
            "dataset": "tyre_images",
            "id": "v1",
            "svm": "svm1",
            "volume": "tyre_images",
            "volume_uuid": "u",
            "snapshot": "mlops_v1",
            "snapshot_uuid": "s",
            "created_at": "2026-11-20T06:00:00+00:00",
            "digest": "sha256:0",
            "files": 1,
            "bytes": 1,
        },
    }
    with pytest.raises(AirflowFailException, match="Run r1 .* needs dataset version v1, snapshot mlops_v1 .* removed"):
        training._still_there([], record)
