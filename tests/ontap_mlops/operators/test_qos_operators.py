"""The setup that raises a volume's service level, and the teardown that puts it back."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops.ontap import qos
from ontap_mlops.operators.qos import OntapQosLowerOperator, OntapQosRaiseOperator


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


def run(kind: type, run_id: str = "manual", **arguments: Any) -> Any:
    operator = kind(task_id="t", volume="tyre", **arguments)
    ExecutorSafeguard.tracker.set(operator)
    dag_run = SimpleNamespace(dag_id="d", run_id=run_id, run_after=datetime(2026, 11, 21, tzinfo=UTC))
    return operator.execute({"dag_run": dag_run})


def test_raised_for_the_run_and_put_back(client, volume):
    assert run(OntapQosRaiseOperator, policy="extreme") == {"volume": "tyre", "policy": "extreme", "before": "none"}
    assert run(OntapQosLowerOperator, run_id="another") == "extreme", "another run's teardown leaves it"
    assert run(OntapQosLowerOperator) == "none"


def test_without_a_policy_the_volume_stays_as_it_is(client, volume, ontap):
    assert run(OntapQosRaiseOperator, policy="") is None
    assert run(OntapQosLowerOperator) == "none"
    assert ontap.writes() == []
    assert qos.level(client, svm="svm1", volume="tyre").holders == frozenset()
