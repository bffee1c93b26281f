"""Runs a workload as a Job, with its Secret, ConfigMap and claims, which all go with the Job.

Nothing of a workload is kept anywhere else: every call reads what the cluster has under the workload's name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.compute import connections
from ontap_mlops.compute.kinds.kubernetes import dask_workers, ends, logs, sharing, submitting, together
from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable, State, Status, Workload
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import (
    KubernetesPermanentError,
    KubernetesTemporaryError,
    LoginRefused,
    beyond_quota,
)
from ontap_mlops.kubernetes_manifests import dask, jobs, labels

if TYPE_CHECKING:
    from ontap_mlops.compute.kinds.kubernetes.fields import KubernetesFields

log = logging.getLogger(__name__)
_LOOK_S = 0.5
_FIRST_S = 3.0  # after a Job's release a pod is made: a later one may have replaced another
_FRESH_S = 0.5
_FREE_S = 60.0  # for which the cluster may be busy deleting what has ended
_BEYOND_GRACE_S = 30.0  # until a pod that does not stop is struck off: its node may be gone


class KubernetesRunner:
    """``connect`` returns the place's cluster, each time it is asked. ``workers``: of Dask, for programs that ask."""

    host = None

    def __init__(
        self, place: KubernetesFields, connect: Callable[[], Cluster], workers: dask.Workers | None = None
    ) -> None:
        self.place = place
        self.connect = connect
        self.workers = workers
        self._seen: tuple[str, float, Manifest | None, list[Manifest]] = ("", 0.0, None, [])

    def submit(self, workload: Workload, *, fresh: bool = False) -> str:
        """Start it, or join the one of this name. Safe to call from several processes at once."""
        with self._told() as cluster:
            sharing.looks_at(self.place.connection, cluster).forget(workload.name)
            making = submitting.Making(self.place, cluster, workload, workers=self.workers)
            job = self._job(cluster, workload.name)
            if job is not None and ends.is_released(job):
                status = self._status(cluster, job, self._pods(cluster, job))
                if not ends.is_going(job) and (status.state.active or not fresh):
                    return workload.name
                self._clear_for_another(cluster, job)
            elif job is not None and ends.is_over_before_its_release(job):
                self._clear_for_another(cluster, job)
            submitting.check(making)
            submitting.submit(making)
        return workload.name

    def status(self, name: str) -> Status:
        """Return MISSING also for one that somebody began to submit and did not finish."""
        with self._told(watching=True) as cluster:
            shared = sharing.looks_at(self.place.connection, cluster)
            if going := shared.going_on(cluster, name, self.place.pending_limit_s):
                self._seen = name, time.monotonic(), None, going.pods
                return going.status
            job = self._job(cluster, name)
            if job is None or not ends.is_released(job):
                return Status(state=State.MISSING)
            pods = self._pods(cluster, job)
            self._seen = name, time.monotonic(), job, pods
            status = self._status(cluster, job, pods)
            shared.learn(name, job, pods, status)
            return status

    def logs(self, name: str, cursor: str | None = None) -> tuple[str, str | None]:
        """At most a mebibyte for each pod at once, whole lines only. What a node has rotated away is not shown."""
        with self._told(watching=True) as cluster:
            job, pods = self._just_seen(cluster, name)
            if job is not None and together.number(job) > 1:
                marked = [(f"[{rank}] ", pod) for rank, pod in together.current(job, pods).items()]
            else:
                marked = [("", pod) for pod in pods]
            begun = {pod["metadata"]["name"]: mark for mark, pod in marked if ends.has_begun(pod)}
            return logs.read(cluster, begun, cursor)

    def result(self, name: str) -> dict[str, Any]:
        """Return what the container's termination message holds; of several processes, that of rank 0."""
        with self._told(watching=True) as cluster:
            job = self._job(cluster, name)
            pods = self._pods(cluster, job) if job is not None else []
            several = job is not None and together.number(job) > 1
            pod = together.current(job, pods).get(0) if job is not None and several else ends.newest(pods)
        message = ((pod and ends.terminated(pod)) or {}).get("message") or ""
        if not message:
            return {}
        try:
            value = json.loads(message)
        except ValueError as error:
            raise ValueError(
                f"workload {name} wrote a result that is not JSON, or more than the 4096 bytes that a pod can hand "
                f"back: {error}"
            ) from None
        if not isinstance(value, dict):
            raise ValueError(f"workload {name} wrote a result that is not a JSON object")
        return value

    def cancel(self, name: str) -> None:
        """SIGTERM, then SIGKILL after the place's ``grace_s``; returns when nothing of it runs.

        All that it has on the cluster is deleted, which goes on by itself if the caller dies.
        """
        with self._told(watching=True) as cluster:
            sharing.looks_at(self.place.connection, cluster).forget(name)
            job = self._job(cluster, name)
            self._forget_volumes(cluster, name)
            if job is not None:
                self._clear(cluster, job)

    def remove(self, name: str) -> None:
        """Delete its Job and what belongs to it. Raises PlaceUnavailable while it runs."""
        with self._told(watching=True) as cluster:
            sharing.looks_at(self.place.connection, cluster).forget(name)
            job = self._job(cluster, name)
            pods = self._pods(cluster, job) if job is not None else []
            if job is not None and ends.is_released(job) and self._status(cluster, job, pods).state.active:
                raise PlaceUnavailable(f"workload {name} still runs; cancel it before removing it")
            self._forget_volumes(cluster, name)
            if job is not None:
                self._clear(cluster, job)

    def _just_seen(self, cluster: Cluster, name: str) -> tuple[Manifest | None, list[Manifest]]:
        """Job and pods as the same look's ``status`` saw them, which saves two of five requests of each look."""
        seen, at, job, pods = self._seen
        if seen == name and time.monotonic() - at < _FRESH_S:
            return job, pods
        job = self._job(cluster, name)
        return job, self._pods(cluster, job) if job is not None else []

    def _status(self, cluster: Cluster, job: Manifest, pods: list[Manifest]) -> Status:
        pod = ends.newest(pods)
        if ends.is_going(job):
            running = [each for each in self._pods(cluster, job, workers=True) if not ends.is_over(each)]
            return Status(state=State.RUNNING, stopping=True) if running else Status(state=State.MISSING)
        if together.number(job) > 1:
            return together.status(cluster, job, pods, self.place.restarts)
        if pod is not None and not ends.is_over(pod) and (lost := self._taken_away(cluster, job, pod)):
            return Status(state=State.FAILED, message=lost)
        if pod is not None:
            return dask_workers.status(cluster, job, pod, self._explained(cluster, pod, ends.of_pod(pod)))
        if ends.condition(job, "Complete"):
            return Status(state=State.FAILED, message="it ended well, but its pod is gone, and with it its result")
        failed = ends.condition(job, "Failed")
        if failed:
            said = f"{failed.get('reason', 'Failed')}: {failed.get('message', 'no reason given')}"
            return Status(state=State.FAILED, message=f"its pod is gone ({said})")
        return self._without_pod(cluster, job)

    def _taken_away(self, cluster: Cluster, job: Manifest, pod: Mapping[str, Any]) -> str:
        """Say so when the cluster has replaced the Job's pod more often than the place allows."""
        since = ends.noted(job, jobs.RELEASED) or ends.made_at(job)
        if ends.made_at(pod) - since < _FIRST_S:
            return ""
        made = [each for each in cluster.events(job["metadata"]["uid"]) if each.get("reason") == "SuccessfulCreate"]
        if len(made) - 1 <= self.place.restarts:
            return ""
        return (
            f"the cluster has taken its pod away {len(made) - 1} times (preempted, drained or deleted), and the place "
            f"allows {self.place.restarts} restarts"
        )

    def _without_pod(self, cluster: Cluster, job: Manifest) -> Status:
        """The Job's controller makes the pod; where it cannot, its events say why."""
        since = ends.noted(job, jobs.RELEASED) or ends.made_at(job)
        said = cluster.last_warning(job["metadata"]["uid"])
        if beyond_quota(said):
            return Status(state=State.FAILED, message=f"{said}. Ask for less, or have the quota raised")
        return Status(state=State.PENDING, message=said or "no pod was made for it yet", pending_since=since)

    def _explained(self, cluster: Cluster, pod: Mapping[str, Any], status: Status) -> Status:
        """Of a pod that does not start: what its events say, such as a volume that cannot be mounted."""
        if status.state is not State.PENDING or status.pending_since is not None or not ends.is_slow(pod):
            return status
        said = cluster.last_warning(pod["metadata"]["uid"])
        return dataclasses.replace(status, message=said, pending_since=ends.made_at(pod)) if said else status

    def _clear(self, cluster: Cluster, job: Manifest) -> None:
        """Delete a Job with its pods, and wait until none of them runs.

        A pod whose node does not answer is struck off at last: the cluster cannot tell what it does.
        """
        cluster.delete("Job", job["metadata"]["name"], uid=job["metadata"]["uid"], foreground=True)
        deadline = time.monotonic() + self.place.grace_s + _BEYOND_GRACE_S
        while running := [pod for pod in self._pods(cluster, job, workers=True) if not ends.is_over(pod)]:
            if time.monotonic() > deadline:
                for pod in running:
                    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName")
                    log.warning("Pod %s does not stop; it is struck off, whatever its node %s does", name, node)
                    cluster.delete("Pod", name, uid=pod["metadata"]["uid"], grace_s=0)
            time.sleep(_LOOK_S)

    def _clear_for_another(self, cluster: Cluster, job: Manifest) -> None:
        """Clear it, and wait until its name is free. Raises PlaceUnavailable when that takes too long."""
        self._clear(cluster, job)
        name, deadline = job["metadata"]["name"], time.monotonic() + _FREE_S
        while (found := cluster.find("Job", name)) and found["metadata"]["uid"] == job["metadata"]["uid"]:
            if time.monotonic() > deadline:
                raise PlaceUnavailable(
                    f"Job {name} of an earlier try is deleted and does not go from {cluster.host}; look what holds it"
                )
            time.sleep(_LOOK_S)

    def _forget_volumes(self, cluster: Cluster, name: str) -> None:
        """Delete the volumes of a workload's claims, and those that an earlier one's death has left.

        Volumes belong to no namespace, so that nothing but this does it. Each stays until its claim is gone.
        """
        if not any(reach.claims for reach in self.place.namespaces.values()):
            return
        for volume in cluster.select("PersistentVolume", labels.labels()):
            claim, metadata = volume["spec"].get("claimRef") or {}, volume["metadata"]
            mine = metadata["labels"].get(labels.WORKLOAD) == name
            left = (volume.get("status") or {}).get("phase") == "Released" and labels.WORKLOAD in metadata["labels"]
            if claim.get("namespace") == cluster.namespace and (mine or left):
                cluster.delete("PersistentVolume", metadata["name"], uid=metadata["uid"])

    def _job(self, cluster: Cluster, name: str) -> Manifest | None:
        job = cluster.find("Job", names.kubernetes_job(name))
        if job is not None and not labels.is_ours(job):
            raise PlaceRefused(
                f"namespace {cluster.namespace} of {cluster.host} has a Job {job['metadata']['name']} that is "
                "not ours; remove it, or use another namespace"
            )
        return job

    def _pods(self, cluster: Cluster, job: Manifest, *, workers: bool = False) -> list[Manifest]:
        """The Job's own, not those of an earlier one of its name; with those of its Dask ``workers`` if asked for."""
        wanted, uid = {labels.WORKLOAD: job["metadata"]["labels"][labels.WORKLOAD]}, job["metadata"]["uid"]
        found = cluster.select("Pod", wanted)
        return [pod for pod in found if _owner(pod) == uid or (workers and dask.is_worker_of(pod, job))]

    @contextlib.contextmanager
    def _told(self, *, watching: bool = False) -> Iterator[Cluster]:
        """Turn the cluster's errors into the place's.

        While ``watching``, a refused login is a passing one: tokens are renewed, and nothing else can be done about
        what runs.
        """
        try:
            cluster = self.connect()
            yield cluster.within(self.place.namespace) if self.place.namespace else cluster
        except LoginRefused as error:
            connections.forget_kubernetes(self.place.connection)
            raise (PlaceUnavailable if watching else PlaceRefused)(str(error)) from None
        except KubernetesTemporaryError as error:
            raise PlaceUnavailable(str(error)) from None
        except KubernetesPermanentError as error:
            raise PlaceRefused(str(error)) from None


def _owner(pod: Manifest) -> str:
    return next((owner["uid"] for owner in pod["metadata"].get("ownerReferences") or ()), "")
