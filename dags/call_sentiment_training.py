"""
# Call sentiment: training

**What.** Tunes what understands calls on one dataset version of labelled sentences, with what people corrected on the
pages of the calls: `choose` a version → `create_workspace` (a clone) → `train` (the sentiment of sentences, and words
for the recogniser to expect, chosen on recordings of the training) → `claim` → `evaluate` (base, tuned and deployed
model on the same held-out calls, each alone and as a pipeline with its recogniser: the mean difference of labelled and
recognised sentiment, with an interval over calls, and the word error rate beside it) → `decide` → `promote` →
`deploy`, with one real inference as proof. A tuned model that is not better than the base beyond the interval is never
deployed, nor one that is not better than what serves.

**When it runs.** Daily, and whenever `ingest_calls` makes a new dataset version. A daily or backfilled run trains on
the version that was current at its logical date; a date before the first version is skipped with a sentence.

**What it needs.** Connections `ontap_default`, `mlflow_default` and `inference_default`. A call is held out whole: some
calls with a recording and labelled sentences have to be.

**What it leaves behind.** An MLflow run with figures, pictures and the sentences that each model got wrong; and when
the model is promoted, its files on the volume `call_sentiment_models` with a snapshot, a version of the registered
model `call_sentiment`, and the inference server serving it. `call_sentiment` understands new calls with it from then
on.

**Run it again.** Enter a past run's key in *Repeat a run*: the same snapshot, parameters and seed, and the metrics
compared.

**If it fails.** Clear the failed task; each goes on from what it finds, and `train` from its last checkpoint. A label
that cannot be meant is named with file and line.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param

from ontap_mlops.pipelines import Run, System, network_params, training_dag

SYSTEM = System(
    name="calls",
    dataset="calls",
    model="call_sentiment",
    metrics=("pipeline_difference", "macro_f1", "pipeline_macro_f1", "recognition_difference"),
)

OWN = network_params(
    {"small": "the answer alone, for a CPU", "published": "all of the encoder as published, for a GPU"},
    batch="Sentences.",
    published={"epochs": 3, "batch_size": 32},
)
PARAMS = {
    **{name: param for name, param in OWN.items() if name != "limit"},
    "hints": Param(
        20,
        type="integer",
        minimum=0,
        maximum=40,
        title="Vocabulary hints",
        description="Words at most that the recogniser is told to expect. 0: none.",
        section="Training",
    ),
    "hint_sentences": Param(
        24,
        type="integer",
        minimum=1,
        title="Sentences for the hints",
        description="Of the training, recognised to find words that are missed.",
        section="Training",
    ),
    "held_out_share": Param(
        0.3,
        type="number",
        exclusiveMinimum=0,
        exclusiveMaximum=1,
        title="Share of calls held out",
        description="They judge, and train nothing.",
        section="Training",
    ),
}


@training_dag(
    SYSTEM,
    doc_md=__doc__,
    description="Tune sentiment and vocabulary on labelled calls, judge base and tuned as pipelines, deploy if better",
    params=PARAMS,
)
def call_sentiment_training(run: Run) -> None:
    train = run.program("train", time_limit=timedelta(hours=12))
    run.facts |= {name: f"train:{name}" for name in ("hints", "word_error_rate_of_choice")}
    judge = run.judge("evaluate", training=train, time_limit=timedelta(hours=12))
    run.facts |= {name: f"evaluate:{name}" for name in ("intervals", "against_base", "held_out_calls")}
    train >> judge >> run.promote() >> run.serve_online(prove="predict")
