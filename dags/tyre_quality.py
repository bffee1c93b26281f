"""
# Tyre quality

**What.** Trains a classifier that tells defective tyres from good ones on one dataset version, judges it against the
deployed one on the same held-out photographs, and deploys it if it is better: `choose` a version → `create_workspace`
(a clone with its own bucket) → `train` → `evaluate` → `decide` → `promote` → `deploy`, with one real inference as
proof. The workspace is removed in any case.

**When it runs.** Daily, and whenever `ingest_tyre_images` makes a new dataset version. A daily or backfilled run trains
on the version that was current at its logical date; a date before the first version is skipped with a sentence.
`airflow backfill create --dag-id tyre_quality --from-date A --to-date B` trains each date on the data of that date and
leaves the deployed model alone, unless you choose otherwise in *Promote*.

**What it needs.** Connections `ontap_default`, `ontap_s3` (made by `provision_ontap`), `mlflow_default` and
`inference_default`.

**What it leaves behind.** An MLflow run that names the dataset version; and when the model is promoted, its files on
the model volume with a snapshot, a version of the registered model `tyre` whose description is the whole chain of its
origin, and the inference server serving it. The version before it is kept for a roll-back.

**Run it again.** Enter a past run's key in *Repeat a run*: the same snapshot, parameters and seed, and the metrics
compared. It fails when they differ, and says which record needed the snapshot when that has been removed.

**If it fails.** Clear the failed task; each goes on from what it finds. `train` resumes from its last checkpoint. A
failed deployment puts the version before it back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param, TaskGroup

from ontap_mlops import assets, registry
from ontap_mlops.compute import profiles
from ontap_mlops.operators.deploy import ConfirmDeploymentOperator, DeployModelOperator, RollBackDeploymentOperator
from ontap_mlops.operators.links import MlflowRunLink
from ontap_mlops.operators.models import ModelRegisterOperator, TrainingRecordOperator
from ontap_mlops.operators.training import (
    PROMOTE,
    PromotionDecideOperator,
    RunChooseOperator,
    RunCompareOperator,
    RunSummarizeOperator,
)
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.operators.workspaces import WorkspaceCreateOperator, WorkspaceDeleteOperator

MODEL = "tyre"
MODEL_VOLUME = "models"
DATASET = registry.dataset("tyre_images")

# Templates below write plan(ti) and workspace(ti) for what these two tasks returned.
MACROS = {
    "plan": lambda ti: ti.xcom_pull(task_ids="choose"),
    "workspace": lambda ti: ti.xcom_pull(task_ids="create_workspace"),
}
DATA = "{{ 's3://' ~ workspace(ti).bucket if workspace(ti).bucket else '{workspace}' }}/data"
RUN_FOLDER = "{workspace}/.mlops/run"
MODELS = {"models": {"svm": DATASET.svm, "junction_path": f"/{MODEL_VOLUME}"}}
REPOSITORY = "{models}/triton"

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
    "read_through": Param(
        "bucket",
        type="string",
        enum=["bucket", "mount"],
        title="Read images through",
        values_display={"bucket": "the workspace's S3 bucket", "mount": "the mounted workspace"},
        section="Data",
    ),
    "configuration": Param(
        "recommended",
        type="string",
        enum=["recommended", "walkthrough"],
        title="Network and settings",
        values_display={"recommended": "recommended", "walkthrough": "as published in the walkthrough"},
        section="Training",
    ),
    "epochs": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Epochs",
        description="Empty: the configuration's.",
        section="Training",
    ),
    "seed": Param(1, type="integer", title="Seed", section="Training"),
    "limit": Param(
        None,
        type=["null", "integer"],
        minimum=20,
        title="Images at most",
        description="Train on a part of the version. Empty: all of it.",
        section="Training",
    ),
    "compute": Param("local", type="string", enum=sorted(profiles.places()), title="Compute", section="Training"),
    "promote": Param(
        "if_better",
        type="string",
        enum=list(PROMOTE),
        values_display=PROMOTE,
        title="Promote",
        description="When the new model replaces the deployed one.",
        section="Deployment",
    ),
    "metric": Param(
        "accuracy", type="string", enum=["accuracy", "f1", "roc_auc"], title="Metric that decides", section="Deployment"
    ),
    "repeat_run": Param(
        None,
        type=["null", "string"],
        title="Repeat a run",
        description="Run key (r...) of a past training to do again exactly; the fields above do not count then.",
        section="Run it again",
    ),
}

with DAG(
    dag_id="tyre_quality",
    description="Train on one dataset version, judge against the deployed model, deploy if better, prove it",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("@daily", timezone="UTC"), assets=[assets.dataset_asset(DATASET)]
    ),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 3, "ontap_conn_id": DATASET.ontap_conn_id},
    params=PARAMS,
    user_defined_macros=MACROS,
    tags=["train", "tyre_images"],
):
    choose = RunChooseOperator(
        task_id="choose",
        multiple_outputs=True,
        dataset=DATASET.name,
        model=MODEL,
        parameters=["configuration", "epochs", "seed", "limit"],
        version="{{ params.dataset_version or '' }}",
        as_of="{{ params.as_of or '' }}",
        repeat_run="{{ params.repeat_run or '' }}",
        promote="{{ params.promote }}",
    )
    version = choose.output["dataset_version"]

    create = WorkspaceCreateOperator(
        task_id="create_workspace", dataset_version=version, with_bucket="{{ params.read_through == 'bucket' }}"
    ).as_setup()
    delete = WorkspaceDeleteOperator(task_id="delete_workspace", svm=DATASET.svm).as_teardown(
        setups=create, on_failure_fail_dagrun=True
    )
    mounts = {"workspace": create.output, **MODELS}

    train = WorkloadOperator(
        task_id="train",
        multiple_outputs=True,
        program="tasks.tyre.train",
        arguments=[
            f"--data={DATA}",
            f"--output={RUN_FOLDER}",
            "--configuration={{ plan(ti).parameters.configuration }}",
            "{{ '--epochs=%s' % plan(ti).parameters.epochs if plan(ti).parameters.epochs }}",
            "{{ '--limit=%s' % plan(ti).parameters.limit if plan(ti).parameters.limit }}",
            "--seed={{ plan(ti).parameters.seed }}",
            "--experiment={{ dag.dag_id }}",
            "--run-name={{ plan(ti).run_key }}",
            "--tag=run_key={{ plan(ti).run_key }}",
            "--tag=dataset_version={{ plan(ti).dataset_version.id }}",
            "--tag=snapshot_uuid={{ plan(ti).dataset_version.snapshot_uuid }}",
            "--tag=code_commit={{ plan(ti).code_commit }}",
            "--tag=airflow_run={{ dag.dag_id }}/{{ run_id }}",
        ],
        mounts={"workspace": create.output},
        aws_conn_id="{{ 'ontap_s3' if workspace(ti).bucket else '' }}",
        mlflow_conn_id="mlflow_default",
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=6),
    )
    train.operator_extra_links = (MlflowRunLink(),)
    evaluate = WorkloadOperator(
        task_id="evaluate",
        multiple_outputs=True,
        program="tasks.tyre.evaluate",
        arguments=[
            f"--data={DATA}",
            f"--output={RUN_FOLDER}",
            f"--model=challenger={RUN_FOLDER}",
            "{{ '--model=champion={models}/' ~ plan(ti).champion.folder if plan(ti).champion }}",
            "{{ '--limit=%s' % plan(ti).parameters.limit if plan(ti).parameters.limit }}",
        ],
        mounts=mounts,
        aws_conn_id="{{ 'ontap_s3' if workspace(ti).bucket else '' }}",
        mlflow_conn_id="mlflow_default",
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=1),
    )
    metrics = evaluate.output["metrics"]
    record = TrainingRecordOperator(
        task_id="record",
        mlflow_run_id=train.output["mlflow_run_id"],
        dataset_version=version,
        parameters=choose.output["parameters"],
        metrics=train.output["metrics"],
    )
    decide = PromotionDecideOperator(
        task_id="decide",
        plan=choose.output,
        metrics=metrics,
        metric="{{ params.metric }}",
        promote="promote",
        keep="summary",
        compare="compare_with_record",
    )
    compare = RunCompareOperator(task_id="compare_with_record", plan=choose.output, metrics=train.output["metrics"])

    with TaskGroup("promote", tooltip="Make a model version of the files: copied, frozen, registered") as promote:
        publish = WorkloadOperator(
            task_id="publish",
            program="tasks.models.publish",
            arguments=[f"--source={RUN_FOLDER}", f"--destination={{models}}/models/{MODEL}/{{{{ plan(ti).run_key }}}}"],
            mounts=mounts,
        )
        register = ModelRegisterOperator(
            task_id="register",
            model=MODEL,
            published=publish.output,
            training=record.output,
            volume=MODEL_VOLUME,
            svm=DATASET.svm,
        )

    with TaskGroup(
        "deploy", tooltip="Serve the version, prove it with a real photograph, or put the old one back"
    ) as deploy:
        model_version = "{{ ti.xcom_pull(task_ids='promote.register').version }}"
        write = WorkloadOperator(
            task_id="write",
            multiple_outputs=True,
            program="tasks.models.repository",
            arguments=[
                "write",
                f"--repository={REPOSITORY}",
                f"--name={MODEL}",
                f"--version={model_version}",
                "--source={models}/{{ ti.xcom_pull(task_ids='promote.register').folder }}",
                "--digest={{ ti.xcom_pull(task_ids='promote.register').digest }}",
            ],
            mounts=MODELS,
        )
        load = DeployModelOperator(task_id="load", model_version=register.output, written=write.output)
        prove = WorkloadOperator(
            task_id="prove",
            program="tasks.tyre.predict",
            arguments=[
                "--endpoint={{ ti.xcom_pull(task_ids='deploy.load').endpoint }}",
                f"--model={RUN_FOLDER}",
                f"--version={model_version}",
                f"--data={DATA}",
            ],
            mounts={"workspace": create.output},
            aws_conn_id="{{ 'ontap_s3' if workspace(ti).bucket else '' }}",
        )
        activate = WorkloadOperator(
            task_id="activate",
            program="tasks.models.repository",
            arguments=["activate", f"--repository={REPOSITORY}", f"--name={MODEL}", f"--version={model_version}"],
            mounts=MODELS,
        )
        confirm = ConfirmDeploymentOperator(
            task_id="confirm",
            deployment=load.output,
            proof=prove.output,
            outlets=[assets.model_asset(MODEL)],
        )
        roll_back = RollBackDeploymentOperator(
            task_id="roll_back", model=MODEL, config=write.output["active"], trigger_rule="one_failed"
        )
        write >> load >> prove >> activate >> confirm
        [prove, activate] >> roll_back

    summary = RunSummarizeOperator(
        task_id="summary",
        facts={
            "run_key": "{{ plan(ti).run_key }}",
            "dataset_version": version,
            "metrics": metrics,
            "decision": decide.output,
            "mlflow_run_id": train.output["mlflow_run_id"],
            "model_version": register.output,
            "deployment": confirm.output,
            "comparison": compare.output,
        },
    )

    choose >> create >> train >> [record, evaluate] >> decide >> [promote, compare, summary]
    promote >> deploy >> summary
    compare >> summary
    # Not after `summary`: a run that ends with nothing but teardowns counts as a success, whatever failed before. Nor
    # after `decide`: what comes after a branching task and is not chosen is skipped.
    [compare, deploy] >> delete
