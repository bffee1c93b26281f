"""A scheduler of 16 GPUs in memory, and a place that leads to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.compute.workload import State, Status, Workload
from ontap_mlops.projects.changes import Change
from ontap_mlops.projects.jobs import Job
from ontap_mlops.projects.scenarios import QUOTAS


@dataclass
class Shared:
    """A scheduler of 16 GPUs that guarantees quotas, takes them back, and shares the rest by weight."""

    preempts: bool = True
    does_nothing_for: int = 0
    """Looks after each change of what is submitted before anything starts or gives way."""
    breaks: str = "nothing"
    """How the name of the workload ends that ends by itself when it has run."""
    looks: int = 0
    broken: str = ""
    workloads: dict[str, Workload] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    applied: bool = False

    def submit(self, workload: Workload, *, fresh: bool = False) -> str:
        self.workloads[workload.name] = workload
        self.looks = 0
        return workload.name

    def status(self, name: str) -> Status:
        if name == self.broken:
            return Status(state=State.FAILED, message="its node could not start it")
        return Status(state=State.RUNNING if name in self.running else State.PENDING)

    def cancel(self, name: str) -> None:
        self.running.discard(name)
        self.looks = 0

    def remove(self, name: str) -> None:
        self.workloads.pop(name, None)

    def plan(self) -> list[Change]:
        return [] if self.applied else [Change("make queues", lambda: setattr(self, "applied", True))]

    def jobs(self) -> list[Job]:
        self.looks += 1
        if self.looks > self.does_nothing_for:
            self._schedule()
        self.broken = next((name for name in self.running if name.endswith(self.breaks)), self.broken)
        self.running.discard(self.broken)
        return [
            Job(id=name, name=name, project=one.project or "", gpus=self._gpus(name), running=name in self.running)
            for name, one in self.workloads.items()
            if name != self.broken
        ]

    def _gpus(self, name: str) -> float:
        return self.workloads[name].resources.gpus or 0

    def _used(self, project: str | None = None) -> float:
        return sum(self._gpus(name) for name in self.running if project in (None, self.workloads[name].project))

    def _schedule(self) -> None:
        while waiting := [name for name in self.workloads if name not in self.running and name != self.broken]:
            name = min(waiting, key=lambda one: self._after(one) / QUOTAS[self.workloads[one].project or ""])
            if self._used() + self._gpus(name) > 16.0001 and not self._take_back(name):
                return
            self.running.add(name)

    def _after(self, name: str) -> float:
        return self._used(self.workloads[name].project) + self._gpus(name)

    def _take_back(self, name: str) -> bool:
        project = self.workloads[name].project or ""
        if not self.preempts or self._after(name) > QUOTAS[project]:
            return False
        for other in sorted(self.running, key=lambda one: -self._gpus(one)):
            theirs = self.workloads[other].project or ""
            if self._used(theirs) - self._gpus(other) >= QUOTAS[theirs]:
                self.running.discard(other)
                return True
        return False


class SharedPlace(BasePlace):
    shared: Any = None

    def runner(self) -> Any:
        return self.shared

    def projects(self) -> Any:
        return self.shared
