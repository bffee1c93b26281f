"""
# Documents: fine-tune, retrieve or both

**What.** Compares ways of answering from one version of the documents: `choose` a version → `create_workspace` (a
clone, for what the run works on) → `tune` (the encoder learns from questions and passages of a part of the documents) →
`compare`: the base and the tuned encoder by meaning alone, each with words too as the index has them, and answers
learned by heart without an index. Each is asked the same questions, about documents that were learned and about such as
come later, and brought to a change of 1 % of the documents. One table says how much each finds, how long it takes to be
ready, to answer and to follow the change, and what that costs.

**When it runs.** When triggered.

**What it needs.** Connections `ontap_default` and `mlflow_default`, and an index of the version: the DAG `documents`
makes it, so that only what its policy let pass is learned. A GPU for *all layers*.

**What it leaves behind.** An MLflow run with every figure, the page `comparison.html` with table and picture, and the
tuned encoder under `encoder/`. It changes nothing of what serves; the page on documents says how the tuned encoder is
used. The workspace is removed; a failed run keeps it until it is cleared or collected.

**If it fails.** Clear the failed task: `tune` goes on from its last checkpoint, `compare` begins anew.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from ontap_mlops import registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.operators.documents import INDEX
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.program import WORKSPACE, ProgramOperator
from ontap_mlops.operators.summary import RunSummarizeOperator
from ontap_mlops.operators.workspaces import WorkspaceCreateOperator, WorkspaceDeleteOperator

DATASET = registry.find("documents")
PROGRAMS = "tasks.documents.comparison"
CONFIGURATIONS = {"small": "the upper two layers, for a CPU", "whole": "all layers, for a GPU"}
# Params that the programs read by their names, from the run's record.
RECORDED = ["seed", "configuration", "epochs", "later_share", "questions", "price_per_hour"]
PARAMS = {
    "dataset_version": Param(
        None, type=["null", "string"], title="Dataset version", description="Id of a version. Empty: the newest."
    ),
    "as_of": Param(None, type=["null", "string"], format="date-time", title="Documents as of"),
    "price_per_hour": Param(
        1.0,
        type="number",
        minimum=0,
        title="Price of an hour",
        description="Of the place that computes, in your currency: costs are measured seconds times this.",
    ),
    "configuration": Param(
        "small", enum=list(CONFIGURATIONS), values_display=CONFIGURATIONS, title="Tuned are", section="Training"
    ),
    "epochs": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Epochs",
        description="Empty: the configuration's.",
        section="Training",
    ),
    "seed": Param(1, type="integer", title="Seed", section="Training"),
    "compute": places_param(title="Compute", section="Training"),
    "later_share": Param(
        0.2,
        type="number",
        exclusiveMinimum=0,
        exclusiveMaximum=1,
        title="Share that comes later",
        description="Of the documents: nothing of them is learned, as of those that change after a training.",
        section="Questions",
    ),
    "questions": Param(
        200,
        type="integer",
        minimum=5,
        title="Made questions, at most",
        description="About documents of either kind, beside your own in questions.jsonl.",
        section="Questions",
    ),
}

if DATASET:
    with DAG(
        dag_id="documents_comparison",
        description="Tune the encoder, and compare retrieval, fine-tuned answers and both in quality, time and cost",
        doc_md=__doc__,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=2,
        default_args={"retries": RETRIES, "ontap_conn_id": DATASET.ontap_conn_id},
        tags=["documents", "measure"],
        params=PARAMS,
    ):
        choose = RunChooseOperator(task_id="choose", dataset=DATASET.name, model="documents", parameters=RECORDED)
        workspace = WorkspaceCreateOperator(task_id="create_workspace", with_bucket=False).as_setup()
        at = {"volumes": {WORKSPACE: "", "index": INDEX}, "compute": "{{ params.compute }}"}
        tune = ProgramOperator(task_id="tune", program=f"{PROGRAMS}.tune", time_limit=timedelta(hours=24), **at)
        compare = ProgramOperator(
            task_id="compare", program=f"{PROGRAMS}.compare", time_limit=timedelta(hours=12), **at
        )
        names = ("metrics", "held_out", "questions", "documents", "gains", "decision", "pictures", "mlflow_url")
        summary = RunSummarizeOperator(
            task_id="summary", facts={name: f"compare:{name}" for name in names}, programs=["tune", "compare"]
        )
        delete = WorkspaceDeleteOperator(task_id="delete_workspace", svm=DATASET.svm or None).as_teardown(
            setups=workspace, on_failure_fail_dagrun=True
        )
        choose >> workspace >> tune >> compare >> summary
        compare >> delete
