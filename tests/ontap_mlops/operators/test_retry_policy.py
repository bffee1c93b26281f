"""Temporary errors are retried, permanent ones fail at once: by type, through Airflow's own retry policy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction
from airflow.sdk.exceptions import AirflowNotFoundException

from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.ontap import errors
from ontap_mlops.operators.base import MlopsOperator, OntapOperator
from ontap_mlops.operators.retry import RETRY_POLICY
from ontap_mlops.operators.workload import WorkloadOperator

CASES = [
    (errors.NameTaken("x"), RetryAction.FAIL),
    (errors.Locked("x"), RetryAction.FAIL),
    (errors.InUse("x"), RetryAction.RETRY),
    (errors.UnderWay("x"), RetryAction.RETRY),
    (errors.Conflict("x"), RetryAction.RETRY),
    (errors.NotReached("x"), RetryAction.RETRY),
    (errors.NotTls("x"), RetryAction.FAIL),
    (errors.Unreachable("x"), RetryAction.RETRY),
    (errors.JobStillRunning("x"), RetryAction.RETRY),
    (ServiceRefused("x"), RetryAction.FAIL),
    (ServiceUnavailable("x"), RetryAction.RETRY),
    (ValueError("x"), RetryAction.FAIL),
    (json.JSONDecodeError("half an answer", "", 0), RetryAction.DEFAULT),
    (AirflowNotFoundException("no such connection"), RetryAction.FAIL),
    (RuntimeError("x"), RetryAction.DEFAULT),
]


@pytest.mark.parametrize(("error", "action"), CASES, ids=lambda value: type(value).__name__)
def test_the_kind_of_error_decides(error: Exception, action: RetryAction) -> None:
    assert RETRY_POLICY.evaluate(error, try_number=1, max_tries=3).action is action


@pytest.mark.parametrize(("error", "action"), CASES, ids=lambda value: type(value).__name__)
def test_the_policy_says_the_same_after_serialization(error: Exception, action: RetryAction) -> None:
    again = ExceptionRetryPolicy.deserialize(json.loads(json.dumps(RETRY_POLICY.serialize())))
    assert again.evaluate(error, try_number=1, max_tries=3).action is action


class Task(OntapOperator):
    def __init__(self, *, item: int = 0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.item = item


def dag(**default_args) -> DAG:
    return DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args=default_args)


def test_a_task_is_retried_with_growing_delays_unless_told_otherwise() -> None:
    with dag():
        task = Task(task_id="t")
    assert (task.retries, task.retry_delay, task.retry_exponential_backoff) == (4, timedelta(seconds=30), 2.0)
    assert task.retry_policy is RETRY_POLICY


def test_default_args_of_the_dag_go_before_ours_and_the_tasks_own_before_both() -> None:
    with dag(retries=7, ontap_conn_id="other"):
        first, second = Task(task_id="first"), Task(task_id="second", retries=1)
    assert (first.retries, first.ontap_conn_id, second.retries) == (7, "other", 1)


def test_the_scheduler_knows_retries_and_delays_of_a_mapped_task() -> None:
    with dag():
        mapped = Task.partial(task_id="t").expand(item=[1, 2])
    assert (mapped.retries, mapped.retry_delay, mapped.retry_policy) == (4, timedelta(seconds=30), RETRY_POLICY)
    assert mapped.retry_exponential_backoff == 2.0
    with dag(retries=7):
        assert Task.partial(task_id="t").expand(item=[1, 2]).retries == 7


def test_a_mapped_task_has_the_policy_too() -> None:
    with dag(retries=2):
        mapped = Task.partial(task_id="t").expand(item=[1, 2])
    task = mapped.unmap({"item": 1})
    assert (task.retries, task.retry_policy) == (2, RETRY_POLICY)


@pytest.mark.parametrize("kind", [MlopsOperator, OntapOperator, WorkloadOperator], ids=lambda kind: kind.__name__)
def test_every_operator_has_the_policy_and_the_delays(kind: type) -> None:
    with dag():
        task = kind(task_id="t", **({"program": "p"} if kind is WorkloadOperator else {}))
    assert (task.retries, task.retry_delay, task.retry_policy) == (4, timedelta(seconds=30), RETRY_POLICY)


def test_every_connection_id_is_a_template() -> None:
    class Two(Task):
        template_fields = ("item",)

        def __init__(self, *, mlflow_conn_id: str = "mlflow_default", **kwargs) -> None:
            super().__init__(**kwargs)
            self.mlflow_conn_id = mlflow_conn_id

    with dag():
        task = Two(task_id="t", ontap_conn_id="{{ params.cluster }}", mlflow_conn_id="{{ params.cluster }}_ml")
    task.render_template_fields({"params": {"cluster": "east"}})
    assert (task.ontap_conn_id, task.mlflow_conn_id) == ("east", "east_ml")
    assert set(Two.template_fields) == {"item", "ontap_conn_id", "mlflow_conn_id"}
    assert set(WorkloadOperator.template_fields) > {"aws_conn_id", "mlflow_conn_id", "program"}


def test_an_outage_of_minutes_is_outlasted_by_every_task_of_the_dags() -> None:
    from airflow.dag_processing.dagbag import DagBag

    from tests.dags.conftest import DAGS

    for file in ("ingest.py", "provision_ontap.py", "tyre_quality.py", "click_through.py"):
        for page in DagBag(str(DAGS / file)).dags.values():
            for task in page.tasks:
                if isinstance(task, MlopsOperator) and task.retries:
                    waits = [min(300, task.retry_delay.total_seconds() * 2**n) for n in range(task.retries)]
                    assert sum(waits) >= 300, (page.dag_id, task.task_id)
