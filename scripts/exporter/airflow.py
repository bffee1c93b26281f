"""What Airflow does: runs and how long they took, tasks that wait or have failed, pools, its own processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scripts.exporter.looking import Figures, Look, Told

if TYPE_CHECKING:
    from ontap_mlops.hooks.airflow_rest import AirflowRest

WINDOW = timedelta(days=1)
PAGE = 100  # Airflow gives no more at once
ENDED = ("success", "failed")
GOES_ON = ("queued", "running")
WAITING = ("scheduled", "queued", "running", "deferred", "up_for_retry", "up_for_reschedule")
FAILED = ("failed", "upstream_failed")
SLOTS = ("open", "queued", "scheduled", "running", "deferred")

_RUN = ("dag_id", "state")


class Airflow:
    """One Airflow, by its REST API."""

    kind = "airflow"
    every_s = 60.0
    kept_looks = 3
    metrics: Mapping[str, Told] = {
        "dag_runs": Told("Runs that are queued or running, and those that ended within a day.", _RUN),
        "dag_run_duration_seconds": Told("How long the newest run that ended so within a day took.", _RUN),
        "dag_run_mean_duration_seconds": Told("How long those that ended so within a day took on average.", _RUN),
        "dag_run_end_timestamp_seconds": Told("When the newest of them ended.", _RUN),
        "dag_oldest_waiting_run_timestamp_seconds": Told("Since when the oldest queued run waits.", ("dag_id",)),
        "task_instances": Told("Tasks that wait or run, and those that failed within a day.", ("state",)),
        "pool_slots": Told("Slots of a pool by what they do; the place is that whose programs it counts.",
                           ("pool", "place", "state")),
        "dag_import_errors": Told("DAG files that Airflow could not read."),
        "airflow_component_up": Told("1 if a process of Airflow says that it is well.", ("component",)),
    }  # fmt: skip

    def __init__(self, conn_id: str = "airflow_api") -> None:
        self.conn_id = conn_id

    def sources(self) -> Mapping[str, Look]:
        return {self.conn_id: self._look}

    def _look(self) -> Figures:
        from ontap_mlops.hooks.airflow_rest import AirflowRest

        figures, api = Figures(), AirflowRest(self.conn_id, may="read runs, tasks, pools and import errors")
        since = (datetime.now(UTC) - WINDOW).isoformat()
        _runs(figures, [*_listed(api, "/dags/~/dagRuns", "dag_runs", state=list(ENDED), end_date_gte=since)])
        _waiting(figures, [*_listed(api, "/dags/~/dagRuns", "dag_runs", state=list(GOES_ON))])
        for state in (*WAITING, *FAILED):
            late = {"end_date_gte": since} if state in FAILED else {}
            figures.put("task_instances", state, value=_counted(api, state, **late))
        for pool in _listed(api, "/pools", "pools"):
            _pool(figures, pool)
        errors = _get(api, "/importErrors", limit=1)
        figures.put("dag_import_errors", value=errors["total_entries"])
        for component, facts in _get(api, "/monitor/health").items():
            if facts and facts.get("status"):  # none of a process that this Airflow does without
                figures.put("airflow_component_up", component, value=float(facts["status"] == "healthy"))
        return figures


def _get(api: AirflowRest, path: str, **query: Any) -> dict[str, Any]:
    return api.call("GET", path, asked=f"tell {path}", params=query)[1]


def _listed(api: AirflowRest, path: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        answer = _get(api, path, limit=PAGE, offset=offset, **query)
        yield from answer[key]
        offset += len(answer[key])
        if not answer[key] or offset >= answer["total_entries"]:
            return


def _counted(api: AirflowRest, state: str, **query: str) -> int:
    path = "/dags/~/dagRuns/~/taskInstances"
    return int(_get(api, path, limit=1, state=state, **query)["total_entries"])


def _runs(figures: Figures, runs: list[dict[str, Any]]) -> None:
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for run in runs:
        key = (run["dag_id"], run["state"])
        figures.add("dag_runs", *key)
        if run.get("start_date") and run.get("end_date"):  # a run that was failed before it began took no time
            begun, ended = (datetime.fromisoformat(run[name]).timestamp() for name in ("start_date", "end_date"))
            taken.setdefault(key, []).append((ended, ended - begun))
    for key, ends in taken.items():
        ended, seconds = max(ends)
        figures.put("dag_run_duration_seconds", *key, value=seconds)
        figures.put("dag_run_mean_duration_seconds", *key, value=sum(took for _, took in ends) / len(ends))
        figures.put("dag_run_end_timestamp_seconds", *key, value=ended)


def _waiting(figures: Figures, runs: list[dict[str, Any]]) -> None:
    oldest: dict[str, float] = {}
    for run in runs:
        figures.add("dag_runs", run["dag_id"], run["state"])
        since = run.get("queued_at") or run.get("run_after")
        if run["state"] == "queued" and since:
            at = datetime.fromisoformat(since).timestamp()
            oldest[run["dag_id"]] = min(at, oldest.get(run["dag_id"], at))
    for dag_id, at in oldest.items():
        figures.put("dag_oldest_waiting_run_timestamp_seconds", dag_id, value=at)


def _pool(figures: Figures, pool: Mapping[str, Any]) -> None:
    from ontap_mlops.compute.places import POOL_PREFIX

    name = pool["name"]
    place = name.removeprefix(POOL_PREFIX) if name.startswith(POOL_PREFIX) else ""
    for state in SLOTS:
        if (slots := pool[f"{state}_slots"]) >= 0:  # -1 is a pool without a limit
            figures.put("pool_slots", name, place, state, value=slots)
