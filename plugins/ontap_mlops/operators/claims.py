"""Operators that let one run at a time judge and change what serves a model, and undo what a failed one changed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import settings
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import CLAIM, REGISTER, result_of, run_key, run_record
from ontap_mlops.operators.kind_programs import KindProgramOperator
from ontap_mlops.records import Claim, ModelVersion
from ontap_mlops.serving import claims
from ontap_mlops.serving.kind import Program, ServingKind, kind

if TYPE_CHECKING:
    from airflow.sdk import Context

WAIT_LIMIT = timedelta(hours=24)
NEVER = "never"


class ModelClaimOperator(MlopsOperator):
    """Take the claim on a model, then read its champion: what the run is judged against is what it replaces.

    While another run has the claim, this one says which and since when, and waits; it never takes it by force. A run
    whose policy is ``never`` takes no claim and only reads the champion. Use it as a setup, with
    :class:`ModelReleaseOperator` as its teardown.

    :param model: name in the registry.
    :param volume: the one that holds the lease; the model's own if not given.
    :param svm: the connection's own if not given.
    :param hold: whether to take the claim; from the run's policy if not given.
    :param wait_limit: how long another run is waited for.
    :param poll_interval_s: seconds between two looks.
    :param deferrable: wait in the triggerer and free the worker slot; ``[ontap_mlops] deferrable`` if not given.
    :return: the Claim, as JSON.
    """

    template_fields: Sequence[str] = ("model", "volume", "svm")

    def __init__(
        self,
        *,
        model: str,
        volume: str | None = None,
        svm: str | None = None,
        hold: bool | None = None,
        wait_limit: timedelta = WAIT_LIMIT,
        poll_interval_s: float = 10.0,
        deferrable: bool | None = None,
        ontap_conn_id: str = "ontap_default",
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.volume = volume
        self.svm = svm
        self.hold = hold
        self.wait_limit = wait_limit
        self.poll_interval_s = poll_interval_s
        self.deferrable = settings.deferrable() if deferrable is None else deferrable
        self.ontap_conn_id = ontap_conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self._taken_by: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        if self.hold if self.hold is not None else run_record(context).promote != NEVER:
            return self._take(context, time.time() + self.wait_limit.total_seconds())
        return self._claim(run_key(context), held=False)

    def execute_complete(self, context: Context, event: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Resume after the trigger has seen the claim free. Another run may have been faster: then wait again."""
        from ontap_mlops.triggers.polling import WaitTimedOut, outcome

        with contextlib.suppress(WaitTimedOut):  # a last look decides
            outcome(event)
        return self._take(context, deadline)

    def on_kill(self) -> None:
        self._give_up()

    @property
    def claims(self) -> claims.ModelClaims:
        return claims.ModelClaims(self.ontap_conn_id, self.svm, self.volume, self.model)

    def _take(self, context: Context, deadline: float) -> dict[str, Any]:
        owner = run_key(context)
        while (lease := self.claims.take(owner)).owner != owner:
            said = claims.held_by(self.model, lease)
            if time.time() > deadline:
                raise AirflowFailException(
                    f"{said}, and this run has waited for it for {self.wait_limit}. {claims.HOW_TO_GIVE_UP} of "
                    f"{lease.owner}; then clear this task."
                )
            self.log.info("%s; waiting for it", said)
            if self.deferrable:
                self._defer(owner, lease.owner, deadline)
            time.sleep(self.poll_interval_s)
        self._taken_by = owner
        try:
            return self._claim(owner, held=True)
        except Exception:
            # Its teardown does not run for a setup that failed.
            self._give_up()
            raise

    def _defer(self, owner: str, holder: str, deadline: float) -> None:
        from ontap_mlops.triggers.polling import PollingTrigger

        self.defer(
            trigger=PollingTrigger(
                probe=f"{claims.__name__}.look",
                arguments={
                    "ontap_conn_id": self.ontap_conn_id,
                    "svm": self.claims.svm,
                    "volume": self.claims.volume,
                    "model": self.model,
                    "owner": owner,
                },
                interval_s=self.poll_interval_s,
                deadline=deadline,
                cursor=holder,
            ),
            method_name="execute_complete",
            kwargs={"deadline": deadline},
        )

    def _claim(self, owner: str, *, held: bool) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        champion = MlflowHook(self.mlflow_conn_id).champion(self.model)
        told = f"version {champion.version}, of run {champion.run_key}" if champion else "none yet"
        self.log.info("Champion of %s: %s", self.model, told)
        place = self.claims
        return Claim(
            model=self.model, run_key=owner, held=held, champion=champion, svm=place.svm, volume=place.volume
        ).to_json()

    def _give_up(self) -> None:
        if self._taken_by is not None:
            self.claims.give_up(self._taken_by)
            self._taken_by = None


class ModelReleaseOperator(KindProgramOperator):
    """Give up the claim, after putting back what the run has changed of what serves, unless it was confirmed.

    Something is put back only where a version of this run was loaded; then its kind of serving is asked whether that
    version still serves. Nothing is asked of an inference server otherwise. Where what serves cannot be put back, the
    task fails and the claim stays, so that no other run deploys on top of it: clear the task once the server answers.

    Use it as the teardown of :class:`ModelClaimOperator`, with the same arguments.

    :param model: name in the registry.
    :param volume: the one that holds the lease; the model's own if not given.
    :param svm: the connection's own if not given.
    :param version: task id that gave the version to deploy.
    :return: ``released`` (whether there was a claim) and ``put_back`` (number of the version taken out of service).
    """

    template_fields: Sequence[str] = (*KindProgramOperator.template_fields, "model", "volume", "svm")

    def __init__(
        self,
        *,
        model: str,
        volume: str | None = None,
        svm: str | None = None,
        version: str = REGISTER,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.model = model
        self.volume = volume
        self.svm = svm
        self._undo: tuple[ModelVersion, ServingKind] | None = None

    def kind_program(self, context: Context) -> Program | None:
        self._undo = self._unconfirmed(context) if _holds(context) else None
        if self._undo is None:
            return None
        version, serving = self._undo
        self.log.warning("Version %s of %s was loaded and not confirmed", version.version, version.model)
        return serving.inactivate(version)

    def finish(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        if not _holds(context):
            self.log.info("This run has no claim on model %s, so there is nothing to undo", self.model)
            return {"released": False, "put_back": None}
        if self._undo is not None:
            version, serving = self._undo
            serving.put_back(version, result)
            self.registry.note_serving(version, "put back")
            self.log.warning("What version %s of %s replaced serves again", version.version, version.model)
        owner = run_key(context)
        given_up = claims.ModelClaims(self.ontap_conn_id, self.svm, self.volume, self.model).give_up(owner)
        self.log.info(
            "The claim of %s on model %s is %s", owner, self.model, "given up" if given_up else "gone already"
        )
        return {"released": True, "put_back": self._undo[0].version if self._undo else None}

    def _unconfirmed(self, context: Context) -> tuple[ModelVersion, ServingKind] | None:
        """The version that this run loaded and did not make the champion, and how it is served."""
        registered = result_of(context, self.version)
        if not registered:
            return None
        version = ModelVersion.from_json(registered)
        note, champion = self.registry.serving_note(version), self.registry.champion(version.model)
        if note.get("state") != "loading" or (champion is not None and champion.version == version.version):
            return None
        return version, kind(note["kind"], note["options"])


def _holds(context: Context) -> bool:
    claim = result_of(context, CLAIM)
    return bool(claim) and Claim.from_json(claim).held
