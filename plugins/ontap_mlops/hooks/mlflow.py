"""Hook for MLflow: the model registry and the records of training runs, over MLflow's REST API.

``import mlflow`` takes about 5 s of processor time, which every task that only looks up a champion would pay; the calls
needed here are part of MLflow's documented REST interface. Code that wants more asks for ``client()``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from ontap_mlops.hooks.rest import TEMPORARY_STATUS, RestService, ServiceRefused, ServiceUnavailable
from ontap_mlops.records import Deployment, ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
RUN_KEY_TAG = "run_key"
RECORD_TAG = "record"
DEPLOYMENT_TAG = "deployment"
_API = "/api/2.0/mlflow/"
_TEMPORARY = TEMPORARY_STATUS | {500}  # MLflow's answer when its database is locked or away


class MlflowHook(BaseHook):
    """Talks to the MLflow server of a connection of type ``http`` (host, port, login and password if it asks).

    A model version carries its :class:`ModelVersion` as JSON in the tag ``record`` and the DAG run that made it in the
    tag ``run_key``; a training run carries both tags too. The deployed version has the alias ``champion``.

    :param mlflow_conn_id: the connection.
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
    def service(self) -> RestService:
        return RestService(self.mlflow_conn_id, "MLflow server", self.timeout_s, _TEMPORARY)

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
        self._tag_version(numbered, RECORD_TAG, numbered)
        self._call(
            "PATCH",
            "model-versions/update",
            f"describe version {number} of model {version.model}",
            json={"name": version.model, "version": str(number), "description": lineage(numbered)},
        )
        return numbered

    def version_of_run(self, model: str, run_key: str) -> dict[str, Any] | None:
        """MLflow's facts of the model version that a DAG run registered."""
        query = f"name = '{model}' and tags.{RUN_KEY_TAG} = '{run_key}'"
        answer = self._call("GET", "model-versions/search", f"find the {model} of {run_key}", params={"filter": query})
        found = sorted(answer.get("model_versions", []), key=lambda v: int(v["version"]))
        return found[0] if found else None

    def model_version(self, model: str, version: int) -> ModelVersion:
        """Raises ServiceRefused when there is none or it was not registered by ``register``."""
        asked = f"get version {version} of model {model}"
        answer = self._call("GET", "model-versions/get", asked, params={"name": model, "version": str(version)})
        return self._record(answer["model_version"])

    def model_versions(self) -> list[ModelVersion]:
        """All that ``register`` made, of every model; a version registered by other means is left out."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"max_results": 1000}
        while True:
            page = self._call("GET", "model-versions/search", "list its model versions", params=query)
            found += page.get("model_versions", [])
            if not page.get("next_page_token"):
                return [self._record(facts) for facts in found if RECORD_TAG in _tags(facts)]
            query["page_token"] = page["next_page_token"]

    def champion(self, model: str) -> ModelVersion | None:
        """The version with the alias ``champion``, or None when nothing has been deployed yet."""
        query = {"name": model, "alias": CHAMPION}
        try:
            answer = self._call("GET", "registered-models/alias", f"find the champion of model {model}", params=query)
        except ServiceRefused as error:
            if error.status == 404 or "not found" in error.reason:
                return None
            raise
        return self._record(answer["model_version"])

    def set_champion(self, model: str, version: int) -> None:
        self._call(
            "POST",
            "registered-models/alias",
            f"make version {version} the champion of model {model}",
            json={"name": model, "alias": CHAMPION, "version": str(version)},
        )

    def mark_deployed(self, deployment: Deployment) -> None:
        """Makes the deployed version the champion and keeps the Deployment, with its proof, in a tag of it."""
        version = deployment.model_version
        self._tag_version(version, DEPLOYMENT_TAG, deployment)
        self.set_champion(version.model, version.version)

    def find_run(self, run_key: str) -> dict[str, Any] | None:
        """MLflow's facts (``info``, ``data``) of the training run a DAG run made; None when there is none."""
        asked = f"find the run of {run_key}"
        experiments = self._call("POST", "experiments/search", "list its experiments", json={"max_results": 1000})
        ids = [experiment["experiment_id"] for experiment in experiments.get("experiments", [])]
        search = {"experiment_ids": ids, "filter": f"tags.{RUN_KEY_TAG} = '{run_key}'", "max_results": 1}
        runs = self._call("POST", "runs/search", asked, json=search).get("runs", []) if ids else []
        return runs[0] if runs else None

    def record_training(self, record: Mapping[str, Any]) -> None:
        """Keeps what is needed to run a training again as a tag of its MLflow run.

        :param record: ``run_key, mlflow_run_id, dataset_version, parameters, metrics, code_commit``.
        """
        for key, value in ((RUN_KEY_TAG, record["run_key"]), (RECORD_TAG, json.dumps(record))):
            self._call(
                "POST",
                "runs/set-tag",
                f"tag run {record['mlflow_run_id']}",
                json={"run_id": record["mlflow_run_id"], "key": key, "value": value},
            )

    def training_record(self, run_key: str) -> dict[str, Any]:
        """What ``record_training`` kept. Raises ServiceRefused when the run or its record is not there."""
        run = self.find_run(run_key)
        if run is None:
            raise ServiceRefused(
                f"MLflow at {self.tracking_uri} knows no training of run {run_key!r}; give the run key of a past "
                "training, which is in the summary of its DAG run and in the tag run_key of its MLflow run."
            )
        tags = _tags(run["data"])
        if RECORD_TAG not in tags:
            raise ServiceRefused(
                f"MLflow run {run['info']['run_id']} of {run_key} has no tag {RECORD_TAG!r}: "
                "its training did not finish, so there is nothing to repeat."
            )
        return json.loads(tags[RECORD_TAG])

    def test_connection(self) -> tuple[bool, str]:
        try:
            self._call("POST", "experiments/search", "list its experiments", json={"max_results": 1})
        except (ServiceUnavailable, ServiceRefused) as error:
            return False, str(error)
        return True, f"MLflow at {self.tracking_uri} answers"

    def _call(self, method: str, path: str, asked: str, **content: Any) -> dict[str, Any]:
        return self.service.call(method, _API + path, asked=asked, **content)

    def _ensure_model(self, model: str) -> None:
        try:
            self._call("POST", "registered-models/create", f"create model {model}", json={"name": model})
        except ServiceRefused as error:
            if "already exists" not in error.reason:
                raise

    def _create_version(self, version: ModelVersion) -> int:
        facts = {
            "name": version.model,
            # Not a file address: the files are where no MLflow client can read them without the volume mounted.
            "source": f"ontap://{version.svm}/{version.volume}/{version.folder}",
            "run_id": version.mlflow_run_id,
            "tags": [{"key": RUN_KEY_TAG, "value": version.run_key}],
        }
        asked = f"register the {version.model} of {version.run_key}"
        return int(self._call("POST", "model-versions/create", asked, json=facts)["model_version"]["version"])

    def _tag_version(self, version: ModelVersion, key: str, value: ModelVersion | Deployment) -> None:
        self._call(
            "POST",
            "model-versions/set-tag",
            f"tag version {version.version} of model {version.model}",
            json={
                "name": version.model,
                "version": str(version.version),
                "key": key,
                "value": json.dumps(value.to_json()),
            },
        )

    def _record(self, facts: Mapping[str, Any]) -> ModelVersion:
        tags = _tags(facts)
        if RECORD_TAG not in tags:
            raise ServiceRefused(
                f"Version {facts['version']} of model {facts['name']} in MLflow at {self.tracking_uri} has no tag "
                f"{RECORD_TAG!r}, so it was not registered by a promotion here; give the alias to one that was."
            )
        return ModelVersion.from_json(json.loads(tags[RECORD_TAG]))


def _tags(facts: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in facts.get("tags", [])}


def lineage(version: ModelVersion) -> str:
    """The whole chain of a model version's origin, for people, as Markdown."""
    data = version.dataset_version
    lines = {
        "Model": f"{version.model} version {version.version}, files in `{version.folder}` of volume "
        f"`{version.svm}:{version.volume}`, snapshot `{version.snapshot}` ({version.snapshot_uuid}), {version.digest}",
        "Training": f"run `{version.run_key}`, MLflow run `{version.mlflow_run_id}`, {version.created_at}",
        "Data": f"{data.dataset} version `{data.id}` of {data.created_at}: {data.files} files, {data.bytes} bytes, "
        f"snapshot `{data.snapshot}` ({data.snapshot_uuid}) of volume `{data.svm}:{data.volume}`, {data.digest}",
        "Source": data.source or "unknown",
        "Code": f"commit `{version.code_commit}`",
        "Parameters": ", ".join(f"{name}={value}" for name, value in version.parameters.items()) or "none",
        "Metrics": ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items()) or "none",
    }
    return "\n".join(f"- **{title}**: {text}" for title, text in lines.items())
