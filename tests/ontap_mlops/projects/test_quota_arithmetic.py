"""Who is within a quota, who waits in which order, and which share joins which GPU."""

from __future__ import annotations

import itertools
from typing import Any

from ontap_mlops.projects.config import Project
from ontap_mlops.projects.jobs import Job, moves, share_to_join, standing

_ids = itertools.count(1)


def project(quota: int, **fields: Any) -> Project:
    return Project(name="p", quota=quota, **fields)


def job(gpus: float, **fields: Any) -> Job:
    number = str(next(_ids))
    return Job(**{"id": number, "name": number, "project": "p", "gpus": gpus, "running": True, **fields})


def test_what_fits_into_the_quota_with_what_runs_and_waits_is_within_it() -> None:
    known = [job(2), job(1, running=False), job(4, over=True), job(9, project="other")]
    assert standing(project(4), known).has_room(1)
    assert not standing(project(4), known).has_room(2)


def test_a_share_takes_no_gpu_beside_the_one_its_holder_holds() -> None:
    holder = job(0, id="h", held=1.0)
    known = [holder, job(0.6, holder="h"), job(0.4, holder="h")]
    assert standing(project(2), known).within == 1


def test_who_is_least_beyond_its_quota_for_its_weight_comes_first() -> None:
    """The six that wait in the third published scenario: the four that come first give 8, 4 and 4 GPUs."""
    quotas = {"a": 4, "b": 2, "c": 2}
    line: dict[str, float] = {}
    jobs: list[Job] = [job(4, project="a"), job(2, project="b"), job(2, project="c")]
    for name in ("b-4", "c-4", "a-3", "a-4", "b-5", "c-6"):
        team = name[0]
        line[name] = standing(Project(name=team, quota=quotas[team]), jobs).place_in_line(2)
        jobs.append(job(2, project=team, over=True, running=False))
    assert set(sorted(line, key=lambda name: line[name])[:4]) == {"a-3", "a-4", "b-4", "c-4"}
    assert line["b-5"] > line["b-4"]


def test_a_job_partly_within_its_quota_stands_before_one_wholly_beyond_it() -> None:
    within_one = standing(project(2), [job(1)]).place_in_line(2)
    assert within_one < standing(project(2), [job(2)]).place_in_line(2)


def test_shares_fill_the_fullest_gpu_that_has_room_before_another_is_taken() -> None:
    known = [job(0, id="h1", held=1.0), job(0, id="h2", held=1.0), job(0.2, holder="h1"), job(0.5, holder="h2")]
    joined = share_to_join(project(4), known, 0.5)
    assert joined and joined.id == "h2"
    joined = share_to_join(project(4), known, 0.6)
    assert joined and joined.id == "h1"
    assert share_to_join(project(4), known, 0.9) is None


def test_three_shares_that_add_up_to_one_gpu_fit_on_it() -> None:
    known = [job(0, id="h", held=1.0), job(0.5, holder="h"), job(0.3, holder="h")]
    assert share_to_join(project(2), known, 0.2) is not None


def test_what_waits_beyond_a_quota_comes_within_it_when_it_has_room_again_oldest_first() -> None:
    waiting = [job(2, id=name, over=True, running=False, since=since) for name, since in (("new", 9.0), ("old", 1.0))]
    assert [(one.id, over) for one, over in moves(project(3), [*waiting, job(1)])] == [("old", False)]


def test_what_two_submitters_put_into_one_quota_at_once_goes_beyond_it_newest_first() -> None:
    known = [job(2), *(job(2, id=name, running=False, since=since) for name, since in (("old", 1.0), ("new", 2.0)))]
    assert [(one.id, over) for one, over in moves(project(4), known)] == [("new", True)]


def test_what_runs_is_never_moved() -> None:
    assert moves(project(1), [job(4), job(2, over=True)]) == []
