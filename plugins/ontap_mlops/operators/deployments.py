"""Operators that put a version into service: place, load, prove, activate, confirm.

How is said by a kind of serving (``serving.kinds``). Before each change of what serves, the champion is read again: it
must be the one that the run was judged against, and the run must still have its claim on the model. If not, nothing
changes. What a failed deployment has changed is put back by the release of the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import DECIDE, LOAD, PLACE, REGISTER, claim_of, needed, result_of
from ontap_mlops.operators.kind_programs import KindProgramOperator
from ontap_mlops.operators.lineage import LineageMixin
from ontap_mlops.operators.links import MlflowModelLink
from ontap_mlops.operators.scans import require_scanned
from ontap_mlops.records import Claim, Deployment, ModelVersion
from ontap_mlops.serving.claims import ModelClaims, held_by
from ontap_mlops.serving.kind import Program, ServingKind, kind, known

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.mlflow import MlflowHook


def judged_claim(context: Context, version: ModelVersion, ontap_conn_id: str | None, mlflow: MlflowHook) -> Claim:
    """The run's claim, when it is still right to deploy ``version`` in place of the champion it names.

    Raises AirflowFailException, with what to clear, when the champion is another than the one judged against, or when
    the claim is not this run's any more; and for a version whose data nobody has scanned.
    """
    require_scanned(version)
    claim = claim_of(context)
    champion = mlflow.champion(version.model)
    against = (result_of(context, DECIDE) or {}).get("champion_version", _number(claim.champion))
    if _number(champion) not in (version.version, against):
        raise AirflowFailException(
            f"{_named(_number(champion))} is the champion of {version.model} now, and version {version.version} was "
            f"judged against {_named(against)}: the champion has been changed meanwhile. Nothing that serves is "
            "changed. Clear claim and evaluate, with what comes after them, to judge again."
        )
    lease = ModelClaims(ontap_conn_id, claim.svm, claim.volume, claim.model).read()
    if lease is None or lease.owner != claim.run_key:
        now = held_by(version.model, lease) if lease else f"No run has the claim on model {version.model}"
        raise AirflowFailException(
            f"This run has no claim on model {version.model} any more. {now}. Nothing that serves is changed. "
            "Clear claim and evaluate, with what comes after them."
        )
    return claim


KINDS = known()


class DeploymentPlaceOperator(KindProgramOperator):
    """Bring the version's files to where they are served from. What serves does not change.

    A version is refused whose data nobody has scanned for personal data, or where what was found was not allowed.

    :param version: task id that gave the version to deploy.
    :param kind: name of the kind of serving.
    :param options: options of the kind, by name.
    :return: what the kind's program says, which the next steps work with.
    """

    template_fields: Sequence[str] = (*KindProgramOperator.template_fields, "kind", "options")

    def __init__(
        self,
        *,
        version: str = REGISTER,
        kind: str = "triton",
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.kind = kind
        self.options = options

    def kind_program(self, context: Context) -> Program | None:
        version = ModelVersion.from_json(needed(context, self.version))
        require_scanned(version)
        return kind(self.kind, self.options).place(version)


class _DeploymentOperator(MlopsOperator):
    """What the steps share that speak to the server and to the registry.

    :param version: task id that gave the version to deploy.
    :param kind: name of the kind of serving.
    :param options: options of the kind, by name.
    """

    template_fields: Sequence[str] = ("kind", "options")

    def __init__(
        self,
        *,
        version: str = REGISTER,
        kind: str = "triton",
        options: Mapping[str, Any] | None = None,
        ontap_conn_id: str = "ontap_default",
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.kind = kind
        self.options = options
        self.ontap_conn_id = ontap_conn_id
        self.mlflow_conn_id = mlflow_conn_id

    @property
    def serving(self) -> ServingKind:
        return kind(self.kind, self.options)

    @property
    def registry(self) -> MlflowHook:
        from ontap_mlops.hooks.mlflow import MlflowHook

        return MlflowHook(self.mlflow_conn_id)

    def note(self, version: ModelVersion, state: str) -> None:
        facts = {"kind": self.kind, "options": dict(self.options or {}), "since": _now()}
        self.registry.note_serving(version, state, **facts)

    def model_version(self, context: Context) -> ModelVersion:
        return ModelVersion.from_json(needed(context, self.version))

    def deployment(self, claim: Claim, version: ModelVersion, proof: dict[str, Any]) -> Deployment:
        """The record of the version in service. One that returns to service keeps what it replaced the first time."""
        earlier, before = self.registry.deployment(version), _number(claim.champion)
        return Deployment(
            model_version=version,
            endpoint=self.serving.endpoint(version),
            previous_version=earlier.previous_version if earlier else before,
            proof=proof,
            deployed_at=_now(),
        )


class DeploymentLoadOperator(_DeploymentOperator):
    """Load the placed version and prove it by one inference; what served goes on serving until it is ready.

    When loading or the proof fails, what served is put back at once and the task fails with the server's own text. A
    server that restarts meanwhile comes up with the version before; ``activate`` makes the new one stay.

    :param proof_tensors: tensors to prove with (``name, shape, datatype, data``); zeros of the right shape by default.
    :return: the Deployment, as JSON.
    """

    template_fields: Sequence[str] = (*_DeploymentOperator.template_fields, "proof_tensors")

    def __init__(self, *, proof_tensors: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.proof_tensors = proof_tensors

    def execute(self, context: Context) -> dict[str, Any]:
        version, placed = self.model_version(context), result_of(context, PLACE) or {}
        claim = judged_claim(context, version, self.ontap_conn_id, self.registry)
        self.serving.wait_ready()
        is_champion = _number(self.registry.champion(version.model)) == version.version
        # Confirmed by an earlier try, it replaces nothing, so there is nothing to put back.
        proof = self._load(version, placed) if is_champion else self._replace(version, placed)
        deployment = self.deployment(claim, version, proof)
        self.log.info("Version %s of %s serves at %s", version.version, version.model, deployment.endpoint)
        return deployment.to_json()

    def _load(self, version: ModelVersion, placed: Mapping[str, Any]) -> dict[str, Any]:
        self.serving.load(version, placed)
        return self.serving.prove(version, placed, self.proof_tensors)

    def _replace(self, version: ModelVersion, placed: Mapping[str, Any]) -> dict[str, Any]:
        # Written down first: whoever finds the run dead knows what may serve, and how to undo it.
        self.note(version, "loading")
        try:
            return self._load(version, placed)
        except Exception:
            self._put_back(version, placed)
            raise

    def _put_back(self, version: ModelVersion, placed: Mapping[str, Any]) -> None:
        """Must not hide why the deployment failed; where this fails too, the release of the claim tries again."""
        try:
            self.serving.put_back(version, placed)
            self.note(version, "put back")
            self.log.warning("What version %s of %s was to replace serves on", version.version, version.model)
        except Exception:
            self.log.exception("What version %s of %s replaced is not put back", version.version, version.model)


class DeploymentActivateOperator(DeploymentPlaceOperator):
    """Make the loaded version the one that a restarted server serves.

    :return: what the kind's program says.
    """

    def kind_program(self, context: Context) -> Program | None:
        version = ModelVersion.from_json(needed(context, self.version))
        serving = kind(self.kind, self.options)
        judged_claim(context, version, self.ontap_conn_id, self.registry)
        loaded(serving, version)
        return serving.activate(version)


class DeploymentConfirmOperator(LineageMixin, _DeploymentOperator):
    """Make the proven version the champion in the registry, and keep the Deployment with it.

    Each outlet's event carries the record in ``extra["deployment"]``.

    :param proof: task id of the program that used the version with real data; its result is added to the proof.
    :return: the Deployment, as JSON.
    """

    template_fields: Sequence[str] = (*_DeploymentOperator.template_fields, "proof")
    operator_extra_links = (MlflowModelLink(),)

    def __init__(self, *, proof: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.proof = proof

    def execute(self, context: Context) -> dict[str, Any]:
        version = self.model_version(context)
        claim = judged_claim(context, version, self.ontap_conn_id, self.registry)
        loaded(self.serving, version)
        deployment = self.deployment(claim, version, self._proof(context))
        self.registry.mark_deployed(deployment)
        self.note(version, "serving")
        self.log.info("Version %s is the champion of %s", version.version, version.model)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"deployment": deployment.to_json()}
        MlflowModelLink.persist(context, self.mlflow_conn_id, version)
        self.tell_lineage(deployment)
        return deployment.to_json()

    def _proof(self, context: Context) -> dict[str, Any]:
        first = (result_of(context, LOAD) or {}).get("proof", {})
        return {**first, **(needed(context, self.proof) if self.proof else {})}


def loaded(serving: ServingKind, version: ModelVersion) -> None:
    """Raises AirflowFailException when the version does not serve, as after it was put back."""
    if not serving.serves(version):
        raise AirflowFailException(
            f"Version {version.version} of {version.model} does not serve, so it is not confirmed: it was put back, or "
            "another one was loaded by hand. Clear deploy.load and what comes after it."
        )


def _number(version: ModelVersion | None) -> int | None:
    return version.version if version else None


def _named(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
