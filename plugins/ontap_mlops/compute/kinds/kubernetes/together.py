"""Workloads of several processes: what their pods say together, and what is to be done next.

Where the cluster does not number the pods of a Job itself, whoever looks at the workload does the next step: the pod of
rank 0 first, the others when it has an address, all of them again when the cluster has taken one away. Each step finds
what an earlier look made, by its name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.compute.kinds.kubernetes import ends
from ontap_mlops.compute.workload import State, Status
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import Conflict, InvalidRequest, NotFound
from ontap_mlops.kubernetes_manifests import jobs, processes
from ontap_mlops.kubernetes_manifests.pods import CONTAINER

INDEXED_SINCE = (1, 24)
_WHOLE = "ontap-mlops/whole"  # annotation of a Job: the last restart of which all pods were made
_FAILED_CHILD = re.compile(r"failed \(exitcode: (-?\d+)\)|exitcode\s*: (-?\d+)")
_LAUNCHER = re.compile(r"^([EWI]\d{4} |Traceback \(most recent call last\):$|\[rank\d+\]:)")
_TAIL = 200  # lines


def is_indexed(job: Mapping[str, Any]) -> bool:
    return job["spec"].get("completionMode") == "Indexed"


def number(job: Mapping[str, Any]) -> int:
    """How many processes a Job's workload has."""
    return int(_note(job, jobs.PROCESSES, "1"))


