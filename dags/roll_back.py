"""
# Roll back

**What.** Puts an earlier version of a model back into service, as a deployment does: its files are `place`d for the
inference server, which `load`s it and proves it by one inference; `activate` makes a restarted server serve it too; and
`confirm` makes it the champion in MLflow. Requests go on being answered meanwhile.

**When it runs.** When triggered, with the name of a model. It takes the claim on the model first, so it waits for a run
that is just judging or deploying one. *What to do* can also show which run has the claim, or give up the claim of a run
that does no more, such as one whose worker and retries were all killed: enter its run key, after making sure that
nothing of it runs.

**What it needs.** Connections `ontap_default`, `mlflow_default` and, unless the model is for batch scoring,
`inference_default`.

**What it leaves behind.** The version that was left stays registered and on its model volume: name it in *Version to
return to* to go forward again.

**If it fails.** What served before serves again, and the sentence says why. Clear the failed task to try again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TaskGroup

from ontap_mlops.operators.claims import ModelClaimOperator, ModelReleaseOperator
from ontap_mlops.operators.deployments import (
    KINDS,
    DeploymentActivateOperator,
    DeploymentConfirmOperator,
    DeploymentLoadOperator,
    DeploymentPlaceOperator,
)
from ontap_mlops.operators.roll_back import ACTIONS, VERSION, DeploymentPreviousOperator, ModelClaimInspectOperator

MODEL = "{{ params.model }}"

with DAG(
    dag_id="roll_back",
    description="Put an earlier model version back into service, prove it, and make it the champion again",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    tags=["deploy"],
    params={
        "model": Param(
            type="string", minLength=1, title="Model", description="Name in MLflow, and on the inference server."
        ),
        "what": Param("roll_back", type="string", enum=list(ACTIONS), values_display=ACTIONS, title="What to do"),
        "kind": Param("triton", type="string", enum=KINDS, title="Kind of serving", section="Roll back"),
        "leave": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version to leave",
            description="Nothing happens when another one is the champion by now. Empty: the champion.",
            section="Roll back",
        ),
        "to": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version to return to",
            description="Empty: the one that the champion replaced.",
            section="Roll back",
        ),
        "holder": Param(
            None,
            type=["null", "string"],
            title="Run key",
            description="Of the run (r...) whose claim is given up. Make sure first that nothing of it runs.",
            section="Give up a claim",
        ),
    },
):
    inspect = ModelClaimInspectOperator(
        task_id="inspect", model=MODEL, what="{{ params.what }}", holder="{{ params.holder or '' }}"
    )
    claim = ModelClaimOperator(task_id="claim", model=MODEL, hold=True).as_setup()
    version = DeploymentPreviousOperator(task_id=VERSION, leave="{{ params.leave or '' }}", to="{{ params.to or '' }}")
    with TaskGroup("deploy", tooltip="Serve the version and prove it, or put back what served") as deploy:
        serving = {"version": VERSION, "kind": "{{ params.kind }}"}
        place = DeploymentPlaceOperator(task_id="place", **serving)
        load = DeploymentLoadOperator(task_id="load", **serving).as_setup()
        activate = DeploymentActivateOperator(task_id="activate", **serving)
        place >> load >> activate >> DeploymentConfirmOperator(task_id="confirm", **serving)
    release = ModelReleaseOperator(task_id="release", model=MODEL, version=VERSION).as_teardown(
        setups=[claim, load], on_failure_fail_dagrun=True
    )
    # A run that ends with nothing but teardowns counts as a success, whatever failed before (decision 13).
    done = EmptyOperator(task_id="done", doc_md="Nothing: it fails the run when anything before it has failed.")

    inspect >> claim >> version >> deploy >> [release, done]
