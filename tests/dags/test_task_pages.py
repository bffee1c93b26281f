"""What each task says of itself in the UI, and for how long it bears an outage."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ontap_mlops.operators import telling
from ontap_mlops.operators.run_cache import RunCacheOperator, RunCacheReleaseOperator
from ontap_mlops.operators.workload import WorkloadOperator
from tests.dags.inventory import EVERY, TRAINING

OUTAGE = timedelta(minutes=5)
# They try for a shorter time, and then end well without a cache, which is a matter of speed.
FAIL_NOTHING = (RunCacheOperator, RunCacheReleaseOperator)


@pytest.mark.parametrize("dag_id", sorted(EVERY))
def test_every_task_has_a_page_that_says_what_it_does(dags, dag_id):
    for task in dags[dag_id].tasks:
        page = task.doc_md or ""
        assert len(page.split()) >= 5, f"{task.task_id}: {page!r}"
        assert ":param" not in page and "``" not in page and ":class:" not in page, task.task_id


def test_a_page_is_the_docstring_up_to_the_parameters_as_markdown():
    class Operator:
        """Make a thing with :class:`~x.Thing` and ``{key}``.

        It stays.

        :param name: of the thing.
        :return: nothing
        """

    assert telling.page_of(Operator) == "Make a thing with `x.Thing` and `{key}`.\n\nIt stays."
    assert telling.page_of(type("Bare", (), {})) == ""


def waits(task) -> timedelta:
    """How long it goes on trying, by Airflow's rule of growing delays."""
    longest = task.max_retry_delay or timedelta(days=1)
    delays = [task.retry_delay * task.retry_exponential_backoff**n for n in range(task.retries)]
    return sum((min(delay, longest) for delay in delays), timedelta())


@pytest.mark.parametrize("dag_id", sorted(EVERY))
def test_an_outage_of_five_minutes_fails_no_step_that_is_no_program(dags, dag_id):
    for task in dags[dag_id].tasks:
        ours = task.operator_class if task.is_mapped else type(task)
        if ours.__module__.startswith("ontap_mlops") and not issubclass(ours, (WorkloadOperator, *FAIL_NOTHING)):
            assert waits(task) >= OUTAGE, task.task_id


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_an_outage_after_the_training_does_not_fail_its_judgement(dags, dag_id):
    assert waits(dags[dag_id].get_task("evaluate")) >= OUTAGE
