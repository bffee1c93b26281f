"""
# Restore an experiment

**What.** Trains an experiment again, with nothing changed but the clone it works in: `choose` finds the experiment
that a run has frozen → `create_workspace` clones its snapshot, with data, model and logs in it → `train` and
`evaluate`, the same programs with the same parameters, seed and number of processes → `record` → `compare` fails
when a metric differs → `difference` shows the two side by side. The clone is removed; a failed run keeps it.

**When it runs.** By hand.

**What it needs.** Connections `ontap_default` and `mlflow_default`, and the run key of a run of a training DAG with
*Freeze the experiment*, such as `lane_detection`.

**What it leaves behind.** An MLflow run with the figures of the repetition. The experiment stays as it is; nothing is
deployed.

**If it fails.** Clear the failed task. An experiment whose snapshot was removed is named in one sentence, and cannot be
restored; its run may still be repeated by its own DAG from the dataset version.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from ontap_mlops.operators.experiment_difference import ExperimentDifferenceOperator
from ontap_mlops.operators.experiments import (
    ExperimentChooseOperator,
    ExperimentProgramOperator,
    ExperimentWorkspaceOperator,
)
from ontap_mlops.operators.judging import RunCompareOperator, TrainingRecordOperator
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.workspaces import WorkspaceDeleteOperator

# Beside what the experiment has left in its own folder, so that nothing is taken for done.
AGAIN = "{workspace}/.mlops/again"

with DAG(
    dag_id="restore_experiment",
    description="Clone a frozen experiment and train it again: the metrics are equal, or it says what differs",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=2,
    tags=["experiment"],
    params={
        "experiment": Param(
            type="string",
            minLength=1,
            title="Experiment",
            description="Key (r...) of the run that froze it: in its summary, and on its MLflow run.",
        ),
        "compute": places_param(None, title="Compute"),
    },
):
    choose = ExperimentChooseOperator(task_id="choose", experiment="{{ params.experiment }}")
    workspace = ExperimentWorkspaceOperator(task_id="create_workspace").as_setup()
    train = ExperimentProgramOperator(
        task_id="train",
        flags={"output": AGAIN},
        processes_parameter="workers",
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=24),
    )
    evaluate = ExperimentProgramOperator(
        task_id="evaluate",
        flags={"model": f"challenger={AGAIN}"},
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=1),
    )
    record = TrainingRecordOperator(task_id="record", training="train", evaluation="evaluate")
    compare = RunCompareOperator(task_id="compare", evaluation="evaluate")
    # Also where the metrics differ: then above all it is wanted.
    difference = ExperimentDifferenceOperator(task_id="difference")
    delete = WorkspaceDeleteOperator(task_id="delete_workspace").as_teardown(
        setups=workspace, on_failure_fail_dagrun=True
    )
    choose >> workspace >> train >> evaluate >> record >> [difference, compare]
    evaluate >> delete
