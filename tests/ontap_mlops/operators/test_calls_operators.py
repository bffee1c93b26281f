"""Programs of calls see the snapshot of the run's version, one model for all parts, and the table that is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops.operators import calls
from ontap_mlops.operators.calls import (
    CallsModelOperator,
    CallsPartsOperator,
    CallsProgramOperator,
    CallsSummarizeOperator,
)
from tests.ontap_mlops.operators.run_context import CHAMPION, NOW, VERSION, record

COUNTS = {"calls": 2, "sentences": 9, "empty": 1, "refused": 1}
PART = {**COUNTS, "seconds": 40.0, "took_s": 10.0, "reasons": ["Call x: silent."]}


@pytest.fixture
def context() -> Any:
    results: dict[str, Any] = {
        "choose": record().to_json(),
        "model": CHAMPION.to_json(),
        "plan": {"recorded": 9, "new": 5, "parts": ["0/2", "1/2"]},
        "score": [PART, PART],
    }
    pull = lambda task_ids, key="return_value": results.get(task_ids)  # noqa: E731
    ti = SimpleNamespace(task_id="t", map_index=-1, xcom_pull=pull)
    run = SimpleNamespace(dag_id="call_sentiment", run_id="manual__1", run_after=NOW, run_type="manual")
    return {"ti": ti, "dag_run": run, "params": {}, "results": results}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_DEFAULT", "http://:a-token@127.0.0.1:8601")


def test_a_part_reads_the_snapshot_and_asks_the_service(context, service):
    made = CallsProgramOperator(task_id="t", program="score", part="0/2", with_model=True)
    workload = made.workload(context)
    assert workload.program == "tasks.calls.score"
    assert workload.arguments == ("--part", "0/2", "--model", f"{{models}}/{CHAMPION.folder}")
    assert workload.run["data"] == f"{{data}}/.snapshot/{VERSION.snapshot}/data"
    assert set(workload.mounts) == {"data", "models"} and all(mount.read_only for mount in workload.mounts.values())
    assert workload.secrets["CALLS_TOKEN"] == "a-token"
    assert "a-token" not in repr(workload.arguments)


def test_files_need_no_service(context):
    workload = CallsProgramOperator(task_id="t", program="plan", table="files").workload(context)
    assert workload.arguments == ("--folder", "{results}/calls") and not workload.secrets
    assert set(workload.mounts) == {"data", "results"} and not workload.mounts["results"].read_only


def test_a_table_that_is_none_is_named(context):
    with pytest.raises(AirflowFailException, match="The table is 'paper'; it is one of service, files"):
        CallsProgramOperator(task_id="t", program="plan", table="paper").workload(context)


@pytest.mark.parametrize(
    ("run_type", "ends"), [("manual", AirflowFailException), ("asset_triggered", AirflowSkipException)]
)
def test_without_a_champion_a_person_is_told_and_an_event_is_let_go(context, monkeypatch, run_type, ends):
    from ontap_mlops.hooks.mlflow import MlflowHook

    monkeypatch.setattr(MlflowHook, "champion", lambda self, model: None)
    monkeypatch.setattr(CallsModelOperator, "skip_because", _skip)
    context["dag_run"].run_type = run_type
    with pytest.raises(ends, match="has no champion, so nothing can be understood yet"):
        CallsModelOperator(task_id="t", model="call_sentiment").execute(context)


def _skip(self: Any, context: Any, sentence: str) -> None:
    raise AirflowSkipException(sentence)


def test_one_version_is_named_for_all_parts(context, monkeypatch):
    from ontap_mlops.hooks.mlflow import MlflowHook

    monkeypatch.setattr(MlflowHook, "champion", lambda self, model: CHAMPION)
    monkeypatch.setattr(MlflowHook, "model_version", lambda self, model, number: (model, number) and CHAMPION)
    for version in ("", "3"):
        assert CallsModelOperator(task_id="t", model="tyre", version=version).execute(context) == CHAMPION.to_json()


def test_parts_are_added_up_and_what_could_not_be_understood_is_named(context):
    assert CallsPartsOperator(task_id="parts").execute(context) == ["0/2", "1/2"]
    told = CallsSummarizeOperator(task_id="t", score="score").execute(context)
    assert (told["calls"], told["sentences"], told["refused"]) == (4, 18, 2)
    assert told["real_time_factor"] == 0.25 and told["reasons"] == ["Call x: silent."] * 2
    for found, calls_there in ((PART, 2), (None, 0), ([None], 0)):
        context["results"]["score"] = found
        assert CallsSummarizeOperator(task_id="t", score="score").execute(context)["calls"] == calls_there
    assert calls.TABLES.keys() == {"service", "files"}
