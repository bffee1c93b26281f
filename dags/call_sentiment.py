"""
# Call sentiment

**What.** Understands new calls of one dataset version, sentence by sentence, on both sides: `choose` a version →
`model`, the champion or a version that is named → `plan` (which recorded calls are new, in parts) → `score`, one task
for each part: decoded, cut into utterances, recognised offline, the sentiment of each sentence and what it is about
told, and brought to the call service, whose pages show it live and in the past → `summary` → `corrections`: what people
have corrected on those pages goes to the source of the dataset, so that its next version holds it and
`call_sentiment_training` learns from it.

**When it runs.** Daily, and whenever `ingest_calls` makes a new dataset version. Without a new call the parts are
skipped. A date before the first version is skipped with a sentence.

**What it needs.** A champion of the model `call_sentiment`, which `call_sentiment_training` makes; connections
`ontap_default`, `mlflow_default` and `calls_default` (the call service: address, and its token as the password). Where
there is no such service, choose *files*: each call becomes a file of JSON on the volume `calls_results`.

**What it leaves behind.** In the table, each call with its sentences, the recogniser and the model that found them, and
the file and version that it was read from; at the source, `corrections.jsonl`.

**If it fails.** Clear the failed task. A call is finished whole or done again, and one that is finished is passed over,
so that a worker's death loses no call and doubles none. A recording that cannot be understood (silence, a codec that is
not there, cut off) stops no other: `summary` names it with its reason, and the next run tries it again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param

from ontap_mlops import assets, names, registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.calls import (
    RESULTS,
    SERVICE,
    TABLES,
    CallsModelOperator,
    CallsPartsOperator,
    CallsProgramOperator,
    CallsSummarizeOperator,
)
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator

MODEL = "call_sentiment"
DATASET = registry.find("calls")

if DATASET:
    with DAG(
        dag_id="call_sentiment",
        description="New calls are recognised and scored, sentence by sentence, into a table and its pages",
        doc_md=__doc__,
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("@daily", timezone="UTC"),
            assets=assets.dataset_asset(DATASET) | assets.model_asset(MODEL),
        ),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": RETRIES, "ontap_conn_id": DATASET.ontap_conn_id},
        tags=["calls", DATASET.name],
        params={
            "dataset_version": Param(
                None,
                type=["null", "string"],
                title="Dataset version",
                description="Id of a version. Empty: by date, or the newest. `make versions DATASET=calls` lists them.",
            ),
            "as_of": Param(
                None,
                type=["null", "string"],
                format="date-time",
                title="Data as of",
                description="Take the version that was current at this time.",
            ),
            "model_version": Param(
                None, type=["null", "integer"], minimum=1, title="Model version", description="Empty: the champion."
            ),
            "table": Param(
                SERVICE, type="string", enum=list(TABLES), values_display=TABLES, title="What is understood goes to"
            ),
            "part_size": Param(20, type="integer", minimum=1, title="Calls of a part", description="About so many."),
            "compute": places_param(title="Compute"),
        },
    ):
        # The same for every program that goes through the calls.
        asked = {"table": "{{ params.table }}", "compute": "{{ params.compute }}"}
        choose = RunChooseOperator(task_id="choose", dataset=DATASET.name, model=MODEL, parameters=[])
        model = CallsModelOperator(task_id="model", model=MODEL, version="{{ params.model_version or '' }}")
        results = OntapVolumeEnsureOperator(
            task_id="results",
            svm=DATASET.svm or None,
            volume=RESULTS,
            size_bytes=DATASET.size_bytes,
            junction_path=names.junction_path(RESULTS),
            comment="ontap-mlops what is understood of calls",
        )
        plan = CallsProgramOperator(
            task_id="plan",
            program="plan",
            flags={"size": "{{ params.part_size }}"},
            time_limit=timedelta(minutes=30),
            **asked,
        )
        parts = CallsPartsOperator(task_id="parts")
        score = CallsProgramOperator.partial(
            task_id="score",
            program="score",
            with_model=True,
            flags={"allow-personal-data": DATASET.check.allow_personal_data},
            time_limit=timedelta(hours=12),
            map_index_template="{{ task.part }}",
            **asked,
        ).expand(part=parts.output)
        # Without a new call the parts are skipped and the plan is not; without a version everything is.
        summary = CallsSummarizeOperator(task_id="summary", score="score", trigger_rule="none_failed_min_one_success")
        has_pages = ShortCircuitOperator(
            task_id="has_pages",
            python_callable=lambda params: params["table"] == SERVICE,
            doc_md="Go on where the call service is asked, on whose pages people correct.",
        )
        corrections = WorkloadOperator(
            task_id="corrections",
            program="tasks.calls.corrections",
            arguments={"output": DATASET.source},
            aws_conn_id=DATASET.source_conn_id,
            service_conn_ids={"CALLS": "calls_default"},
            compute="{{ params.compute }}",
        )
        choose >> model >> results >> plan >> parts >> score >> summary >> has_pages >> corrections
        plan >> summary
