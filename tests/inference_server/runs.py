"""Runs of a small system, step by step: the operators of a pipeline with what each of them returned, and no scheduler.

The services are real: MLflow, Triton, and the emulator for leases and snapshots. The volumes' folders are plain ones.
"""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops import names
from ontap_mlops.hooks.inference import InferenceHook
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import leases, volumes
from ontap_mlops.operators.claims import ModelClaimOperator, ModelReleaseOperator
from ontap_mlops.operators.deployments import (
    DeploymentActivateOperator,
    DeploymentConfirmOperator,
    DeploymentLoadOperator,
    DeploymentPlaceOperator,
)
from ontap_mlops.operators.models import ModelRegisterOperator
from ontap_mlops.operators.roll_back import DeploymentPreviousOperator
from ontap_mlops.records import DatasetVersion, ModelVersion, RunRecord, TrainingRecord
from tasks.models.folders import digest_of
from tasks.models.repository import ServedModel
from tests.inference_server.models import ONES_SCORE, ones, write_onnx
from tests.ontap_mlops.conftest import GIB, MARK, SVM

DATA = DatasetVersion(
    dataset="tyre_images",
    id="v20261120t063000z01234567",
    svm=SVM,
    volume="tyre_images",
    volume_uuid="u1",
    snapshot="mlops_v20261120t063000z01234567",
    snapshot_uuid="u2",
    created_at="2026-11-20T06:30:00+00:00",
    digest="sha256:01",
    files=600,
    bytes=9_000_000,
)


class Site:
    """One system's model volume, its inference server's repository, and the place that sees both as folders."""

    def __init__(self, folder: Path, client: Any, repository: Path) -> None:
        self.model = f"tyre_{uuid.uuid4().hex[:8]}"
        self.volume = names.model_volume(self.model)
        self.folder, self.client, self.repository = folder, client, repository / self.model
        made = volumes.ensure(client, svm=SVM, name=self.volume, size_bytes=GIB, comment=MARK)
        self.volume_uuid = made.uuid
        (folder / "ns" / self.volume).mkdir(parents=True)
        (folder / "ns" / "models").symlink_to(repository.parent)
        place = {"kind": "local", "grace_s": 5, "namespace_roots": {SVM: "ns"}}
        (folder / "compute.yaml").write_text(json.dumps({"places": {"local": place}}))

    def served(self) -> float | None:
        """The factor of the model that answers; None when none does."""
        inference = InferenceHook()
        if not inference.model_ready(self.model):
            return None
        return inference.infer(self.model, ones())["outputs"][0]["data"][0] / ONES_SCORE

    def champion(self) -> int | None:
        found = MlflowHook().champion(self.model)
        return found.version if found else None

    def holder(self) -> str | None:
        lease = leases.read(self.client, volume_uuid=self.volume_uuid, name=names.lease(self.model))
        return lease.owner if lease else None

    def active(self) -> str:
        """What a restarted server would load, as its repository says; "" for nothing."""
        file = self.repository / "config.pbtxt"
        return file.read_text() if file.exists() else ""


class TaskInstance(SimpleNamespace):
    def xcom_push(self, key: str, value: Any) -> None:
        json.dumps(value)
        self.results[(self.task_id, key)] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.results.get((task_ids, key))


