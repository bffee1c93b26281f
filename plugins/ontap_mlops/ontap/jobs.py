"""ONTAP's jobs: which one an answer began, how it stands, and waiting for it.

That a client stops waiting says nothing about the job, and ONTAP forgets a job minutes after its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ontap_mlops.ontap.errors import JobFailed, JobStillRunning, NotFound, UnknownState, refused
from ontap_mlops.pauses import looks

_ACTIVE = ("queued", "running", "paused", "pausing", "resuming", "retrying")
_FIELDS = "state,message,code,error,description,start_time,end_time"


class Reader(Protocol):
    """What is needed of a client."""

    job_timeout_s: float

    def record(
        self, kind: str, key: dict[str, Any], *parents: str, asked: str, fields: str | None = None
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that goes on or has succeeded. ``state`` and ``message`` are ONTAP's words.

    ``seconds`` is what it took; None before its end, and where ONTAP does not tell.
    """

    uuid: str
    state: str
    message: str = ""
    seconds: float | None = None

    @property
    def done(self) -> bool:
        return self.state == "success"


def begun_by(answer: Mapping[str, Any]) -> str | None:
    """Return the UUID of the job that goes on after an answer of ONTAP; None when the work was done at once."""
    job = answer.get("job")
    uuid = job.get("uuid") if isinstance(job, Mapping) else None
    return str(uuid) if uuid else None


def state(client: Reader, uuid: str, *, asked: str) -> Job | None:
    """Return how the job stands; None when ONTAP no longer knows it: then only the object itself can tell.

    Raises the error a failed job carries, and UnknownState.

    :param asked: what the job was begun for, such as "split clone 'x' of SVM 'svm1'".
    """
    try:
        record = client.record("Job", {"uuid": uuid}, asked=f"read job {uuid} ({asked})", fields=_FIELDS)
    except NotFound:
        return None
    said = record.get("state")
    if said == "failure":
        raise _failed(record, uuid, asked)
    if said != "success" and said not in _ACTIVE:
        raise UnknownState(
            f"Job {uuid}, made to {asked}, is in state {said!r}, which is not known here and is taken for a failure. "
            "Look at the job in ONTAP."
        )
    return Job(uuid=uuid, state=str(said), message=str(record.get("message") or ""), seconds=_took(record))


def follow(client: Reader, uuid: str, *, asked: str, timeout_s: float | None = None) -> bool:
    """Wait for a job's success. False when ONTAP no longer knows the job: then only the object itself can tell.

    Raises what ``state`` raises, and JobStillRunning when the wait ends first.
    """
    limit = client.job_timeout_s if timeout_s is None else timeout_s
    said = "unknown"
    for _ in looks(limit):
        job = state(client, uuid, asked=asked)
        if job is None or job.done:
            return job is not None
        said = job.state
    raise JobStillRunning(
        f"ONTAP still works on the request to {asked} after {limit:g} s: job {uuid} is {said}. "
        "It goes on by itself; the next try looks for its result."
    )


def _took(record: Mapping[str, Any]) -> float | None:
    began, ended = record.get("start_time"), record.get("end_time")
    if not began or not ended:
        return None
    return (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(began))).total_seconds()


def _failed(job: Mapping[str, Any], uuid: str, asked: str) -> Exception:
    error = job.get("error") or {}
    return refused(
        f"{asked} in job {uuid}",
        code=error.get("code") or job.get("code"),
        message=error.get("message") or job.get("message"),
        target=error.get("target"),
        default=JobFailed,
    )
