"""The published scenarios are played through a place's runner, compared with what its scheduler says, and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontap_mlops.compute.playing import Stage
from ontap_mlops.compute.replaying import Replay, ReplayDiffers
from ontap_mlops.compute.workload import PlaceRefused, Workload
from ontap_mlops.projects.scenarios import SCENARIOS
from tests.ontap_mlops.compute.shared_gpus import Shared, SharedPlace

REPOSITORY = Path(__file__).resolve().parents[3]


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
    monkeypatch.setattr("ontap_mlops.compute.playing.LOOK_S", 0)
    replay(Shared(does_nothing_for=20), patience_s=60, limit_s=60)[0].run()


@pytest.mark.usefixtures("shipped")
def test_a_workload_that_ends_by_itself_is_named_at_once_with_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ontap_mlops.compute.playing.LOOK_S", 0)
    played, _ = replay(Shared(breaks="c-2-g03"), patience_s=3600, limit_s=3600)
    with pytest.raises(ReplayDiffers, match="c-2-g03 has failed: its node could not start it"):
        played.run()


@pytest.mark.usefixtures("shipped")
def test_a_scenario_brings_in_what_it_goes_on_from_and_is_begun_a_second_time_without_harm() -> None:
    shared = Shared()
    stage = Stage(SharedPlace(shared=shared), "r1-", lambda line: None, steady_s=0, patience_s=0)
    for _ in range(2):
        stage.begin(SCENARIOS[1])
    assert len(shared.workloads) == 15
    assert stage.settled(SCENARIOS[1])["payload"]["differences"] == []
    stage.check()
    stage.clear()
    assert shared.workloads == {}


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
