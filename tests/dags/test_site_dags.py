"""The DAGs on two sites: each task works at the end it is meant for, and a fail over's steps are those of the plan."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from ontap_mlops.ontap import fail_over

PARAMS = {"dataset": "tyre_images", "site": "remote", "policy": "P", "schedule": None, "only_at_home": "refuse"}
HOME, SITE = ("ontap_default", ""), ("ontap_remote", "svm_remote")


def rendered(task: Any, name: str) -> str:
    jinja = SandboxedEnvironment(undefined=StrictUndefined)
    return jinja.from_string(getattr(task, name) or "").render(params=PARAMS)


def at(task: Any) -> tuple[str, str]:
    return rendered(task, "ontap_conn_id"), rendered(task, "svm")


def other(task: Any) -> tuple[str, str]:
    return rendered(task, "source_conn_id"), rendered(task, "source_svm")


def test_a_copy_is_made_at_the_site_of_what_is_at_home(dags) -> None:
    dag = dags["replicate"]
    assert {at(task) for task in dag.tasks} == {SITE}
    assert {other(dag.get_task(task)) for task in ("peer", "mirror")} == {HOME}
    assert rendered(dag.get_task("mirror"), "volume") == "tyre_images"
    assert rendered(dag.get_task("mirror"), "comment") == "ontap-mlops dataset tyre_images", "as show would set it"
    assert rendered(dag.get_task("keys"), "secret_suffix") == "_ontap_remote_svm_remote"


@pytest.mark.parametrize(
    ("task", "where", "from_"),
    [
        ("look", SITE, HOME),
        ("update", SITE, None),
        ("settled", HOME, SITE),
        ("break_off", SITE, None),
        ("show_at_site", SITE, None),
        ("kept_at_home", HOME, SITE),
        ("turn", HOME, SITE),
        ("hide_at_site", SITE, None),
        ("last_update", HOME, None),
        ("break_off_home", HOME, None),
        ("show_at_home", HOME, None),
        ("kept_at_site", SITE, HOME),
        ("turn_again", SITE, HOME),
        ("show_copy", SITE, None),
    ],
)
def test_each_step_of_a_fail_over_is_done_at_the_end_it_changes(dags, task: str, where, from_) -> None:
    found = dags["fail_over"].get_task(task)
    assert at(found) == where
    assert from_ is None or other(found) == from_


def test_the_steps_are_those_of_the_plan_in_its_order(dags) -> None:
    dag = dags["fail_over"]
    to_site = ("update", "settled", "break_off", "show_at_site")
    assert {task.task_id for task in dag.tasks} == {"look", *to_site, *fail_over.RETURN}
    for way in (to_site, fail_over.RETURN):
        for earlier, later in zip(("look", *way), way, strict=False):
            assert later in dag.get_task(earlier).downstream_task_ids


def test_a_step_that_is_not_left_is_skipped_and_what_comes_after_it_is_not(dags) -> None:
    steps = [task for task in dags["fail_over"].tasks if task.task_id != "look"]
    assert {task._pre_execute_hook.__name__ for task in steps} == {"when_left"}
    assert {task.trigger_rule.value for task in steps} == {"none_failed"}
    assert dags["fail_over"].get_task("look")._pre_execute_hook is None


def test_only_home_may_be_overwritten_by_choice(dags) -> None:
    """The site's own data is never thrown away; home's only as the form says, by the check before."""
    dag = dags["fail_over"]
    assert rendered(dag.get_task("kept_at_home"), "only_here") == "refuse"
    assert dag.get_task("kept_at_site").only_here == "refuse"
    assert dag.get_task("turn_again").lose_changes is False
