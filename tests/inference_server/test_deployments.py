"""A version on its way into service, on a real Triton with the real programs: proof, restarts, retries, links."""

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.assets import model_asset
from ontap_mlops.hooks.inference import InferenceHook
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.operators.deployments import DeploymentConfirmOperator
from ontap_mlops.serving.kind import kind, known
from tests.inference_server.models import ones
from tests.inference_server.runs import RunOfSystem, Site
from tests.inference_server.test_one_deployment_at_a_time import site

__all__ = ["site"]

pytestmark = pytest.mark.triton


def placed(site: Site, factor: float) -> RunOfSystem:
    run = RunOfSystem(site)
    run.claim()
    run.train(factor)
    run.place()
    return run


def test_a_second_version_takes_over_with_proof_and_survives_a_restart(site, running_triton):
    RunOfSystem(site).deploy(10)
    run = placed(site, 20)
    first_proof = run.load()["proof"]
    assert (first_proof["version"], first_proof["outputs"]["score"]["values"]) == (2, [0.0])
    told = InferenceHook().config(site.model)
    assert told["parameters"]["folder"] == {"string_value": run.key}, "the server says where the rest of the model lies"
    run.returned("deploy.prove", {"class": "good"})
    run.activate()
    deployment = run.confirm(proof="deploy.prove")
    assert deployment["proof"] == {**first_proof, "class": "good"}
    assert deployment["previous_version"] == 1
    assert deployment["endpoint"] == f"{running_triton.url}/v2/models/{site.model}/infer"
    assert MlflowHook().deployment(MlflowHook().champion(site.model)).to_json() == deployment
    running_triton.stop()
    running_triton.start()
    assert (site.served(), site.champion()) == (20, 2)


def test_a_version_that_was_only_loaded_does_not_survive_a_restart(site, running_triton):
    RunOfSystem(site).deploy(10)
    run = placed(site, 20)
    run.load()
    running_triton.stop()
    running_triton.start()
    assert site.served() == 10
    with pytest.raises(AirflowFailException, match="Version 2 of .* does not serve.*Clear deploy.load"):
        run.activate()


def test_a_retry_after_a_death_between_loading_and_proof_ends_the_same(site):
    RunOfSystem(site).deploy(10)
    run = placed(site, 20)
    InferenceHook().load(site.model, run.results["deploy.place", "return_value"]["config"])
    assert run.load()["previous_version"] == 1
    assert site.served() == 20


def test_a_version_proven_by_tensors_that_are_given(site):
    run = placed(site, 10)
    proof = run.load(proof_tensors=ones())["proof"]
    assert (proof["input"], proof["outputs"]["score"]["values"]) == ("given", [480.0])


def test_a_server_that_was_away_is_no_reason_to_begin_anew(site, running_triton):
    run = placed(site, 10)
    running_triton.stop()
    with pytest.raises(ServiceUnavailable, match="inference server at .* was not ready within 0.2 s. Is it running"):
        run.load(options={"ready_timeout_s": 0.2})
    running_triton.start()
    run.load()
    assert site.served() == 10


def test_each_step_of_a_confirmed_deployment_can_be_run_again(site):
    run = placed(site, 10)
    for step in (run.load, run.activate, run.confirm):
        assert [step() is not None for _ in range(2)] == [True, True]
    for step in (run.place, run.load, run.activate, run.confirm):
        step()
    run.release()
    assert (site.served(), site.champion(), site.holder()) == (10, 1, None)


def test_a_model_for_batch_scoring_becomes_champion_with_its_scores_as_proof(site):
    run, outlet = RunOfSystem(site), model_asset(site.model)
    run.claim()
    run.train(10)
    run.returned("score", {"rows": 7})
    events = {outlet: SimpleNamespace(extra=None)}
    operator = DeploymentConfirmOperator(task_id="confirm", kind="batch", proof="score", outlets=[outlet])
    deployed = [operator.execute(run.context("deploy.confirm") | {"outlet_events": events}) for _ in range(2)]
    assert site.champion() == 1
    assert deployed[0]["endpoint"] == f"ontap://svm1/{site.volume}/{run.key}"
    assert (deployed[0]["proof"], deployed[0]["previous_version"]) == ({"rows": 7}, None)
    assert events[outlet].extra == {"deployment": deployed[1]}
    assert run.release() == {"released": True, "put_back": None}
    assert not InferenceHook().model_ready(site.model), "no server is involved"


def test_kinds_are_found_by_name():
    assert known() == ["batch", "kserve", "sagemaker", "triton"]
    named = "batch, kserve, sagemaker, triton"
    with pytest.raises(ValueError, match=f"no kind of serving named 'torchserve'; there are: {named}"):
        kind("torchserve")
    with pytest.raises(ValueError, match=r"kind 'triton' cannot be set up with \{'port': 1\}: .*'port'"):
        kind("triton", {"port": 1})
