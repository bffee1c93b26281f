"""
# GPU projects

**What.** Gives the projects of `config/projects.yaml` to the scheduler of a place, and shows that it shares GPUs as
published (TR-4858): thirteen workloads of four teams fill 16 GPUs, two of them beyond their quotas; a team claims its
own, and gets them back; it leaves, and what is idle is shared in proportion to quotas. After each step who has which
GPUs is compared with the published table.

`apply` → `check` → `scenario_4_8` → `scenario_4_9` → `scenario_4_10` → `remove`, and `report`.

**When it runs.** When triggered: after a change of projects.yaml with *Scenarios: none*, and to prove a scheduler once
it is set up.

**What it needs.** A place of kind slurm, or of kind kubernetes with KAI Scheduler or Kueue, in `config/compute.yaml`
(docs/gpu-projects.md says how to set it up); on Slurm a user who may run `sacctmgr`. For the scenarios the quotas as
shipped, 4, 2, 2 and 8 of 16 GPUs, that nobody else uses. Connection `mlflow_default` for the report.

**What it leaves behind.** The projects at the scheduler. Of the scenarios nothing: `remove` ends all that was
submitted, also after a failure. With the run in MLflow a page on the use of GPUs for each scenario.

**If it fails.** A scheduler that allocates otherwise fails its scenario with a sentence for each team; `report` shows
it beside the published table. Other quotas, or GPUs in use, are refused before anything is submitted.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, TriggerRule, chain

from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.gpu_projects import (
    UP_TO,
    GpuProjectsApplyOperator,
    GpuProjectsReportOperator,
    GpuScenarioPlayOperator,
    GpuScenariosCheckOperator,
    GpuScenariosRemoveOperator,
    gpu_places,
    task_of,
)
from ontap_mlops.operators.places import places_param

SECTIONS = list(UP_TO)[1:]
PLACES = gpu_places()
AT = {"place": "{{ params.place }}"}
WANTED = {**AT, "up_to": "{{ params.scenarios }}"}

with DAG(
    dag_id="gpu_projects",
    description="Give the GPU projects to a scheduler, and compare how it shares GPUs with the published scenarios",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": RETRIES},
    tags=["compute"],
    params={
        "place": Param(
            PLACES[0] if PLACES else "slurm",
            type="string",
            examples=PLACES or ["slurm"],
            title="Place",
            description="Of config/compute.yaml: one whose scheduler knows GPU projects.",
        ),
        "scenarios": Param(
            SECTIONS[-1],
            type="string",
            enum=list(UP_TO),
            values_display=UP_TO,
            title="Scenarios",
            description="Each goes on from those before it.",
        ),
        "dry_run": Param(False, type="boolean", title="Dry run", description="Only say what differs in the projects."),
        "compute": places_param(title="Compute", description="Where the report is written.", section="Report"),
    },
):
    apply = GpuProjectsApplyOperator(task_id="apply", **AT, plan_only="{{ params.dry_run }}")
    check = GpuScenariosCheckOperator(task_id="check", **WANTED)
    played = [GpuScenarioPlayOperator(task_id=task_of(each), section=each, **WANTED) for each in SECTIONS]
    remove = GpuScenariosRemoveOperator(task_id="remove", **AT).as_teardown(setups=check)
    report = GpuProjectsReportOperator(
        task_id="report",
        **WANTED,
        arguments=["--experiment={{ dag.dag_id }}", "--run-name={{ run_id }}"],
        mlflow_conn_id="mlflow_default",
        compute="{{ params.compute }}",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    chain(apply, check, *played, remove)
    played[-1] >> report
