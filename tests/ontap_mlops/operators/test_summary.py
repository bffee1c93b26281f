"""The last step of a run tells people what the run did, and leads to the pages about it."""

from __future__ import annotations

from typing import Any

import pytest

from ontap_mlops.operators.summary import RunSummarizeOperator
from tests.ontap_mlops.operators.run_context import CHAMPION, context, record

RUN = "http://127.0.0.1:5000/#/experiments/3/runs/m1"
FACTS = {
    "metrics": "evaluate:metrics",
    "held_out": "evaluate:held_out",
    "pictures": "evaluate:pictures",
    "mlflow_url": "evaluate:mlflow_url",
    "decision": "decide",
    "model_version": "promote.register",
    "deployment": "deploy.confirm",
    "comparison": "compare_with_record",
}
EVALUATED = {
    "metrics": {"challenger": {"accuracy": 0.9, "f1": 0.8}, "champion": {"accuracy": 0.85, "f1": 0.75, "old": 1.0}},
    "held_out": 1220,
    "pictures": ["roc.png", "confusion_challenger.png", "mistakes_challenger.png"],
    "mlflow_url": RUN,
}
KEPT = {"decision": "keep", "reason": "the challenger is not surely better: accuracy 0.9 against 0.85", "metric": "a"}


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch, capsys) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "http://127.0.0.1:5000")

    def run(**results: Any) -> tuple[dict[str, Any], str]:
        told = {"choose": record().to_json(), **{name.replace("__", "."): value for name, value in results.items()}}
        return RunSummarizeOperator(task_id="summary", facts=FACTS).execute(context(told)), capsys.readouterr().out

    return run


def test_it_tells_data_figures_and_decision_in_words(summary) -> None:
    facts, said = summary(evaluate=EVALUATED, decide=KEPT)
    for part in (
        "Data: tyre_images version v20261120t060000z00000001, 1 files",
        "Held-out rows: 1,220",
        "Not promoted: the challenger is not surely better",
    ):
        assert part in said
    assert "old" not in said, "a figure that only one of them has compares nothing"
    assert facts["decision"] == KEPT
    assert "deployment" not in facts


def test_its_links_are_in_the_log_and_in_its_result(summary) -> None:
    facts, said = summary(evaluate=EVALUATED, decide=KEPT, promote__register=CHAMPION.to_json())
    view = "?workflowType=machine_learning"
    assert facts["links"] == {
        "Model version in MLflow": f"http://127.0.0.1:5000/#/models/tyre/versions/3{view}",
        "Run in MLflow": f"{RUN}{view}",
        "Mistakes": f"{RUN}/artifacts/evaluation/mistakes_challenger.png{view}",
        "Confusion": f"{RUN}/artifacts/evaluation/confusion_challenger.png{view}",
        "ROC": f"{RUN}/artifacts/evaluation/roc.png{view}",
    }
    for name, address in facts["links"].items():
        assert f"{name}: {address}" in said


def test_a_deployed_version_is_told_with_its_endpoint(summary) -> None:
    deployment = {"model_version": CHAMPION.to_json(), "endpoint": "http://127.0.0.1:8100/v2/models/tyre/infer"}
    said = summary(evaluate=EVALUATED, decide=KEPT, deploy__confirm=deployment)[1]
    assert "Model: tyre version 3" in said
    assert "Serves at http://127.0.0.1:8100/v2/models/tyre/infer" in said


def test_a_run_that_has_left_little_is_told_all_the_same(summary) -> None:
    facts, said = summary()
    assert facts["links"] == {}
    assert "snapshot mlops_v20261120t060000z00000001 of volume svm1:tyre_images" in said


def test_it_tells_where_the_programs_ran_and_which_places_did_not_take_them(monkeypatch, capsys) -> None:
    tried = [{"place": "gpu-cluster", "waited_s": 601.5, "why": "no room within 600 s"}]
    placement = {"place": "local", "waited_s": 0.2, "tried": tried}
    told = {"choose": record().to_json(), "train": placement, "evaluate": EVALUATED, "many": [placement]}
    made = RunSummarizeOperator(task_id="summary", facts={}, programs=["train", "evaluate", "many", "skipped"])
    assert made.execute(context(told))["places"] == {"train": placement}
    said = " ".join(capsys.readouterr().out.split())
    assert "train: Ran at local, after waiting 0.2 s." in said
    assert "Before it: gpu-cluster (601.5 s): no room within 600 s" in said
