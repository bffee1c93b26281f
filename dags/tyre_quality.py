"""
# Tyre quality

**What.** Trains a classifier that tells defective tyres from good ones on one dataset version, judges it against the
deployed one on the same held-out photographs, and deploys it if it is better: `choose` a version → `create_workspace`
(a clone with its own bucket) → `train` → `claim` (one run at a time) → `evaluate` → `decide` → `promote` → `deploy`,
with one real inference as proof. The workspace is removed; a failed run keeps it until it is cleared or collected.

**When it runs.** Daily, and whenever `ingest_tyre_images` makes a new dataset version. A daily or backfilled run trains
on the version that was current at its logical date; dates before the first version are skipped, with a message, and so
is a daily run whose training has been done already.
`airflow backfill create --dag-id tyre_quality --from-date A --to-date B` trains each date on the data of that date and
leaves the deployed model alone, unless you choose otherwise in *Promote*.

**What it needs.** Connections `ontap_default`, `ontap_s3` (made by `provision_ontap`), `mlflow_default` and
`inference_default`.

**What it leaves behind.** An MLflow run that names the dataset version; and when the model is promoted, its files on
the volume `tyre_models` with a snapshot, a version of the registered model `tyre` whose description is the whole chain
of its origin, and the inference server serving it. The version before it is kept for a roll-back.

**Run it again.** Enter a past run's key in *Repeat a run*: the same snapshot, parameters and seed, and the metrics
compared. It fails when they differ, and says which record needed the snapshot when that has been removed.

**If it fails.** Clear the failed task; each goes on from what it finds. `train` resumes from its last checkpoint. A
failed deployment puts back the version that it replaced.
"""

from __future__ import annotations

from datetime import timedelta

from ontap_mlops.pipelines import Run, System, network_params, training_dag

SYSTEM = System(name="tyre", dataset="tyre_images", metrics=("accuracy", "f1", "roc_auc"), buckets=True)

PARAMS = network_params(
    {"recommended": "recommended", "walkthrough": "as published in the walkthrough"}, things="Images"
)


@training_dag(
    SYSTEM,
    doc_md=__doc__,
    description="Train on one dataset version, judge against the deployed model, deploy if better, prove it",
    params=PARAMS,
)
def tyre_quality(run: Run) -> None:
    train = run.program("train", time_limit=timedelta(hours=6))
    train >> run.judge("evaluate", training=train) >> run.promote() >> run.serve_online(prove="predict")
