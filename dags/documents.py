"""
# Documents: an index that belongs to a version

**What.** Makes one dataset version of documents answer questions: `choose` a version → `scan` (what is new is read in
processes of its own and searched for personal and sensitive data; the policy masks it, keeps the document out or
refuses the version, and every finding is listed with file and place) → `build` (only what changed is embedded) →
`freeze` (a snapshot of the index) → `evaluate` (recall, rank and answers, on your own questions and made ones, and
against the index that serves) → `decide` → `serve` → `ask`: a real question, as proof.

**When it runs.** Daily, and whenever `ingest_documents` makes a new version. A backfilled date makes the index of the
version that was current then: it answers for that date, and what serves goes on to serve. A date before the first
version is skipped with a sentence.

**What it needs.** Connections `ontap_default`, `mlflow_default` and, where the service is asked, `documents_default`:
its address, and a person's token as the password.

**What it leaves behind.** On the volume `documents_index` the index, frozen as a snapshot of the run's name, with
`scanned.jsonl`: every file, what came of it and what was found where. An MLflow run with the figures and the report of
the scan. `serving.json` says which index serves; the service takes it with its next question.

**If it fails.** Clear the failed task; each goes on from what it finds. A file that cannot be read fails nothing: the
report names it. Where the policy refuses the version or recall is too low, what serves goes on to serve. When `ask`
fails, it has put the index before back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param

from ontap_mlops import assets, names, registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.operators.documents import (
    ASK_BY,
    BUT,
    INDEX,
    POLICIES,
    PROMOTE,
    DocumentsDecideOperator,
    DocumentsExpireOperator,
    DocumentsProgramOperator,
)
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.results import ResultsFreezeOperator
from ontap_mlops.operators.summary import RunSummarizeOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

DATASET = registry.find("documents")
POLICY = {"policy": "{{ params.policy }}", "but": "{{ params.but | join(',') }}"}

SHARE = {"type": "number", "minimum": 0, "maximum": 1, "section": "Judgement"}
PARAMS = {
    "dataset_version": Param(
        None,
        type=["null", "string"],
        title="Dataset version",
        description="Id of a version. Empty: by date, or the newest.",
    ),
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Documents as of",
    ),
    "policy": Param("mask", enum=list(POLICIES), values_display=POLICIES, title="Policy", section="Guardrail"),
    "but": Param(
        [],
        type="array",
        items={"type": "string", "pattern": BUT},
        title="But",
        description="Other actions for some kinds, a line each: health=refuse, legal=mask, personal=list, ...",
        section="Guardrail",
    ),
    "most_mb": Param(100, type="number", exclusiveMinimum=0, title="Largest file (MB)", section="Guardrail"),
    "made": Param(60, type="integer", minimum=0, title="Made questions", section="Judgement"),
    "minimum_recall": Param(0.6, title="Least recall at 5", **SHARE),
    "margin": Param(0.05, title="Worse than what serves, at most", **SHARE),
    "promote": Param("if_better", enum=list(PROMOTE), values_display=PROMOTE, title="Serve", section="Serving"),
    "ask_by": Param("index", enum=list(ASK_BY), values_display=ASK_BY, title="Ask by", section="Serving"),
    "compute": places_param(title="Compute", section="Serving"),
}

if DATASET:
    with DAG(
        dag_id="documents",
        description="Scan documents, embed what changed, freeze the index, judge it, let it serve and ask it",
        doc_md=__doc__,
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("@daily", timezone="UTC"), assets=[assets.dataset_asset(DATASET)]
        ),
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": RETRIES, "ontap_conn_id": DATASET.ontap_conn_id},
        tags=["documents", DATASET.name],
        params=PARAMS,
    ):
        asked = {"compute": "{{ params.compute }}", "mlflow_conn_id": "mlflow_default"}
        choose = RunChooseOperator(task_id="choose", dataset=DATASET.name, model="documents", parameters=[])
        volume = OntapVolumeEnsureOperator(
            task_id="volume",
            svm=DATASET.svm or None,
            volume=INDEX,
            size_bytes=DATASET.size_bytes,
            junction_path=names.junction_path(INDEX),
            comment="ontap-mlops index of documents",
        )
        limits = {"most-mb": "{{ params.most_mb }}"}
        scan = DocumentsProgramOperator(program="scan", flags=POLICY | limits, time_limit=timedelta(days=1), **asked)
        build = DocumentsProgramOperator(program="build", flags=POLICY, time_limit=timedelta(days=1), **asked)
        freeze = ResultsFreezeOperator(
            task_id="freeze", volume=INDEX, what="index of documents", svm=DATASET.svm or None
        )
        made = {"made": "{{ params.made }}"}
        evaluate = DocumentsProgramOperator(program="evaluate", flags=made, time_limit=timedelta(hours=2), **asked)
        decide = DocumentsDecideOperator(
            task_id="decide", minimum_recall="{{ params.minimum_recall }}", margin="{{ params.margin }}"
        )
        serve = DocumentsProgramOperator(program="serve", decided=True, time_limit=timedelta(minutes=30), **asked)
        ask = DocumentsProgramOperator(
            program="ask",
            decided=True,
            flags={"by": "{{ params.ask_by }}"},
            time_limit=timedelta(minutes=30),
            **asked,
        )
        facts = {name: f"evaluate:{name}" for name in ("metrics", "held_out", "questions", "missed", "mlflow_url")}
        facts |= {"scan": "scan", "build": "build", "decision": "decide", "served": "serve", "proof": "ask"}
        summary = RunSummarizeOperator(task_id="summary", facts=facts, programs=["scan", "build", "evaluate"])
        expire = DocumentsExpireOperator(
            task_id="expire",
            svm=DATASET.svm or None,
            volume=INDEX,
            keep_newest=DATASET.keep.versions,
            keep_days=DATASET.keep.days,
        )
        choose >> volume >> scan >> build >> freeze >> evaluate >> decide >> serve >> ask
        [decide, ask] >> summary
        ask >> expire
