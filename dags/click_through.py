"""
# Click-through rate

**What.** Trains the same random forest on several engines (pandas with scikit-learn, Dask, RAPIDS) on the same rows of
one dataset version, compares them, and scores every row with the best model: `choose` a version → `create_workspace` (a
clone) and `results` (a volume; `raise_qos` raises its QoS policy) → `convert` the days to Parquet, once per version →
`train`, one task for each engine → `compare` (rows, seconds, rows per second, memory, accuracy; a page with plots in
MLflow) → `claim` → `evaluate` → `decide` → `promote` → `score` → `deploy` and `freeze` the scores → `retention` of old
results. `lower_qos` and `delete_workspace` undo what was made for the run; a failed run keeps its workspace until it is
cleared or collected.

**When it runs.** Daily, and whenever `ingest_ctr_days` makes a new dataset version. A daily or backfilled run trains on
the version that was current at its logical date; a date before the first version is skipped with a sentence.
`airflow backfill create --dag-id click_through --from-date A --to-date B` trains each date on the days of that date and
leaves the deployed model alone, unless you choose otherwise in *Promote*.

**What it needs.** Connections `ontap_default` and `mlflow_default`. The engine `dask` works on the cluster that the
place names in `config/compute.yaml`, or on this machine; `rapids` needs a GPU.

**What it leaves behind.** On the volume `ctr_results`: the days as Parquet in `parquet/<version id>/`, and the scores
in `scores/<run key>/`, frozen as snapshot `mlops_<run key>`; the folders of the newest runs stay, and snapshots as long
as `keep` of the dataset in `config/datasets.yaml` says. In MLflow: a run for each engine, one that compares them,
and when the model is promoted, a version of the registered model `click_through`.

**Run it again.** Enter a past run's key in *Repeat a run*: the same snapshot, parameters and seed, and the metrics of
its best model compared.

**If it fails.** Clear the failed task; each goes on from what it finds, and `train` from its last checkpoint. Engines
run one after another: none takes another's cores, so the ratio between them means something.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, TaskGroup

from ontap_mlops.operators.qos import OntapQosLowerOperator, OntapQosRaiseOperator
from ontap_mlops.operators.results import ResultsFreezeOperator
from ontap_mlops.operators.snapshots import OntapSnapshotExpireOperator
from ontap_mlops.pipelines import Run, System, training_dag

SYSTEM = System(
    name="ctr", dataset="ctr_days", model="click_through", metrics=("auc", "accuracy"), places=("dask", "local")
)
ENGINES = {"pandas": "pandas and scikit-learn", "dask": "Dask", "rapids": "RAPIDS (needs a GPU)"}
KEPT_FOLDERS = 5  # of Parquet files and of scores on the volume itself; older scores are in its snapshots

PARAMS = {
    "days": Param(
        None,
        type=["null", "string"],
        title="Days",
        description="Names of days, joined by commas, such as day_0,day_1. Empty: all that the version has.",
    ),
    "rows": Param(
        None,
        type=["null", "integer"],
        minimum=1000,
        title="Rows at most",
        description="To train on, from the first. Empty: all but the last, on which the models are judged.",
    ),
    "engines": Param(
        ["pandas", "dask"],
        type="array",
        items={"type": "string", "enum": list(ENGINES)},
        examples=list(ENGINES),
        values_display=ENGINES,
        minItems=1,
        uniqueItems=True,
        title="Engines",
        section="Training",
    ),
    "trees": Param(10, type="integer", minimum=1, title="Trees", section="Training"),
    "depth": Param(10, type="integer", minimum=1, maximum=16, title="Depth", section="Training"),
}
OPTIONS = {
    "qos_policy": Param(
        "extreme",
        type=["null", "string"],
        title="QoS policy during the run",
        description="Of the volume that the engines read. Empty: leave it as it is.",
        section="Storage",
    ),
}
BOTH, SCORES = ("workspace", "results"), ("results", "models")


@training_dag(
    SYSTEM,
    doc_md=__doc__,
    description="One forest on pandas, Dask and RAPIDS: compared, the best promoted, every row scored",
    params=PARAMS,
    options=OPTIONS,
    max_active_runs=1,
)
def click_through(run: Run) -> None:
    volume = {"svm": run.svm, "volume": SYSTEM.results_volume}
    results = run.results()
    raise_qos = OntapQosRaiseOperator(task_id="raise_qos", policy="{{ params.qos_policy or '' }}", **volume).as_setup()
    lower_qos = OntapQosLowerOperator(task_id="lower_qos", **volume).as_teardown(
        setups=raise_qos, on_failure_fail_dagrun=True
    )

    convert = run.program("convert", volumes=BOTH, time_limit=timedelta(hours=6))
    train = run.program("train", each="engines", volumes=BOTH, time_limit=timedelta(hours=12))
    compare = run.program("compare", volumes=BOTH)
    judge = run.judge("evaluate", training=compare, keep=["score"], volumes=(*BOTH, "models"))
    promote = run.promote()
    score = run.program(
        "score",
        volumes=SCORES,
        model=True,
        time_limit=timedelta(hours=6),
        trigger_rule="none_failed_min_one_success",
    )
    deploy = run.serve_batch(score)
    freeze = ResultsFreezeOperator(task_id="freeze", what="scores", **volume)
    with TaskGroup("retention", tooltip="Make room: old results and old snapshots of them go") as retention:
        run.program(
            "folders",
            program="tasks.data.keep_newest",
            volumes=["results"],
            flags={"newest": KEPT_FOLDERS},
            buttons=(),
        )
        OntapSnapshotExpireOperator(
            task_id="snapshots",
            prefix="mlops_r",
            keep_newest=run.dataset.keep.versions,
            keep_days=run.dataset.keep.days,
            **volume,
        )
    run.facts |= {"engines": "compare:engines", "best": "compare:best", "scores": "score", "frozen": "freeze"}

    run.choose >> results >> raise_qos >> convert >> train >> compare >> judge >> promote >> score
    run.decide >> score >> [deploy, freeze]
    freeze >> retention
    score >> lower_qos
