"""What a report says of each project: allocated, idle while allocated, over its quota, waiting."""

from __future__ import annotations

from typing import Any

from ontap_mlops.projects import use
from ontap_mlops.projects.config import Projects
from ontap_mlops.projects.jobs import Job

PROJECTS = Projects.of({"gpus": 6, "projects": {"team-a": {"quota": 4}, "team-b": {"quota": 2}}}, "a test")


def job(name: str, gpus: float, project: str = "team-a", **fields: Any) -> Job:
    return Job(**{"id": name, "name": name, "project": project, "gpus": gpus, "running": True, **fields})


JOBS = [
    job("whole", 2),
    job("holder", 0, held=1.0),
    job("half", 0.5, holder="holder"),
    job("beyond", 2, over=True),
    job("late", 2, "team-b", running=False, since=100.0),
    job("later", 1, "team-b", running=False, since=400.0),
]


def test_the_rest_of_a_gpu_that_is_held_for_shares_is_allocated_and_idle() -> None:
    row = use.measured(PROJECTS, JOBS, now=1000)[0]
    assert (row.allocated, row.idle, row.over, row.waiting) == (5, 0.5, 1, 0)


def test_what_waits_is_told_with_its_gpus_and_the_longest_wait() -> None:
    row = use.measured(PROJECTS, JOBS, now=1000)[1]
    assert (row.allocated, row.waiting, row.waited_for, row.longest_wait_s) == (0, 2, 3, 900)


def test_a_share_whose_gpu_the_scheduler_holds_itself_counts_as_a_share() -> None:
    row = use.measured(PROJECTS, [job("half", 0.5)], now=0)[0]
    assert (row.allocated, row.idle) == (0.5, 0)


def test_the_table_has_a_line_for_every_project() -> None:
    lines = use.table(use.measured(PROJECTS, JOBS, now=1000)).splitlines()
    assert lines[1].split() == ["team-a", "4", "5", "0.5", "1", "0", "0", "-"]
    assert lines[2].split() == ["team-b", "2", "0", "0", "0", "2", "3", "15", "min"]


def test_the_page_stands_alone_and_its_bars_are_parts_of_the_cluster() -> None:
    page = use.page("a <place>", PROJECTS, use.measured(PROJECTS, JOBS, now=1000))
    assert "a &lt;place&gt;" in page
    assert "5 of 6 GPUs are allocated, 0.5 of them idle; 2 workloads wait" in page
    assert 'class="within" style="left:0;width:66.6667%"' in page
    assert 'class="over" style="left:66.6667%;width:16.6667%"' in page
    assert "http" not in page.replace("<!doctype html>", "")
