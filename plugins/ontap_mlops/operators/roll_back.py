"""Operators for what a person does by hand: return to an earlier version, see a claim, give up that of a dead run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BranchMixIn
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import CLAIM, claim_of
from ontap_mlops.operators.links import MlflowModelLink
from ontap_mlops.serving import claims

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.leases import Lease

VERSION = "version"  # id of the task that names the version to return to
_BEGUN = "ontap_mlops_claim_to_give_up"  # of the task's own store
ACTIONS = {
    "roll_back": "Roll back",
    "show_claim": "Only show which run has the claim on the model",
    "give_up_claim": "Give up the claim of a run that does no more",
}


class DeploymentPreviousOperator(MlopsOperator):
    """Name the version to return to: the one that the champion replaced, or one that a person names.

    :param leave: number of the version to leave; nothing is done when another one is the champion. Empty: whichever is.
    :param to: number of the version to return to. Empty: the one that the champion replaced.
    :return: the ModelVersion, as JSON.
    """

    template_fields: Sequence[str] = ("leave", "to")
    operator_extra_links = (MlflowModelLink(),)

    def __init__(
        self,
        *,
        leave: int | str | None = None,
        to: int | str | None = None,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.leave = leave
        self.to = to
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        registry, claim = MlflowHook(self.mlflow_conn_id), claim_of(context)
        champion = claim.champion
        if champion is None:
            raise AirflowFailException(f"Model {claim.model} has no champion, so there is nothing to return from.")
        if self.leave and champion.version != int(self.leave):
            raise AirflowFailException(
                f"Version {champion.version} is the champion of {claim.model}, not {self.leave}, which was to be left. "
                "Nothing is changed."
            )
        deployment = registry.deployment(champion)
        number = self.to or (deployment.previous_version if deployment else None)
        if not number:
            raise AirflowFailException(
                f"Version {champion.version} of {claim.model} has replaced no other; name the version to return to."
            )
        version = registry.model_version(claim.model, int(number))
        self.log.info("From version %s of %s back to %s", champion.version, claim.model, version.version)
        MlflowModelLink.persist(context, self.mlflow_conn_id, version)
        return version.to_json()


class ModelClaimInspectOperator(MlopsOperator, BranchMixIn):
    """Show who has the claim on a model, or give it up by hand for a run that does no more; else go on.

    A retry knows which claim its first try was about to give up, and where that claim is gone says that it is given up.

    :param model: name in the registry.
    :param volume: the one that holds the lease; the model's own if not given.
    :param svm: the connection's own if not given.
    :param what: ``roll_back`` goes on with ``then``, ``show_claim`` and ``give_up_claim`` skip the rest of the run.
    :param holder: run key whose claim is given up; whoever enters it has made sure that the run does no more.
    :param then: task id to go on with.
    :return: ``holder`` and ``since`` of the claim that was found, None for both without one, and ``given_up``: whether
        that run has it no more.
    """

    inherits_from_skipmixin = True
    template_fields: Sequence[str] = ("model", "volume", "svm", "what", "holder")

    def __init__(
        self,
        *,
        model: str,
        volume: str | None = None,
        what: str = "roll_back",
        holder: str | None = None,
        then: str = CLAIM,
        svm: str | None = None,
        ontap_conn_id: str = "ontap_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.volume = volume
        self.what = what
        self.holder = holder
        self.then = then
        self.svm = svm
        self.ontap_conn_id = ontap_conn_id

    def execute(self, context: Context) -> None:
        found = self._given_up(context) if self.what == "give_up_claim" else self._shown()
        context["ti"].xcom_push("return_value", found)
        self.do_branch(context, self.then if self.what == "roll_back" else None)

    @property
    def _claims(self) -> claims.ModelClaims:
        return claims.ModelClaims(self.ontap_conn_id, self.svm, self.volume, self.model)

    def _shown(self) -> dict[str, Any]:
        lease = self._claims.read()
        self.log.info("%s", self._said(lease))
        return {"holder": lease.owner if lease else None, "since": lease.since if lease else None, "given_up": False}

    def _given_up(self, context: Context) -> dict[str, Any]:
        lease, memory = self._claims.read(), cast(Any, context.get("task_state_store"))
        said, begun = self._said(lease), memory.get(_BEGUN) if memory is not None else None
        if begun and begun["holder"] == self.holder and (lease is None or lease.snapshot_uuid != begun["id"]):
            self.log.info("The claim of run %s is given up, as an earlier try of this task began to", self.holder)
            return {"holder": self.holder, "since": begun["since"], "given_up": True}
        if lease is None or lease.owner != self.holder:
            raise AirflowFailException(
                f"Run {self.holder or '(none entered)'} has no claim on model {self.model} to give up. {said}."
            )
        self.log.info("%s; it is given up", said)
        if memory is not None:
            memory.set(_BEGUN, {"holder": lease.owner, "since": lease.since, "id": lease.snapshot_uuid})
        self._claims.give_up(lease.owner)
        return {"holder": lease.owner, "since": lease.since, "given_up": True}

    def _said(self, lease: Lease | None) -> str:
        return claims.held_by(self.model, lease) if lease else f"No run has a claim on model {self.model}"
