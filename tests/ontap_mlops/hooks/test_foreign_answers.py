"""What something else answers in a service's place is never taken for the service's word."""

import json

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from ontap_mlops.hooks.inference import InferenceHook, ModelLoadFailed, ModelNotFound
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ForeignAnswer, ServiceRefused, ServiceUnavailable
from ontap_mlops.operators.retry import RETRY_POLICY
from tests.serving import connection

PAGES = {
    "an ingress without a backend": (404, "default backend - 404"),
    "a web server": (404, "<html><body>Not Found</body></html>"),
    "a JSON interface of another kind": (404, '{"status": 404, "reason": "Not Found", "path": "/api"}'),
    "a login page": (200, "<html><form>Log in</form></html>"),
    "a health page": (200, '{"status": "ok"}'),
    "a list": (200, "[]"),
    "nothing at all": (200, ""),
    "a bare number": (400, "7"),
}


@pytest.fixture
def mlflow(proxy, monkeypatch) -> MlflowHook:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", connection(proxy.port))
    return MlflowHook()


@pytest.fixture
def inference(proxy, monkeypatch) -> InferenceHook:
    monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(proxy.port))
    return InferenceHook()


@pytest.mark.parametrize("page", PAGES)
def test_no_page_of_a_proxy_means_that_nothing_has_been_deployed(mlflow, proxy, page):
    proxy.answers(*PAGES[page])
    with pytest.raises(
        ForeignAnswer, match=r"MLflow server at .* was asked to find the champion of model tyre, and what came back"
    ):
        mlflow.champion("tyre")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "nothing at all"])
def test_no_page_of_a_proxy_means_that_a_run_registered_or_trained_nothing(mlflow, proxy, page):
    proxy.answers(*PAGES[page])
    with pytest.raises(ForeignAnswer, match="is not its own answer"):
        mlflow.version_of_run("tyre", "r1")
    with pytest.raises(ForeignAnswer, match="is not its own answer"):
        mlflow.find_run("r1")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "nothing at all"])
def test_a_champion_is_made_only_where_mlflow_says_that_it_was(mlflow, proxy, page):
    proxy.answers(*PAGES[page])
    with pytest.raises(ForeignAnswer, match="make version 3 the champion"):
        mlflow.set_champion("tyre", 3)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RESOURCE_DOES_NOT_EXIST", "Registered Model with name=tyre not found"),
        ("INVALID_PARAMETER_VALUE", "Registered model alias champion not found."),
    ],
)
def test_mlflows_own_words_for_no_champion_are_believed(mlflow, proxy, code, message):
    proxy.answers(400, json.dumps({"error_code": code, "message": message}))
    assert mlflow.champion("tyre") is None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("INVALID_PARAMETER_VALUE", "Registered model name cannot be empty; page not found."),
        ("PERMISSION_DENIED", "Registered model alias champion not found."),
        ("ENDPOINT_NOT_FOUND", "No API found"),
    ],
)
def test_any_other_refusal_of_mlflow_stays_one(mlflow, proxy, code, message):
    proxy.answers(400, json.dumps({"error_code": code, "message": message}))
    with pytest.raises(ServiceRefused, match="answered 400") as refused:
        mlflow.champion("tyre")
    assert (refused.value.code, refused.value.reason) == (code, message)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "nothing at all"])
def test_no_page_of_a_proxy_is_what_an_inference_server_says(inference, proxy, page):
    proxy.answers(*PAGES[page])
    for ask in (inference.config, inference.metadata, lambda model: inference.infer(model, [])):
        with pytest.raises(ForeignAnswer, match="inference server at .* is not its own answer"):
            ask("tyre")
    for change in (inference.load, inference.unload):
        with pytest.raises(ForeignAnswer, match="is not its own answer"):
            change("tyre")


def test_only_tritons_own_sentence_says_that_a_model_does_not_serve(inference, proxy):
    proxy.answers(404, '{"error": "Request for unknown model: \'tyre\' is not found"}')
    assert inference.config("tyre") is None
    with pytest.raises(ModelNotFound, match="Deploy the model first"):
        inference.metadata("tyre")
    proxy.answers(404, '{"error": "Not Found"}')
    with pytest.raises(ServiceRefused, match="answered 404: Not Found") as refused:
        inference.config("tyre")
    assert not isinstance(refused.value, ModelNotFound)


def test_a_login_page_is_no_ready_server(inference, proxy):
    proxy.answers(200, "<html>Log in</html>")
    assert not inference.ready()
    assert not inference.model_ready("tyre", 3)
    proxy.answers(200, "")
    assert inference.ready()


def test_a_refused_load_is_told_in_the_servers_words(inference, proxy):
    proxy.answers(500, '{"error": "failed to load \'tyre\', no version is available"}')
    with pytest.raises(ModelLoadFailed, match="failed to load 'tyre', no version is available"):
        inference.load("tyre")


@pytest.mark.parametrize(("status", "error"), [(401, ServiceRefused), (403, ServiceRefused), (503, ServiceUnavailable)])
def test_who_may_not_ask_and_what_is_away_is_told_by_the_status(mlflow, proxy, status, error):
    proxy.answers(status, "You are not authenticated")
    with pytest.raises(error, match=f"answered {status}: You are not authenticated"):
        mlflow.champion("tyre")


def test_an_answer_of_something_else_is_worth_another_try(mlflow, proxy):
    proxy.answers(404, "default backend - 404")
    with pytest.raises(ForeignAnswer) as foreign:
        mlflow.champion("tyre")
    assert RETRY_POLICY.evaluate(foreign.value, 1, 3).action == RetryAction.RETRY


def test_a_token_goes_before_a_login(proxy, monkeypatch):
    proxy.answers(200, "{}")
    facts = {"conn_type": "http", "host": "127.0.0.1", "port": proxy.port, "login": "ml", "password": "secret"}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(facts))
    assert MlflowHook().test_connection()[0]
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({**facts, "extra": {"token": "t0ken"}}))
    assert MlflowHook().test_connection()[0]
    assert [headers["Authorization"] for _, headers in proxy.seen] == ["Basic bWw6c2VjcmV0", "Bearer t0ken"]


def test_a_certificate_is_checked_by_the_authority_that_the_connection_names(emulator, monkeypatch):
    """The emulator serves HTTPS with an authority of its own, so it stands in for a server with a private one."""
    facts = {"conn_type": "http", "host": f"https://{emulator.host}", "port": emulator.port}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(facts))
    with pytest.raises(ServiceUnavailable, match="gave no answer .*certificate verify failed"):
        MlflowHook().champion("tyre")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({**facts, "extra": {"verify": emulator.ca}}))
    with pytest.raises((ForeignAnswer, ServiceRefused), match="was asked to find the champion"):
        MlflowHook().champion("tyre")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({**facts, "extra": {"verify": False}}))
    with pytest.raises(ServiceRefused, match="verify=False, but certificates are always checked"):
        MlflowHook().champion("tyre")
