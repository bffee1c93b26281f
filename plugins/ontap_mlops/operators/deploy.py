"""Operators that put a model version into service, prove it, and return to the version before it.

The files are placed by ``tasks.models.repository``; these operators only speak to inference server and registry.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators.links import EndpointLink, MlflowModelLink
from ontap_mlops.operators.retry import RETRY_POLICY
from ontap_mlops.records import Deployment, ModelVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.inference import InferenceHook

_SHOWN_VALUES = 8


class ProofFailed(RuntimeError):
    """The version was loaded but did not answer as a model must."""


class _ServingOperator(BaseOperator):
    """What these operators share: the inference server, and failing at once where it says no.

    :param inference_conn_id: connection of type ``http`` to the inference server.
    :param mlflow_conn_id: connection of type ``http`` to MLflow.
    :param ready_timeout_s: how long a server that is just starting is waited for.
    """

    def __init__(
        self,
        *,
        inference_conn_id: str = "inference_default",
        mlflow_conn_id: str = "mlflow_default",
        ready_timeout_s: float = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retry_policy = self.retry_policy or RETRY_POLICY
        self.inference_conn_id = inference_conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self.ready_timeout_s = ready_timeout_s

    @cached_property
    def inference(self) -> InferenceHook:
        from ontap_mlops.hooks.inference import InferenceHook

        return InferenceHook(self.inference_conn_id)

    def load(self, config: Mapping[str, Any]) -> None:
        """Has the server serve what ``config`` says; the version before serves until the new one is ready."""
        name, version = config["name"], served_version(config)
        self.inference.load(name, config)
        if not self.inference.model_ready(name, version):
            raise ProofFailed(f"The inference server loaded model {name} but version {version} is not ready.")

    def prove(self, config: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """One inference with the version: its answer in short. Raises ProofFailed on an answer no model gives."""
        name, version = config["name"], served_version(config)
        sent = list(tensors or blank_tensors(self.inference.metadata(name, version)))
        answer = self.inference.infer(name, sent, version)
        outputs = {output["name"]: _in_short(output) for output in answer["outputs"]}
        broken = [n for n, o in outputs.items() if not o["values"] or not all(map(_is_sound, o["values"]))]
        if broken or not outputs:
            raise ProofFailed(
                f"Version {version} of model {name} answered {', '.join(broken) or 'nothing'} without finite numbers; "
                "look at the training's metrics and export before promoting it again."
            )
        return {"input": "given" if tensors else "blank", "version": int(answer["model_version"]), "outputs": outputs}

    def return_to(self, name: str, config: Mapping[str, Any] | None) -> None:
        """Serve ``config`` again, or nothing when there was nothing before."""
        if config is not None:
            self.load(config)
        else:
            self.inference.unload(name)


class DeployModelOperator(_ServingOperator):
    """Loads a model version that ``tasks.models.repository write`` placed, and proves it by one inference.

    Until the new version is ready the old one serves. When loading or the proof fails, the old one is put back (or
    nothing serves, if there was none) and the task fails with the server's own text. A server that restarts meanwhile
    comes up with the old version; ``tasks.models.repository activate`` makes the new one stay.

    :param model_version: ModelVersion, as JSON.
    :param written: result of ``tasks.models.repository write``.
    :param proof_tensors: tensors to prove with (``name, shape, datatype, data``); zeros of the right shape by default.
    :return: the Deployment, as JSON.
    """

    template_fields: Sequence[str] = ("model_version", "written", "proof_tensors")
    operator_extra_links = (EndpointLink(),)

    def __init__(self, *, model_version: Any, written: Any, proof_tensors: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_version = model_version
        self.written = written
        self.proof_tensors = proof_tensors

    def execute(self, context: Context) -> dict[str, Any]:
        version = ModelVersion.from_json(self.model_version)
        name, config, active = self.written["name"], self.written["config"], self.written["active"]
        self.inference.wait_ready(self.ready_timeout_s)
        try:
            self.load(config)
            proof = self.prove(config, self.proof_tensors)
        except Exception:
            self._put_back(name, active)
            raise
        previous = served_version(active) if active else None
        deployment = Deployment(
            model_version=version,
            endpoint=self.inference.endpoint(name),
            previous_version=previous if previous != version.version else None,
            proof=proof,
            deployed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.log.info("Version %s of %s serves at %s", version.version, name, deployment.endpoint)
        EndpointLink.persist(context, deployment)
        return deployment.to_json()

    def _put_back(self, name: str, active: Mapping[str, Any] | None) -> None:
        """Must not hide why the deployment failed, so a failure here is told in the log only."""
        try:
            self.return_to(name, active)
            self.log.warning("Returned to %s of %s", f"version {served_version(active)}" if active else "nothing", name)
        except Exception:
            self.log.exception("Could not return to what %s served before", name)


class ConfirmDeploymentOperator(_ServingOperator):
    """Makes a proven version the champion in the registry and keeps the Deployment there.

    Each outlet's event carries the record in ``extra["deployment"]``.

    :param deployment: what :class:`DeployModelOperator` returned.
    :param proof: result of a program that asked the endpoint with real data; added to the record's proof.
    :return: the Deployment, as JSON.
    """

    template_fields: Sequence[str] = ("deployment", "proof")
    operator_extra_links = (EndpointLink(), MlflowModelLink())

    def __init__(self, *, deployment: Any, proof: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deployment = deployment
        self.proof = proof

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        given = Deployment.from_json(self.deployment)
        deployment = dataclasses.replace(given, proof={**given.proof, **(self.proof or {})})
        version = deployment.model_version
        MlflowHook(self.mlflow_conn_id).mark_deployed(deployment)
        self.log.info("Version %s is the champion of %s", version.version, version.model)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"deployment": deployment.to_json()}
        EndpointLink.persist(context, deployment)
        MlflowModelLink.persist(context, self.mlflow_conn_id, version)
        return deployment.to_json()


class DeployForBatchOperator(BaseOperator):
    """Makes a version the champion of a model that no server serves: batch scoring reads its files from the volume.

    :param model_version: ModelVersion, as JSON.
    :param previous: ModelVersion that was the champion until now, as JSON; None if there was none.
    :param proof: result of the program that scored real rows with the version.
    :return: the Deployment, as JSON; its ``endpoint`` is the model's folder.
    """

    template_fields: Sequence[str] = ("model_version", "previous", "proof")
    operator_extra_links = (MlflowModelLink(),)

    def __init__(
        self,
        *,
        model_version: Any,
        previous: Any,
        proof: Any,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retry_policy = self.retry_policy or RETRY_POLICY
        self.model_version = model_version
        self.previous = previous
        self.proof = proof
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        version = ModelVersion.from_json(self.model_version)
        before = self.previous["version"] if self.previous else None
        deployment = Deployment(
            model_version=version,
            endpoint=f"ontap://{version.svm}/{version.volume}/{version.folder}",
            previous_version=before if before != version.version else None,
            proof=dict(self.proof),
            deployed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        MlflowHook(self.mlflow_conn_id).mark_deployed(deployment)
        self.log.info("Version %s is the champion of %s", version.version, version.model)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"deployment": deployment.to_json()}
        MlflowModelLink.persist(context, self.mlflow_conn_id, version)
        return deployment.to_json()


class RollBackDeploymentOperator(_ServingOperator):
    """Serves an earlier version again, proves it, and makes it the champion.

    After a deployment whose later proof failed, use it with ``trigger_rule="one_failed"`` and the ``active`` of what
    was written; to go back by hand, with the ``config`` that ``tasks.models.repository roll-back`` returned.

    :param model: name in the registry.
    :param served_name: name the model is served under; ``model`` if not given.
    :param config: what to serve; None takes a model out of service that was never deployed before.
    :return: the Deployment, as JSON; None when nothing serves any more.
    """

    template_fields: Sequence[str] = ("model", "served_name", "config")
    operator_extra_links = (EndpointLink(), MlflowModelLink())

    def __init__(self, *, model: str, config: Any, served_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.config = config
        self.served_name = served_name

    def execute(self, context: Context) -> dict[str, Any] | None:
        from ontap_mlops.hooks.mlflow import MlflowHook

        name, mlflow = self.served_name or self.model, MlflowHook(self.mlflow_conn_id)
        self.inference.wait_ready(self.ready_timeout_s)
        champion = mlflow.champion(self.model)
        if self.config is None and champion is not None:
            raise AirflowFailException(
                f"Model {self.model} has version {champion.version} as its champion, so {name} is not taken out of "
                "service: give the config to return to, from tasks.models.repository."
            )
        self.return_to(name, self.config)
        if self.config is None:
            self.log.warning("%s had no earlier version; it is out of service", name)
            return None
        deployment = self._deployment(name, mlflow.model_version(self.model, served_version(self.config)))
        if champion != deployment.model_version:
            mlflow.mark_deployed(deployment)
        self.log.warning("%s serves version %s again", name, deployment.model_version.version)
        EndpointLink.persist(context, deployment)
        MlflowModelLink.persist(context, self.mlflow_conn_id, deployment.model_version)
        return deployment.to_json()

    def _deployment(self, name: str, version: ModelVersion) -> Deployment:
        return Deployment(
            model_version=version,
            endpoint=self.inference.endpoint(name),
            previous_version=None,
            proof=self.prove(self.config),
            deployed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def served_version(config: Mapping[str, Any]) -> int:
    """The one version that a configuration written by ``tasks.models.repository`` serves."""
    return int(config["version_policy"]["specific"]["versions"][0])


def blank_tensors(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Zeros (empty text for BYTES) for every input, with 1 for each axis of any length."""
    tensors = []
    for described in metadata["inputs"]:
        shape = [max(int(axis), 1) for axis in described["shape"]]
        blank = "" if described["datatype"] == "BYTES" else 0
        data = [blank] * math.prod(shape)
        tensors.append({"name": described["name"], "shape": shape, "datatype": described["datatype"], "data": data})
    return tensors


def _in_short(output: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": output["shape"], "values": list(output["data"])[:_SHOWN_VALUES]}


def _is_sound(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
