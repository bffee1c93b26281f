"""Training jobs: made once by name, looked at, stopped, deleted; what their states mean."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.sagemaker.calls import call, found

MARK = "ontap-mlops/workload"
"""Tag that says which workload a job is; a job without it is left alone."""
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
STOP_S = 180.0  # SageMaker gives the program 120 s after SIGTERM
DELETE_S = 60.0

# Secondary statuses in which no program has begun. ``Interrupted``: a spot instance was taken away.
WAITING = frozenset(
    ("Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack", "Interrupted", "Restarting")
)
_CAPACITY = re.compile(r"CapacityError|InsufficientCapacity|Unable to provision requested ML compute", re.IGNORECASE)
_EXIT = re.compile(r"exit code:? (\d+)", re.IGNORECASE)
_WORDS = re.compile(r"^AlgorithmError:\s*|^exit code \d+:\s*|,?\s*exit code: \d+\s*$", re.IGNORECASE)


def describe(client: Any, name: str) -> dict[str, Any] | None:
    """Return what SageMaker says of it; None when there is none, or when it is being deleted."""
    job = found(client, "describe_training_job", asked=f"describe training job {name!r}", TrainingJobName=name)
    return None if job is None or job["TrainingJobStatus"] == "Deleting" else job


def active(job: Mapping[str, Any]) -> bool:
    return job["TrainingJobStatus"] in ("InProgress", "Stopping")


def require_ours(client: Any, job: Mapping[str, Any]) -> None:
    """Raises NameTaken for a job that was not made here."""
    name, arn = job["TrainingJobName"], job["TrainingJobArn"]
    tags = call(client, "list_tags", "Tags", asked=f"list the tags of training job {name!r}", ResourceArn=arn)
    if {tag["Key"]: tag["Value"] for tag in tags}.get(MARK) != name:
        raise errors.NameTaken(
            f"SageMaker has a training job {name!r} that was not made here (it has no tag {MARK}); delete or rename it."
        )


def create(client: Any, request: Mapping[str, Any]) -> bool:
    """Make it. False when one of its name was made meanwhile. Raises the errors of ``clouds.errors``."""
    name, how = request["TrainingJobName"], request["ResourceConfig"]["InstanceType"]
    try:
        call(client, "create_training_job", asked=f"make training job {name!r} on {how}", **request)
    except errors.InUse:
        return False
    return True


def stop(client: Any, name: str) -> None:
    """Stop it and wait until it has stopped. One that has ended, or is not there, stays as it is."""
    job = describe(client, name)
    if job is None or not active(job):
        return
    if job["TrainingJobStatus"] == "InProgress":
        with contextlib.suppress(errors.InvalidRequest, errors.NotFound):  # it ended meanwhile; the look below says so
            call(client, "stop_training_job", asked=f"stop training job {name!r}", TrainingJobName=name)
    deadline = time.monotonic() + STOP_S
    while (job := describe(client, name)) is not None and active(job):
        if time.monotonic() > deadline:
            raise errors.Unreachable(f"Training job {name!r} is still {job['TrainingJobStatus']} {STOP_S:g} s later.")
        time.sleep(1)


def delete(client: Any, name: str) -> None:
    """Delete one that has ended, so that its name is free again; nothing when there is none.

    Raises InUse while it runs.
    """
    try:
        call(client, "delete_training_job", asked=f"delete training job {name!r}", TrainingJobName=name)
    except errors.NotFound:
        return
    deadline = time.monotonic() + DELETE_S
    asked = f"describe training job {name!r}"
    while found(client, "describe_training_job", asked=asked, TrainingJobName=name) is not None:
        if time.monotonic() > deadline:
            raise errors.InUse(f"Training job {name!r} is still being deleted after {DELETE_S:g} s; try again later.")
        time.sleep(1)


def waiting_since(job: Mapping[str, Any]) -> float | None:
    """When a job that has not begun, or not again, began to wait (seconds since 1970); None for one that runs."""
    if job["TrainingJobStatus"] != "InProgress" or job.get("SecondaryStatus") not in WAITING:
        return None
    since = _seconds(job["CreationTime"])
    for step in job.get("SecondaryStatusTransitions") or []:
        if step["Status"] not in WAITING and step.get("EndTime"):
            since = _seconds(step["EndTime"])
    return since


def never_had_room(job: Mapping[str, Any]) -> bool:
    """Whether SageMaker gave it up for want of instances, before the program began."""
    begun = any(step["Status"] == "Training" for step in job.get("SecondaryStatusTransitions") or [])
    if job["TrainingJobStatus"] == "Failed":
        return bool(_CAPACITY.search(job.get("FailureReason") or ""))
    return job.get("SecondaryStatus") == "MaxWaitTimeExceeded" and not begun


def out_of_time(job: Mapping[str, Any]) -> bool:
    return job["TrainingJobStatus"] == "Stopped" and job.get("SecondaryStatus") == "MaxRuntimeExceeded"


def failure(job: Mapping[str, Any]) -> tuple[int | None, str]:
    """The program's exit code, where SageMaker knows one, and the reason in a sentence."""
    told = " ".join((job.get("FailureReason") or "").split())
    codes = _EXIT.findall(told)
    code = int(codes[-1]) if codes else None
    if code == 137:
        kind = job.get("ResourceConfig", {}).get("InstanceType", "the instance")
        return code, f"it was killed, most likely because the memory of {kind} was used up; name a larger instance"
    reason, before = told, None
    while reason != before:
        before, reason = reason, _WORDS.sub("", reason).strip()
    return code, reason


def message(job: Mapping[str, Any]) -> str:
    """The last thing SageMaker said of it, such as that it waits for capacity."""
    steps = job.get("SecondaryStatusTransitions") or []
    return str(steps[-1].get("StatusMessage") or "") if steps else ""


def _seconds(at: Any) -> float:
    return at.timestamp() if isinstance(at, datetime) else float(at)
