"""Where scenarios play: one or two clusters, a run of a DAG, and what an operator's own tasks would have told it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk.bases.operator import BaseOperator, ExecutorSafeguard
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred
from airflow.sdk.module_loading import import_string

from ontap_mlops import names
from ontap_mlops.ontap.client import Client
from tests.conftest import peer
from tests.faults import holdings
from tests.faults.wire import Killed, Wire
from tests.ontap_mlops.conftest import SVM, Ontap

DAG_ID, RUN_ID, RUN_AFTER = "tyre_quality", "manual__1", datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
SKIPPED = "skipped"
_KEPT: dict[Any, tuple[dict[str, Any], dict[str, bytes]]] = {}
"""Of the one beginning that the clusters remember: what the site knew then, and its secrets."""


_OF_A_PLAY = ("made", "results", "states", "runs", "params", "called", "pushed")


class Store(dict[str, Any]):
    """The store that Airflow gives each task."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Site:
    """``here`` is ``ontap_default`` with ``svm1``; ``there``, where there are two, is ``ontap_remote`` with ``svm2``.

    What ``prepare`` leaves for ``make`` goes to ``made``, and what earlier tasks of the run returned to ``results``.
    """

    def __init__(self, here: Ontap, there: Ontap | None, wire: Wire, folder: Path) -> None:
        self.here, self._there, self.wire, self.folder = here, there, wire, folder
        self.waiting = False
        """Whether the triggerer is at work, which goes on otherwise after a kill than a worker."""
        wire.beside = self._beside
        self.run_key = names.run_key(DAG_ID, RUN_ID, RUN_AFTER)
        self.client: Client = here.client()
        self.made: dict[str, Any] = {}
        self.results: dict[Any, Any] = {}
        self.states: dict[str, str] = {}
        self.runs: dict[tuple[str, str], str] = {}
        self.stores: defaultdict[str, Store] = defaultdict(Store)
        """Of each task, which keeps them from one try to the next."""
        self.try_number = 1
        """Of the task that runs."""
        self.skipped = ""
        """Why the last task that skipped did."""
        self.pushed: dict[str, Any] = {}
        """What tasks pushed to XCom themselves, by its key."""
        self.params: dict[str, Any] = {}
        self.called: dict[str, str] = {}
        """Names that are new in each play, to what stands for them where ends are compared."""

    @property
    def there(self) -> Ontap:
        assert self._there is not None, "the scenario says clusters=2"
        return self._there

    @property
    def clusters(self) -> list[Ontap]:
        return [self.here] if self._there is None else [self.here, self._there]

    def empty(self, *, peered: bool = False) -> None:
        """Back to the first state, on every cluster and on disk; two clusters as peers where that is wanted."""
        for cluster in self.clusters:
            cluster.control("POST", "/reset")
        for path in self.folder.iterdir():
            path.unlink()
        self.made, self.results, self.states, self.runs, self.params = {}, {}, {}, {}, {}
        self.called, self.pushed = {}, {}
        self.stores.clear()
        self.client.svm_uuids.clear()
        if peered:
            peer(*(cluster.emulator for cluster in self.clusters))

    def keep(self, scenario: Scenario) -> None:
        """Remember the beginning of this scenario, on the clusters too, if they can."""
        _KEPT.clear()
        if all(cluster.control("PUT", "/bookmark")["kept"] for cluster in self.clusters):
            files = {path.name: path.read_bytes() for path in self.folder.iterdir()}
            _KEPT[scenario.beginning] = copy.deepcopy({name: getattr(self, name) for name in _OF_A_PLAY}), files

    def back(self, scenario: Scenario) -> bool:
        """Begin this scenario as before. False where it has to be prepared anew: a play has changed its files."""
        if scenario.beginning not in _KEPT:
            return False
        facts, files = copy.deepcopy(_KEPT[scenario.beginning])
        if not all(cluster.control("GET", "/bookmark")["kept"] for cluster in self.clusters):
            return False
        if not all(cluster.control("POST", "/bookmark/return")["back"] for cluster in self.clusters):
            return False
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        for name, value in facts.items():
            setattr(self, name, value)
        self.stores.clear()
        self.client.svm_uuids.clear()
        return True

    def held(self) -> list[dict[str, Any]]:
        roots = [cluster.emulator.root for cluster in self.clusters]
        text = json.dumps([holdings.held(root, *roots) for root in roots])
        for name, instead in self.called.items():
            text = text.replace(name, instead)
        return json.loads(text)

    def _beside(self) -> object:
        files = [(path.name, path.read_bytes()) for path in self.folder.iterdir()]
        return self.waiting, sorted(files), json.dumps([self.stores, self.pushed], default=str)

    def context(self, operator: BaseOperator) -> dict[str, Any]:
        run = SimpleNamespace(
            dag_id=DAG_ID, run_id=RUN_ID, run_after=RUN_AFTER, logical_date=RUN_AFTER, run_type="manual", conf=None
        )
        task = SimpleNamespace(
            task_id=operator.task_id,
            dag_id=DAG_ID,
            run_id=RUN_ID,
            map_index=-1,
            try_number=self.try_number,
            max_tries=operator.retries,
            stats_tags={},
            xcom_push=lambda key, value: self.pushed.update({key: value}),
            xcom_pull=lambda task_ids, key="return_value": self.results.get(
                (task_ids, key), self.results.get(task_ids)
            ),
            get_task_states=lambda **_: {RUN_ID: dict(self.states)},
            get_dr_count=self._count_runs,
        )
        return {
            "ti": task,
            "dag_run": run,
            "dag": SimpleNamespace(params=self.params, task_ids=[]),
            "params": self.params,
            "outlet_events": defaultdict(lambda: SimpleNamespace(extra={}, add=lambda *_, **__: None)),
            "triggering_asset_events": {},
            "task_state_store": self.stores[operator.task_id],
        }

    def run(self, operator: BaseOperator) -> Any:
        """Execute it as one try of a task does, in the worker and, where it defers, in the triggerer."""
        self.waiting = False
        ExecutorSafeguard.tracker.set(operator)
        context = self.context(operator)
        try:
            result = operator.execute(context)
        except TaskDeferred as deferred:
            result = self._resumed(operator, context, deferred)
        except AirflowSkipException as skip:
            result, self.skipped = SKIPPED, str(skip)
        return result

    def _resumed(self, operator: BaseOperator, context: dict[str, Any], deferred: TaskDeferred) -> Any:
        self.waiting = True
        event = self._fired(*deferred.trigger.serialize())
        self.waiting = False
        method = getattr(operator, deferred.method_name)
        try:
            return method(context, event=event, **(deferred.kwargs or {}))
        except TaskDeferred as again:
            return self._resumed(operator, context, again)

    def _fired(self, kind: str, facts: dict[str, Any]) -> Any:
        """The trigger's event. When a triggerer dies, another takes the trigger up from what the database has of it."""
        try:
            return asyncio.run(_first(import_string(kind)(**{**facts, "interval_s": 0.01})))
        except Killed:
            self.wire.dead = False
            return self._fired(kind, facts)

    def _pulled(self, task_ids: str, key: str = "return_value") -> Any:
        """What the task returned, unless a play says what it pushed by this key."""
        return self.results.get((task_ids, key), self.results.get(task_ids))

    def _count_runs(self, *, dag_id: str, run_ids: list[str], states: list[str] | None = None) -> int:
        found = [self.runs.get((dag_id, run_id)) for run_id in run_ids]
        return sum(state is not None and (states is None or state in states) for state in found)


