"""The operator that runs a program on a named place and lives through the death of its worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import ResumableJobMixin

from ontap_mlops import names, settings
from ontap_mlops.compute import profiles, rendering, submission, watching
from ontap_mlops.compute.rendering import as_mount
from ontap_mlops.compute.workload import (
    BAD_INPUT,
    PlaceElsewhere,
    PlaceRefused,
    Resources,
    State,
    Workload,
)
from ontap_mlops.config_file import ConfigError
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.links import DashboardLink, MlflowRunLink
from ontap_mlops.operators.places import pool_of

if TYPE_CHECKING:
    from airflow.sdk import Context

_BEGINNING: Any = (None, "")
SUPERSEDED = "superseded"  # of a job that a user's clear has made worthless
OVERDUE_MARGIN_S = 120.0  # beyond time limit and grace, until a place that does not stop a program is given up on
# A deferrable task waits in its worker first: to come back from the triggerer costs 3 s (a process that loads Airflow,
# measured on 2 cores), which would be a lot for a short program and is at most a tenth after this time.
FIRST_WAIT_S = 30.0
CANCEL_WAIT_S = 2.0  # Airflow kills a task some five seconds after its SIGTERM; the place goes on by itself


class WorkloadFailed(RuntimeError):
    """The program ended badly in a way that another try may mend."""


class WorkloadOperator(ResumableJobMixin, MlopsOperator):
    """Runs one program (see tasks/README.md) where ``compute`` says, shows its log, and returns its result.

    The program's run has a name made of the DAG run's key and ``step``. A retry after the worker's death joins the run
    of that name, or takes its result when it has ended meanwhile; clearing the task runs the program anew. Exit code 2
    (bad input) fails the task at once with the program's own sentence, anything else leaves it to ``retries``.

    A place that has had no room for its ``pending_limit_s`` loses the program to the next place named. A program that
    says ``dashboard URL`` on a line of its log gets a button on the task while it runs: the worker stores the link, and
    the trigger does while the task is deferred.

    Where ``[ontap_mlops] use_pools`` is set, the task runs in the pool of its place (the first one, if there are
    several). A place that comes from a template is not known when the scheduler chooses: then it is the pool of the
    first place in config/compute.yaml. A mapped task gets ``pool=pool_of(place)`` in ``partial``.

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
    :param labels: flags whose values tell the program's runs apart in monitoring, such as ``["engine"]``.
    :param poll_interval_s: seconds between two looks at state and log.
    :param deferrable: wait in the triggerer and free the worker slot; ``[ontap_mlops] deferrable`` if not given.
    :param first_wait_s: seconds for which a deferrable task waits in its worker first, for programs that end soon.
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
        labels: Sequence[str] = (),
        poll_interval_s: float = 1.0,
        deferrable: bool | None = None,
        first_wait_s: float = FIRST_WAIT_S,
        **kwargs: Any,
    ) -> None:
        if pool := pool_of(compute):
            kwargs["default_args"] = {"pool": pool, **(kwargs.get("default_args") or {})}
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
        self.labels = labels
        self.poll_interval_s = poll_interval_s
        self.deferrable = settings.deferrable() if deferrable is None else deferrable
        self.first_wait_s = first_wait_s
        self.dashboard_url = ""
        self._submission: submission.Submission | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException

        try:
            return self.execute_resumable(context)
        except (PlaceRefused, ConfigError) as error:
            raise AirflowFailException(str(error)) from error

    def execute_complete(self, context: Context, event: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
        """Resume after the trigger, which has shown the log."""
        from airflow.sdk.exceptions import AirflowFailException

        from ontap_mlops.triggers.polling import WaitTimedOut, outcome

        self._submission = self._submissions(context, job)
        try:
            return self._ended(outcome(event), job, context)
        except PlaceElsewhere as error:
            return self._wait_here(error, job, context)
        except (PlaceRefused, ConfigError) as error:
            raise AirflowFailException(str(error)) from error
        except WaitTimedOut as error:
            raise WorkloadFailed(f"{self.program} did not stop at its time limit. {error}") from error

    # What ResumableJobMixin asks for

    def submit_job(self, context: Context) -> dict[str, Any]:
        self._submission = self._submissions(context)
        return self._submission.start(self.workload(context), rendering.places(self.compute))

    def get_job_status(self, external_id: Any, context: Context) -> str:
        if not isinstance(external_id, dict) or external_id.get("generation") != _generation(context):
            return SUPERSEDED
        runner, name = submission.runner_of(external_id), external_id["workload"]
        while (status := runner.status(name)).state.active and status.stopping:
            time.sleep(self.poll_interval_s)  # the try before is being cancelled: there is nothing to join
        return status.state

    def is_job_active(self, status: str) -> bool:
        return status in (State.PENDING, State.RUNNING)

    def is_job_succeeded(self, status: str) -> bool:
        return status == State.SUCCEEDED

    def poll_until_complete(self, external_id: Any, context: Context) -> Any:
        """Wait in this worker; a deferrable task does so for ``first_wait_s`` only, then in the triggerer."""
        self._submission = self._submissions(context, external_id)
        deferred_at = time.monotonic() + self.first_wait_s if self.deferrable else None
        cursor, pause = _BEGINNING, min(0.1, self.poll_interval_s)
        while not (answer := watching.look(**submission.at(external_id), cursor=cursor))["done"]:
            self._show(answer, context)
            cursor = answer["cursor"]
            if deferred_at is not None and time.monotonic() >= deferred_at:
                self._defer(external_id, cursor)
            time.sleep(pause)
            pause = min(pause * 1.5, self.poll_interval_s)
        self._show(answer, context)
        return self._ended(answer["payload"], external_id, context)

    def get_job_result(self, external_id: Any, context: Context) -> Any:
        if self._submission is None:  # it ended without a worker: its log belongs to this try
            self._show(watching.look(**submission.at(external_id)), context)
            return submission.runner_of(external_id).result(external_id["workload"])
        job = self._submission.job or external_id  # the mixin knows the first place only
        return submission.runner_of(job).result(job["workload"])

    def _submissions(self, context: Context, job: dict[str, Any] | None = None) -> submission.Submission:
        store = context.get("task_state_store") if self.durable else None
        made = submission.Submission(store, self.external_id_key, _generation(context))
        made.job = job
        return made

    def _defer(self, job: dict[str, Any], cursor: Any) -> None:
        from ontap_mlops.triggers.polling import PollingTrigger

        limit = rendering.seconds(self.time_limit)
        pending = profiles.pending_limit_s(job["place"]) or 0
        self.defer(
            trigger=PollingTrigger(
                probe="ontap_mlops.compute.watching.look",
                cancel="ontap_mlops.compute.watching.cancel",
                arguments=submission.at(job),
                interval_s=self.poll_interval_s,
                deadline=time.time() + limit + pending + OVERDUE_MARGIN_S if limit else None,
                fact_keys={"dashboard": DashboardLink().xcom_key},
                cursor=cursor,
            ),
            method_name="execute_complete",
            kwargs={"job": job},
        )

    def _wait_here(self, error: PlaceElsewhere, job: dict[str, Any], context: Context) -> Any:
        """The triggerer is on another machine than the program: wait in this worker, if it is on the right one."""
        from airflow.sdk.exceptions import AirflowFailException

        try:
            submission.runner_of(job)
        except PlaceElsewhere:
            advice = "; a local place on several machines needs tasks with deferrable=False"
            raise AirflowFailException(f"{error}{advice}") from error
        self.log.warning("Waiting in this worker, since the triggerer cannot see the program: %s", error)
        self.deferrable = False
        return self.poll_until_complete(job, context)

    def _show(self, answer: dict[str, Any], context: Context) -> None:
        for line in answer["lines"]:
            self.log.info("%s", line)
        self.dashboard_url = answer["facts"].get("dashboard", self.dashboard_url)
        if answer["done"]:
            self.dashboard_url = ""
        elif answer["facts"]:
            DashboardLink.show(context, self.dashboard_url)

    def _ended(self, end: dict[str, Any], job: dict[str, Any], context: Context) -> Any:
        """Return the program's result, or move on to the next place. Raises what the program's end means."""
        from airflow.sdk.exceptions import AirflowFailException

        if end["overdue"]:
            submissions = self._submissions(context, job)
            moved = submissions.move_on(self.workload(context), rendering.places(self.compute), job)
            return self.poll_until_complete(moved, context)
        if end["state"] == State.SUCCEEDED:
            return submission.runner_of(job).result(job["workload"])
        if end["state"] == State.FAILED and end["exit_code"] == BAD_INPUT:
            raise AirflowFailException(f"{self.program} cannot work with its input: {end['message']}")
        reason = end["message"] or "no reason given"
        raise WorkloadFailed(f"{self.program} {end['state']} (workload {job['workload']}): {reason}")

    def on_kill(self) -> None:
        """Cancel, in a thread: this is called from a signal's handler, maybe in the midst of a call to the runner."""
        job = self._submission.job if self._submission is not None else None
        if job is not None:
            self.log.info("Cancelling workload %s", job["workload"])
            cancelling = threading.Thread(target=watching.cancel, kwargs=submission.at(job))
            cancelling.start()
            cancelling.join(CANCEL_WAIT_S)

    def workload(self, context: Context) -> Workload:
        """What is to be run, from the rendered parameters. Raises PlaceRefused when they make no workload."""
        arguments = rendering.arguments(self.arguments)
        try:
            return Workload(
                name=names.workload(self.run_key or run_key(context), self._step(context)),
                program=self.program,
                arguments=arguments,
                environment={key: str(value) for key, value in (self.environment or {}).items() if value is not None},
                secrets=self._secrets(),
                mounts={key: as_mount(key, value) for key, value in self.run_mounts(context).items()},
                run=self.run_facts(context),
                image=self.image or None,
                resources=Resources(**(self.program_resources or {})),
                processes=int(self.processes),
                time_limit_s=rendering.seconds(self.time_limit),
                labels=rendering.labels(self.labels, arguments),
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


def _generation(context: Context) -> int:
    """The same for all automatic retries, another after a user cleared the task (clearing raises ``max_tries``)."""
    return context["ti"].max_tries
