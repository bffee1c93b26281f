"""The operator that runs a program on a named place and lives through the death of its worker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import ResumableJobMixin
from airflow.sdk.configuration import conf

from ontap_mlops import names
from ontap_mlops.compute import profiles
from ontap_mlops.compute.following import DASHBOARD, LogFollower
from ontap_mlops.compute.workload import (
    BAD_INPUT,
    Mount,
    PlaceRefused,
    PlaceUnavailable,
    Resources,
    Runner,
    State,
    Status,
    Workload,
)
from ontap_mlops.config_file import ConfigError
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.links import DashboardLink, MlflowRunLink

if TYPE_CHECKING:
    from airflow.sdk import Context

SUPERSEDED = "superseded"  # of a job that a user's clear has made worthless
OVERDUE_MARGIN_S = 120.0  # beyond time limit and grace, until a place that does not stop a program is given up on
CANCEL_WAIT_S = 2.0  # Airflow kills a task some five seconds after its SIGTERM; the place goes on by itself


class WorkloadFailed(RuntimeError):
    """The program ended badly in a way that another try may mend."""


class WorkloadOperator(ResumableJobMixin, MlopsOperator):
    """Runs one program (see tasks/README.md) where ``compute`` says, shows its log, and returns its result.

    The program's run has a name made of the DAG run's key and ``step``. A retry after the worker's death joins the run
    of that name, or takes its result when it has ended meanwhile; clearing the task runs the program anew. Exit code 2
    (bad input) fails the task at once with the program's own sentence, anything else leaves it to ``retries``.

    A program that says ``dashboard URL`` on a line of its log gets a button on the task while it runs (not while the
    task is deferred).

    :param program: module, run by ``python -m``.
    :param arguments: list of arguments, or a mapping of flags: ``{"epochs": 3}`` is ``--epochs 3``, True is the bare
        flag. Empty and None entries are left out, so that a template can leave one out. ``{key}`` of a mount becomes
        its folder; a record or list becomes JSON.
    :param mounts: ONTAP volumes by key, each ``"svm1:/junction"``, a mapping with ``svm`` and ``junction_path`` (a
        Workspace record does), optionally ``read_only``.
    :param environment: further variables; nothing secret, since they are shown as rendered.
    :param aws_conn_id: connection whose keys and endpoint the program gets as ``AWS_...``.
    :param mlflow_conn_id: connection the program gets as ``MLFLOW_TRACKING_...``.
    :param compute: name of a place in config/compute.yaml, or several (a list, or joined by commas) tried in order.
    :param step: what this program is in the run; the task id if not given.
    :param run_key: the run's key; from the context if not given.
    :param image: container image, for places that need one.
    :param program_resources: ``cpus``, ``memory_gib``, ``gpus`` of one process.
    :param processes: how many processes work together.
    :param time_limit: seconds or timedelta after which the program is stopped (SIGTERM, then SIGKILL).
    :param poll_interval_s: seconds between two looks at state and log.
    :param deferrable: wait in the triggerer and free the worker slot.
    :param durable: keep what is needed to rejoin the program after a worker's death.
    """

    template_fields: Sequence[str] = (
        "program",
        "arguments",
        "mounts",
        "environment",
        "compute",
        "step",
        "run_key",
        "image",
        "program_resources",
        "processes",
    )
    template_fields_renderers = {"arguments": "json", "mounts": "json", "environment": "json"}
    operator_extra_links = (DashboardLink(), MlflowRunLink())
    external_id_key = "workload"

    def __init__(
        self,
        *,
        program: str,
        arguments: Any = (),
        mounts: Any = None,
        environment: Any = None,
        aws_conn_id: str | None = None,
        mlflow_conn_id: str | None = None,
        compute: Any = "local",
        step: str | None = None,
        run_key: str | None = None,
        image: str | None = None,
        program_resources: Any = None,
        processes: Any = 1,
        time_limit: timedelta | float | None = None,
        poll_interval_s: float = 1.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.program = program
        self.arguments = arguments
        self.mounts = mounts
        self.environment = environment
        self.aws_conn_id = aws_conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self.compute = compute
        self.step = step
        self.run_key = run_key
        self.image = image
        self.program_resources = program_resources
        self.processes = processes
        self.time_limit = time_limit
        self.poll_interval_s = poll_interval_s
        self.deferrable = deferrable
        self._job: dict[str, Any] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException

        try:
            return self.execute_resumable(context)
        except (PlaceRefused, ConfigError) as error:
            raise AirflowFailException(str(error)) from error

    def submit_job(self, context: Context) -> dict[str, Any]:
        """Write down which workload is meant, then start it: dying in between leaves a name that nothing runs under."""
        workload = self.workload(context)
        refusals = []
        for place, runner in profiles.runners(_names(self.compute)):
            try:
                return self._submit_at(place, runner, workload, context)
            except PlaceUnavailable as error:
                self.log.warning("Place %s does not take %s: %s", place, workload.name, error)
                refusals.append(f"{place}: {error}")
        raise PlaceUnavailable(f"No place takes workload {workload.name}. " + "; ".join(refusals))

    def _submit_at(self, place: str, runner: Runner, workload: Workload, context: Context) -> dict[str, Any]:
        store = context.get("task_state_store") if self.durable else None
        stored = store.get(self.external_id_key) if store is not None else None
        again = isinstance(stored, dict) and stored.get("generation") == _generation(context)
        job: dict[str, Any] = {"place": place, "workload": workload.name, "generation": _generation(context)}
        if not again and not runner.status(workload.name).state.active:
            # Whatever ended under this name belongs to the time before a user's clear.
            runner.remove(workload.name)
        if store is not None:
            store.set(self.external_id_key, job)
        self._job = job
        runner.submit(workload, fresh=again)
        self.log.info("Workload %s runs %s at %s", workload.name, workload.program, place)
        return job

    def get_job_status(self, external_id: Any, context: Context) -> str:
        if not isinstance(external_id, dict) or external_id.get("generation") != _generation(context):
            return SUPERSEDED
        runner, name = profiles.runner(external_id["place"]), external_id["workload"]
        while (status := runner.status(name)).state.active and status.stopping:
            time.sleep(self.poll_interval_s)  # it was killed with the try before; there is nothing to join
        state = status.state
        if state is State.SUCCEEDED:  # it ended without a worker; its log belongs to this try
            self._show(LogFollower(runner, name), last=True)
        return state

    def is_job_active(self, status: str) -> bool:
        return status in (State.PENDING, State.RUNNING)

    def is_job_succeeded(self, status: str) -> bool:
        return status == State.SUCCEEDED

    def poll_until_complete(self, external_id: Any, context: Context) -> Any:
        self._job = external_id
        if self.deferrable:
            self._defer(external_id)
        runner, name = profiles.runner(external_id["place"]), external_id["workload"]
        follower, pause = LogFollower(runner, name), min(0.1, self.poll_interval_s)
        while (status := runner.status(name)).state.active:
            self._show(follower, context)
            time.sleep(pause)
            pause = min(pause * 1.5, self.poll_interval_s)
        self._show(follower, last=True)
        self._raise_unless_succeeded(name, status)
        return runner.result(name)

    def get_job_result(self, external_id: Any, context: Context) -> Any:
        return profiles.runner(external_id["place"]).result(external_id["workload"])

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Resumes after the trigger; the log has been shown by it."""
        self._job = event
        status = Status(state=State(event["state"]), exit_code=event["exit_code"], message=event["message"])
        self._raise_unless_succeeded(event["workload"], status)
        return self.get_job_result(event, context)

    def on_kill(self) -> None:
        """Cancel, in a thread: this is called from a signal's handler, maybe in the midst of a call to the runner."""
        if self._job is not None:
            self.log.info("Cancelling workload %s", self._job["workload"])
            runner = profiles.runner(self._job["place"])
            cancelling = threading.Thread(target=runner.cancel, args=[self._job["workload"]])
            cancelling.start()
            cancelling.join(CANCEL_WAIT_S)

    def workload(self, context: Context) -> Workload:
        """What is to be run, from the rendered parameters. Raises PlaceRefused when they make no workload."""
        try:
            return Workload(
                name=names.workload(self.run_key or run_key(context), self._step(context)),
                program=self.program,
                arguments=_arguments(self.arguments),
                environment={key: str(value) for key, value in (self.environment or {}).items() if value is not None},
                secrets=self._secrets(),
                mounts={key: as_mount(key, value) for key, value in self.run_mounts(context).items()},
                run=self.run_facts(context),
                image=self.image or None,
                resources=Resources(**(self.program_resources or {})),
                processes=int(self.processes),
                time_limit_s=_seconds(self.time_limit),
            )
        except (ValueError, TypeError) as error:
            raise PlaceRefused(f"Task {self.task_id} describes no workload: {error}") from error

    def run_facts(self, context: Context) -> Mapping[str, Any] | None:
        """Return what the program is to find in RUN_FILE, ``{key}`` of a mount standing for its folder; None: no file.

        For a subclass that knows the run.
        """
        return None

    def run_mounts(self, context: Context) -> Mapping[str, Any]:
        """Return the mounts by key, each as ``mounts`` takes it. A subclass may add those that every run has."""
        return self.mounts or {}

    def _step(self, context: Context) -> str:
        map_index = getattr(context["ti"], "map_index", -1)
        step = self.step or self.task_id
        return step if map_index is None or map_index < 0 else f"{step}-{map_index}"

    def _secrets(self) -> dict[str, str]:
        from ontap_mlops.hooks import credentials

        aws = credentials.aws_environment(self.aws_conn_id) if self.aws_conn_id else {}
        mlflow = credentials.mlflow_environment(self.mlflow_conn_id) if self.mlflow_conn_id else {}
        return {**aws, **mlflow}

    def _defer(self, job: dict[str, Any]) -> None:
        from ontap_mlops.triggers.workload import WorkloadTrigger

        limit = _seconds(self.time_limit)
        self.defer(
            trigger=WorkloadTrigger(
                place=job["place"],
                workload=job["workload"],
                poll_interval_s=self.poll_interval_s,
                deadline=time.time() + limit + OVERDUE_MARGIN_S if limit else None,
            ),
            method_name="execute_complete",
        )

    def _show(self, follower: LogFollower, context: Context | None = None, *, last: bool = False) -> None:
        for line in follower.lines(last=last):
            self.log.info("%s", line)
            if context and (page := DASHBOARD.search(line)):
                DashboardLink.show(context, page[1])

    def _raise_unless_succeeded(self, name: str, status: Status) -> None:
        from airflow.sdk.exceptions import AirflowFailException

        if status.state is State.SUCCEEDED:
            return
        if status.state is State.FAILED and status.exit_code == BAD_INPUT:
            raise AirflowFailException(f"{self.program} cannot work with its input: {status.message}")
        raise WorkloadFailed(f"{self.program} {status.state} (workload {name}): {status.message or 'no reason given'}")