async def _first(trigger: Any) -> Any:
    trigger.task_instance = None
    async for event in trigger.run():
        return event.payload
    return None


def forget_beginnings() -> None:
    _KEPT.clear()


def nothing(site: Site) -> None:
    """What many scenarios need before they begin."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One thing that an operator does, from a prepared beginning to an end that can be compared."""

    operator: str
    """Name of its class."""

    make: Callable[[Site], BaseOperator]
    """A new operator for each try, as Airflow makes one."""

    prepare: Callable[[Site], Any] = nothing
    """Undisturbed; from the first state of every cluster."""

    name: str = ""
    """Tells two scenarios of one operator apart."""

    clusters: int = 1

    peered: bool = True
    """Of two clusters: whether they and their first SVMs are peers before ``prepare``."""

    mlflow: bool = False
    """Whether a real MLflow server is needed. The quick tests leave such a scenario to ``make faults``."""

    keeps: tuple[str, ...] = ()
    """What else may lie about where it has failed, as `held` calls it, since another try goes on from it."""

    without: Callable[[Site, Any], str | None] = lambda site, result: None
    """What an operator that fails nothing says when it has ended without what it is for; None when it has done it."""

    end: Callable[[Site], Any] = field(default=lambda site: site.held())
    """A comparable end state."""

    @property
    def beginning(self) -> Any:
        """What is the same for scenarios that begin alike."""
        return self.prepare, self.clusters, self.peered

    @property
    def title(self) -> str:
        return f"{self.operator} ({self.name})" if self.name else self.operator


__all__ = ["SVM", "Scenario", "Site", "forget_beginnings", "nothing"]
