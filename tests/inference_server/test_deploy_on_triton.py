"""Deploying, proving and rolling back on a real Triton, with the real programs and a real MLflow."""

import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.hooks.inference import InferenceHook, ModelLoadFailed
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.operators.deploy import (
    ConfirmDeploymentOperator,
    DeployModelOperator,
    ProofFailed,
    RollBackDeploymentOperator,
)
from ontap_mlops.records import DatasetVersion, ModelVersion
from tasks.models.repository import ServedModel
from tests.inference_server.models import ONES_SCORE, ones, write_onnx
from tests.serving import connection

pytestmark = pytest.mark.triton

DATA = DatasetVersion(
    dataset="tyre_images",
    id="v20261120t063000z01234567",
    svm="svm1",
    volume="tyre_images",
    volume_uuid="u1",
    snapshot="mlops_v20261120t063000z01234567",
    snapshot_uuid="u2",
    created_at="2026-11-20T06:30:00+00:00",
    digest="sha256:01",
    files=600,
    bytes=9_000_000,
)


class Deployer:
    """Does what the tasks of a DAG do, one after the other, for models whose answer is their factor times the sum."""

    def __init__(self, triton, folder: Path) -> None:
        self.triton, self.folder = triton, folder
        self.model = f"tyre_{uuid.uuid4().hex[:8]}"
        self.repository = ServedModel(triton.repository, self.model)
        self.links: dict[str, str] = {}
        self.context = {"ti": SimpleNamespace(xcom_push=lambda key, value: self.links.update({key: value}))}

    def register(self) -> ModelVersion:
        mlflow, key = MlflowHook(), f"r20261120t063000z{uuid.uuid4().hex[:8]}"
        begun = {"experiment_id": "0", "start_time": int(time.time() * 1000)}
        run = mlflow.service.part("POST", "runs/create", "begin a run", "run", json=begun)["info"]["run_id"]
        return mlflow.register(
            ModelVersion(
                model=self.model,
                version=0,
                run_key=key,
                mlflow_run_id=run,
                dataset_version=DATA,
                svm="svm1",
                volume="models",
                folder=f"models/{self.model}/{key}",
                digest="",
                snapshot=f"mlops_{key}",
                snapshot_uuid="u3",
                created_at="2026-11-20T06:40:00+00:00",
                code_commit="abc",
            )
        )

    def write(self, version: ModelVersion, factor: float) -> dict:
        source = self.folder / version.folder
        write_onnx(source / "model.onnx", factor)
        return self.repository.write(source, version.version, "", 16, {})

    def load(self, version: ModelVersion, written: dict, **more) -> dict:
        operator = DeployModelOperator(task_id="load", model_version=version.to_json(), written=written, **more)
        return operator.execute(self.context)

    def confirm(self, deployment: dict) -> None:
        self.repository.activate(deployment["model_version"]["version"], 3)
        ConfirmDeploymentOperator(task_id="confirm", deployment=deployment, proof={"class": "good"}).execute(
            self.context
        )

    def deploy(self, factor: float) -> dict:
        version = self.register()
        deployment = self.load(version, self.write(version, factor))
        self.confirm(deployment)
        return deployment

    def served(self) -> float:
        return InferenceHook().infer(self.model, ones())["outputs"][0]["data"][0] / ONES_SCORE


@pytest.fixture
def deployer(running_triton, tmp_path, monkeypatch, mlflow_connection) -> Deployer:
    monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(running_triton.http))
    return Deployer(running_triton, tmp_path)


def test_a_second_version_takes_over_with_proof_and_survives_a_restart(deployer):
    first = deployer.deploy(factor=10)
    assert (first["previous_version"], first["proof"]["outputs"]["score"]["values"]) == (None, [0.0])
    second = deployer.deploy(factor=20)
    assert second["previous_version"] == 1
    assert second["endpoint"] == f"{deployer.triton.url}/v2/models/{deployer.model}/infer"
    assert deployer.links["inference_endpoint_url"] == f"{deployer.triton.url}/v2/models/{deployer.model}"
    champion = MlflowHook().champion(deployer.model)
    assert champion and champion.version == 2
    deployer.triton.stop()
    deployer.triton.start()
    assert deployer.served() == 20


