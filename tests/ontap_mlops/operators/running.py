"""Operators executed as in a task of a DAG run, without a scheduler."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops import names

RUN_AFTER = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


class Outlet:
    """What a task says of one outlet; of an alias, the events that it adds."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.added: list[tuple[Any, dict[str, Any]]] = []

    def add(self, asset: Any, *, extra: dict[str, Any]) -> None:
        self.added.append((asset, extra))


class Run:
    """One DAG run: its key, what its tasks pushed, and in which states its other tasks are."""

    def __init__(
        self, run_id: str = "manual__1", dag_id: str = "tyre_quality", run_after: datetime = RUN_AFTER
    ) -> None:
        self.dag_id, self.run_id, self.run_after = dag_id, run_id, run_after
        self.key = names.run_key(dag_id, run_id, run_after)
        self.try_number, self.max_tries = 1, 4
        self.pushed: dict[str, Any] = {}
        self.states: dict[str, str] = {}
        self.runs: dict[tuple[str, str], str] = {}
        """State of each DAG run that Airflow knows, by DAG id and run id."""
        self.state_stores: Any = None
        """State store of each asset that the task has, by asset."""
        self.inlet_events: Any = {}
        self.outlet_events: Any = defaultdict(Outlet)

    def task_states(self, *, dag_id: str, run_ids: list[str], **_: Any) -> dict[str, Any]:
        assert (dag_id, run_ids) == (self.dag_id, [self.run_id])
        return {self.run_id: dict(self.states)}

    def count_runs(self, *, dag_id: str, run_ids: list[str], states: list[str] | None = None) -> int:
        found = [self.runs.get((dag_id, run_id)) for run_id in run_ids]
        return sum(state is not None and (states is None or state in states) for state in found)

    def context(self, task_id: str) -> dict[str, Any]:
        ti = SimpleNamespace(
            task_id=task_id,
            dag_id=self.dag_id,
            run_id=self.run_id,
            try_number=self.try_number,
            max_tries=self.max_tries,
            xcom_push=lambda key, value: self.pushed.update({key: value}),
            get_task_states=self.task_states,
            xcom_pull=lambda *, task_ids, key: [None for _ in task_ids],
            get_dr_count=self.count_runs,
        )
        stores = {} if self.state_stores is None else {"asset_state_store": self.state_stores}
        return {
            "ti": ti,
            "dag_run": self,
            "dag": SimpleNamespace(task_ids=[*self.states]),
            "outlet_events": self.outlet_events,
            "inlet_events": self.inlet_events,
            **stores,
        }

    def execute(self, kind: type, *, task_id: str = "t", **arguments: Any) -> Any:
        operator = kind(task_id=task_id, **arguments)
        ExecutorSafeguard.tracker.set(operator)
        return operator.execute(self.context(task_id))
