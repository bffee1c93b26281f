"""Whether an index of documents serves, and what its programs are told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops import names
from ontap_mlops.operators import documents
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.documents import DocumentsDecideOperator, DocumentsProgramOperator, decided
from tests.ontap_mlops.operators.run_context import NOW, VERSION, record

EARLY, LATE = "2026-11-20T06:00:00+00:00", "2026-11-21T06:00:00+00:00"


def judged(recall: float = 0.9, served: str = "r1", low: float = -0.01, at: str = EARLY) -> dict[str, Any]:
    comparison = {"recall_at_5": {"gain": 0.0, "low": low, "high": 0.02}}
    told = {"metrics": {"challenger": {"recall_at_5": recall}}, "served": served, "served_at_version": at}
    return {**told, "comparison": comparison} if served else told


@pytest.mark.parametrize(
    ("evaluation", "promote", "at", "decision", "reason"),
    [
        (judged(), "if_better", LATE, "serve", "differs by"),
        (judged(low=-0.06), "if_better", LATE, "leave", "may be more than 0.05 worse"),
        (judged(recall=0.5), "if_better", LATE, "leave", "at least 0.6"),
        (judged(recall=0.5), "always", EARLY, "serve", "in any case"),
        (judged(), "never", LATE, "remember", "asked not to"),
        (judged(at=LATE), "if_better", EARLY, "remember", "a younger version serves"),
        (judged(served=""), "if_better", EARLY, "serve", "no index serves yet"),
        (judged(served=""), "never", EARLY, "leave", "none is known for its date"),
    ],
)
def test_doubt_leaves_what_serves(evaluation: dict[str, Any], promote: str, at: str, decision: str, reason: str):
    found, why = decided(evaluation, promote, at, 0.6, 0.05)
    assert found == decision and reason in why


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Any:
    results: dict[str, Any] = {
        "choose": record().to_json(),
        "evaluate": {**judged(), "threshold": 0.5},
        "decide": {"decision": "serve", "threshold": 0.5, "served": "r1"},
        "serve": {"before": "r1"},
    }
    pull = lambda task_ids, key="return_value": results.get(task_ids)  # noqa: E731
    ti = SimpleNamespace(task_id="t", map_index=-1, xcom_pull=pull)
    run = SimpleNamespace(dag_id="documents", run_id="manual__1", run_after=NOW, run_type="manual")
    return {"ti": ti, "dag_run": run, "params": {}, "results": results}


def test_programs_read_the_snapshot_and_write_the_index(context):
    workload = DocumentsProgramOperator(program="scan", flags={"policy": "strict"}).workload(context)
    assert workload.program == "tasks.documents.scan" and workload.arguments == ("--policy", "strict")
    assert workload.run and workload.run["data"] == f"{{data}}/.snapshot/{VERSION.snapshot}/data"
    assert workload.run["index_snapshot"] == names.snapshot(run_key(context))
    assert workload.mounts["data"].read_only and not workload.mounts["index"].read_only


def test_serving_and_asking_are_told_what_was_decided(context, monkeypatch):
    served = DocumentsProgramOperator(program="serve", decided=True).workload(context)
    assert served.arguments == ("--decision", "serve", "--threshold", "0.5", "--instead-of", "r1")
    monkeypatch.setenv("AIRFLOW_CONN_DOCUMENTS_DEFAULT", "http://:a-token@127.0.0.1:8900")
    asked = {by: DocumentsProgramOperator(program="ask", decided=True, flags={"by": by}) for by in documents.ASK_BY}
    made = {by: operator.workload(context) for by, operator in asked.items()}
    assert made["index"].arguments == ("--by", "index", "--before", "r1") and not made["index"].secrets
    assert made["service"].secrets["DOCUMENTS_TOKEN"] == "a-token"


@pytest.mark.parametrize(("recall", "goes_on"), [(0.9, ["serve", "summary"]), (0.1, ["summary"])])
def test_only_what_may_serve_goes_on(context, monkeypatch, recall: float, goes_on: list[str]):
    context["results"]["evaluate"] = {**judged(recall), "threshold": 0.5}
    gone: list[list[str]] = []
    monkeypatch.setattr(DocumentsDecideOperator, "do_branch", lambda self, context, tasks: gone.append(tasks))
    told = DocumentsDecideOperator(task_id="decide").execute(context)
    assert gone == [goes_on] and told["served"] == "r1"
