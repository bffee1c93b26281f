"""Plays the published scenarios of fair sharing on the scheduler that a place names, and compares allocations."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.compute.workload import PlaceRefused, Resources, Workload
from ontap_mlops.projects import config
from ontap_mlops.projects.changes import make_all
from ontap_mlops.projects.jobs import ROUNDING, Job
from ontap_mlops.projects.scenarios import QUOTAS, SCENARIOS, Scenario, Submitted

PROGRAM = "tasks.projects.hold"
STEADY_S, PATIENCE_S, LIMIT_S, LOOK_S = 6.0, 60.0, 600.0, 1.0
AT_ONCE = 6


class ReplayDiffers(AssertionError):
    """The scheduler has allocated otherwise than published."""


@dataclass
class Replay:
    """``say`` shows a line. Everything submitted carries a prefix of this replay's own and is removed at the end.

    Allocations are as published once they have stayed so for ``steady_s``. They differ only when nothing has moved for
    ``patience_s``, however slow the scheduler is, or after ``limit_s`` in all.
    """

    place: BasePlace
    say: Callable[[str], object]
    steady_s: float = STEADY_S
    patience_s: float = PATIENCE_S
    limit_s: float = LIMIT_S
    prefix: str = field(default_factory=lambda: f"replay-{secrets.token_hex(2)}-")
    submitted: list[Submitted] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def run(self, scenarios: Sequence[Scenario] = SCENARIOS) -> None:
        """Raises PlaceRefused where it cannot be played, and ReplayDiffers, after the last, where tables differ."""
        self._prepare()
        try:
            for number, scenario in enumerate(scenarios, 1):
                self._play(number, scenario)
        finally:
            self.say("Removing what was submitted")
            self.end(lambda one: True)
            self._gone()
        if self.differences:
            raise ReplayDiffers("; ".join(self.differences))

    def jobs(self) -> list[Job]:
        """Return this replay's own workloads by the names they were published under."""
        own = [job for job in self._scheduler.jobs() if job.name.startswith(self.prefix)]
        return [_named(job, job.name.removeprefix(self.prefix)) for job in own]

    def end(self, which: Callable[[Submitted], bool]) -> None:
        """Cancel and remove these, side by side: each waits until nothing of it runs."""
        runner, ending = self.place.runner(), [one for one in self.submitted if which(one)]

        def end(one: Submitted) -> None:
            runner.cancel(self.prefix + one.name)
            runner.remove(self.prefix + one.name)
            self.submitted.remove(one)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(end, ending))

    def _prepare(self) -> None:
        self._scheduler = self.place.projects()
        known = {project.name: project.quota for project in config.projects().all()}
        if known != QUOTAS:
            raise PlaceRefused(
                f"{config.path()} guarantees {known} and the published scenarios need {QUOTAS}; set "
                "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR to a folder with a projects.yaml of those"
            )
        make_all(self._scheduler.plan(), lambda sentence: self.say(f"Scheduler: {sentence}"))
        others = self._scheduler.jobs()
        if others:
            raise PlaceRefused(
                f"{len(others)} other workloads of these projects wait or run ({others[0].name} is one): the published "
                "scenarios need GPUs that nobody else uses"
            )

    def _play(self, number: int, scenario: Scenario) -> None:
        self.say(f"\n{number}. {scenario.title}")
        for one in scenario.submits:
            self._submit(one)
            if scenario.one_by_one:
                self._wait_for(one)
        if scenario.ends:
            self._wait_until_known()
            self.say(f"   All workloads of {scenario.ends} are ended")
            self.end(lambda one: one.project == scenario.ends)
        found = self._settled(scenario)
        self.say(table(scenario, found))
        self.differences += [f"scenario {number}: {text}" for text in differences(scenario, found)]

    def _submit(self, one: Submitted) -> None:
        workload = Workload(
            name=self.prefix + one.name,
            program=PROGRAM,
            arguments=("--seconds", "3600"),
            resources=Resources(gpus=one.gpus),
            project=one.project,
            interactive=one.interactive,
        )
        self.submitted.append(one)
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

    def _wait_until_known(self) -> None:
        """Until the scheduler lists all that was submitted and has not ended."""
        deadline = time.monotonic() + self.limit_s
        while time.monotonic() < deadline:
            known = {job.name for job in self.jobs()}
            if all(one.name in known or self._ended(one) for one in self.submitted):
                return
            time.sleep(LOOK_S)

    def _ended(self, one: Submitted) -> str | None:
        """Return a sentence where it has ended, which none should by itself."""
        status = self.place.runner().status(self.prefix + one.name)
        return None if status.state.active else f"{one.name} has {status.state}: {status.message or 'nothing was said'}"

    def _gone(self) -> None:
        """Until the scheduler has taken back what it held for shares, too."""
        deadline = time.monotonic() + self.limit_s
        while self._scheduler.jobs() and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def _settled(self, scenario: Scenario) -> list[Job]:
        """Return the jobs when they have come to rest; what ended by itself, and never coming to rest, are differences.

        A busy scheduler may do nothing for many seconds: how things stand counts as the end only if it is the published
        one, or nothing that is between two states is left and nothing has changed for long.
        """
        deadline, since, before = time.monotonic() + self.limit_s, time.monotonic(), None
        while True:
            jobs, now = self.jobs(), time.monotonic()
            state = sorted((job.name, job.running) for job in jobs)
            differs = bool(differences(scenario, jobs))
            if state != before or (differs and any(job.changing for job in jobs)):
                before, since = state, now
            if now - since >= (self.patience_s if differs else self.steady_s):
                return jobs
            if differs and (gone := self._gone_by_itself(jobs)):
                self.differences += [f"{scenario.title}: {sentence}" for sentence in gone]
                return jobs
            if now > deadline:
                self.differences.append(f"{scenario.title}: it has not come to rest within {self.limit_s:g} s")
                return jobs
            time.sleep(LOOK_S)

    def _gone_by_itself(self, jobs: Sequence[Job]) -> list[str]:
        known = {job.name for job in jobs}
        sentences = [self._ended(one) for one in self.submitted if one.name not in known]
        return [sentence for sentence in sentences if sentence]


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
        published = f"{scenario.allocated[project]:g}/{quota}"
        waits = ", ".join(queued(jobs, project)) or "none"
        lines.append(
            f"   {project}  {has:<10}  {published:<9}  {waits:<16}  {scenario.queued.get(project, 0) or 'none'}"
        )
    return "\n".join(lines)


def _named(job: Job, name: str) -> Job:
    return dataclasses.replace(job, name=name)
