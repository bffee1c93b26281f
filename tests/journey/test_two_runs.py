"""Two runs of one model at once: they take turns, and the second is judged against what the first has deployed."""

from __future__ import annotations

import pytest

from scripts.follow import follow
from scripts.systems.tyre import SYSTEM
from tests.journey.world import QUICK, TRAIN, World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


def test_two_runs_that_promote_at_once_take_turns(world: World):
    world.ready(SYSTEM)
    world.with_a_version()
    world.pause(TRAIN)
    world.api.unpause(TRAIN)
    world.step("Two runs are started together, and both may promote")
    runs = [world.start(TRAIN, {"promote": "always", "seed": seed, **QUICK}) for seed in (1, 2)]
    for run_id in runs:
        follow(world.api, TRAIN, run_id)

    facts = {run_id: world.api.xcom(TRAIN, run_id, "summary") for run_id in runs}
    versions = {run_id: fact["deployment"]["model_version"]["version"] for run_id, fact in facts.items()}
    first, second = sorted(runs, key=versions.__getitem__)
    world.step("The second was judged against the first one's model, replaced it, and nothing is left of the turns")
    judged_against = world.api.xcom(TRAIN, second, "claim")["champion"]
    assert judged_against["version"] == versions[first]
    assert facts[second]["deployment"]["previous_version"] == versions[first]
    assert world.served()["versions"] == [str(versions[second])]
    assert [name for name in world.snapshots("tyre_models") if "lease" in name] == []
    assert world.workspaces() == set()

    world.step("A roll-back puts the first one's model into service again")
    world.run("roll_back", {"model": "tyre"})
    assert world.served()["versions"] == [str(versions[first])]