def test_a_retry_after_a_death_between_loading_and_proof_ends_the_same(deployer):
    deployer.deploy(factor=10)
    version = deployer.register()
    written = deployer.write(version, factor=20)
    InferenceHook().load(deployer.model, written["config"])
    deployment = deployer.load(version, written)
    assert (deployment["previous_version"], deployer.served()) == (1, 20)


def test_a_model_triton_cannot_load_leaves_the_old_version_serving(deployer):
    deployer.deploy(factor=10)
    version = deployer.register()
    written = deployer.write(version, factor=20)
    onnx = deployer.triton.repository / deployer.model / "2" / "model.onnx"
    onnx.write_bytes(onnx.read_bytes()[:100])
    with pytest.raises(
        ModelLoadFailed, match=f"asked to load model {deployer.model} and answered 400: .*ONNXRuntimeError"
    ):
        deployer.load(version, written)
    assert deployer.served() == 10
    champion = MlflowHook().champion(deployer.model)
    assert champion and champion.version == 1


def test_a_version_that_answers_no_numbers_is_put_back(deployer):
    deployer.deploy(factor=10)
    version = deployer.register()
    with pytest.raises(ProofFailed, match=f"Version 2 of model {deployer.model} answered score without finite numbers"):
        deployer.load(version, deployer.write(version, factor=float("nan")))
    assert deployer.served() == 10


def test_a_first_version_that_fails_its_proof_is_taken_out_of_service(deployer):
    version = deployer.register()
    with pytest.raises(ProofFailed):
        deployer.load(version, deployer.write(version, factor=float("inf")), proof_tensors=ones())
    assert not InferenceHook().model_ready(deployer.model)
    assert MlflowHook().champion(deployer.model) is None


def test_after_a_failed_proof_by_a_program_the_version_before_serves_again(deployer):
    deployer.deploy(factor=10)
    version = deployer.register()
    written = deployer.write(version, factor=20)
    deployer.load(version, written)
    assert deployer.served() == 20
    back = RollBackDeploymentOperator(task_id="back", model=deployer.model, config=written["active"])
    assert back.execute(deployer.context)["model_version"]["version"] == 1
    assert deployer.served() == 10


def test_rolling_back_after_a_load_that_has_put_itself_back_changes_nothing(deployer):
    version = deployer.register()
    written = deployer.write(version, factor=float("nan"))
    with pytest.raises(ProofFailed):
        deployer.load(version, written)
    back = RollBackDeploymentOperator(task_id="back", model=deployer.model, config=written["active"])
    assert back.execute(deployer.context) is None
    assert not InferenceHook().model_ready(deployer.model)


def test_a_deployed_model_is_not_taken_out_of_service_for_want_of_a_configuration(deployer):
    deployer.deploy(factor=10)
    back = RollBackDeploymentOperator(task_id="back", model=deployer.model, config=None)
    with pytest.raises(AirflowFailException, match="has version 1 as its champion, so .* is not taken out of service"):
        back.execute(deployer.context)
    assert deployer.served() == 10


def test_rolling_back_by_hand_moves_server_repository_and_champion(deployer):
    deployer.deploy(factor=10)
    deployer.deploy(factor=20)
    config = deployer.repository.roll_back(leave=2)["config"]
    operator = RollBackDeploymentOperator(task_id="back", model=deployer.model, config=config)
    deployment = operator.execute(deployer.context)
    assert (deployment["model_version"]["version"], deployer.served()) == (1, 10)
    champion = MlflowHook().champion(deployer.model)
    assert champion and champion.version == 1
    deployer.triton.stop()
    deployer.triton.start()
    assert deployer.served() == 10


def test_a_server_that_is_down_gets_one_sentence_and_a_retry(deployer):
    version = deployer.register()
    written = deployer.write(version, factor=10)
    deployer.triton.stop()
    with pytest.raises(ServiceUnavailable, match="inference server at .* was not ready within 0.2 s. Is it running"):
        deployer.load(version, written, ready_timeout_s=0.2)
    deployer.triton.start()
    assert deployer.load(version, written)["model_version"] == version.to_json()
