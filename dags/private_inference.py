"""
# Private inference

**What.** Trains a face detector in two halves and learns noise to add between them, so that a server finds faces in
what it gets without getting pictures: `choose` a version → `create_workspace` (a clone) → `train`, or take the network
of an earlier run → `sweep`, one task for each ALPHA (noise is fitted, the network adapted to it, and an attacker tries
to reconstruct the pictures) → `pick` (accuracy against privacy as a picture, published figures beside; a rule chooses
an ALPHA, or the run ends with a sentence) → `claim` → `evaluate` (the deployed model with its noise, on the same
held-out pictures) → `decide` → `promote` → `deploy`: the server gets the tail alone. Then three ways to use it:
`on_demand` (a notebook on one picture), `batch` (the average precision of every fold, in the published words) and
`served` (a client that adds the noise itself, then asks).

**When it runs.** Daily, and whenever `ingest_faces` makes a new dataset version. A daily or backfilled run trains on
the version that was current at its logical date; a date before the first version is skipped with a sentence.

**What it needs.** Connections `ontap_default`, `mlflow_default` and `inference_default`.

**What it leaves behind.** An MLflow run with the picture, the attacker's reconstructions and the notebook; when the
model is promoted, head, noise and tail on the volume `private_inference_models` with a snapshot, a version of the
registered model `private_inference`, and the inference server serving the tail.

**Run it again.** Enter a past run's key in *Repeat a run*: the same snapshot, parameters and seed, and the metrics
compared.

**If it fails.** Clear the failed task; each goes on from what it finds, `train` from its last checkpoint, and a `sweep`
that was done is not done again. Where `pick` says that no ALPHA keeps the accuracy, try smaller ones or allow more to
be lost; what served before serves on.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, TaskGroup

from ontap_mlops.operators.context import LOAD
from ontap_mlops.pipelines import Run, System, network_params, training_dag

SYSTEM = System(name="faces", dataset="faces", model="private_inference", metrics=("ap", "ap_halved", "ap_continuous"))

PARAMS = {
    **network_params({"small": "small, for a CPU", "published": "FaceBoxes as published, for a GPU"}, things=None),
    "network_of": Param(
        None,
        type=["null", "string"],
        title="Network of",
        description="Run key (r...) of a run whose model was promoted, such as the champion's: its network is taken as "
        "it is, and only adapted to noise. Empty: train one.",
        section="Training",
    ),
    "held_out": Param(
        "7,8,9,10",
        type="string",
        title="Folds held out",
        description="Neither network nor noise nor attacker learns on them.",
        section="Training",
    ),
    "alphas": Param(
        [0, 0.5, 0.8, 0.95],
        type="array",
        items={"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        minItems=2,
        uniqueItems=True,
        title="ALPHA",
        description="Shares of noise to try, from 0 (none, which has to be among them) to below 1.",
        section="Noise",
    ),
    "noise_steps": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Steps of the noise",
        description="In which it is fitted. Empty: as the programs have it.",
        section="Noise",
    ),
    "attack_steps": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Steps of the attacker",
        description="In which each one is trained. Empty: as the programs have it.",
        section="Noise",
    ),
    "most_lost": Param(
        0.1,
        type="number",
        minimum=0,
        exclusiveMaximum=1,
        title="Most that may be lost",
        description="Of the average precision without noise, as a share: the greatest ALPHA that keeps to it is taken.",
        section="Noise",
    ),
}


@training_dag(
    SYSTEM,
    doc_md=__doc__,
    description="Train a detector in two halves, learn noise between them, measure privacy, deploy the server's half",
    params=PARAMS,
)
def private_inference(run: Run) -> None:
    models = run.models()  # where a network that is taken lies
    train = run.program("train", volumes=("workspace", "models"), time_limit=timedelta(hours=12))
    sweep = run.program("sweep", each="alphas", at_once=2, time_limit=timedelta(hours=12))
    pick = run.program("pick", program="choose")
    judge = run.judge("evaluate", training=pick)
    deploy = run.serve_online(prove="predict")
    with TaskGroup("on_demand", tooltip="A notebook on one picture, clear and with noise") as on_demand:
        run.program("notebook")
    with TaskGroup("batch", tooltip="The average precision of every fold, where the data is") as batch:
        run.program("folds", program="batch", buttons=())
    with TaskGroup("served", tooltip="A client that adds the noise itself asks the server") as served:
        run.program("ask", program="served", endpoint=LOAD, buttons=())
    run.facts |= {name: f"pick:{name}" for name in ("alpha", "reason", "points", "at_equal_privacy", "pictures")}
    run.facts |= {"notebook": "on_demand.notebook", "folds": "batch.folds", "served": "served.ask"}

    models >> train >> sweep >> pick >> judge >> run.promote() >> deploy >> [on_demand, batch, served]
