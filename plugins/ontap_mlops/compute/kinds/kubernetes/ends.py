"""What the objects of a workload say about it: pure functions from what the API returned to state and sentence."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ontap_mlops.compute.workload import State, Status
from ontap_mlops.kubernetes.errors import short
from ontap_mlops.kubernetes_manifests.jobs import RELEASED
from ontap_mlops.kubernetes_manifests.pods import CONTAINER

Manifest = Mapping[str, Any]
# Reasons for which a container that was placed on a node does not start, until somebody or something changes.
_TROUBLE = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}
_SIGNALS = {129: "SIGHUP", 130: "SIGINT", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL"}
_SIGNALS |= {139: "SIGSEGV", 143: "SIGTERM"}
SETTLING_S = 2.0  # beyond a pod's grace, until its container is believed to be gone
LONG_S = 10.0  # a container that has not started for so long is asked after


def noted(job: Manifest, annotation: str) -> float | None:
    """Return the time (seconds since 1970) that an annotation of a Job says; None without it."""
    value = (job["metadata"].get("annotations") or {}).get(annotation)
    return float(value) if value else None


def is_released(job: Manifest) -> bool:
    return noted(job, RELEASED) is not None


def is_going(thing: Manifest) -> bool:
    """Whether it was deleted, and stays only until what belongs to it has stopped."""
    return bool(thing["metadata"].get("deletionTimestamp"))


def is_over_before_its_release(job: Manifest) -> bool:
    """Whether the time ran out in which somebody could have made the rest of what it needs."""
    return is_going(job) or condition(job, "Failed") is not None


def condition(job: Manifest, kind: str) -> Manifest | None:
    """Return the Job's condition ``Complete`` or ``Failed`` if it holds."""
    for each in (job.get("status") or {}).get("conditions") or ():
        if each["type"] == kind and each["status"] == "True":
            return each
    return None


def made_at(thing: Manifest) -> float:
    """When the cluster made an object, in seconds since 1970."""
    return datetime.fromisoformat(thing["metadata"]["creationTimestamp"]).timestamp()


def container(pod: Manifest) -> Manifest:
    """Return the status of the program's container; {} before there is one."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in statuses if each["name"] == CONTAINER), {})


def has_begun(pod: Manifest) -> bool:
    """Whether there can be a log."""
    return bool({"running", "terminated"} & set(container(pod).get("state") or {}))


def terminated(pod: Manifest) -> Manifest | None:
    """How the program's container ended; None while it runs, or has not begun."""
    return (container(pod).get("state") or {}).get("terminated")


def is_over(pod: Manifest) -> bool:
    """Whether nothing of a pod runs, nor will."""
    status = pod.get("status") or {}
    if status.get("phase") not in ("Succeeded", "Failed"):
        return False
    if terminated(pod) is not None or not (container(pod).get("state") or {}).get("running"):
        return True
    if status.get("reason") != "DeadlineExceeded":
        return status.get("reason") == "Evicted"
    # Older kubelets never say how a container ended that they stopped at its deadline: its grace has to be over.
    begun = datetime.fromisoformat(status.get("startTime") or pod["metadata"]["creationTimestamp"]).timestamp()
    spec = pod["spec"]
    allowed = spec.get("activeDeadlineSeconds", 0) + spec.get("terminationGracePeriodSeconds", 0)
    return time.time() > begun + allowed + SETTLING_S


def of_pod(pod: Manifest) -> Status:
    """Return the state of one process. ``pending_since`` is set while it waits for room, or cannot start."""
    status = pod.get("status") or {}
    if is_over(pod):
        return _ended(pod)
    if status.get("phase") in ("Succeeded", "Failed") or is_going(pod):
        return Status(state=State.RUNNING, stopping=True, message=_reason(status))
    if status.get("phase") == "Running":
        return Status(state=State.RUNNING)
    return _pending(pod)


def _pending(pod: Manifest) -> Status:
    conditions = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or ()}
    placed = conditions.get("PodScheduled") or {}
    if placed.get("status") != "True":
        said = placed.get("message") or "no node was chosen yet"
        return Status(state=State.PENDING, message=short(said), pending_since=made_at(pod))
    waiting = (container(pod).get("state") or {}).get("waiting") or {}
    if waiting.get("reason") in _TROUBLE:
        said = f"{waiting['reason']}: {waiting.get('message') or pod['spec']['containers'][0]['image']}"
        return Status(state=State.PENDING, message=short(said), pending_since=made_at(pod))
    return Status(state=State.PENDING, message="its node is preparing the container")


def is_slow(pod: Manifest) -> bool:
    """Whether a pod has been on its node for long without starting, so that its events are worth reading."""
    waiting = (container(pod).get("state") or {}).get("waiting") or {}
    preparing = waiting.get("reason") in (None, "ContainerCreating", "PodInitializing")
    return preparing and time.time() - made_at(pod) > LONG_S


def _ended(pod: Manifest) -> Status:
    status, end = pod.get("status") or {}, terminated(pod) or {}
    code = end.get("exitCode")
    if status.get("phase") == "Succeeded":
        return Status(state=State.SUCCEEDED, exit_code=0)
    if status.get("reason") == "DeadlineExceeded":
        limit = pod["spec"].get("activeDeadlineSeconds")
        return Status(
            state=State.FAILED, exit_code=code, message=f"stopped at its time limit of {limit} s", out_of_time=True
        )
    if status.get("reason") == "Evicted" or not end:
        return Status(state=State.FAILED, exit_code=code, message=f"its pod was taken away: {_reason(status)}")
    if end.get("reason") == "OOMKilled":
        return Status(state=State.FAILED, exit_code=code, message=_out_of_memory(pod))
    return Status(state=State.FAILED, exit_code=code, message=_last_words(end, code))


def _out_of_memory(pod: Manifest) -> str:
    amount = pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("memory")
    if not amount:
        return (
            f"killed, since its node {pod['spec'].get('nodeName', '')} ran out of memory; give the program a memory_gib"
        )
    return f"killed for using more memory than its limit of {amount}; give the program more memory_gib"


def _last_words(end: Manifest, code: int | None) -> str:
    lines = [line.strip() for line in str(end.get("message") or "").splitlines() if line.strip()]
    if end.get("reason") not in ("Error", "Completed", None):
        lines = [f"{end['reason']}: {lines[-1] if lines else ''}".rstrip(": ")]
    said = lines[-1] if lines and not lines[-1].startswith("{") else ""
    by = f"killed by {_SIGNALS[code]}" if code in _SIGNALS else f"exit code {code}"
    return said if said and code == 2 else f"{by}: {said}" if said else by


def _reason(status: Manifest) -> str:
    return short(f"{status.get('reason') or 'Failed'}: {status.get('message') or 'no reason given'}")


def newest(pods: Sequence[Manifest]) -> Manifest | None:
    """Return the pod that was made last: a Job replaces one that the cluster took away."""
    return max(pods, key=lambda pod: (made_at(pod), pod["metadata"]["name"]), default=None)
