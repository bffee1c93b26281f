"""What of a cluster's GPUs each project has and waits for, and what that means for one more workload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ontap_mlops.projects.config import Project

ROUNDING = 1e-6  # two shares that add up to one GPU may miss it by a rounding error


@dataclass(frozen=True, kw_only=True)
class Job:
    """One workload as its scheduler sees it. ``gpus`` may be a share of one; times are seconds since 1970.

    ``over`` says that it runs, or waits to run, on GPUs beyond its project's quota. ``holder`` is the job that holds
    the GPU of which this one has a share; a holder itself has ``held`` GPUs and no workload. One that is ``changing``
    is about to start, to end, or to be allowed to start again.
    """

    id: str
    name: str
    project: str
    gpus: float
    running: bool
    changing: bool = False
    over: bool = False
    since: float | None = None
    holder: str | None = None
    held: float = 0
    reason: str = ""

    @property
    def taken(self) -> float:
        """GPUs that are taken from the cluster for it: a share takes none beside its holder's."""
        return self.held or (0.0 if self.holder else self.gpus)


@dataclass(frozen=True)
class Standing:
    """GPUs of one project: within its quota and beyond it, running or waiting."""

    project: Project
    within: float
    beyond: float

    def has_room(self, gpus: float) -> bool:
        """Whether so many more are within its quota."""
        return self.within + gpus <= self.project.quota + ROUNDING

    def place_in_line(self, gpus: float) -> float:
        """How far beyond its quota so many more would bring it, against its weight: who has least comes first."""
        return (self.beyond + max(0.0, self.within + gpus - self.project.quota)) / self.project.weight


def standing(project: Project, jobs: Iterable[Job]) -> Standing:
    own = [job for job in jobs if job.project == project.name]
    return Standing(
        project,
        within=sum(job.taken for job in own if not job.over),
        beyond=sum(job.taken for job in own if job.over),
    )


def share_to_join(project: Project, jobs: Iterable[Job], share: float) -> Job | None:
    """The holder of a GPU of this project with room for the share: the fullest, so that shares fill whole GPUs."""
    own = [job for job in jobs if job.project == project.name]
    free = {job.id: 1 - sum(part.gpus for part in own if part.holder == job.id) for job in own if job.held}
    fitting = [job for job in own if job.held and free[job.id] + ROUNDING >= share]
    return min(fitting, key=lambda job: (job.over, free[job.id]), default=None)


def moves(project: Project, jobs: Iterable[Job]) -> list[tuple[Job, bool]]:
    """Waiting jobs that belong on the other side of the quota by now, with the side: True is beyond it.

    What the quota has no room for goes beyond it, newest first; what it has room for comes within, oldest first.
    """
    known = [job for job in jobs if job.project == project.name]
    within = sum(job.taken for job in known if not job.over)
    waiting = sorted((job for job in known if not job.running and job.taken), key=lambda job: (job.since or 0, job.id))
    moved = []
    for job in reversed([job for job in waiting if not job.over]):
        if within > project.quota + ROUNDING:
            within -= job.taken
            moved.append((job, True))
    for job in waiting:
        if job.over and within + job.taken <= project.quota + ROUNDING:
            within += job.taken
            moved.append((job, False))
    return moved
