"""
# Retail assistant: bring home what people said

**What.** Brings a day's conversations from the dialog service into the training data: `collect` reads the day, masks
names, places of living, numbers and addresses, and labels each message, by what a person said on the page of labels or
else by the model that serves, where that is sure → `anything_new` ends here with a sentence when nothing was said →
`ingest` starts `ingest_questions`, which makes a dataset version; that starts `retail_assistant`.

**When it runs.** Each midnight (UTC), for the day that is over; the days before it are brought again, for what people
have labelled since. Started by hand without a date, for today. A backfill brings the days it names.

**What it needs.** Connections `dialog_default` (the dialog service; its password is the service's export token) and
that of the source of the dataset `questions` in `config/datasets.yaml`, `aws_default` on one machine.

**What it leaves behind.** In that source a folder `days/YYYY-MM-DD` for each day: labelled questions in the published
form. The same answers make the same files, so a day that is brought again is there once.

**If it fails.** Clear the failed task. `collect` says when the service does not answer or does not take the token, and
names the connection; no file of a day is written before all of the day was read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, task

from ontap_mlops import registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.workload import WorkloadOperator

DATASET = registry.find("questions")


@task.short_circuit
def anything_new(collected: dict[str, object]) -> bool:
    """Goes on where what was said, or labelled, made files that were not there."""
    if not collected["changed"]:
        print(f"Nothing new up to {collected['day']}: {collected['messages']} messages, all of them as they were.")
    return bool(collected["changed"])


if DATASET:
    with DAG(
        dag_id="retail_conversations",
        description="A day's conversations, masked and labelled, become training data",
        doc_md=__doc__,
        schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": RETRIES},
        tags=["ingest", DATASET.name],
        params={
            "day": Param(
                None,
                type=["null", "string"],
                format="date",
                title="Day",
                description="Of conversations that began on it (UTC). Empty: the day of the run.",
            ),
            "days_back": Param(
                7,
                type="integer",
                minimum=0,
                maximum=366,
                title="Days before it",
                description="That are brought again, for what people have labelled since.",
            ),
            "least_confidence": Param(
                0.9,
                type="number",
                minimum=0,
                maximum=1,
                title="Least confidence",
                description="From which the model's own label is taken, where nobody has labelled a message.",
            ),
            "allow_personal_data": Param(
                False,
                type="boolean",
                title="Allow personal data",
                description="Mask nothing. The dataset has to allow it too (allow_personal_data in datasets.yaml).",
            ),
            "compute": places_param("local", title="Compute"),
        },
    ):
        collect = WorkloadOperator(
            task_id="collect",
            program="tasks.retail.collect",
            arguments=[
                "--day={{ params.day or (dag_run.data_interval_start or dag_run.run_after) | ds }}",
                "--days-back={{ params.days_back }}",
                "--least-confidence={{ params.least_confidence }}",
                "{{ '--allow-personal-data' if params.allow_personal_data else '' }}",
                f"--output={DATASET.source}",
            ],
            aws_conn_id=DATASET.source_conn_id,
            service_conn_ids={"DIALOG": "dialog_default"},
            compute="{{ params.compute }}",
            time_limit=timedelta(hours=2),
        )
        ingest = TriggerDagRunOperator(
            task_id="ingest",
            trigger_dag_id=f"ingest_{DATASET.name}",
            trigger_run_id="conversations__{{ run_id }}",
            reset_dag_run=True,  # a retry, or a run that is cleared, makes it do its work again
            wait_for_completion=True,
            deferrable=True,
            poke_interval=5,
            fail_when_dag_is_paused=True,
            doc_md="Have the dataset's ingest make a version of what was said, and wait for it.",
        )
        anything_new(collect.output) >> ingest
