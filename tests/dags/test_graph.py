"""Who may run after what, by the graph alone: what the kit promises of every training DAG."""

from __future__ import annotations

import pytest

from tests.dags.inventory import TRAINING

CHANGES_WHAT_SERVES = ("deploy.load", "deploy.activate", "deploy.confirm")


def before(dag, task_id: str) -> set[str]:
    return dag.get_task(task_id).get_flat_relative_ids(upstream=True)


def after(dag, task_id: str) -> set[str]:
    return dag.get_task(task_id).get_flat_relative_ids(upstream=False)


def test_these_are_all_dags_that_train(dags):
    assert {name for name, dag in dags.items() if "train" in dag.tags} == TRAINING


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_everything_comes_after_the_choice(dags, dag_id):
    dag = dags[dag_id]
    first = {task.task_id for task in dag.tasks if "choose" not in before(dag, task.task_id)}
    assert first == {"choose", "data_ready"}
    assert before(dag, "choose") == {"data_ready"}


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_the_champion_is_judged_and_replaced_under_one_claim(dags, dag_id):
    dag = dags[dag_id]
    claim, release = dag.get_task("claim"), dag.get_task("release")
    assert claim.is_setup and release.is_teardown
    assert "claim" in release.upstream_task_ids
    for task in dag.tasks:
        if task.task_id == "evaluate" or task.task_id in CHANGES_WHAT_SERVES:
            assert "claim" in before(dag, task.task_id)
            assert task.task_id in before(dag, "release")
    assert {"train", "evaluate"} <= before(dag, "decide")


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_what_serves_changes_only_after_the_decision_to_promote(dags, dag_id):
    dag = dags[dag_id]
    changing = [name for name in CHANGES_WHAT_SERVES if name in dag.task_ids]
    assert "deploy.confirm" in changing
    for name in changing:
        assert {"decide", "promote.publish", "promote.register"} <= before(dag, name)


@pytest.mark.parametrize("task_id", ["deploy.prove", "deploy.activate", "deploy.confirm"])
def test_clearing_a_failed_step_of_a_deployment_loads_the_version_again(dags, task_id):
    """By Airflow's own rule: a task is cleared with the setups that a teardown after it undoes."""
    cleared = {
        task.task_id for task in dags["tyre_quality"].get_task(task_id).get_upstreams_only_setups_and_teardowns()
    }
    assert {"claim", "deploy.load", "release"} <= cleared
    assert not cleared & {"train", "evaluate", "decide", "promote.publish", "promote.register", "deploy.place"}


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_nothing_is_confirmed_when_the_champion_stays(dags, dag_id):
    """A task that runs whatever was skipped before it, such as scoring, must not be all that comes before."""
    dag, confirm = dags[dag_id], dags[dag_id].get_task("deploy.confirm")
    assert confirm.trigger_rule == "all_success"
    always = {task.task_id for task in dag.tasks if task.trigger_rule == "none_failed_min_one_success"}
    assert confirm.upstream_task_ids - always


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_nothing_but_cleaning_up_and_summing_up_runs_after_a_failure(dags, dag_id):
    dag = dags[dag_id]
    tolerant = {
        task.task_id
        for task in dag.tasks
        if task.trigger_rule not in ("all_success", "none_failed", "none_failed_min_one_success")
    }
    assert tolerant == {task.task_id for task in dag.tasks if task.is_teardown}


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_no_step_asks_for_a_template_but_of_the_form(dags, dag_id):
    for task in dags[dag_id].tasks:
        for field in task.template_fields:
            value = str(getattr(task, field, "") or getattr(task, "partial_kwargs", {}).get(field, ""))
            assert "xcom" not in value and "plan(" not in value, f"{task.task_id}.{field}"


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_the_graph_shows_the_order_of_steps_not_a_web(dags, dag_id):
    """An edge that another way leads along too is only drawn where a branch or a teardown needs it.

    What is registered only after some decisions is what a confirmation is skipped with.
    """
    dag = dags[dag_id]
    special = {"decide", "promote.register", *(task.task_id for task in dag.tasks if task.is_setup)}
    extra = []
    for task in dag.tasks:
        for downstream in task.downstream_task_ids:
            others = [name for name in task.downstream_task_ids if name != downstream]
            around = any(downstream in after(dag, name) for name in others)
            if around and task.task_id not in special and not dag.get_task(downstream).is_teardown:
                extra.append((task.task_id, downstream))
    assert extra == []


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_the_summary_waits_for_every_step_but_what_makes_room(dags, dag_id):
    dag = dags[dag_id]
    beside = {task.task_id for task in dag.tasks if task.is_teardown or task.task_id.startswith("old_models.")}
    assert set(dag.task_ids) - before(dag, "summary") - {"summary"} == beside


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_old_models_go_only_after_another_one_is_deployed(dags, dag_id):
    assert "deploy.confirm" in before(dags[dag_id], "old_models.versions")


def test_no_task_reads_a_key_that_no_task_writes(dags):
    """``output["name"]`` is no field of a result but an XCom of that key, and fails only when the task runs."""
    from airflow.sdk import BaseXCom
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    fields = (
        (dag.dag_id, task.task_id, getattr(task, name, None))
        for dag in dags.values()
        for task in dag.tasks
        for name in task.template_fields
    )
    wrong = [
        (dag, task, value.key)
        for dag, task, value in fields
        if isinstance(value, PlainXComArg) and value.key != BaseXCom.XCOM_RETURN_KEY
    ]
    assert wrong == []
