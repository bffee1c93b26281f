"""Returning to an earlier version by hand, and giving up a claim that nobody else can."""

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.hooks.inference import ModelLoadFailed
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.operators.roll_back import ModelClaimInspectOperator
from tests.inference_server.runs import RunOfSystem
from tests.inference_server.test_one_deployment_at_a_time import site, state

__all__ = ["site"]

pytestmark = pytest.mark.triton


def test_server_repository_and_champion_go_back_together_and_forward_again(site):
    for factor in (10, 20, 30):
        RunOfSystem(site).deploy(factor)
    back = RunOfSystem(site)
    assert back.back()["version"] == 2
    back.end()
    assert (site.served(), site.champion(), site.holder()) == (20, 2, None)
    assert "versions: 2" in site.active()
    further = RunOfSystem(site)
    assert further.back()["version"] == 1
    further.end()
    assert (site.served(), site.champion()) == (10, 1)
    no_further = RunOfSystem(site)
    with pytest.raises(AirflowFailException, match="Version 1 of .* has replaced no other; name the version"):
        no_further.back()
    no_further.end()
    forward = RunOfSystem(site)
    forward.back(to="3")
    forward.end()
    assert (site.served(), site.champion(), site.holder()) == (30, 3, None)


def test_a_version_that_is_no_longer_the_champion_is_not_left_again(site):
    RunOfSystem(site).deploy(10)
    RunOfSystem(site).deploy(20)
    run, before = RunOfSystem(site), state(site)
    with pytest.raises(AirflowFailException, match="Version 2 is the champion of .*, not 1, which was to be left"):
        run.back(leave="1")
    run.end()
    assert (state(site), site.holder()) == (before, None)


def test_a_roll_back_that_fails_leaves_everything_as_it_was(site):
    RunOfSystem(site).deploy(10)
    RunOfSystem(site).deploy(20)
    model = site.repository / "1" / "model.onnx"
    run, before = RunOfSystem(site), state(site)
    damaged = model.read_bytes()[:100]
    original_load = run.load

    def load(**more):
        model.write_bytes(damaged)
        return original_load(**more)

    run.load = load
    with pytest.raises(ModelLoadFailed, match="asked to load model"):
        run.back()
    run.end()
    assert (state(site), site.holder()) == (before, None)


def test_a_roll_back_that_dies_before_its_end_is_put_back(site, monkeypatch):
    RunOfSystem(site).deploy(10)
    RunOfSystem(site).deploy(20)
    run, before = RunOfSystem(site), (site.served(), site.champion())

    def away(*_: object, **__: object) -> None:
        raise ConnectionError("MLflow is away")

    with monkeypatch.context() as dying:
        dying.setattr(MlflowHook, "mark_deployed", away)
        with pytest.raises(ConnectionError):
            run.back()
    assert site.served() == 10
    assert run.end()["put_back"] == 1
    assert (site.served(), site.champion()) == before
    assert "versions: 2" in site.active()


def inspected(run: RunOfSystem, what: str, holder: str = "") -> tuple[dict, object]:
    """What the task showed, and where it branched to."""
    operator = ModelClaimInspectOperator(task_id="inspect", what=what, holder=holder, **run.where)
    ways = []
    operator.do_branch = lambda context, way: ways.append(way)
    ExecutorSafeguard.tracker.set(operator)
    operator.execute(run.context("inspect"))
    return run.results[("inspect", "return_value")], ways[0]


def test_a_claim_is_shown_and_given_up_only_by_the_key_of_the_run_that_has_it(site):
    dead, person = RunOfSystem(site), RunOfSystem(site)
    assert inspected(person, "show_claim") == ({"holder": None, "since": None, "given_up": False}, None)
    dead.claim()
    shown, way = inspected(person, "show_claim")
    assert (shown["holder"], shown["given_up"], way) == (dead.key, False, None)
    for wrong in ("", person.key):
        with pytest.raises(AirflowFailException, match=f"has no claim on model .* Run {dead.key} has had the claim"):
            inspected(person, "give_up_claim", wrong)
    assert site.holder() == dead.key
    given, way = inspected(person, "give_up_claim", dead.key)
    assert (given["given_up"], way, site.holder()) == (True, None, None)
    assert inspected(person, "roll_back")[1] == "claim"
