"""Plays the published scenarios of fair sharing on the scheduler that a place names, and compares allocations."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ontap_mlops.compute import playing
from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.compute.playing import LIMIT_S, PATIENCE_S, STEADY_S, Stage
from ontap_mlops.projects.changes import make_all
from ontap_mlops.projects.jobs import Job
from ontap_mlops.projects.scenarios import SCENARIOS, Scenario


class ReplayDiffers(AssertionError):
    """The scheduler has allocated otherwise than published."""


@dataclass
class Replay:
    """``say`` shows a line. Everything submitted carries a prefix of this replay's own and is removed at the end.

    The other parameters are those of ``playing.Stage``.
    """

    place: BasePlace
    say: Callable[[str], object]
    steady_s: float = STEADY_S
    patience_s: float = PATIENCE_S
    limit_s: float = LIMIT_S
    prefix: str = field(default_factory=lambda: f"replay-{secrets.token_hex(2)}-")
    differences: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Raises PlaceRefused where it cannot be played, and ReplayDiffers, after the last, where tables differ."""
        stage = Stage(self.place, self.prefix, self.say, self.steady_s, self.patience_s, self.limit_s)
        make_all(self.place.projects().plan(), lambda sentence: self.say(f"Scheduler: {sentence}"))
        stage.check()
        last = SCENARIOS[0]
        try:
            for number, scenario in enumerate(SCENARIOS, 1):
                last = scenario
                self._play(stage, number, scenario)
        finally:
            self.say("Removing what was submitted")
            stage.clear(last)
        if self.differences:
            raise ReplayDiffers("; ".join(self.differences))

    def _play(self, stage: Stage, number: int, scenario: Scenario) -> None:
        self.say(f"\n{number}. {scenario.title}")
        stage.begin(scenario)
        found = stage.settled(scenario)
        while not found["done"]:
            time.sleep(playing.LOOK_S)
            found = stage.settled(scenario, found["cursor"])
        jobs = [Job(**row) for row in found["payload"]["jobs"]]
        self.say(playing.table(scenario, jobs))
        self.differences += [f"scenario {number}: {text}" for text in found["payload"]["differences"]]
