"""A program whose Dask workers are pods too: what is to be done next for it, and what is said when none comes.

As with several processes, whoever looks at the program does the next step: workers are made when its pod waits for
them, and made anew when the cluster has replaced that pod.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.compute.kinds.kubernetes import ends
from ontap_mlops.compute.workload import State, Status
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import KubernetesPermanentError, OverQuota, beyond_quota
from ontap_mlops.kubernetes_manifests import dask, jobs


def status(cluster: Cluster, job: Manifest, pod: Mapping[str, Any], program: Status) -> Status:
    """Return the state of a program with its workers, after doing what is to be done next. ``program``: its own.

    It is pending until the first worker has begun, so that the place's limit for pending holds for workers too.
    """
    workers = dask.Workers.of(job)
    if workers is None or program.state is not State.RUNNING or program.stopping:
        return program
    made = cluster.find("Job", dask.name(job, pod))
    if made is None:
        return _make(cluster, job, pod, workers) if _waits(pod) else program
    found = pods(cluster, job, made)
    if ends.condition(made, "Failed"):
        return Status(state=State.FAILED, message=f"its Dask workers have failed: {_last(made, found)}")
    if any(ends.has_begun(one) for one in found):
        return program
    return _pending(cluster, made, found, workers)


def pods(cluster: Cluster, job: Manifest, made: Manifest) -> list[Manifest]:
    """Return the pods of the program's workers that this Job of theirs has made."""
    uid = made["metadata"]["uid"]
    of_program = cluster.select("Pod", {dask.PROGRAM: job["metadata"]["uid"]})
    return [pod for pod in of_program if any(one["uid"] == uid for one in pod["metadata"].get("ownerReferences") or ())]


def _waits(pod: Mapping[str, Any]) -> bool:
    return bool(ends.container(pod).get("ready") and (pod.get("status") or {}).get("podIP"))


def _make(cluster: Cluster, job: Manifest, pod: Mapping[str, Any], workers: dask.Workers) -> Status:
    for former in cluster.select("Job", {dask.PROGRAM: job["metadata"]["uid"]}):
        if former["metadata"]["name"] != dask.name(job, pod):
            cluster.delete("Job", former["metadata"]["name"], uid=former["metadata"]["uid"])
    wanted = dask.job(job, pod, workers)
    try:
        cluster.ensure(jobs.survives_disruption(wanted) if cluster.version() >= (1, 26) else wanted)
    except (KubernetesPermanentError, OverQuota) as error:
        return Status(state=State.FAILED, message=f"no Dask workers: {error}", no_room=isinstance(error, OverQuota))
    return Status(state=State.PENDING, message=f"its {workers.number} Dask workers are being made")


def _pending(cluster: Cluster, made: Manifest, found: Sequence[Manifest], workers: dask.Workers) -> Status:
    """Nothing of the workers has begun yet."""
    since, states = ends.made_at(made), [ends.of_pod(pod) for pod in found]
    held = next((one for one in states if one.pending_since is not None), None)
    event = "" if held else _event(cluster, made, found)
    if beyond_quota(event):
        message = f"no Dask workers: {event}. Ask for less, or have the quota raised"
        return Status(state=State.FAILED, message=message)
    said = held.message if held else event or (states[0].message if states else "no pod was made for one yet")
    none = f"none of its {workers.number} Dask workers has started"
    if time.time() - since > workers.wait_s:
        return Status(state=State.FAILED, message=f"{none} within {workers.wait_s:g} s: {said}", no_room=True)
    preparing = bool(states) and not (held or event)
    return Status(state=State.PENDING, message=f"{none} yet: {said}", pending_since=None if preparing else since)


def _event(cluster: Cluster, made: Manifest, found: Sequence[Manifest]) -> str:
    slow = [pod for pod in found if ends.is_slow(pod)]
    return cluster.last_warning((slow[0] if slow else made)["metadata"]["uid"])


def _last(made: Manifest, found: Sequence[Manifest]) -> str:
    over = [pod for pod in found if ends.is_over(pod) and ends.of_pod(pod).state is State.FAILED]
    newest = ends.newest(over)
    if newest is not None:
        return ends.of_pod(newest).message
    return (ends.condition(made, "Failed") or {}).get("message") or "no reason given"
