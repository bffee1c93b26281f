"""
# Click-through rate

**What.** Trains the same random forest on several engines (pandas with scikit-learn, Dask, RAPIDS) on the same rows of
one dataset version, compares them, and scores every row with the best model: `choose` a version → `create_workspace` (a
clone) and `results` (a volume; `raise_qos` raises its QoS policy) → `convert` the days to Parquet, once per version →
`train`, one task for each engine → `compare` (rows, seconds, rows per second, memory, accuracy; a page with plots in
MLflow) → `decide` → `promote` → `score` → `deploy` and `freeze` the scores → `retention` of old results. In any case,
`delete_workspace` and `lower_qos` undo what was made for the run.

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

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param, TaskGroup, task

from ontap_mlops import assets, names, registry
from ontap_mlops.compute import profiles
from ontap_mlops.operators.deploy import DeployForBatchOperator
from ontap_mlops.operators.models import ModelRegisterOperator, TrainingRecordOperator
from ontap_mlops.operators.qos import OntapQosLowerOperator, OntapQosRaiseOperator
from ontap_mlops.operators.snapshots import OntapSnapshotCreateOperator, OntapSnapshotExpireOperator
from ontap_mlops.operators.training import (
    PROMOTE,
    PromotionDecideOperator,
    RunChooseOperator,
    RunCompareOperator,
    RunSummarizeOperator,
)
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.operators.workspaces import WorkspaceCreateOperator, WorkspaceDeleteOperator

ENGINES = {"pandas": "pandas and scikit-learn", "dask": "Dask", "rapids": "RAPIDS (needs a GPU)"}
MODEL = "click_through"
MODEL_VOLUME, RESULTS_VOLUME = "models", "ctr_results"
KEPT_FOLDERS = 5  # of Parquet files and of scores on the volume itself; older scores are in its snapshots
DATASET = registry.dataset("ctr_days")

# What templates below write for results of other tasks; best(ti) is the engine of the best model.
MACROS = {
    "plan": lambda ti: ti.xcom_pull(task_ids="choose"),
    "best": lambda ti: ti.xcom_pull(task_ids="compare", key="best")["engine"],
}
PARQUET = "{results}/parquet/{{ plan(ti).dataset_version.id }}"
RUNS = "{workspace}/.mlops/run"
BEST = f"{RUNS}/{{{{ best(ti) }}}}"
DAYS = "{{ '--day=%s' % plan(ti).parameters.days if plan(ti).parameters.days }}"
MODELS = {"models": {"svm": DATASET.svm, "junction_path": names.junction_path(MODEL_VOLUME)}}
RESULTS = {"results": {"svm": DATASET.svm, "junction_path": names.junction_path(RESULTS_VOLUME)}}
TAGS = [
    "--experiment={{ dag.dag_id }}",
    "--tag=dataset_version={{ plan(ti).dataset_version.id }}",
    "--tag=snapshot_uuid={{ plan(ti).dataset_version.snapshot_uuid }}",
    "--tag=code_commit={{ plan(ti).code_commit }}",
    "--tag=airflow_run={{ dag.dag_id }}/{{ run_id }}",
]

PARAMS = {
    "dataset_version": Param(
        None,
        type=["null", "string"],
        title="Dataset version",
        description="Id of a version, such as v20261120t063000z01234567. Empty: by date, or the newest.",
        section="Data",
    ),
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Data as of",
        description="Train on the version that was current at this time.",
        section="Data",
    ),
    "days": Param(
        None,
        type=["null", "string"],
        title="Days",
        description="Names of days, joined by commas, such as day_0,day_1. Empty: all that the version has.",
        section="Data",
    ),
    "rows": Param(
        None,
        type=["null", "integer"],
        minimum=1000,
        title="Rows at most",
        description="To train on, from the first. Empty: all but the last, on which the models are judged.",
        section="Data",
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
    "seed": Param(1, type="integer", title="Seed", section="Training"),
    "compute": Param(
        "dask" if "dask" in profiles.places() else "local",
        type="string",
        enum=sorted(profiles.places()),
        title="Compute",
        section="Training",
    ),
    "qos_policy": Param(
        "extreme",
        type=["null", "string"],
        title="QoS policy during the run",
        description="Of the volume that the engines read. Empty: leave it as it is.",
        section="Storage",
    ),
    "promote": Param(
        "if_better",
        type="string",
        enum=list(PROMOTE),
        values_display=PROMOTE,
        title="Promote",
        description="When the new model replaces the deployed one.",
        section="Deployment",
    ),
    "metric": Param("auc", type="string", enum=["auc", "accuracy"], title="Metric that decides", section="Deployment"),
    "repeat_run": Param(
        None,
        type=["null", "string"],
        title="Repeat a run",
        description="Run key (r...) of a past training to do again exactly; the fields above do not count then.",
        section="Run it again",
    ),
}

with DAG(
    dag_id="click_through",
    description="One forest on pandas, Dask and RAPIDS: compared, the best promoted, every row scored",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("@daily", timezone="UTC"), assets=[assets.dataset_asset(DATASET)]
    ),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "ontap_conn_id": DATASET.ontap_conn_id},
    params=PARAMS,
    user_defined_macros=MACROS,
    tags=["train", DATASET.name],
):
    choose = RunChooseOperator(
        task_id="choose",
        multiple_outputs=True,
        dataset=DATASET.name,
        model=MODEL,
        parameters=["engines", "days", "rows", "trees", "depth", "seed"],
        version="{{ params.dataset_version or '' }}",
        as_of="{{ params.as_of or '' }}",
        repeat_run="{{ params.repeat_run or '' }}",
        promote="{{ params.promote }}",
    )
    version = choose.output["dataset_version"]

    create = WorkspaceCreateOperator(task_id="create_workspace", dataset_version=version, with_bucket=False).as_setup()
    delete = WorkspaceDeleteOperator(task_id="delete_workspace", svm=DATASET.svm).as_teardown(
        setups=create, on_failure_fail_dagrun=True
    )
    results = OntapVolumeEnsureOperator(
        task_id="results",
        svm=DATASET.svm,
        volume=RESULTS_VOLUME,
        size_bytes=DATASET.size_bytes,
        junction_path=names.junction_path(RESULTS_VOLUME),
        comment=f"ontap-mlops results of {MODEL}",
    )
    raise_qos = OntapQosRaiseOperator(
        task_id="raise_qos", svm=DATASET.svm, volume=RESULTS_VOLUME, policy="{{ params.qos_policy or '' }}"
    ).as_setup()
    lower_qos = OntapQosLowerOperator(task_id="lower_qos", svm=DATASET.svm, volume=RESULTS_VOLUME).as_teardown(
        setups=raise_qos, on_failure_fail_dagrun=True
    )
    mounts = {"workspace": create.output, **RESULTS}

    @task
    def engines(parameters: dict[str, Any]) -> list[str]:
        """What `train` is mapped over: a mapped task takes the whole of a result only."""
        return parameters["engines"]

    convert = WorkloadOperator(
        task_id="convert",
        program="tasks.ctr.convert",
        arguments=["--data={workspace}/data", f"--output={PARQUET}"],
        mounts=mounts,
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=6),
    )
    train = WorkloadOperator.partial(
        task_id="train",
        map_index_template="{{ task.step }}",
        max_active_tis_per_dagrun=1,
        program="tasks.ctr.train",
        labels=["engine"],
        arguments=[
            "--engine={{ task.step }}",
            f"--data={PARQUET}",
            f"--output={RUNS}/{{{{ task.step }}}}",
            DAYS,
            "{{ '--rows=%s' % plan(ti).parameters.rows if plan(ti).parameters.rows }}",
            "--trees={{ plan(ti).parameters.trees }}",
            "--depth={{ plan(ti).parameters.depth }}",
            "--seed={{ plan(ti).parameters.seed }}",
            "--run-name={{ plan(ti).run_key }}-{{ task.step }}",
            *TAGS,
        ],
        mounts=mounts,
        mlflow_conn_id="mlflow_default",
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=12),
    ).expand(step=engines(choose.output["parameters"]))
    compare = WorkloadOperator(
        task_id="compare",
        multiple_outputs=True,
        program="tasks.ctr.compare",
        arguments=[
            *[f"{{{{ '{RUNS}/{name}' if '{name}' in plan(ti).parameters.engines }}}}" for name in ENGINES],
            "--truth={workspace}/data/truth",
            f"--output={RUNS}/comparison",
            "--run-name={{ plan(ti).run_key }}",
            *TAGS,
        ],
        mounts=mounts,
        mlflow_conn_id="mlflow_default",
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=1),
    )
    evaluate = WorkloadOperator(
        task_id="evaluate",
        multiple_outputs=True,
        program="tasks.ctr.evaluate",
        arguments=[
            f"--data={PARQUET}",
            DAYS,
            f"--model=challenger={BEST}",
            "{{ '--model=champion={models}/' ~ plan(ti).champion.folder if plan(ti).champion }}",
        ],
        mounts={**mounts, **MODELS},
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=1),
    )
    record = TrainingRecordOperator(
        task_id="record",
        mlflow_run_id="{{ ti.xcom_pull(task_ids='compare', key='best').mlflow_run_id }}",
        dataset_version=version,
        parameters=choose.output["parameters"],
        metrics=evaluate.output["challenger"],
    )
    decide = PromotionDecideOperator(
        task_id="decide",
        plan=choose.output,
        metrics=evaluate.output["metrics"],
        metric="{{ params.metric }}",
        promote="promote",
        keep="{{ 'score' if plan(ti).champion else 'summary' }}",
        compare="compare_with_record",
    )
    compare_with_record = RunCompareOperator(
        task_id="compare_with_record", plan=choose.output, metrics=evaluate.output["challenger"]
    )

    with TaskGroup("promote", tooltip="Make a model version of the best model: copied, frozen, registered") as promote:
        publish = WorkloadOperator(
            task_id="publish",
            program="tasks.models.publish",
            arguments=[f"--source={BEST}", f"--destination={{models}}/models/{MODEL}/{{{{ plan(ti).run_key }}}}"],
            mounts={**mounts, **MODELS},
        )
        register = ModelRegisterOperator(
            task_id="register",
            model=MODEL,
            published=publish.output,
            training=record.output,
            volume=MODEL_VOLUME,
            svm=DATASET.svm,
        )
    score = WorkloadOperator(
        task_id="score",
        program="tasks.ctr.score",
        arguments=[
            f"--data={PARQUET}",
            DAYS,
            "--model={models}/{{ (ti.xcom_pull(task_ids='promote.register') or plan(ti).champion).folder }}",
            "--output={results}/scores/{{ plan(ti).run_key }}",
            "--run-name={{ plan(ti).run_key }}-score",
            *TAGS,
        ],
        mounts={**RESULTS, **MODELS},
        mlflow_conn_id="mlflow_default",
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=6),
        trigger_rule="none_failed_min_one_success",
    )
    deploy = DeployForBatchOperator(
        task_id="deploy",
        model_version=register.output,
        previous=choose.output["champion"],
        proof=score.output,
        outlets=[assets.model_asset(MODEL)],
    )
    freeze = OntapSnapshotCreateOperator(
        task_id="freeze",
        svm=DATASET.svm,
        volume=RESULTS_VOLUME,
        snapshot="mlops_{{ plan(ti).run_key }}",
        comment="ontap-mlops scores of {{ plan(ti).run_key }} on {{ plan(ti).dataset_version.id }}",
    )
    with TaskGroup("retention", tooltip="Make room: old results and old snapshots of them go") as retention:
        WorkloadOperator(
            task_id="folders",
            program="tasks.data.keep_newest",
            arguments=[
                f"--newest={KEPT_FOLDERS}",
                "--keep={{ plan(ti).dataset_version.id }}",
                "{results}/parquet",
                "{results}/scores",
            ],
            mounts=RESULTS,
        )
        OntapSnapshotExpireOperator(
            task_id="snapshots",
            svm=DATASET.svm,
            volume=RESULTS_VOLUME,
            prefix="mlops_r",
            keep_newest=DATASET.keep.versions,
            keep_days=DATASET.keep.days,
        )
    summary = RunSummarizeOperator(
        task_id="summary",
        facts={
            "run_key": "{{ plan(ti).run_key }}",
            "dataset_version": version,
            "engines": compare.output["engines"],
            "best": compare.output["best"],
            "metrics": evaluate.output["metrics"],
            "decision": decide.output,
            "model_version": register.output,
            "deployment": deploy.output,
            "scores": score.output,
            "frozen": freeze.output,
            "comparison": compare_with_record.output,
        },
    )

    choose >> [create, results]
    results >> raise_qos
    [create, raise_qos] >> convert >> train >> compare >> evaluate >> record >> decide
    decide >> [promote, score, compare_with_record, summary]
    promote >> score >> [deploy, freeze] >> summary
    freeze >> retention >> summary
    compare_with_record >> summary
    # Not after `summary`: a run that ends with nothing but teardowns counts as a success, whatever failed before. Nor
    # after `decide`: what comes after a branching task and is not chosen is skipped.
    [promote, compare_with_record] >> delete
    [score, compare_with_record] >> lower_qos
