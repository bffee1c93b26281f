"""
# Roll back

**What.** Puts the model version that was deployed before back into service: the model repository names it again, the
inference server loads it and proves it by one inference, and it becomes the champion in MLflow. Requests go on being
answered meanwhile.

**When it runs.** When triggered, with the name of a model.

**What it needs.** Connections `mlflow_default` and `inference_default`, and a version to return to: the last three
deployed ones are kept.

**What it leaves behind.** The version that was left stays registered and on the model volume; the next deployment takes
its place in the repository.

**If it fails.** The sentence says why, and clearing the failed task goes on. Fill in *Version to leave* before clearing
`repository`, or it returns one version further.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from ontap_mlops.operators.deploy import RollBackDeploymentOperator
from ontap_mlops.operators.workload import WorkloadOperator

with DAG(
    dag_id="roll_back",
    description="Serve the model version deployed before, prove it, and make it the champion again",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": 3},
    tags=["deploy"],
    params={
        "model": Param("tyre", type="string", title="Model", description="Name in MLflow and on the inference server."),
        "leave": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version to leave",
            description="Nothing happens when another version serves by now. Empty: the one that serves.",
        ),
        "svm": Param("svm1", type="string", title="SVM", description="Storage VM of the model volume."),
        "model_volume": Param("models", type="string", title="Model volume"),
    },
):
    repository = WorkloadOperator(
        task_id="repository",
        multiple_outputs=True,
        program="tasks.models.repository",
        arguments=[
            "roll-back",
            "--repository={models}/triton",
            "--name={{ params.model }}",
            "{{ '--leave=%s' % params.leave if params.leave }}",
        ],
        mounts={"models": {"svm": "{{ params.svm }}", "junction_path": "/{{ params.model_volume }}"}},
    )
    serve = RollBackDeploymentOperator(task_id="serve", model="{{ params.model }}", config=repository.output["config"])
    repository >> serve
