"""The published scenarios are played through a place's runner, compared with what its scheduler says, and removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.compute.replaying import Replay, ReplayDiffers
from ontap_mlops.compute.workload import PlaceRefused, State, Status, Workload
from ontap_mlops.projects.changes import Change
from ontap_mlops.projects.jobs import Job
from ontap_mlops.projects.scenarios import QUOTAS, SCENARIOS

REPOSITORY = Path(__file__).resolve().parents[3]


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
        del self.workloads[name]

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


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(REPOSITORY / "config"))


def replay(shared: Shared, patience_s: float = 0, limit_s: float = 0.01) -> tuple[Replay, list[str]]:
    said: list[str] = []
    place = SharedPlace(shared=shared)
    return Replay(place, said.append, steady_s=0, patience_s=patience_s, limit_s=limit_s), said


@pytest.mark.usefixtures("shipped")
def test_a_fair_scheduler_passes_and_nothing_is_left_on_it() -> None:
    shared = Shared()
    played, said = replay(shared)
    played.run()
    assert shared.workloads == {}
    assert "Scheduler: make queues" in said
    assert any("team-a  8/4         8/4        none" in text for text in said), "the published table stands beside it"


@pytest.mark.usefixtures("shipped")
def test_a_scheduler_that_takes_nothing_back_fails_with_the_difference() -> None:
    shared = Shared(preempts=False)
    played, _ = replay(shared)
    with pytest.raises(ReplayDiffers, match="scenario 2: team-b has 4 GPUs, published are 2"):
        played.run()
    assert shared.workloads == {}, "removed in spite of the difference"


@pytest.mark.usefixtures("shipped")
def test_a_scheduler_that_takes_its_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ontap_mlops.compute.replaying.LOOK_S", 0)
    replay(Shared(does_nothing_for=20), patience_s=60, limit_s=60)[0].run()


@pytest.mark.usefixtures("shipped")
def test_a_workload_that_ends_by_itself_is_named_at_once_with_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ontap_mlops.compute.replaying.LOOK_S", 0)
    played, _ = replay(Shared(breaks="c-2-g03"), patience_s=3600, limit_s=3600)
    with pytest.raises(ReplayDiffers, match="c-2-g03 has failed: its node could not start it"):
        played.run()


@pytest.mark.usefixtures("shipped")
def test_a_cluster_that_others_use_is_left_alone() -> None:
    shared = Shared(workloads={"theirs": Workload(name="theirs", program="p", project="team-a")})
    with pytest.raises(PlaceRefused, match=r"1 other workloads of these projects wait or run \(theirs is one\)"):
        replay(shared)[0].run()
    assert list(shared.workloads) == ["theirs"]


def test_other_quotas_than_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    (tmp_path / "projects.yaml").write_text("gpus: 4\nprojects:\n  a: {quota: 4}\n")
    with pytest.raises(PlaceRefused, match="guarantees {'a': 4} and the published scenarios need {'team-a': 4"):
        replay(Shared())[0].run()


@pytest.mark.usefixtures("shipped")
def test_a_place_whose_scheduler_knows_no_projects_says_so() -> None:
    from ontap_mlops.compute import places

    with pytest.raises(PlaceRefused, match="place of kind local knows no GPU projects"):
        Replay(places.place({"kind": "local"}), print).run()


def test_the_scenarios_are_the_published_ones() -> None:
    first, second, third = SCENARIOS
    assert (len(first.submits), sum(one.interactive for one in first.submits)) == (13, 6)
    assert [sum(scenario.allocated.values()) for scenario in SCENARIOS] == [16, 16, 16]
    assert round(sum(one.gpus for one in first.submits), 6) == 16
    assert [one.name for one in (*second.submits, *third.submits)] == [
        "d-2-gg",
        "d-3-gg",
        "a-3-gg",
        "a-4-gg",
        "b-5-gg",
        "c-6-gg",
    ]
