"""What becomes of a trained model: only what is known promotes."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators.judging import RunCompareOperator, TrainingRecordOperator, decide
from ontap_mlops.records import TrainingRecord
from tests.ontap_mlops.operators.run_context import PARAMS, TRAINING, claim, context, record


def judged(gain=0.1, low=0.02, high=0.18, **other: Any) -> dict[str, Any]:
    interval = {"gain": gain, "low": low, "high": high, "confidence": 0.95, "method": "paired bootstrap"}
    return {
        "metrics": {"challenger": {"accuracy": 0.9}, "champion": {"accuracy": 0.8}},
        "comparison": {"accuracy": interval},
        "champion_version": 3,
        **other,
    }


def decision(result: dict[str, Any] | None = None, *, run=None, claimed=None, **params: Any) -> tuple[str, str]:
    return decide(run or record(), claimed or claim(), result or judged(), {**PARAMS, **params})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "promote"),
        ({"result": judged(low=-0.01)}, "keep"),
        ({"result": judged(low=-0.01), "judge_by": "figure"}, "promote"),
        ({"result": judged(gain=0.0, low=-0.1), "judge_by": "figure"}, "keep"),
        ({"minimum_gain": 0.05}, "keep"),
        ({"minimum_gain": 0.05, "judge_by": "figure"}, "promote"),
        ({"claimed": claim(champion=None)}, "promote"),
        ({"run": record(promote="never")}, "keep"),
        ({"claimed": claim(held=False)}, "keep"),
        ({"run": record(promote="always"), "result": judged(low=-1.0)}, "promote"),
        ({"run": record(promote="always", repeat_of=TRAINING)}, "compare"),
        ({"result": judged(refused="both have trained on every row")}, "keep"),
        ({"result": judged(unfit="it is not better than the base")}, "keep"),
        ({"result": judged(unfit="it is not better than the base"), "claimed": claim(champion=None)}, "keep"),
        ({"result": judged(unfit="it is not better than the base"), "run": record(promote="always")}, "promote"),
        ({"result": judged(champion_version=2)}, "keep"),
        ({"result": judged(champion_version=None)}, "keep"),
    ],
)
def test_a_model_is_promoted_only_if_surely_better_or_asked(facts, expected):
    decided, reason = decision(**facts)
    assert decided == expected
    assert reason


def test_the_reason_names_both_figures_and_the_interval():
    reason = decision()[1]
    assert "accuracy 0.9000 against 0.8000; gain +0.0200 to +0.1800 at 95% confidence" in reason


@pytest.mark.parametrize("judge_by", ["interval", "figure"])
def test_the_reason_says_on_how_many_rows(judge_by):
    reason = decision(judged(compared=1220), judge_by=judge_by)[1]
    assert "accuracy 0.9000 against 0.8000 on 1,220 rows" in reason


def test_the_reason_says_why_two_models_cannot_be_compared():
    assert "both have trained on every row" in decision(judged(refused="both have trained on every row"))[1]


def test_a_champion_that_was_not_the_one_judged_stays_and_the_reason_says_what_to_clear():
    assert (
        "judged version 2 of tyre and version 3 is the champion; clear evaluate"
        in decision(judged(champion_version=2))[1]
    )


def compare(**metrics: float) -> dict[str, Any]:
    results = {
        "choose": record(repeat_of=TRAINING, code_commit="def").to_json(),
        "evaluate": {"metrics": {"challenger": metrics}},
    }
    return RunCompareOperator(task_id="compare", evaluation="evaluate").execute(context(results))


def test_equal_metrics_pass_and_are_named():
    assert compare(accuracy=0.9, f1=0.8)["equal"] == ["accuracy", "f1"]


@pytest.mark.parametrize("metrics", [{"accuracy": 0.9, "f1": 0.7}, {"accuracy": 0.9}])
def test_a_metric_that_differs_or_is_missing_fails_the_repeat(metrics):
    with pytest.raises(AirflowFailException, match="f1 differ .* code abc, repeated with def"):
        compare(**metrics)


@pytest.mark.parametrize("trained", [{"mlflow_run_id": "m9"}, {"mlflow_run_id": "m1", "best": {"mlflow_run_id": "m9"}}])
def test_the_record_of_a_training_is_that_of_the_best_model(trained, monkeypatch):
    kept: list[TrainingRecord] = []

    class Tracking:
        def __init__(self, conn_id: str) -> None: ...

        def record_training(self, training: TrainingRecord) -> None:
            kept.append(training)

    monkeypatch.setattr("ontap_mlops.hooks.mlflow.MlflowHook", Tracking)
    results = {
        "choose": record().to_json(),
        "train": trained,
        "evaluate": {"metrics": {"challenger": {"accuracy": 0.9}}},
    }
    operator = TrainingRecordOperator(task_id="record", training="train", evaluation="evaluate")
    returned = operator.execute(context(results))
    assert TrainingRecord.from_json(returned) == kept[0]
    assert kept[0].mlflow_run_id == "m9"
    assert (kept[0].dag_id, kept[0].model, kept[0].metrics) == ("tyre_quality", "tyre", {"accuracy": 0.9})


def test_a_training_that_reported_to_no_server_is_named():
    results = {"choose": record().to_json(), "train": {"metrics": {}}}
    with pytest.raises(AirflowFailException, match="Task train returned no mlflow_run_id.*clear it"):
        TrainingRecordOperator(task_id="record", training="train", evaluation="evaluate").execute(context(results))
