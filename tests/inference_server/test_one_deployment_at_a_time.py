"""Runs of one model side by side, and what a failed deployment leaves: exactly what served before it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from ontap_mlops.hooks.inference import InferenceHook, ModelLoadFailed
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.operators.claims import ModelClaimOperator
from ontap_mlops.serving import claims
from ontap_mlops.serving.kind import ProofFailed
from tests.inference_server.runs import RunOfSystem, Site
from tests.serving import connection, free_ports
from tests.until import until

pytestmark = pytest.mark.triton


@pytest.fixture
def site(running_triton, ontap, tmp_path, monkeypatch, mlflow_connection) -> Site:
    monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(running_triton.http))
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    return Site(tmp_path, ontap.client(), running_triton.repository)


def state(site: Site) -> tuple:
    return site.served(), site.champion(), site.active()


def test_the_second_of_two_runs_is_judged_against_the_model_of_the_first(site):
    first, second = RunOfSystem(site), RunOfSystem(site)
    first.claim()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.claim, poll_interval_s=0.05)
        first.train(10)
        for step in (first.place, first.load, first.activate):
            step()
        assert not waiting.done()
        first.confirm()
        assert not waiting.done()
        first.release()
        claim = waiting.result(20)
    assert (claim["champion"]["version"], claim["champion"]["run_key"]) == (1, first.key)
    second.train(20)
    for step in (second.place, second.load, second.activate, second.confirm, second.release):
        step()
    assert (site.served(), site.champion(), site.holder()) == (20, 2, None)


def test_of_runs_that_begin_at_once_one_deploys_at_a_time(site):
    runs, inside, most = [RunOfSystem(site) for _ in range(3)], [], []
    lock = threading.Lock()

    def use(run: RunOfSystem) -> None:
        run.claim(poll_interval_s=0.02)
        with lock:
            inside.append(run.key)
            most.append(len(inside))
        time.sleep(0.1)
        with lock:
            inside.remove(run.key)
        run.release()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(use, runs))
    assert (most, site.holder()) == ([1, 1, 1], None)


def test_a_run_that_waits_says_for_whom_and_frees_its_slot(site):
    first, second = RunOfSystem(site), RunOfSystem(site)
    first.claim()
    operator = ModelClaimOperator(task_id="claim", **second.where)
    with pytest.raises(TaskDeferred) as deferred:
        second.step(operator)
    trigger = deferred.value.trigger
    assert claims.look(**trigger.arguments, cursor=trigger.cursor) == {"done": False, "lines": [], "cursor": first.key}
    (line,) = claims.look(**trigger.arguments)["lines"]
    assert line.startswith(f"Run {first.key} has had the claim on model {site.model} since 20")
    first.release()
    assert claims.look(**trigger.arguments) == {"done": True}
    assert site.holder() is None, "looking takes nothing: the waiting task may have been killed meanwhile"
    claim = operator.execute_complete(second.context("claim"), {"payload": None}, **deferred.value.kwargs)
    assert (claim["held"], site.holder()) == (True, second.key)


def test_a_claim_that_is_never_given_up_is_waited_for_within_limits_and_never_taken(site):
    first, second = RunOfSystem(site), RunOfSystem(site)
    first.claim()
    operator = ModelClaimOperator(task_id="claim", **second.where)
    with pytest.raises(AirflowFailException, match=f"Run {first.key} has had the claim .* roll_back .* of {first.key}"):
        operator.execute_complete(second.context("claim"), {"timed_out": "it was left as it is"}, deadline=1.0)
    assert site.holder() == first.key


def test_a_run_that_may_not_promote_only_reads_the_champion(site):
    RunOfSystem(site).deploy(10)
    holding, reading = RunOfSystem(site), RunOfSystem(site, promote="never")
    holding.claim()
    claim = reading.claim()
    assert (claim["held"], claim["champion"]["version"], site.holder()) == (False, 1, holding.key)
    assert reading.release() == {"released": False, "put_back": None}
    assert site.holder() == holding.key


def test_a_retry_of_a_claim_has_it_already(site):
    run = RunOfSystem(site)
    assert run.claim() == run.claim()
    assert site.holder() == run.key


def test_a_claim_whose_champion_cannot_be_read_is_given_up(site, monkeypatch):
    run = RunOfSystem(site)
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", connection(free_ports(1)[0]))
    with pytest.raises(ServiceUnavailable, match="find the champion"):
        run.claim()
    assert site.holder() is None, "the teardown of a setup that failed does not run"


def test_a_version_that_answers_no_numbers_leaves_everything_as_it_was(site):
    RunOfSystem(site).deploy(10)
    before, run = state(site), RunOfSystem(site)
    run.claim()
    run.train(float("nan"))
    run.place()
    with pytest.raises(ProofFailed, match=f"Version 2 of model {site.model} answered score without finite numbers"):
        run.load()
    assert state(site) == before
    assert run.release() == {"released": True, "put_back": None}
    assert state(site) == before


def test_a_version_the_server_cannot_load_leaves_everything_as_it_was(site):
    RunOfSystem(site).deploy(10)
    before, run = state(site), RunOfSystem(site)
    run.claim()
    run.train(20)
    run.place()
    model = site.repository / "2" / "model.onnx"
    model.write_bytes(model.read_bytes()[:100])
    with pytest.raises(ModelLoadFailed, match=f"asked to load model {site.model} and answered"):
        run.load()
    run.release()
    assert (state(site), site.holder()) == (before, None)


@pytest.mark.parametrize("last", ["load", "activate"])
def test_what_a_later_step_fails_for_is_put_back_with_the_claim(site, last):
    RunOfSystem(site).deploy(10)
    before, run = state(site), RunOfSystem(site)
    run.claim()
    run.train(20)
    run.place()
    run.load()
    if last == "activate":
        run.activate()
    assert site.served() == 20
    assert run.release() == {"released": True, "put_back": 2}
    assert (state(site), site.holder()) == (before, None)


def test_a_first_version_that_is_not_confirmed_is_taken_out_of_service(site):
    run = RunOfSystem(site)
    run.claim()
    run.train(10)
    for step in (run.place, run.load, run.activate, run.release):
        step()
    until(lambda: state(site) == (None, None, ""), lambda: state(site))  # Triton unloads in its own time


def test_a_deployment_that_died_while_loading_is_put_back(site, monkeypatch):
    """Nothing tells the release that the version was loaded, but what was written down before."""
    RunOfSystem(site).deploy(10)
    before, run = state(site), RunOfSystem(site)
    run.claim()
    run.train(20)
    run.place()

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(InferenceHook, "infer", die)
        with pytest.raises(Killed):
            run.load()
    assert site.served() == 20
    assert run.release()["put_back"] == 2
    assert state(site) == before


def test_a_champion_moved_by_hand_before_the_loading_stops_the_run(site):
    RunOfSystem(site).deploy(10)
    RunOfSystem(site).deploy(20)
    run = RunOfSystem(site)
    run.claim()
    run.train(30)
    run.place()
    MlflowHook().set_champion(site.model, 1)
    with pytest.raises(
        AirflowFailException, match="version 1 is the champion .* judged against version 2.*Clear claim"
    ):
        run.load()
    assert site.served() == 20, "nothing has been loaded"


def test_a_champion_moved_by_hand_before_the_end_stops_the_run_and_nothing_of_it_serves(site):
    RunOfSystem(site).deploy(10)
    RunOfSystem(site).deploy(20)
    before, run = (site.served(), site.active()), RunOfSystem(site)
    run.claim()
    run.train(30)
    for step in (run.place, run.load, run.activate):
        step()
    MlflowHook().set_champion(site.model, 1)
    with pytest.raises(AirflowFailException, match="the champion has been changed meanwhile. Nothing that serves"):
        run.confirm()
    assert run.release()["put_back"] == 3
    assert (site.served(), site.active(), site.champion()) == (*before, 1)


def test_a_run_cleared_after_another_has_deployed_must_be_judged_again(site):
    cleared, other = RunOfSystem(site), RunOfSystem(site)
    cleared.claim()
    judged = dict(cleared.results)[("decide", "return_value")]
    cleared.train(10)
    cleared.place()
    cleared.release()
    other.deploy(20)
    cleared.claim()
    cleared.returned("decide", judged)  # clearing a later task does not decide again
    with pytest.raises(AirflowFailException, match="version 2 is the champion .* judged against no version"):
        cleared.load()
    assert (site.served(), site.champion()) == (20, 2)


def test_a_run_whose_claim_was_given_up_by_hand_changes_nothing(site):
    run, other = RunOfSystem(site), RunOfSystem(site)
    run.claim()
    run.train(10)
    run.place()
    claims.ModelClaims("ontap_default", None, site.volume, site.model).give_up(run.key)
    with pytest.raises(AirflowFailException, match="no claim on model .* any more. No run has"):
        run.load()
    other.claim()
    with pytest.raises(AirflowFailException, match=f"any more. Run {other.key} has had the claim"):
        run.load()
    run.release()
    assert (site.served(), site.holder()) == (None, other.key)


def test_a_version_that_was_put_back_is_not_confirmed(site):
    run = RunOfSystem(site)
    run.claim()
    run.train(10)
    run.place()
    run.load()
    run.release()
    until(lambda: site.served() is None, lambda: f"version {site.served()} still serves")
    run.claim()
    for step in (run.activate, run.confirm):
        with pytest.raises(AirflowFailException, match="Version 1 of .* does not serve.*Clear deploy.load"):
            step()
    assert site.champion() is None


def test_nothing_is_asked_of_a_server_that_is_away_when_nothing_was_loaded(site, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(free_ports(1)[0]))
    run = RunOfSystem(site)
    run.claim()
    run.train(10)
    run.place()
    with pytest.raises(ServiceUnavailable, match="was not ready within 0.1 s"):
        run.load(options={"ready_timeout_s": 0.1})
    started = time.monotonic()
    assert run.release() == {"released": True, "put_back": None}
    assert time.monotonic() - started < 5
    assert site.holder() is None


def test_a_claim_stays_when_nobody_can_tell_what_serves(site, monkeypatch):
    run = RunOfSystem(site)
    run.claim()
    run.train(10)
    run.place()
    run.load()
    with monkeypatch.context() as away:
        away.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(free_ports(1)[0]))
        with pytest.raises(ServiceUnavailable, match="inference server .* gave no answer"):
            run.release()
    assert site.holder() == run.key
    assert run.release()["put_back"] == 1
    assert site.holder() is None


def test_a_confirmed_version_stays_however_often_the_claim_is_released(site):
    run = RunOfSystem(site)
    run.deploy(10)
    confirmed = state(site)
    assert run.release() == {"released": True, "put_back": None}
    assert state(site) == confirmed
