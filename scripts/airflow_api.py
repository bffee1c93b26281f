"""The part of Airflow's REST API that the demo and the journey tests need."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Any

import httpx

ATTEMPTS = 5
TEMPORARY = (500, 502, 503, 504)  # SQLite under load answers 500 for a locked database

NOISE = (
    *("::group::", "::endgroup::", "DAG bundles loaded", "Filling up the DagBag", "Worker startup parse complete"),
    *("Pushing xcom", "GitWildMatchPattern", "Task failed with exception", "Could not read served logs"),
    "Retry policy decision",
    "/",  # the first line is the path of the log
)


class AirflowApi:
    """Speaks as ``user`` to the API server at ``url``; a new token is asked for when the old one has expired."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        # A company's proxy must not be asked for a server of this machine.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def call(self, method: str, path: str, *, below: str = "api/v2", **options: Any) -> Any:
        """Return the JSON of ``/api/v2/<path>``; None for 404. Raises RuntimeError with Airflow's own words.

        ``below`` names another API that takes Airflow's tokens, as that of the data hub.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._http.request(method, f"/{below}/{path}", **options)
            except httpx.TransportError as error:
                problem = f"no answer ({error})"
            else:
                if answer.status_code == 401:
                    problem = "401 in spite of a new token"
                    self._renew_token()
                    continue
                if answer.status_code not in TEMPORARY:
                    return self._result(method, path, answer)
                problem = f"{answer.status_code} {answer.text[:300]}"
            time.sleep(attempt)
        raise RuntimeError(f"Airflow at {self.url} was asked {method} {path} {ATTEMPTS} times: {problem}")

    def _renew_token(self) -> None:
        answer = self._http.post("/auth/token", json=self._login)
        if not answer.is_success:
            raise RuntimeError(f"Airflow at {self.url} refuses user {self._login['username']}: {answer.status_code}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _result(self, method: str, path: str, answer: httpx.Response) -> Any:
        if answer.status_code == 404:
            return None
        if not answer.is_success:
            raise RuntimeError(f"Airflow refused {method} {path} ({answer.status_code}): {answer.text[:500]}")
        return answer.json() if answer.content else {}

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        return self.call("GET", f"dags/{dag_id}")

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": True})

    def run_of_date(self, dag_id: str, day: date) -> str | None:
        """Return the newest run of this logical date; None when there is none yet."""
        asked = {"logical_date_gte": f"{day}T00:00:00Z", "logical_date_lte": f"{day}T00:00:00Z", "order_by": "-id"}
        runs = self.call("GET", f"dags/{dag_id}/dagRuns", params=asked)["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    def run_that_is_due(self, dag_id: str, timeout_s: float = 60) -> str | None:
        """Unpause the DAG; return the run that then starts by itself, if one is due: a second run would wait for it."""
        dag, known = self.dag(dag_id), {run["dag_run_id"] for run in self.runs(dag_id)}
        due = dag and dag["is_paused"] and dag["next_dagrun_run_after"]
        self.unpause(dag_id)
        if not due or datetime.fromisoformat(due) > datetime.now(UTC):
            return None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            started = [run["dag_run_id"] for run in self.runs(dag_id) if run["dag_run_id"] not in known]
            if started:
                return started[0]
            time.sleep(1)
        return None

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Start a run and return its id."""
        run = self.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": logical_date, "conf": conf or {}})
        return run["dag_run_id"]

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")

    def runs(self, dag_id: str, limit: int = 20) -> list[dict[str, Any]]:
        """Return the runs, newest first."""
        answer = self.call("GET", f"dags/{dag_id}/dagRuns", params={"limit": limit, "order_by": "-run_after"})
        return answer["dag_runs"]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        answer = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 200})
        return answer["task_instances"]

    def run_started_by(self, dag_id: str, source_run_id: str) -> str | None:
        """Return the run of this DAG that an asset event of ``source_run_id`` has started."""
        for run in self.runs(dag_id):
            if run["run_type"] == "asset_triggered":
                events = self.call("GET", f"dags/{dag_id}/dagRuns/{run['dag_run_id']}/upstreamAssetEvents")
                if any(event["source_run_id"] == source_run_id for event in events["asset_events"]):
                    return run["dag_run_id"]
        return None

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what the task left under this key; None if nothing."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        entry = self.call("GET", path, params={"deserialize": "false", "stringify": "false"})
        return entry["value"] if entry else None

    def asks(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any] | None:
        """Return what a task asks a person; None before it does."""
        return self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails")

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> dict[str, Any] | None:
        """Answer what a task asks a person; None where it asks nothing."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        return self.call("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def log(self, task: dict[str, Any], try_number: int | None = None) -> list[str]:
        """Return the lines of a task instance's log; [] before it has any."""
        path = f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        number = try_number or max(task["try_number"], 1)
        options: dict[str, Any] = {
            "params": {"map_index": task["map_index"]},
            "headers": {"Accept": "application/json"},
        }
        answer = self.call("GET", f"{path}/logs/{number}", **options)
        entries = [{"event": e} if isinstance(e, str) else e for e in (answer or {}).get("content", [])]
        return [line for entry in entries for line in (*_event(entry), *_errors(entry))]

    def import_errors(self) -> dict[str, str]:
        """Return a sentence for each DAG file that cannot be loaded."""
        answer = self.call("GET", "importErrors")
        return {error["filename"]: error["stack_trace"] for error in answer["import_errors"]}

    def run_link(self, dag_id: str, run_id: str) -> str:
        return f"{self.url}/dags/{dag_id}/runs/{run_id}"

    def task_link(self, task: dict[str, Any]) -> str:
        mapped = f"/mapped/{task['map_index']}" if task["map_index"] >= 0 else ""
        return f"{self.run_link(task['dag_id'], task['dag_run_id'])}/tasks/{task['task_id']}{mapped}"


def _errors(entry: dict[str, Any]) -> list[str]:
    """Return the exceptions of a log entry, in a line each; their traces are for the page of the log."""
    return [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []]


def _event(entry: dict[str, Any]) -> list[str]:
    """Return what was said, unless it is what Airflow says in every task's log, whatever the task does."""
    event, logger = entry["event"], entry.get("logger") or ""
    said_always = event.startswith(NOISE) or logger.endswith("secrets_masker") or not event.strip()
    return [] if said_always else [event]
