"""
# New System

**What.** Trains a classifier on one dataset version, judges it against the deployed one on the same held-out rows, and
deploys it if it is better: `choose` a version → `create_workspace` (a clone) → `train` → `claim` → `evaluate` →
`decide` → `promote` → `deploy`, with one real inference as proof.

**When it runs.** Daily, and whenever `ingest_newsystem_data` makes a new dataset version. A daily or backfilled run
trains on the version that was current at its logical date.

**What it needs.** Connections `ontap_default`, `mlflow_default` and `inference_default`.

**What it leaves behind.** An MLflow run that names the dataset version; and when the model is promoted, its files on
the volume `newsystem_models` with a snapshot, a version of the registered model `newsystem`, and the inference server
serving it.

**If it fails.** Clear the failed task; each goes on from what it finds.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param

from ontap_mlops.pipelines import Run, System, training_dag

SYSTEM = System(name="newsystem", dataset="newsystem_data", metrics=("accuracy", "roc_auc"))

PARAMS = {
    "steps": Param(300, type="integer", minimum=1, title="Training steps", section="Training"),
}


@training_dag(SYSTEM, doc_md=__doc__, description="Train, judge, deploy if better, prove it", params=PARAMS)
def newsystem(run: Run) -> None:
    train = run.program("train", time_limit=timedelta(hours=1))
    train >> run.judge("evaluate", training=train) >> run.promote() >> run.serve_online(prove="predict")
