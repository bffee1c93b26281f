"""Waiting for ONTAP's jobs.

That a client stops waiting says nothing about the job, and ONTAP forgets a job minutes after its end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ontap_mlops.ontap.errors import JobFailed, JobStillRunning, NotFound, UnknownState, refused

if TYPE_CHECKING:
    from ontap_mlops.ontap.client import Client

_ACTIVE = ("queued", "running", "paused", "pausing", "resuming", "retrying")
_FIELDS = "state,message,code,error,description"


def follow(client: Client, uuid: str, *, asked: str, timeout_s: float | None = None) -> bool:
    """Wait for a job's success. False when ONTAP no longer knows the job: then only the object itself can tell.

    Raises the error a failed job carries, JobStillRunning when the wait ends first, and UnknownState.
    """
    limit = client.job_timeout_s if timeout_s is None else timeout_s
    deadline, pause = time.monotonic() + limit, 0.1
    while True:
        try:
            job = client.record("Job", {"uuid": uuid}, asked=f"read job {uuid} ({asked})", fields=_FIELDS)
        except NotFound:
            return False
        if _done(job, uuid, asked):
            return True
        if time.monotonic() + pause > deadline:
            raise JobStillRunning(
                f"ONTAP still works on the request to {asked} after {limit:g} s: job {uuid} is {job.get('state')}. "
                "It goes on by itself; the next try looks for its result."
            )
        time.sleep(pause)
        pause = min(pause * 1.6, 5.0)


def _done(job: dict[str, Any], uuid: str, asked: str) -> bool:
    state = job.get("state")
    if state == "success":
        return True
    if state == "failure":
        error = job.get("error") or {}
        raise refused(
            f"{asked} in job {uuid}",
            code=error.get("code") or job.get("code"),
            message=error.get("message") or job.get("message"),
            target=error.get("target"),
            default=JobFailed,
        )
    if state not in _ACTIVE:
        raise UnknownState(
            f"Job {uuid}, made to {asked}, is in state {state!r}, which is not known here and is taken for a failure. "
            "Look at the job in ONTAP."
        )
    return False
