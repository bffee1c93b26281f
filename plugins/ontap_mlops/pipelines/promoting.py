"""The task group by which a trained model becomes a registered version, for the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import TaskGroup

from ontap_mlops.operators.evidence import EvidenceLockOperator
from ontap_mlops.operators.models import ModelRegisterOperator
from ontap_mlops.operators.program import WORKSPACE

if TYPE_CHECKING:
    from ontap_mlops.pipelines.run import Run

MODELS = "models"


def promote(run: Run) -> TaskGroup:
    """Make the group ``promote`` of publish and register and, where the dataset says for how long, lock_evidence.

    Nothing comes into service before its evidence is locked.
    """
    days, allowed = run.dataset.evidence_days, run.dataset.check.allow_personal_data
    system = run.system
    with TaskGroup("promote", tooltip="Make a model version of the files: copied, frozen, registered") as group:
        publish = run.program(
            "publish",
            program="tasks.models.publish",
            volumes=(WORKSPACE, MODELS),
            flags={"allow_personal_data": allowed, "evidence": days > 0},
            buttons=(),
        )
        register = ModelRegisterOperator(
            task_id="register", model=system.registered_model, volume=system.model_volume, svm=run.svm
        )
        publish >> register
        if days:
            register >> EvidenceLockOperator(task_id="lock_evidence", days=days)
            run.facts["evidence"] = "promote.lock_evidence"
    run.facts["model_version"] = "promote.register"
    return group
