"""The life of a workload in a task: started once, waited for in the worker and the triggerer, moved on, cancelled."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import ResumableJobMixin

from ontap_mlops import settings
from ontap_mlops.compute import places, rendering, submission, watching
from ontap_mlops.compute.following import show
from ontap_mlops.compute.workload import BAD_INPUT, PlaceElsewhere, PlaceRefused, PlaceUnavailable, State, Workload
from ontap_mlops.config_file import ConfigError
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.ending import WORKLOAD
from ontap_mlops.operators.links import DashboardLink
from ontap_mlops.operators.places import check, pool_of, queue_of
from ontap_mlops.operators.waiting import CANCEL_WAIT_S, FIRST_WAIT_S

if TYPE_CHECKING:
    from airflow.sdk import Context

_BEGINNING: Any = (None, "")
SLOWER_S = 30.0  # between two looks at a program that has run for long, whatever its poll_interval_s
PLACEMENT = "placement"
"""XCom key of a task: ``place``, ``waited_s`` there, and ``tried``, the places before it (place, waited_s, why)."""
SUPERSEDED = "superseded"  # of a job that a user's clear has made worthless
OVERDUE_MARGIN_S = 120.0  # beyond time limit and grace, until a place that does not stop a program is given up on


class WorkloadFailed(RuntimeError):
    """The program ended badly in a way that another try may mend."""


class _WorkloadTask(ResumableJobMixin, MlopsOperator):
    """What a task does with its workload; a subclass says in ``workload`` what that is.

    Parameters as those of ``WorkloadOperator``.
    """

    external_id_key = "workload"

    def __init__(
        self,
        *,
        program: str,
        compute: Any = "local",
        time_limit: timedelta | float | None = None,
        poll_interval_s: float = 1.0,
        deferrable: bool | None = None,
        first_wait_s: float = FIRST_WAIT_S,
        **kwargs: Any,
    ) -> None:
        check(compute)
        of_place = {"pool": pool_of(compute), "queue": queue_of(compute)}
        told = {name: value for name, value in of_place.items() if value}
        kwargs["default_args"] = {**told, **(kwargs.get("default_args") or {})}
        super().__init__(**kwargs)
        self.program = program
        self.compute = compute
        self.time_limit = time_limit
        self.poll_interval_s = poll_interval_s
        self.deferrable = settings.deferrable() if deferrable is None else deferrable
        self.first_wait_s = first_wait_s
        self.dashboard_url = ""
        self._submission: submission.Submission | None = None

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Mapped tasks wait in the pool of their place too."""
        check(kwargs.get("compute", "local"))
        if "pool" not in kwargs and (pool := pool_of(kwargs.get("compute", "local"))):
            kwargs["pool"] = pool
        return super().partial(**kwargs)

    def workload(self, context: Context) -> Workload:
        """Return what is to be run. Raises PlaceRefused when the parameters make no workload."""
        raise NotImplementedError

    def is_interactive(self) -> bool:
        """Say whether it serves a person, so that its time limit is a normal end. For a subclass that knows."""
        return False

    def execute(self, context: Context) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException

        try:
            return self.execute_resumable(context)
        except (PlaceRefused, ConfigError) as error:
            raise AirflowFailException(str(error)) from None

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
            raise AirflowFailException(str(error)) from None
        except WaitTimedOut as error:
            raise WorkloadFailed(f"{self.program} did not stop at its time limit. {error}") from None

    # What ResumableJobMixin asks for

    def submit_job(self, context: Context) -> dict[str, Any]:
        self._submission = self._submissions(context)
        return self._submission.start(self.workload(context), rendering.places(self.compute))

    def get_job_status(self, external_id: Any, context: Context) -> str:
        if not isinstance(external_id, dict) or external_id.get("generation") != _generation(context):
            return SUPERSEDED
        if submission.RESULT in external_id:
            return State.SUCCEEDED
        runner, name = submission.runner_of(external_id), external_id["workload"]
        while (status := runner.status(name)).state.active and status.stopping:
            time.sleep(self.poll_interval_s)  # the try before is being cancelled: there is nothing to join
        return State.SUCCEEDED if status.out_of_time and self.is_interactive() else status.state

    def is_job_active(self, status: str) -> bool:
        return status in (State.PENDING, State.RUNNING)

    def is_job_succeeded(self, status: str) -> bool:
        return status == State.SUCCEEDED

    def poll_until_complete(self, external_id: Any, context: Context) -> Any:
        """Wait in this worker; a deferrable task does so for ``first_wait_s`` only, then in the triggerer."""
        self._submission = self._submissions(context, external_id)
        deferred_at = time.monotonic() + self.first_wait_s if self.deferrable else None
        cursor, pause = _BEGINNING, min(0.1, self.poll_interval_s)
        while not (answer := self._look(external_id, cursor))["done"]:
            self._show(answer, context)
            cursor = answer["cursor"]
            if deferred_at is not None and time.monotonic() >= deferred_at:
                self._defer(external_id, cursor)
            time.sleep(pause)
            pause = min(pause * 1.5, self.poll_interval_s)
        self._show(answer, context)
        return self._ended(answer["payload"], external_id, context)

    def get_job_result(self, external_id: Any, context: Context) -> Any:
        if self._submission is None:
            self._submission = self._submissions(context, external_id)
            if submission.RESULT not in external_id:  # it ended without a worker: its log belongs to this try
                self._show(watching.look(**submission.at(external_id)), context)
                self._tell_place(external_id, None, context)
        return self._submission.settle(self._submission.job or external_id)  # the mixin knows the first place only

    def _look(self, job: dict[str, Any], cursor: Any) -> dict[str, Any]:
        """Look, and look again while the place does not answer, for as long as the trigger would."""
        from ontap_mlops.triggers.polling import PATIENCE_S

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return watching.look(**submission.at(job), cursor=cursor)
            except PlaceUnavailable as error:
                if time.monotonic() > deadline:
                    raise
                self.log.warning("Asked again in %g s: %s", self.poll_interval_s, error)
                time.sleep(self.poll_interval_s)

    def _submissions(self, context: Context, job: dict[str, Any] | None = None) -> submission.Submission:
        store = context.get("task_state_store") if self.durable else None
        tell = partial(context["ti"].xcom_push, WORKLOAD)
        made = submission.Submission(store, self.external_id_key, _generation(context), tell)
        made.job = job
        return made

    def _defer(self, job: dict[str, Any], cursor: Any) -> None:
        from ontap_mlops.triggers.polling import PollingTrigger

        limit = rendering.seconds(self.time_limit)
        pending = places.place(job["place"]).pending_limit_s or 0
        self.defer(
            trigger=PollingTrigger(
                probe="ontap_mlops.compute.watching.look",
                cancel="ontap_mlops.compute.watching.cancel",
                arguments=submission.at(job),
                interval_s=self.poll_interval_s,
                deadline=time.time() + limit + pending + OVERDUE_MARGIN_S if limit else None,
                fact_keys={"dashboard": DashboardLink().xcom_key},
                cursor=cursor,
                slower_s=SLOWER_S,
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
            raise AirflowFailException(f"{error}{advice}") from None
        self.log.warning("Waiting in this worker, since the triggerer cannot see the program: %s", error)
        self.deferrable = False
        return self.poll_until_complete(job, context)

    def _show(self, answer: dict[str, Any], context: Context) -> None:
        for line in answer["lines"]:
            show(self.log, line)
        self.dashboard_url = answer["facts"].get("dashboard", self.dashboard_url)
        if answer["done"]:
            self.dashboard_url = ""
        elif answer["facts"]:
            DashboardLink.show(context, self.dashboard_url)

    def _ended(self, end: dict[str, Any], job: dict[str, Any], context: Context) -> Any:
        """Return the program's result, or move on to the next place. Raises what the program's end means."""
        from airflow.sdk.exceptions import AirflowFailException

        if end["overdue"]:
            self._submission = self._submissions(context, job)
            order = rendering.places(self.compute)
            moved = self._submission.move_on(self.workload(context), order, job, _why(end, job))
            return self.poll_until_complete(moved, context)
        self._tell_place(job, end.get("began_at"), context)
        if end.get("out_of_time") and self.is_interactive():
            self.log.info("The interactive workload %s has ended at its time limit", job["workload"])
            return self._settled(job, context)
        if end["state"] == State.SUCCEEDED:
            return self._settled(job, context)
        submission.forget(job)
        if end["state"] == State.FAILED and end["exit_code"] == BAD_INPUT:
            raise AirflowFailException(f"{self.program} cannot work with its input: {end['message']}")
        gone = end["state"] == State.MISSING
        reason = end["message"] or ("the place knows nothing of it any more" if gone else "no reason given")
        raise WorkloadFailed(f"{self.program} {end['state']} (workload {job['workload']}): {reason}")

    def _settled(self, job: dict[str, Any], context: Context) -> Any:
        if self._submission is None:
            self._submission = self._submissions(context, job)
        return self._submission.settle(job)

    def _tell_place(self, job: dict[str, Any], began_at: float | None, context: Context) -> None:
        """Say where it ran, how long it waited and why it moved: in the log, as XCom, and as a note where it moved."""
        submission.settle_doubts(job)
        placement = submission.placement(job, began_at)
        told = submission.in_words(placement)
        for line in telling.lines(told):
            self.log.info("%s", line)
        context["ti"].xcom_push(key=PLACEMENT, value=placement)
        if placement["tried"]:
            telling.add_note(context, f"{self.task_id}: {told}.")

    def on_kill(self) -> None:
        """Cancel, in a thread: this is called from a signal's handler, maybe in the midst of a call to the runner."""
        job = self._submission.job if self._submission is not None else None
        if job is not None:
            self.log.info("Cancelling workload %s", job["workload"])
            cancelling = threading.Thread(target=watching.cancel, kwargs=submission.at(job))
            cancelling.start()
            cancelling.join(CANCEL_WAIT_S)


def _why(end: dict[str, Any], job: dict[str, Any]) -> str:
    if end["state"] != State.PENDING:
        return end["message"]
    told = f" ({end['message']})" if end["message"] else ""
    return f"no room within {places.place(job['place']).pending_limit_s or 0:g} s{told}"


def _generation(context: Context) -> int:
    """The same for all automatic retries, another after a user cleared the task (clearing raises ``max_tries``)."""
    return context["ti"].max_tries
