"""The task groups by which a promoted version comes into service, for the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from ontap_mlops import assets
from ontap_mlops.operators.context import LOAD, REGISTER
from ontap_mlops.operators.deployments import (
    DeploymentActivateOperator,
    DeploymentConfirmOperator,
    DeploymentLoadOperator,
    DeploymentPlaceOperator,
)

if TYPE_CHECKING:
    from ontap_mlops.pipelines.run import Run


def serve_online(run: Run, *, prove: str, **serving: Any) -> TaskGroup:
    """Make the group ``deploy`` of place, load, prove, activate and confirm.

    :param prove: program of the system that asks the endpoint with real data.
    :param serving: ``kind`` of serving (``triton`` if not given) and its ``options``.
    """
    with TaskGroup("deploy", tooltip="Serve the version, prove it with real data, or put the old one back") as group:
        place = DeploymentPlaceOperator(task_id="place", **serving)
        # The release of the claim undoes it, so clearing a later step loads the version again.
        load = DeploymentLoadOperator(task_id="load", **serving).as_setup()
        run.loaded.append(load)
        proof = run.program("prove", program=prove, endpoint=LOAD, buttons=())
        activate = DeploymentActivateOperator(task_id="activate", **serving)
        confirm = _confirm(run, proof="deploy.prove", **serving)
        place >> load >> proof >> activate >> confirm
    return group


def serve_batch(run: Run, *, score: Any) -> TaskGroup:
    """Make the group ``deploy`` of confirm alone: the version is in service when batch scoring may use it.

    :param score: task of the program that has scored real rows with the version. It may run without a new version
        too, with the champion; then nothing is confirmed.
    """
    if REGISTER not in score.dag.task_ids:
        raise ValueError(f"DAG {score.dag.dag_id} registers no version to serve: call run.promote() before.")
    with TaskGroup("deploy", tooltip="Make the version the one that scores") as group:
        confirm = _confirm(run, proof=score.task_id, kind="batch")
    # Skipped with the promotion: scoring alone would let it run.
    score.dag.get_task(REGISTER) >> confirm
    score >> confirm
    return group


def _confirm(run: Run, **arguments: Any) -> DeploymentConfirmOperator:
    outlets = [assets.model_asset(run.system.registered_model)]
    return DeploymentConfirmOperator(task_id="confirm", outlets=outlets, **arguments)
