"""
# Chest X-rays

**What.** Trains a ResNet that tells fourteen findings of chest X-rays on one dataset version, read from a cache beside
the compute: `choose` a version → `create_workspace` (a clone, for what the run writes) → `cache` the version at the
site of the compute → `train` → `reads` (bytes from the source and seconds, beside the run before) → `claim` →
`evaluate` (area under the ROC curve of each finding, with intervals over patients) → `decide` → `promote` → `deploy`,
with one real inference as proof. The cache stays for the next run; `evict_caches` removes it once nobody uses it.

**When it runs.** Daily, and whenever `ingest_chest_xray` makes a new dataset version. A daily or backfilled run trains
on the version that was current at its logical date; a date before the first version is skipped with a sentence.

**What it needs.** Connections `ontap_default`, `mlflow_default` and `inference_default`; to cache, the connection of
the site and a place to compute that the site lists in `config/sites.yaml`. Places are tried in the order chosen: name a
cloud last, and it is used when the others have no room.

**What it leaves behind.** The version's cache at the site; an MLflow run that names the dataset version and what was
read from where; and when the model is promoted, its files on the volume `chest_xray_models` with a snapshot, a version
of the registered model `chest_xray`, and the inference server serving it.

**Run it again.** Enter a past run's key in *Repeat a run*: the same snapshot, parameters and seed, and the metrics
compared.

**If it fails.** Clear the failed task; each goes on from what it finds, and `train` from its last checkpoint. A site
that is down, or has no room for the cache, fails nothing: the source is read, and `cache` and `summary` say why.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param

from ontap_mlops.pipelines import Run, System, network_params, training_dag

SYSTEM = System(name="chest", dataset="chest_xray", model="chest_xray", metrics=("mean_auroc",), cached=True)

PARAMS = {
    **network_params(
        {"small": "small, for a CPU", "published": "ResNet-50 as published, for a GPU"},
        part="Train on a part of the version, whole patients.",
        batch="",
        published={"epochs": 10, "batch_size": 128},
    ),
    "partial": Param(
        False,
        type="boolean",
        title="Some pictures may be missing",
        description="Rows of the table whose pictures are not in the version are left out, as of a part of NIH's set.",
        section="Training",
    ),
}


@training_dag(
    SYSTEM,
    doc_md=__doc__,
    description="Cache a version beside the compute, train on it, judge each finding, deploy if better, prove it",
    params=PARAMS,
)
def chest_xray(run: Run) -> None:
    train = run.program("train", time_limit=timedelta(hours=12))
    run.reads(training=train)
    train >> run.judge("evaluate", training=train) >> run.promote() >> run.serve_online(prove="predict")