def current(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Return the pod of each rank that counts now."""
    ranks = processes.by_rank(pods, None if is_indexed(job) else _restart(job))
    return {rank: newest for rank, found in sorted(ranks.items()) if (newest := ends.newest(found)) is not None}


def status(cluster: Cluster, job: Manifest, pods: Sequence[Mapping[str, Any]], restarts: int) -> Status:
    """Return the state of all processes together, after doing what is to be done next."""
    ranks = current(job, pods)
    if is_indexed(job):
        return _of_indexed(cluster, job, ranks)
    states = {rank: ends.of_pod(pod) for rank, pod in ranks.items()}
    whole = _note(job, _WHOLE, "") == str(_restart(job))
    lost = _lost(job, ranks) if whole else ""
    if lost:
        return _again(cluster, job, lost, restarts)
    failed = [rank for rank, each in states.items() if each.state is State.FAILED]
    if failed:
        rank = min(failed, key=lambda one: _ended_at(ranks[one]))
        return _explained(cluster, ranks[rank], rank, states[rank])
    if len(ranks) < number(job):
        _make_next(cluster, job, ranks)
    return _together(states, number(job))


def _together(states: Mapping[int, Status], wanted: int) -> Status:
    if len(states) == wanted and all(each.state is State.SUCCEEDED for each in states.values()):
        return Status(state=State.SUCCEEDED, exit_code=0)
    if any(each.stopping for each in states.values()):
        return Status(state=State.RUNNING, stopping=True)
    waiting = [(rank, each) for rank, each in states.items() if each.state is State.PENDING]
    if waiting:
        rank, first = min(waiting, key=lambda one: one[1].pending_since or float("inf"))
        return dataclasses.replace(first, message=f"process {rank} of {wanted} waits: {first.message}")
    if not states:
        return Status(state=State.PENDING, message="no pod was made for it yet")
    return Status(state=State.RUNNING)


def _of_indexed(cluster: Cluster, job: Manifest, ranks: Mapping[int, Mapping[str, Any]]) -> Status:
    """Its controller begins what failed again; only when it gives up has the workload failed."""
    states = {rank: ends.of_pod(pod) for rank, pod in ranks.items()}
    if ends.condition(job, "Failed"):
        failed = [rank for rank, each in states.items() if each.state is State.FAILED]
        if not failed:
            said = (ends.condition(job, "Failed") or {}).get("message", "no reason given")
            return Status(state=State.FAILED, message=f"its pods are gone ({said})")
        rank = min(failed, key=lambda one: _ended_at(ranks[one]))
        return _explained(cluster, ranks[rank], rank, states[rank])
    running = {rank: each for rank, each in states.items() if each.state is not State.FAILED}
    return _together(running, number(job))


def _make_next(cluster: Cluster, job: Manifest, ranks: Mapping[int, Mapping[str, Any]]) -> None:
    """Make the first pod or, once that has an address, all others."""
    restart = _restart(job)
    if 0 not in ranks:
        _make(cluster, job, 0, restart, "")
        return
    first = ranks[0].get("status") or {}
    if first.get("phase") != "Running" or not first.get("podIP"):
        return
    for rank in range(1, number(job)):
        if rank not in ranks:
            _make(cluster, job, rank, restart, first["podIP"])
    cluster.patch("Job", job["metadata"]["name"], {"metadata": {"annotations": {_WHOLE: str(restart)}}})


def _make(cluster: Cluster, job: Manifest, rank: int, restart: int, master: str) -> None:
    name = f"{job['metadata']['name']}-{_note(job, jobs.ATTEMPT, '')}-{restart}-{rank}"
    try:
        cluster.ensure(processes.pod(job, name=name, rank=rank, restart=restart, master=master))
    except Conflict:  # one of that name is still going: the next look makes it
        return


def _lost(job: Manifest, ranks: Mapping[int, Mapping[str, Any]]) -> str:
    """Return what the cluster has taken away of what was whole; empty if nothing."""
    for rank in range(number(job)):
        pod = ranks.get(rank)
        if pod is None:
            return f"the pod of process {rank} is gone"
        said = pod.get("status") or {}
        if said.get("phase") == "Failed" and said.get("reason") not in (None, "", "DeadlineExceeded"):
            return f"process {rank}: {ends.of_pod(pod).message}"
        if said.get("phase") == "Running" and ends.is_going(pod):
            return f"the pod of process {rank} is being taken away"
    return ""


def _again(cluster: Cluster, job: Manifest, lost: str, restarts: int) -> Status:
    """Begin with new pods of all ranks; the programs go on from their checkpoints."""
    restart = _restart(job) + 1
    if restart > restarts:
        return Status(state=State.FAILED, message=f"{lost}, after {restarts} restarts for such reasons")
    name = job["metadata"]["name"]
    cluster.patch("Job", name, {"metadata": {"annotations": {jobs.RESTARTS: str(restart)}}})
    for pod in cluster.select("Pod", {processes.RESTART: str(restart - 1)}):
        if any(owner["uid"] == job["metadata"]["uid"] for owner in pod["metadata"].get("ownerReferences") or ()):
            cluster.delete("Pod", pod["metadata"]["name"], uid=pod["metadata"]["uid"])
    return Status(state=State.PENDING, message=f"{lost}; all processes begin again ({restart} of {restarts} times)")


def _explained(cluster: Cluster, pod: Mapping[str, Any], rank: int, status: Status) -> Status:
    """torchrun hides its child's exit code and last words behind its own: they stand in the log."""
    if status.out_of_time or not status.message.startswith("exit code"):
        return dataclasses.replace(status, message=f"process {rank}: {status.message}")
    path = cluster.resource("Pod").path(cluster.namespace, pod["metadata"]["name"]) + "/log"
    query = {"container": CONTAINER, "tailLines": str(_TAIL)}
    try:
        said = cluster.text(path, query, "show the end of a log").decode("utf-8", "replace")
    except (NotFound, InvalidRequest):
        said = ""
    code, words = child(said)
    code = status.exit_code if code is None else code
    message = words if words and code == 2 else f"process {rank}: exit code {code}" + (f": {words}" if words else "")
    return dataclasses.replace(status, exit_code=code, message=message)


def child(text: str) -> tuple[int | None, str]:
    """Return exit code and last words of the program, from a log that ends with what torchrun says about it."""
    match = _FAILED_CHILD.search(text)
    code = next((int(group) for group in match.groups() if group is not None), None) if match else None
    said: list[str] = []
    for line in text.splitlines():
        if said and "torch/distributed/elastic" in line and _LAUNCHER.match(line):
            break
        if line.strip() and not _LAUNCHER.match(line):
            said.append(line.strip())
    return code, said[-1] if said else ""


def _ended_at(pod: Mapping[str, Any]) -> str:
    return str((ends.terminated(pod) or {}).get("finishedAt") or "9")


def _restart(job: Mapping[str, Any]) -> int:
    return int(_note(job, jobs.RESTARTS, "0"))


def _note(job: Mapping[str, Any], name: str, otherwise: str) -> str:
    return str((job["metadata"].get("annotations") or {}).get(name) or otherwise)
