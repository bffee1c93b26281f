"""What the operators on GPU projects make of a scheduler that shares as published, and of one that does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from ontap_mlops.compute import places, playing
from ontap_mlops.compute.workload import PlaceRefused, Workload
from ontap_mlops.operators.gpu_projects import (
    UP_TO,
    GpuProjectsApplyOperator,
    GpuProjectsReportOperator,
    GpuScenarioPlayOperator,
    GpuScenariosCheckOperator,
    GpuScenariosRemoveOperator,
    gpu_places,
    task_of,
)
from tests.ontap_mlops.compute.shared_gpus import Shared, SharedPlace
from tests.ontap_mlops.operators.test_waiting import _first_of

REPOSITORY = Path(__file__).resolve().parents[3]
AT = {"place": "gpus", "up_to": "4.10"}


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    """The scheduler of the place `gpus`, which comes to rest at once."""
    made = Shared()
    known = {"gpus": SharedPlace(shared=made)}

    def place(name: str) -> SharedPlace:
        if name not in known:
            raise PlaceRefused(f"there is no place named {name!r}")
        return known[name]

    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(REPOSITORY / "config"))
    monkeypatch.setattr(places, "place", place)
    patience(monkeypatch, limit_s=0.01)
    yield made


def patience(monkeypatch: pytest.MonkeyPatch, patience_s: float = 0, limit_s: float = 60) -> None:
    """What stages are made with that do not say it themselves; how things stand then counts at once."""
    monkeypatch.setattr(playing.Stage.__init__, "__defaults__", (0, patience_s, limit_s))
    monkeypatch.setattr(playing, "LOOK_S", 0)


@pytest.fixture
def run(context: Any) -> Any:
    """The context, in which each task finds what those before it have returned."""
    results: dict[str, Any] = {}
    context["ti"].task_id = "t"
    context["ti"].xcom_pull = lambda task_ids, key: results.get(task_ids)
    context["results"] = results
    return context


def play(run: Any, section: str, **options: Any) -> Any:
    made = GpuScenarioPlayOperator(task_id=task_of(section), section=section, **{**AT, "deferrable": False, **options})
    run["results"][task_of(section)] = made.execute(run)
    return run["results"][task_of(section)]


def apply(run: Any, **options: Any) -> Any:
    run["results"]["apply"] = GpuProjectsApplyOperator(task_id="apply", place="gpus", **options).execute(run)
    return run["results"]["apply"]


def report(run: Any) -> dict[str, Any]:
    made = GpuProjectsReportOperator(task_id="report", **AT, compute="local")
    return json.loads(json.dumps(made.run_facts(run)))["facts"]


def test_the_published_scenarios_follow_each_other_and_nothing_is_left(shared: Shared, run: Any) -> None:
    assert apply(run) == {"place": "gpus", "changes": ["make queues"], "made": True}
    GpuScenariosCheckOperator(task_id="check", **AT).execute(run)
    tables = {section: play(run, section)["teams"] for section in list(UP_TO)[1:]}
    gpus = {section: [team["gpus"] for team in teams] for section, teams in tables.items()}
    assert gpus == {"4.8": [4, 4, 4, 4], "4.9": [4, 2, 2, 8], "4.10": [8, 4, 4, 0]}
    assert [len(team["queued"]) for team in tables["4.9"]] == [0, 1, 1, 0]
    facts = report(run)
    assert facts["problems"] == [] and [one["section"] for one in facts["scenarios"]] == ["4.8", "4.9", "4.10"]
    assert "16 of 16 GPUs are allocated" in facts["pages"]["gpus-4.9.html"]
    GpuScenariosRemoveOperator(task_id="remove", place="gpus").execute(run)
    assert shared.workloads == {}


def test_projects_that_are_there_are_not_made_again_and_a_dry_run_makes_nothing(shared: Shared, run: Any) -> None:
    assert apply(run, plan_only="True") == {"place": "gpus", "changes": ["make queues"], "made": False}
    assert not shared.applied
    with pytest.raises(AirflowSkipException, match="only applies or shows"):
        GpuScenariosCheckOperator(task_id="check", **AT).execute(run)
    assert list(report(run)["pages"]) == ["gpus.html"], "how things stand"
    assert apply(run)["made"] and shared.applied
    assert apply(run)["changes"] == []


def test_a_scheduler_that_takes_nothing_back_fails_and_is_shown_beside_the_published_table(
    shared: Shared, run: Any
) -> None:
    shared.preempts = False
    apply(run)
    play(run, "4.8")
    run["ti"].xcom_push = lambda key, value: run["results"].update({task_of("4.9"): value})
    with pytest.raises(AirflowFailException, match=r"Not as published in 4\.9: team-b has 4 GPUs, published are 2"):
        play(run, "4.9")
    problems = report(run)["problems"]
    assert problems[0] == "4.9: team-b has 4 GPUs, published are 2"
    assert problems[-1] == "4.10 was not played to its end"
    GpuScenariosRemoveOperator(task_id="remove", place="gpus").execute(run)
    assert shared.workloads == {}


def test_what_takes_long_is_waited_for_in_the_triggerer(
    shared: Shared, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, patience_s=60)
    shared.does_nothing_for = 3
    begun = playing.Stage.begin

    def busy(self: playing.Stage, one: Any) -> None:
        begun(self, one)
        shared.looks, shared.running = -5, set()  # the scheduler starts them anew, and takes its time

    monkeypatch.setattr(playing.Stage, "begin", busy)
    with pytest.raises(TaskDeferred) as deferred:
        play(run, "4.8", deferrable=True, first_wait_s=0, poll_interval_s=0.01)
    made = GpuScenarioPlayOperator(task_id="s", section="4.8", **AT)
    event = asyncio.run(_first_of(deferred.value.trigger))
    assert made.execute_complete(run, event)["differences"] == []


def test_only_the_scenarios_that_are_wanted_are_played(shared: Shared, run: Any) -> None:
    with pytest.raises(AirflowSkipException, match=r"Only the scenarios up to 4\.8 are played"):
        play(run, "4.9", up_to="4.8")
    with pytest.raises(AirflowFailException, match="up_to is '5'; give one of none, 4.8, 4.9, 4.10"):
        play(run, "4.9", up_to="5")
    assert shared.workloads == {}


def test_gpus_that_others_use_are_left_alone_and_no_retry_is_made(shared: Shared, run: Any) -> None:
    apply(run)
    shared.workloads["theirs"] = Workload(name="theirs", program="p", project="team-a")
    with pytest.raises(AirflowFailException, match=r"1 other workloads of these .* \(theirs is one\)"):
        GpuScenariosCheckOperator(task_id="check", **AT).execute(run)
    with pytest.raises(AirflowFailException, match="there is no place named 'nowhere'"):
        GpuProjectsApplyOperator(task_id="apply", place="nowhere").execute(run)


def test_the_form_offers_places_whose_schedulers_know_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    file = tmp_path / "compute.yaml"
    file.write_text("places:\n  local: {kind: local}\n  big: {kind: slurm, folder: /shared}\n")
    assert gpu_places() == [], "nobody has projects"
    (tmp_path / "projects.yaml").write_text("gpus: 4\nprojects:\n  a: {quota: 4}\n")
    assert gpu_places() == ["big"]
    file.write_text("places:\n  local: {kind: nothing}\n")
    assert gpu_places() == []