class RunOfSystem:
    """One run: ``step`` executes an operator and keeps what it returned, as XCom does."""

    def __init__(self, site: Site, promote: str = "if_better") -> None:
        self.site = site
        self.results: dict[tuple[str, str], Any] = {}
        self.dag_run = SimpleNamespace(
            dag_id="tyre_quality", run_id=f"manual_{uuid.uuid4()}", run_after=datetime(2026, 7, 1, tzinfo=UTC)
        )
        self.key = names.run_key(self.dag_run.dag_id, self.dag_run.run_id, self.dag_run.run_after)
        record = RunRecord(
            run_key=self.key,
            dag_id=self.dag_run.dag_id,
            run_id=self.dag_run.run_id,
            model=site.model,
            dataset_version=DATA,
            parameters={},
            promote=promote,
            code_commit="abc",
        )
        self.returned("choose", record.to_json())

    def returned(self, task_id: str, value: Any) -> None:
        self.results[(task_id, "return_value")] = json.loads(json.dumps(value))

    def context(self, task_id: str) -> dict[str, Any]:
        ti = TaskInstance(task_id=task_id, results=self.results, max_tries=3, map_index=-1, stats_tags={})
        return {"ti": ti, "dag_run": self.dag_run}

    def step(self, operator: Any, task_id: str | None = None) -> Any:
        ExecutorSafeguard.tracker.set(operator)
        task_id = task_id or operator.task_id
        self.returned(task_id, operator.execute(self.context(task_id)))
        return self.results[(task_id, "return_value")]

    @property
    def where(self) -> dict[str, str]:
        return {"model": self.site.model, "volume": self.site.volume, "svm": SVM}

    def claim(self, **more: Any) -> dict[str, Any]:
        operator = ModelClaimOperator(task_id="claim", **{"deferrable": False, **self.where, **more})
        claim = self.step(operator)
        self.judged()
        return claim

    def judged(self) -> None:
        champion = self.results[("claim", "return_value")]["champion"]
        self.returned("decide", {"decision": "promote", "champion_version": champion["version"] if champion else None})

    def train(self, factor: float) -> None:
        """A model whose answer is ``factor`` times the sum of its input, published and registered."""
        folder = self.site.folder / "ns" / self.site.volume / self.key
        write_onnx(folder / "model.onnx", factor)
        begun = {"experiment_id": "0", "start_time": int(time.time() * 1000)}
        run = MlflowHook().service.part("POST", "runs/create", "begin a run", "run", json=begun)
        training = TrainingRecord(
            run_key=self.key,
            mlflow_run_id=run["info"]["run_id"],
            dataset_version=DATA,
            parameters={},
            metrics={"accuracy": 0.9},
            code_commit="abc",
        )
        self.returned("record", training.to_json())
        self.returned("promote.publish", {"folder": self.key, "digest": digest_of(folder.iterdir())})
        self.step(ModelRegisterOperator(task_id="register", **self.where), "promote.register")

    def place(self) -> Any:
        return self.step(DeploymentPlaceOperator(task_id="place", poll_interval_s=0.1), "deploy.place")

    def load(self, **options: Any) -> Any:
        return self.step(DeploymentLoadOperator(task_id="load", **options), "deploy.load")

    def activate(self) -> Any:
        return self.step(DeploymentActivateOperator(task_id="activate", poll_interval_s=0.1), "deploy.activate")

    def confirm(self, **more: Any) -> Any:
        return self.step(DeploymentConfirmOperator(task_id="confirm", **more), "deploy.confirm")

    def release(self) -> Any:
        return self.step(ModelReleaseOperator(task_id="release", poll_interval_s=0.1, **self.where))

    def back(self, **wanted: Any) -> dict[str, Any]:
        """What the DAG roll_back does, up to the release of its claim."""
        self.step(ModelClaimOperator(task_id="claim", deferrable=False, hold=True, **self.where))
        found = self.step(DeploymentPreviousOperator(task_id="version", **wanted))
        self.step(DeploymentPlaceOperator(task_id="place", version="version"), "deploy.place")
        self.load(version="version")
        self.step(DeploymentActivateOperator(task_id="activate", version="version"), "deploy.activate")
        self.confirm(version="version")
        return found

    def end(self) -> Any:
        return self.step(ModelReleaseOperator(task_id="release", version="version", **self.where))

    def deploy(self, factor: float) -> int:
        """The whole way, for what comes before a test, its programs called without a process; the version's number."""
        self.claim()
        self.train(factor)
        version = ModelVersion.from_json(self.results["promote.register", "return_value"])
        repository = ServedModel(self.site.repository.parent, self.site.model)
        source = self.site.folder / "ns" / self.site.volume / version.folder
        self.returned("deploy.place", repository.place(source, version.version, version.digest, 16, {}))
        self.load()
        repository.activate(version.version, 3)
        self.confirm()
        self.release()
        return version.version
