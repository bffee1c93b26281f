"""Shares of a GPU, projects and interactive workloads: what a workload says, and what its place adds."""

from __future__ import annotations

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.workload import PlaceRefused, Resources, Workload
from ontap_mlops.config_file import ConfigError


def made(**fields: object) -> Workload:
    return Workload(name="w", program="program", **fields)  # type: ignore[arg-type]


def place(**fields: object) -> places.Place:
    return places.place({"kind": "local", **fields})


def test_a_workload_asks_for_whole_gpus_or_for_a_share_of_one() -> None:
    assert (Resources(gpus=2).whole_gpus, Resources(gpus=2).share) == (2, 0)
    assert (Resources(gpus=0.5).whole_gpus, Resources(gpus=0.5).share) == (0, 0.5)
    assert (Resources().whole_gpus, Resources().share) == (0, 0)


@pytest.mark.parametrize("gpus", [1.5, -1, float("nan"), float("inf")])
def test_what_is_neither_is_refused_in_one_sentence(gpus: float) -> None:
    with pytest.raises(ValueError, match=r"gpus is .*; give whole GPUs .*, or a share of one, such as 0\.5"):
        Resources(gpus=gpus)


def test_a_place_gives_what_a_workload_does_not_ask_for() -> None:
    here = place(resources={"gpus": "0.5", "memory_gib": 4}, project="team-a")
    done = here.completed(made(resources=Resources(cpus=2, memory_gib=1)))
    assert done.resources == Resources(cpus=2, memory_gib=1, gpus=0.5)
    assert done.project == "team-a"


def test_what_a_workload_says_counts_before_its_place() -> None:
    here = place(resources={"gpus": 1}, project="team-a")
    done = here.completed(made(resources=Resources(gpus=0), project="team-b"))
    assert (done.resources.gpus, done.project) == (0, "team-b")


def test_a_place_that_gives_an_odd_part_of_a_gpu_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"gpus is 2\.5; give whole GPUs"):
        place(resources={"gpus": 2.5})


def test_an_interactive_workload_ends_at_its_own_limit_or_at_that_of_its_place() -> None:
    here = place(interactive_limit_s=3600)
    assert here.completed(made(interactive=True)).time_limit_s == 3600
    assert here.completed(made(interactive=True, time_limit_s=60)).time_limit_s == 60
    assert here.completed(made()).time_limit_s is None


def test_an_interactive_workload_that_would_never_end_is_refused() -> None:
    with pytest.raises(PlaceRefused, match="is interactive and nothing says when it ends"):
        place().completed(made(interactive=True))
