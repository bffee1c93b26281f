"""Records of trainings, each kept with its MLflow run so that it can be found, recognised and done again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ontap_mlops.hooks.mlflow_service import MlflowService, equals, tags
from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.records import TrainingRecord

ARTIFACT = "record.json"
RUN_KEY_TAG = "run_key"
RECORD_TAG = "record"
SNAPSHOT_TAG = "snapshot_uuid"
VERSION_TAG = "dataset_version"
READ_AT_TAG = "data_read_at"
READ_FIGURES = ("source_bytes", "fill_seconds", "data_seconds")
# What makes two trainings the same, in one value that MLflow can search for.
IDENTITY_TAG = "training_identity"
# MLflow cuts a run's tag at 8,000 characters without a word, earlier releases refuse one of over 5,000.
_TAG_LIMIT = 5000
_UNKNOWN_CODE = ("", "unknown")
_EXPERIMENTS_AT_ONCE = 500


class Trainings:
    """The record is the artifact ``record.json`` of its run; the tag ``record`` holds it too, or its name if too long.

    A server that leaves artifacts to another store keeps the tag alone.
    """

    def __init__(self, service: MlflowService) -> None:
        self.service = service

    def keep(self, record: TrainingRecord) -> None:
        run_id, text = record.mlflow_run_id, json.dumps(record.to_json())
        run = self.service.part("GET", "runs/get", f"find run {run_id}", "run", params={"run_id": run_id})
        kept = self.service.put_artifact(run["info"]["artifact_uri"], ARTIFACT, text)
        if not kept and len(text) > _TAG_LIMIT:
            raise ServiceRefused(
                f"The record of run {record.run_key} has {len(text)} characters, too long for a tag of MLflow run "
                f"{run_id}, and MLflow at {self.service.url} does not serve artifacts: start it with --serve-artifacts."
            )
        identity = _identity(
            record.dataset_version.snapshot_uuid, record.parameters, record.code_commit, record.dag_id, record.model
        )
        found = {RUN_KEY_TAG: record.run_key, IDENTITY_TAG: identity}
        # The record's own tag last: a run that has it has all of it.
        for key, value in {**found, RECORD_TAG: text if len(text) <= _TAG_LIMIT else ARTIFACT}.items():
            self.service.change(
                "POST", "runs/set-tag", f"tag run {run_id}", json={"run_id": run_id, "key": key, "value": value}
            )

    def get(self, run_key: str) -> TrainingRecord:
        run = self.find_run(run_key)
        if run is None:
            raise ServiceRefused(
                f"MLflow at {self.service.url} knows no training of run {run_key!r}; give the run key of a past "
                "training, which is in the summary of its DAG run and in the tag run_key of its MLflow run."
            )
        if RECORD_TAG not in tags(run["data"]):
            raise ServiceRefused(
                f"MLflow run {run['info']['run_id']} of {run_key} has no tag {RECORD_TAG!r}: "
                "its training did not finish, so there is nothing to repeat."
            )
        return self._read(run)

    def find_run(self, run_key: str) -> dict[str, Any] | None:
        """The run of this key that holds a record, since other steps of a DAG run have runs of the same key."""
        searched = self._search(equals(f"tags.{RUN_KEY_TAG}", run_key), f"find the run of {run_key}")
        found = [run for run in searched if tags(run["data"]).get(RUN_KEY_TAG) == run_key]
        return next((run for run in found if RECORD_TAG in tags(run["data"])), found[0] if found else None)

    def same(
        self, snapshot_uuid: str, parameters: Mapping[str, Any], code_commit: str, dag_id: str, model: str
    ) -> TrainingRecord | None:
        if code_commit in _UNKNOWN_CODE:
            return None
        identity = _identity(snapshot_uuid, parameters, code_commit, dag_id, model)
        found = self._search(f"tags.{IDENTITY_TAG} = '{identity}'", f"find trainings of {model} on {snapshot_uuid}")
        runs = [run for run in found if RECORD_TAG in tags(run["data"])]
        newest = max(runs, key=lambda run: int(run["info"]["start_time"]), default=None)
        return self._read(newest) if newest else None

    def snapshots_since(self, at: datetime) -> dict[str, str]:
        """Snapshot UUIDs that trainings begun since then stand on, each with a run key: those that have a record, and
        those that go on. A run that failed has nothing to repeat.

        The ids of their dataset versions are among them too: a training at another site has used a copy of the
        snapshot, which has another UUID.
        """
        query = f"attributes.start_time >= {int(at.timestamp() * 1000)}"
        found: dict[str, str] = {}
        for run in self._search(query, f"find trainings since {at.isoformat()}"):
            said, recorded = tags(run["data"]), RECORD_TAG in tags(run["data"])
            uuid = said.get(SNAPSHOT_TAG) or (self._read(run).dataset_version.snapshot_uuid if recorded else None)
            if uuid and (recorded or run["info"].get("status") == "RUNNING"):
                for stood_on in filter(None, (uuid, said.get(VERSION_TAG))):
                    found.setdefault(stood_on, said.get(RUN_KEY_TAG) or run["info"]["run_id"])
        return found

    def on_version(self, version_id: str) -> list[dict[str, Any]]:
        """Runs tagged with a dataset version, newest first."""
        found = self._search(equals(f"tags.{VERSION_TAG}", version_id), f"find runs on dataset version {version_id}")
        runs = [run for run in found if tags(run["data"]).get(VERSION_TAG) == version_id]
        return sorted(runs, key=lambda run: int(run["info"].get("start_time") or 0), reverse=True)

    def keep_reads(self, mlflow_run_id: str, where: str, figures: Mapping[str, float]) -> None:
        """Keep with a run where it read its data, ``source`` or a site, and what that took."""
        at = int(time.time() * 1000)
        metrics = [{"key": key, "value": float(value), "timestamp": at, "step": 0} for key, value in figures.items()]
        body = {"run_id": mlflow_run_id, "metrics": metrics, "tags": [{"key": READ_AT_TAG, "value": where}]}
        self.service.change("POST", "runs/log-batch", f"keep what run {mlflow_run_id} read", json=body)

    def reads_before(self, version_id: str, where: str, *, run_key: str) -> dict[str, Any] | None:
        """What ``keep_reads`` kept last of another run on this version at this place, with its ``run_key``; or None."""
        others = (run for run in self.on_version(version_id) if tags(run["data"]).get(RUN_KEY_TAG) != run_key)
        newest = next((run for run in others if tags(run["data"]).get(READ_AT_TAG) == where), None)
        if newest is None:
            return None
        metrics = {metric["key"]: metric["value"] for metric in newest["data"].get("metrics", ())}
        if not all(name in metrics for name in READ_FIGURES):
            return None
        return {"run_key": tags(newest["data"]).get(RUN_KEY_TAG, ""), **{name: metrics[name] for name in READ_FIGURES}}

    def _search(self, query: str, asked: str) -> Iterator[dict[str, Any]]:
        """Runs of all experiments there are; MLflow wants each named."""
        experiments = self.service.listed("POST", "experiments/search", "list its experiments", "experiments")
        ids = [experiment["experiment_id"] for experiment in experiments]
        for start in range(0, len(ids), _EXPERIMENTS_AT_ONCE):
            some = ids[start : start + _EXPERIMENTS_AT_ONCE]
            yield from self.service.listed("POST", "runs/search", asked, "runs", experiment_ids=some, filter=query)

    def _read(self, run: Mapping[str, Any]) -> TrainingRecord:
        try:
            return TrainingRecord.from_json(json.loads(self._artifact(run) or tags(run["data"])[RECORD_TAG]))
        except ValueError as error:
            raise ServiceRefused(
                f"The record of MLflow run {run['info']['run_id']} at {self.service.url} cannot be read: {error}."
            ) from error

    def _artifact(self, run: Mapping[str, Any]) -> str | None:
        try:
            return self.service.artifact(run["info"]["artifact_uri"], ARTIFACT)
        except ServiceRefused as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None  # a record of an earlier release


def _identity(snapshot_uuid: str, parameters: Mapping[str, Any], code_commit: str, dag_id: str, model: str) -> str:
    facts = [snapshot_uuid, dict(parameters), code_commit, dag_id, model]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
