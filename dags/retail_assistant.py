"""
# Retail assistant: train on what people asked

**What.** Trains the model that tells what people want, the intent of a question and the slots of its words, on one
dataset version, and brings it into service if it is better: `choose` a version → `create_workspace` (a clone) →
`train`, anew or from the champion's weights → `claim` → `evaluate` (intents, slots, and whole conversations that reach
their end, on what neither model was trained on) → `decide` → `promote` → `deploy`, with one question to the server as
proof → `converse`: a conversation through the running dialog service, which has to understand as published and to
answer.

**When it runs.** Daily, and whenever `ingest_questions` makes a new dataset version. `retail_conversations` brings
each day's conversations there: the two together are the daily loop. A daily or backfilled run trains on the version
that was current at its logical date; a date before the first version is skipped with a sentence.

**What it needs.** Connections `ontap_default`, `mlflow_default`, `inference_default` and, for `converse`,
`dialog_default`: the dialog service (`make up SERVICES=dialog` on one machine).

**What it leaves behind.** An MLflow run that names the dataset version, with pictures and a page of the questions that
went wrong; and when the model is promoted, its files on the volume `retail_assistant_models` with a snapshot, a
version of the registered model `retail_assistant`, and the inference server serving it. The dialog service takes the
new version with its next question, without a restart.

**Run it again.** Enter a past run's key in *Repeat a run*: the same snapshot, parameters, seed and starting weights,
and the metrics compared.

**If it fails.** Clear the failed task; each goes on from what it finds, and `train` from its last checkpoint. When
`converse` fails, the new model serves all the same: its sentence says whether the dialog service does not answer, or
understood something else; `roll_back` puts the version before back.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param

from ontap_mlops.pipelines import Run, System, network_params, training_dag

SYSTEM = System(
    name="retail",
    dataset="questions",
    model="retail_assistant",
    metrics=("exact_match", "intent_accuracy", "slot_f1", "dialogs_ended"),
    starts_from="start",
)

PARAMS = {
    **network_params(
        {"small": "small, for a CPU", "published": "all of the encoder, as published, for a GPU"}, things=None
    ),
    "start": Param(
        "anew",
        type="string",
        pattern="^(anew|champion|r[0-9a-z]+)$",
        title="Start from",
        description="`anew`, `champion` (its weights), or the run key (r...) of a run whose model was promoted.",
        section="Training",
    ),
    "people_only": Param(
        False,
        type="boolean",
        title="Labels by people only",
        description="Leave out the messages that the model of the day labelled and nobody has looked at.",
        section="Training",
    ),
    "precision": Param(
        "int8",
        type="string",
        enum=["int8", "fp32"],
        title="Precision of what is served",
        values_display={"int8": "INT8 where it keeps 99 % of FP32's figures", "fp32": "FP32"},
        section="Training",
    ),
}


@training_dag(
    SYSTEM,
    doc_md=__doc__,
    description="Train on labelled questions, judge whole conversations, deploy if better, hold one as proof",
    params=PARAMS,
)
def retail_assistant(run: Run) -> None:
    models = run.models()  # where the weights to start from lie
    train = run.program("train", volumes=("workspace", "models"), time_limit=timedelta(hours=12))
    judge = run.judge("evaluate", training=train)
    deploy = run.serve_online(prove="predict")
    converse = run.program("converse", volumes=(), service_conn_ids={"DIALOG": "dialog_default"}, buttons=())
    run.facts |= {"held_out_dialogs": "evaluate:held_out_dialogs", "conversation": "converse"}

    models >> train >> judge >> run.promote() >> deploy >> converse
