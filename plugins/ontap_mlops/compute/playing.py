"""One scenario of fair sharing on a place's scheduler: submitted, looked at until it has come to rest, and removed.

Nothing is kept beside: what was submitted is known by the prefix of its name, so that a task that is tried again, or a
trigger in another process, finds it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ontap_mlops.compute import places
from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable, Resources, Workload
from ontap_mlops.projects import config
from ontap_mlops.projects import scenarios as published
from ontap_mlops.projects.jobs import ROUNDING, Job
from ontap_mlops.projects.scenarios import QUOTAS, Scenario, Submitted

PROGRAM = "tasks.projects.hold"
STEADY_S, PATIENCE_S, LIMIT_S, LOOK_S = 6.0, 60.0, 600.0, 1.0
AT_ONCE = 6


@dataclass(frozen=True)
class Stage:
    """A place, and the prefix that names of workloads played there begin with; ``say`` shows a line.

    Allocations are as published once they have stayed so for ``steady_s``. They differ only when nothing has moved for
    ``patience_s``, however slow the scheduler is, or after ``limit_s`` in all.
    """

    place: BasePlace
    prefix: str
    say: Callable[[str], object]
    steady_s: float = STEADY_S
    patience_s: float = PATIENCE_S
    limit_s: float = LIMIT_S

    def check(self) -> None:
        """Raises PlaceRefused for other quotas than the published ones, and where others use the projects' GPUs."""
        quotas = {project.name: project.quota for project in config.projects().all()}
        if quotas != QUOTAS:
            raise PlaceRefused(
                f"{config.path()} guarantees {quotas} and the published scenarios need {QUOTAS}; set "
                "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR to a folder with a projects.yaml of those"
            )
        known = self.place.projects().jobs()
        ours = self._ours(known)
        others = [job for job in known if job not in ours]
        if others:
            raise PlaceRefused(
                f"{len(others)} other workloads of these projects wait or run ({others[0].name} is one): the published "
                "scenarios need GPUs that nobody else uses"
            )

    def begin(self, scenario: Scenario) -> None:
        """Submit what it submits, or find it submitted, and end what it ends; likewise what it goes on from."""
        there = {job.name for job in self.jobs()}
        for one in _before(scenario):
            if one.name not in there:
                self._submit(one)
                self._wait_for(one)
        for one in scenario.submits:
            self._submit(one)
            if scenario.one_by_one:
                self._wait_for(one)
        if scenario.ends:
            ending = [one for one in _before(scenario) if one.project == scenario.ends]
            self._wait_until_known([*_before(scenario), *scenario.submits])
            self.say(f"   All workloads of {scenario.ends} are ended")
            self.end(ending)

    def jobs(self) -> list[Job]:
        """Return the workloads of this prefix by the names they were published under."""
        own = [job for job in self.place.projects().jobs() if job.name.startswith(self.prefix)]
        return [dataclasses.replace(job, name=job.name.removeprefix(self.prefix)) for job in own]

    def settled(self, scenario: Scenario, cursor: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Look once, as a ``PollingTrigger`` wants it; the payload is ``jobs`` and ``differences`` at rest.

        A busy scheduler may do nothing for many seconds: how things stand counts as the end only if it is the published
        one, or nothing that is between two states is left and nothing has changed for long. What ended by itself, and
        never coming to rest, are differences.
        """
        jobs, now = self.jobs(), time.time()
        state = sorted([job.name, job.running] for job in jobs)
        found = differences(scenario, jobs)
        since, begun = (cursor["since"], cursor["begun"]) if cursor else (now, now)
        if cursor and (state != cursor["state"] or (found and any(job.changing for job in jobs))):
            since = now
        rest = now - since >= (self.patience_s if found else self.steady_s)
        gone = self._gone_by_itself(scenario, jobs) if found and not rest else []
        if not rest and not gone and now - begun > self.limit_s:
            gone = [f"it has not come to rest within {self.limit_s:g} s"]
        told = [f"{scenario.title}: {sentence}" for sentence in gone]
        payload = {"jobs": [dataclasses.asdict(job) for job in jobs], "differences": [*told, *found]}
        return {
            "done": bool(rest or gone),
            "payload": payload,
            "cursor": {"state": state, "since": since, "begun": begun},
        }

    def end(self, which: Iterable[Submitted]) -> None:
        """Cancel and remove these, side by side: each waits until nothing of it runs."""
        runner = self.place.runner()

        def end(one: Submitted) -> None:
            runner.cancel(self.prefix + one.name)
            runner.remove(self.prefix + one.name)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(end, which))

    def clear(self, last: Scenario = published.SCENARIOS[-1]) -> None:
        """End and remove all that scenarios up to this one submit, until the scheduler has taken back all it gave.

        Raises PlaceUnavailable where it has not: what holds a GPU for shares ends by itself, some time later.
        """
        played = published.SCENARIOS[: published.SCENARIOS.index(last) + 1]
        self.end([one for scenario in played for one in scenario.submits])
        deadline = time.monotonic() + self.limit_s
        while left := self._ours(self.place.projects().jobs()):
            if time.monotonic() > deadline:
                raise PlaceUnavailable(f"{len(left)} workloads are still there, such as {left[0].name}")
            time.sleep(LOOK_S)

    def _ours(self, jobs: Sequence[Job]) -> list[Job]:
        """What was submitted here, and what holds GPUs for shares of nobody else."""
        own = [job for job in jobs if job.name.startswith(self.prefix)]
        shared = {job.holder for job in jobs if job not in own}
        return [*own, *(job for job in jobs if job.held and job not in own and job.id not in shared)]

    def _submit(self, one: Submitted) -> None:
        workload = Workload(
            name=self.prefix + one.name,
            program=PROGRAM,
            arguments=("--seconds", "3600"),
            resources=Resources(gpus=one.gpus),
            project=one.project,
            interactive=one.interactive,
        )
        self.place.runner().submit(self.place.completed(workload))
        self.say(f"   {one.name:<14} {one.gpus:g} GPU, {'interactive' if one.interactive else 'training'}")

    def _wait_for(self, one: Submitted) -> None:
        """Until it runs, or has ended; one that never does is seen in the table."""
        deadline = time.monotonic() + self.limit_s
        while time.monotonic() < deadline:
            known = {job.name: job for job in self.jobs()}
            if known[one.name].running if one.name in known else self._ended(one):
                return
            time.sleep(LOOK_S)

    def _wait_until_known(self, which: Sequence[Submitted]) -> None:
        """Until the scheduler lists all of these that have not ended."""
        deadline = time.monotonic() + self.limit_s
        while time.monotonic() < deadline:
            known = {job.name for job in self.jobs()}
            if all(one.name in known or self._ended(one) for one in which):
                return
            time.sleep(LOOK_S)

    def _gone_by_itself(self, scenario: Scenario, jobs: Sequence[Job]) -> list[str]:
        known = {job.name for job in jobs}
        sentences = [self._ended(one) for one in published.submitted(scenario) if one.name not in known]
        return [sentence for sentence in sentences if sentence]

    def _ended(self, one: Submitted) -> str | None:
        """Return a sentence where it has ended, which none should by itself."""
        status = self.place.runner().status(self.prefix + one.name)
        return None if status.state.active else f"{one.name} has {status.state}: {status.message or 'nothing was said'}"


@dataclass(frozen=True)
class NamedPlace:
    """A place of config/compute.yaml, as ``WaitingOperator`` and its trigger reach it."""

    place: str

    @contextmanager
    def client(self) -> Iterator[BasePlace]:
        """Raises PlaceRefused where there is no such place."""
        yield places.place(self.place)


def look(place: BasePlace, *, prefix: str, section: str, cursor: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Look once at a scenario that has begun; see ``Stage.settled``."""
    return Stage(place, prefix, lambda line: None).settled(published.scenario(section), cursor)


def allocated(jobs: Sequence[Job], project: str) -> float:
    return sum(job.gpus for job in jobs if job.project == project and job.running)


def queued(jobs: Sequence[Job], project: str) -> list[str]:
    return sorted(job.name for job in jobs if job.project == project and not job.running)


def differences(scenario: Scenario, jobs: Sequence[Job]) -> list[str]:
    """Return a sentence for each project that has other GPUs, or waits with other workloads, than published."""
    found = []
    for project in QUOTAS:
        has, wanted = allocated(jobs, project), scenario.allocated[project]
        if abs(has - wanted) > ROUNDING:
            found.append(f"{project} has {has:g} GPUs, published are {wanted:g}")
        waits = queued(jobs, project)
        if len(waits) != scenario.queued.get(project, 0):
            told = ", ".join(waits) or "nothing"
            found.append(f"of {project} waits {told}, published are {scenario.queued.get(project, 0)}")
    return found


def table(scenario: Scenario, jobs: Sequence[Job]) -> str:
    """Return allocation and queue by team beside the published ones."""
    lines = ["   team    GPUs/quota  published  queued            published"]
    for project, quota in QUOTAS.items():
        has = f"{allocated(jobs, project):g}/{quota}"
        wanted = f"{scenario.allocated[project]:g}/{quota}"
        waits = ", ".join(queued(jobs, project)) or "none"
        lines.append(f"   {project}  {has:<10}  {wanted:<9}  {waits:<16}  {scenario.queued.get(project, 0) or 'none'}")
    return "\n".join(lines)


def _before(scenario: Scenario) -> tuple[Submitted, ...]:
    """What is in when this scenario begins."""
    place = published.SCENARIOS.index(scenario)
    return published.submitted(published.SCENARIOS[place - 1]) if place else ()