def _generation(context: Context) -> int:
    """The same for all automatic retries, another after a user cleared the task (clearing raises ``max_tries``)."""
    return context["ti"].max_tries


def _names(compute: Any) -> list[str]:
    parts = compute.split(",") if isinstance(compute, str) else compute
    return [part.strip() for part in parts if part.strip()]


def _arguments(arguments: Any) -> tuple[str, ...]:
    if isinstance(arguments, Mapping):
        arguments = [part for flag, value in arguments.items() for part in _flag(flag, value)]
    return tuple(_text(argument) for argument in arguments or () if argument not in (None, ""))


def _text(argument: Any) -> str:
    """A record or a list, such as another task's result, travels as JSON."""
    return json.dumps(argument) if isinstance(argument, dict | list) else str(argument)


def _flag(flag: str, value: Any) -> list[Any]:
    name = f"--{flag.replace('_', '-')}"
    if value is None or value is False or value == "":
        return []
    return [name] if value is True else [name, value]


def as_mount(key: str, value: Any) -> Mount:
    """From ``svm:/junction``, a mapping with these two, or such a mapping as JSON text."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if isinstance(value, str) and ":/" in value:
        svm, _, junction_path = value.partition(":")
        return Mount(svm=svm, junction_path=junction_path)
    if isinstance(value, Mapping) and value.get("svm") and value.get("junction_path"):
        read_only = bool(value.get("read_only", False))
        return Mount(svm=value["svm"], junction_path=value["junction_path"], read_only=read_only)
    raise ValueError(f"mount {key!r} is {value!r}; give 'svm:/junction' or a mapping with svm and junction_path")


def _seconds(limit: timedelta | float | None) -> float | None:
    return limit.total_seconds() if isinstance(limit, timedelta) else limit
