"""One list of pods for all who look at workloads of a namespace, such as the hundreds of a triggerer.

A look by itself asks for its Job and its pods. What it found is remembered here, and as long as the shared list shows
the same single pod going on, or the same Job without one, that is the answer. Anything else (an end, a replacement, a
pod that is not there) is for a look by itself: nothing is decided on what a list of a moment ago says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ontap_mlops.compute.kinds.kubernetes import ends, together
from ontap_mlops.compute.workload import State, Status
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import KubernetesTemporaryError, NotAllowed
from ontap_mlops.kubernetes_manifests import labels
from ontap_mlops.kubernetes_manifests.dask import Workers

ENOUGH = 4  # workloads looked at within a minute, below which looks by themselves ask for less
_LATELY_S = 60.0
_YOUNGEST_S, _OLDEST_S = 1.0, 15.0  # for how long one list may serve
_SHARE = 20.0  # a list that took so long serves that many times as long
_AGAIN_S = 30.0  # after which one that waits for something untold is looked at by itself
_REFUSED_S = 300.0


@dataclass(frozen=True)
class Known:
    """What the last look by itself found going on: uids of its Job and pod (empty where it had none), and its label."""

    workload: str
    job: str
    pod: str
    status: Status
    at: float


@dataclass(frozen=True)
class GoingOn:
    status: Status
    pods: list[Manifest]


@dataclass
class _List:
    """One kind of object of a namespace, as last listed, by workload."""

    kind: str
    found: dict[str, list[Manifest]] = field(default_factory=dict)
    until: float = 0.0
    error: KubernetesTemporaryError | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class SharedLooks:
    """The looks of one process at the workloads of one namespace. Safe to use from several threads.

    ``clock`` gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._looked: dict[str, float] = {}
        self._lists = {kind: _List(kind) for kind in ("Pod", "Job")}
        self._refused_at = -_REFUSED_S
        self._lock = threading.Lock()

    def going_on(self, cluster: Cluster, name: str, pending_limit_s: float | None) -> GoingOn | None:
        """Return what the list says where it goes on as it was; None where it is to be looked at by itself.

        Raises KubernetesTemporaryError where the list cannot be had.
        """
        known = self._known.get(name)
        if not self._are_enough(name) or known is None:
            return None
        pods = self._listed(cluster, "Pod").get(known.workload, [])
        status = self._with_pod(known, pods) if known.pod else self._without_pod(cluster, known, pods)
        if status is None or _is_overdue(status, pending_limit_s):
            return None
        return GoingOn(status, pods)

    def learn(self, name: str, job: Manifest, pods: Sequence[Manifest], status: Status) -> None:
        """Remember what a look by itself has found."""
        known = _known(job, pods, status, self._clock())
        with self._lock:
            if known is None:
                self._known.pop(name, None)
            else:
                self._known[name] = known
            if not status.state.active:
                self._looked.pop(name, None)

    def forget(self, name: str) -> None:
        """Let the next look be one by itself, after something was done to the workload here."""
        with self._lock:
            self._known.pop(name, None)
            self._looked.pop(name, None)

    def _are_enough(self, name: str) -> bool:
        now = self._clock()
        with self._lock:
            self._looked[name] = now
            if len(self._looked) > ENOUGH:
                self._looked = {each: at for each, at in self._looked.items() if now - at < _LATELY_S}
                self._known = {each: known for each, known in self._known.items() if each in self._looked}
            return len(self._looked) >= ENOUGH

    def _with_pod(self, known: Known, pods: Sequence[Manifest]) -> Status | None:
        if [pod["metadata"]["uid"] for pod in pods] != [known.pod] or ends.is_going(pods[0]) or ends.is_over(pods[0]):
            return None
        status = ends.of_pod(pods[0])
        if not status.state.active or status.stopping:
            return None
        if status.state is State.PENDING and status.pending_since is None and ends.is_slow(pods[0]):
            return self._lately(known)
        return status

    def _without_pod(self, cluster: Cluster, known: Known, pods: Sequence[Manifest]) -> Status | None:
        if pods or self._clock() - self._refused_at < _REFUSED_S:
            return None
        try:
            jobs = self._listed(cluster, "Job").get(known.workload, [])
        except NotAllowed:  # what its account may do else is enough for looks by themselves
            self._refused_at = self._clock()
            return None
        if [job["metadata"]["uid"] for job in jobs] != [known.job] or not _waits(jobs[0]):
            return None
        return self._lately(known)

    def _lately(self, known: Known) -> Status | None:
        return known.status if self._clock() - known.at < _AGAIN_S else None

    def _listed(self, cluster: Cluster, kind: str) -> Mapping[str, list[Manifest]]:
        """Return all of ours, asked for once for all threads that wait for it here."""
        known = self._lists[kind]
        with known.lock:
            begun = self._clock()
            if begun >= known.until:
                self._list_anew(cluster, known, begun)
            if known.error is not None:
                raise known.error
            return known.found

    def _list_anew(self, cluster: Cluster, known: _List, begun: float) -> None:
        known.error = None
        try:
            known.found = _by_workload(cluster.select(known.kind, labels.labels(), remembered=True))
        except KubernetesTemporaryError as error:
            known.error = error
        took = self._clock() - begun
        known.until = begun + took + min(max(_YOUNGEST_S, _SHARE * took), _OLDEST_S)


_looks: dict[tuple[str, ...], SharedLooks] = {}
_looks_lock = threading.Lock()


def looks_at(connection: str, cluster: Cluster) -> SharedLooks:
    """Return what all who look at this namespace with this connection share."""
    with _looks_lock:
        return _looks.setdefault((connection, cluster.host, cluster.namespace), SharedLooks())


def _known(job: Manifest, pods: Sequence[Manifest], status: Status, at: float) -> Known | None:
    if ends.is_going(job) or not status.state.active or status.stopping or len(pods) > 1:
        return None
    if together.number(job) > 1 or Workers.of(job) or (pods and (ends.is_going(pods[0]) or ends.is_over(pods[0]))):
        return None
    workload, uid = job["metadata"]["labels"][labels.WORKLOAD], job["metadata"]["uid"]
    return Known(workload, uid, pods[0]["metadata"]["uid"] if pods else "", status, at)


def _waits(job: Manifest) -> bool:
    over = ends.condition(job, "Complete") or ends.condition(job, "Failed")
    return not ends.is_going(job) and over is None


def _is_overdue(status: Status, limit_s: float | None) -> bool:
    """Whether somebody will decide on it, by the clock of whoever waits."""
    since = status.pending_since
    return limit_s is not None and since is not None and time.time() - since > limit_s


def _by_workload(found: Sequence[Manifest]) -> dict[str, list[Manifest]]:
    by: dict[str, list[Manifest]] = {}
    for each in found:
        by.setdefault((each["metadata"].get("labels") or {}).get(labels.WORKLOAD, ""), []).append(each)
    return by
