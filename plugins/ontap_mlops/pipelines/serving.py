"""The task groups by which a promoted version comes into service, for the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from ontap_mlops import assets
from ontap_mlops.operators.deployments import (
    DeploymentActivateOperator,
    DeploymentConfirmOperator,
    DeploymentLoadOperator,
    DeploymentPlaceOperator,
)

if TYPE_CHECKING:
    from ontap_mlops.pipelines.run import Run


def serve_online(run: Run, *, prove: str, **serving: Any) -> TaskGroup:
    with TaskGroup("deploy", tooltip="Serve the version, prove it with real data, or put the old one back") as group:
        place = DeploymentPlaceOperator(task_id="place", **serving)
        load = DeploymentLoadOperator(task_id="load", **serving)
        proof = run.program("prove", program=prove, endpoint="deploy.load")
        activate = DeploymentActivateOperator(task_id="activate", **serving)
        confirm = DeploymentConfirmOperator(
            task_id="confirm",
            proof="deploy.prove",
            outlets=[assets.model_asset(run.system.registered_model)],
            **serving,
        )
        place >> load >> proof >> activate >> confirm
    return group


def serve_batch(run: Run, *, score: Any) -> TaskGroup:
    with TaskGroup("deploy", tooltip="Make the version the one that scores") as group:
        DeploymentConfirmOperator(
            task_id="confirm",
            kind="batch",
            proof=score.task_id,
            outlets=[assets.model_asset(run.system.registered_model)],
        )
    return group
