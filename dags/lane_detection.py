"""
# Lane detection

**What.** Trains a network that finds the lanes of a road (SCNN, or a small one of its kind) on one dataset version, in
one process or several, judges it against the deployed one by TuSimple's own definition on the same held-out pictures,
and deploys it if it is better: `choose` a version → `create_workspace` (a clone) → `train` → `claim` → `evaluate` →
`record` → `experiment` (data, model, logs and code version frozen as one snapshot; what differs from the experiment
before it) and `decide` → `promote` → `deploy`, with one real inference as proof. The workspace is removed; a failed run
keeps it until it is cleared or collected.

**When it runs.** Daily, and whenever `ingest_lane_detection` makes a new dataset version. A daily or backfilled run
trains on the version that was current at its logical date; dates before the first version are skipped, with a message.

**What it needs.** Connections `ontap_default`, `mlflow_default` and `inference_default`. Several processes need a place
with as many cores or GPUs; each works on *Batch* pictures at once.

**What it leaves behind.** An MLflow run with the figures of every epoch and a sheet of pictures with lanes drawn on
them. With *Freeze the experiment*, the volume `mlops_exp_<run key>` with the snapshot `mlops_<run key>`: the data the
run trained on, without a copy, and its model, checkpoint, log and versions of the code. When the model is promoted, a
version of the registered model `lane_detection`.

**Run it again.** The DAG `restore_experiment` trains again from the frozen experiment. *Repeat a run* does the same
from the dataset version, as long as that is there.

**If it fails.** Clear the failed task; each goes on from what it finds, `train` from its last checkpoint. A process
that is lost begins again together with the others, twice; then the task fails, and says which one and how.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param

from ontap_mlops.pipelines import Run, System, network_params, training_dag

SYSTEM = System(
    name="lane",
    dataset="lane_detection",
    model="lane_detection",
    metrics=("accuracy", "false_negatives", "false_positives"),
)

PARAMS = {
    **network_params(
        {"small": "small, for a CPU", "published": "SCNN as published"},
        batch="Pictures of one process in a step.",
        published={"batch_size": 33},
    ),
    "workers": Param(
        1,
        type="integer",
        minimum=1,
        maximum=64,
        title="Processes",
        description="That train together, each on a core or GPU of its own. The published job had 3.",
        section="Training",
    ),
    "loader_workers": Param(
        0,
        type="integer",
        minimum=0,
        maximum=64,
        title="Loader processes",
        description="That prepare pictures for each process; 0: it does so itself. The published job had 4.",
        section="Training",
    ),
    "validate": Param(
        True,
        type="boolean",
        title="Judge after every epoch",
        description="On the held-out pictures. The published job did not.",
        section="Training",
    ),
    "validation_batch": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Batch of judging",
        description="The published job had 99. Empty: the configuration's.",
        section="Training",
    ),
}
OPTIONS = {
    "snapshot": Param(
        True,
        type="boolean",
        title="Freeze the experiment",
        description="Data, model, logs and code version as one snapshot, for the DAG restore_experiment.",
        section="Experiment",
    ),
    "compare_with": Param(
        None,
        type=["null", "string"],
        title="Compare with",
        description="Run key (r...) of a training to set beside this one. Empty: the experiment before it.",
        section="Experiment",
    ),
}


@training_dag(
    SYSTEM,
    doc_md=__doc__,
    description="Train in several processes, judge by TuSimple's definition, freeze the experiment, deploy if better",
    params=PARAMS,
    options=OPTIONS,
)
def lane_detection(run: Run) -> None:
    train = run.program("train", processes_parameter="workers", time_limit=timedelta(hours=24))
    judge = run.judge("evaluate", training=train)
    experiment = run.experiment()
    train >> judge >> run.promote() >> run.serve_online(prove="predict")
    run.record >> experiment
