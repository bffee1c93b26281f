"""Hook for MLflow: the model registry and the records of training runs, over MLflow's REST API.

``import mlflow`` takes about 5 s of processor time, which every task that only looks up a champion would pay; the calls
needed here are part of MLflow's documented REST interface. Code that wants more asks for ``client()``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from ontap_mlops.hooks.mlflow_experiments import Experiments
from ontap_mlops.hooks.mlflow_lineage import lineage
from ontap_mlops.hooks.mlflow_service import MlflowService, equals, tags
from ontap_mlops.hooks.mlflow_trainings import RECORD_TAG, RUN_KEY_TAG, Trainings
from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.records import Deployment, Evidence, ModelVersion, TrainingRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
DEPLOYMENT_TAG = "deployment"
SERVING_TAG = "serving"
RETIRED_TAG = "retired"
LOCATION_TAG = "location"
EVIDENCE_TAG = "evidence"


class MlflowHook(BaseHook):
    """Talks to the MLflow server of a connection of type ``http`` (host, port, login and password if it asks).

    A model version carries its :class:`ModelVersion` as JSON in the tag ``record`` and the DAG run that made it in the
    tag ``run_key``. The deployed version has the alias ``champion``. Training runs carry their :class:`TrainingRecord`
    (see ``hooks.mlflow_trainings``).

    :param mlflow_conn_id: the connection; its extra may hold ``token`` and ``verify`` (see ``hooks.rest``).
    :param timeout_s: longest wait for one answer, in seconds.
    """

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "http"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str = default_conn_name, timeout_s: float = 30, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mlflow_conn_id = mlflow_conn_id
        self.timeout_s = timeout_s

    @cached_property
    def service(self) -> MlflowService:
        return MlflowService(self.mlflow_conn_id, self.timeout_s)

    @property
    def tracking_uri(self) -> str:
        return self.service.url

    def client(self) -> MlflowClient:
        """MLflow's own client. It takes login and password from MLFLOW_TRACKING_USERNAME and _PASSWORD only."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def register(self, version: ModelVersion) -> ModelVersion:
        """The same record with the number MLflow gave it; a retry of the same run finds its own earlier version.

        :param version: its ``version`` is not read.
        """
        self._ensure_model(version.model)
        found = self.version_of_run(version.model, version.run_key)
        number = int(found["version"]) if found else self._create_version(version)
        numbered = dataclasses.replace(version, version=number)
        self._tag_version(numbered, RECORD_TAG, numbered.to_json())
        self.service.part(
            "PATCH",
            "model-versions/update",
            f"describe version {number} of model {version.model}",
            "model_version",
            json={"name": version.model, "version": str(number), "description": lineage(numbered)},
        )
        return numbered

    def version_of_run(self, model: str, run_key: str) -> dict[str, Any] | None:
        """MLflow's facts of the model version that a DAG run registered."""
        query = f"{equals('name', model)} and {equals(f'tags.{RUN_KEY_TAG}', run_key)}"
        found = self._versions_of(model, f"find the {model} of {run_key}", query)
        ours = [facts for facts in found if tags(facts).get(RUN_KEY_TAG) == run_key]
        return min(ours, key=lambda facts: int(facts["version"]), default=None)

    def model_version(self, model: str, version: int) -> ModelVersion:
        """Raises ServiceRefused when there is none, it was not registered by ``register`` or it was retired."""
        facts = self._facts(model, version)
        if RETIRED_TAG in tags(facts):
            raise ServiceRefused(
                f"Version {version} of model {model} was retired and its files are removed; choose another version, or "
                "repeat its training."
            )
        return self._record(facts)

    def model_versions(self) -> list[ModelVersion]:
        """All that ``register`` made, of every model; a version registered by other means, or retired, is left out."""
        found = self._versions("list its model versions")
        return [self._record(facts) for facts in found if RECORD_TAG in tags(facts) and RETIRED_TAG not in tags(facts)]

    def versions_with_tags(self, model: str) -> list[tuple[ModelVersion, dict[str, str]]]:
        """All versions of a model that ``register`` made, retired ones too, each with its tags in MLflow."""
        found = self._versions_of(model, f"list the versions of model {model}", equals("name", model))
        return [(self._record(facts), tags(facts)) for facts in found if RECORD_TAG in tags(facts)]

    def versions_of_all(self) -> list[tuple[ModelVersion, dict[str, str]]]:
        """Of every model, all versions that ``register`` made, retired ones too, each with its tags in MLflow.

        One whose record cannot be read is left out, with a warning in the log.
        """
        listed = []
        for facts in self._versions("list its model versions"):
            if RECORD_TAG in tags(facts):
                try:
                    listed.append((self._record(facts), tags(facts)))
                except ServiceRefused as error:
                    self.log.warning("%s It is left out.", error)
        return listed

    def champions(self) -> dict[str, int]:
        """The number of the version that each model serves; a model without one is left out."""
        asked, found = "list its models", {}
        for model in self.service.listed("GET", "registered-models/search", asked, "registered_models"):
            for alias in model.get("aliases", ()):
                if alias.get("alias") == CHAMPION:
                    found[model["name"]] = int(alias["version"])
        return found

    def retire(self, version: ModelVersion) -> None:
        """Mark a version whose files are about to be removed; what is known of its origin stays."""
        self._tag_version(version, RETIRED_TAG, {"at": datetime.now(UTC).isoformat(timespec="seconds")})

    def champion(self, model: str) -> ModelVersion | None:
        """The version with the alias ``champion``; None only when MLflow itself says that there is none."""
        asked, query = f"find the champion of model {model}", {"name": model, "alias": CHAMPION}
        try:
            facts = self.service.part("GET", "registered-models/alias", asked, "model_version", params=query)
        except ServiceRefused as error:
            if _says_no_champion(error):
                return None
            raise
        return self._record(facts)

    def set_champion(self, model: str, version: int) -> None:
        self.service.change(
            "POST",
            "registered-models/alias",
            f"make version {version} the champion of model {model}",
            json={"name": model, "alias": CHAMPION, "version": str(version)},
        )

    def mark_deployed(self, deployment: Deployment) -> None:
        """Make the deployed version the champion and keep the Deployment, with its proof, in a tag of it."""
        version = deployment.model_version
        self._tag_version(version, DEPLOYMENT_TAG, deployment.to_json())
        self.set_champion(version.model, version.version)

    def deployment(self, version: ModelVersion) -> Deployment | None:
        """How the version came into service last; None for one that never did."""
        kept = tags(self._facts(version.model, version.version)).get(DEPLOYMENT_TAG)
        return Deployment.from_json(json.loads(kept)) if kept else None

    def note_evidence(self, version: ModelVersion, evidence: Evidence) -> None:
        """Keep with a version which snapshots are locked for it, and until when."""
        self._tag_version(version, EVIDENCE_TAG, evidence.to_json())

    def evidence(self, version: ModelVersion) -> Evidence | None:
        """What ``note_evidence`` kept last; None for a version nothing was locked for."""
        kept = tags(self._facts(version.model, version.version)).get(EVIDENCE_TAG)
        return Evidence.from_json(json.loads(kept)) if kept else None

    def note_serving(self, version: ModelVersion, state: str, **facts: Any) -> None:
        """Keep with a version how far its deployment has come, for whoever has to undo it.

        :param state: ``loading`` before anything that serves is changed, then ``serving`` or ``put back``.
        :param facts: what is needed to undo it.
        """
        self._tag_version(version, SERVING_TAG, {"state": state, **facts})

    def serving_note(self, version: ModelVersion) -> dict[str, Any]:
        """What ``note_serving`` kept last; {} for a version that was never about to serve."""
        return json.loads(tags(self._facts(version.model, version.version)).get(SERVING_TAG) or "{}")

    @property
    def trainings(self) -> Trainings:
        return Trainings(self.service)

    def find_run(self, run_key: str) -> dict[str, Any] | None:
        """MLflow's facts (``info``, ``data``) of the training run a DAG run made; None when there is none."""
        return self.trainings.find_run(run_key)

    def record_training(self, record: TrainingRecord) -> None:
        """Keep with its MLflow run what is needed to do a training again."""
        self.trainings.keep(record)

    def training_record(self, run_key: str) -> TrainingRecord:
        """What ``record_training`` kept. Raises ServiceRefused when the run or its record is not there."""
        return self.trainings.get(run_key)

    def find_training(
        self, *, snapshot_uuid: str, parameters: Mapping[str, Any], code_commit: str, dag_id: str, model: str
    ) -> TrainingRecord | None:
        """The newest recorded training of this pipeline on the same data with the same parameters and code.

        None also when the code's commit is not known: then nobody can say that it is the same.
        """
        return self.trainings.same(snapshot_uuid, parameters, code_commit, dag_id, model)

    @property
    def experiments(self) -> Experiments:
        """What runs have frozen together, each kept with its training."""
        return Experiments(self.service)

    def snapshots_trained_on(self, since: datetime) -> dict[str, str]:
        """Snapshot UUIDs that trainings begun since then stand on, each with the run key of one of them."""
        return self.trainings.snapshots_since(since)

    def runs_on(self, version_id: str) -> list[dict[str, Any]]:
        """MLflow's facts of the runs that say they stand on this dataset version, newest first."""
        return self.trainings.on_version(version_id)

    def test_connection(self) -> tuple[bool, str]:
        try:
            next(self.service.listed("POST", "experiments/search", "list its experiments", "experiments"), None)
        except (ServiceUnavailable, ServiceRefused) as error:
            return False, str(error)
        return True, f"MLflow at {self.tracking_uri} answers"

    def _facts(self, model: str, version: int) -> dict[str, Any]:
        asked, query = f"get version {version} of model {model}", {"name": model, "version": str(version)}
        return self.service.part("GET", "model-versions/get", asked, "model_version", params=query)

    def _versions(self, asked: str, **query: str) -> Iterator[dict[str, Any]]:
        return self.service.listed("GET", "model-versions/search", asked, "model_versions", **query)

    def _versions_of(self, model: str, asked: str, query: str) -> Iterator[dict[str, Any]]:
        return (facts for facts in self._versions(asked, filter=query) if facts.get("name") == model)

    def _ensure_model(self, model: str) -> None:
        asked = f"create model {model}"
        try:
            self.service.part("POST", "registered-models/create", asked, "registered_model", json={"name": model})
        except ServiceRefused as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _create_version(self, version: ModelVersion) -> int:
        facts = {
            "name": version.model,
            # The files that the training left with its run: any MLflow client can load them. Those on the model
            # volume are the same, and are read where the volume is mounted.
            "source": f"runs:/{version.mlflow_run_id}/model",
            "run_id": version.mlflow_run_id,
            "tags": [
                {"key": RUN_KEY_TAG, "value": version.run_key},
                {"key": LOCATION_TAG, "value": f"ontap://{version.svm}/{version.volume}/{version.folder}"},
            ],
        }
        asked = f"register the {version.model} of {version.run_key}"
        return int(self.service.part("POST", "model-versions/create", asked, "model_version", json=facts)["version"])

    def _tag_version(self, version: ModelVersion, key: str, value: Mapping[str, Any]) -> None:
        self.service.change(
            "POST",
            "model-versions/set-tag",
            f"tag version {version.version} of model {version.model}",
            json={
                "name": version.model,
                "version": str(version.version),
                "key": key,
                "value": json.dumps(value),
            },
        )

    def _record(self, facts: Mapping[str, Any]) -> ModelVersion:
        record = tags(facts).get(RECORD_TAG)
        named = f"Version {facts.get('version')} of model {facts.get('name')} in MLflow at {self.tracking_uri}"
        if record is None:
            raise ServiceRefused(
                f"{named} has no tag {RECORD_TAG!r}, so it was not registered by a promotion here; "
                "give the alias to one that was."
            )
        try:
            return ModelVersion.from_json(json.loads(record))
        except ValueError as error:
            raise ServiceRefused(f"{named} has a tag {RECORD_TAG!r} that cannot be read: {error}.") from error


def _says_no_champion(error: ServiceRefused) -> bool:
    """MLflow's two answers, word for word: the model is not registered, or (3.x) the alias is not given."""
    missing_alias = f"Registered model alias {CHAMPION} not found"
    return error.code == "RESOURCE_DOES_NOT_EXIST" or (
        error.code == "INVALID_PARAMETER_VALUE" and error.reason.rstrip(".") == missing_alias
    )
