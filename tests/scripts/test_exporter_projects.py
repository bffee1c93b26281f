"""What the exporter tells of GPU projects, whatever a scheduler answers."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ontap_mlops.compute import places
from ontap_mlops.projects.jobs import Job
from scripts.exporter.looking import Watch
from scripts.exporter.projects import Projects

JOBS = [
    Job(id="1", name="holder", project="team-a", gpus=0, held=1.0, running=True),
    Job(id="2", name="half", project="team-a", gpus=0.5, holder="1", running=True),
    Job(id="3", name="late", project="team-b", gpus=2, running=False, since=1.0),
]


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the place `far` has; `here` knows no projects."""
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    (tmp_path / "projects.yaml").write_text("gpus: 3\nprojects:\n  team-a: {quota: 1}\n  team-b: {quota: 2}\n")
    (tmp_path / "compute.yaml").write_text("places: {}\n")
    made = SimpleNamespace(jobs=lambda: JOBS)
    far = SimpleNamespace(projects=lambda: made)
    here = places.place({"kind": "local"})
    monkeypatch.setattr(places, "places", lambda: {"here": here, "far": far})
    return made


def told(collector: Watch) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (re.sub("ontap_mlops_(gpu_)?", "", one.name), *one.labels.values()): one.value
        for family in families
        for one in family.samples
    }


def test_each_project_is_told_of_at_each_place_whose_scheduler_knows_it(scheduler) -> None:
    collector = Watch([Projects()])
    collector.look()
    found = told(collector)
    assert found["project_allocated", "far", "team-a"] == 1
    assert found["project_idle", "far", "team-a"] == 0.5
    assert found["project_waiting", "far", "team-b"] == 1
    assert found["project_waited_for", "far", "team-b"] == 2
    assert found["project_longest_wait_seconds", "far", "team-b"] > 1e9
    assert (found["cluster_gpus", "far"], found["source_up", "far", "scheduler"]) == (3, 1)
    assert not [key for key in found if "here" in key]


def test_a_scheduler_that_does_not_answer_shows_as_down_with_the_last_figures(scheduler) -> None:
    collector = Watch([Projects()])
    collector.look()
    scheduler.jobs = lambda: 1 / 0
    collector.look()
    found = told(collector)
    assert found["source_up", "far", "scheduler"] == 0
    assert found["project_allocated", "far", "team-a"] == 1


def test_a_place_that_is_gone_is_told_of_no_more(scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Watch([Projects()])
    collector.look()
    monkeypatch.setattr(places, "places", dict)
    collector.look()
    assert not [key for key in told(collector) if "far" in key]


def test_without_projects_no_scheduler_is_asked(scheduler, tmp_path: Path) -> None:
    (tmp_path / "projects.yaml").unlink()
    scheduler.jobs = lambda: 1 / 0
    collector = Watch([Projects()])
    collector.look()
    assert told(collector) == {}
