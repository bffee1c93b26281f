"""What a workload's Job and pods carry at a Kubernetes place, by the scheduler that the place names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.kinds.kubernetes.submitting import Making
from ontap_mlops.compute.workload import PlaceRefused, Resources, Workload
from ontap_mlops.config_file import ConfigError


@pytest.fixture(autouse=True)
def two_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    entry = "{quota: 4, interactive: {nodes: {gpu-class: small}}}"
    (tmp_path / "projects.yaml").write_text(f"gpus: 4\nprojects:\n  team-a: {entry}\n")


def job(scheduler: str, gpus: float = 1, **fields: Any) -> dict[str, Any]:
    place = places.place({"kind": "kubernetes", "image": "i", "scheduler": scheduler, "node_selector": {"zone": "a"}})
    asked = Workload(name="w", program="p", resources=Resources(gpus=gpus), **fields)
    cluster: Any = SimpleNamespace(namespace="ml", version=lambda: (1, 31))
    return Making(place, cluster, asked).job()  # type: ignore[arg-type]


def pod_of(made: dict[str, Any]) -> dict[str, Any]:
    return made["spec"]["template"]


def test_a_share_at_kai_is_an_annotation_and_asks_the_node_for_no_gpu() -> None:
    pod = pod_of(job("kai", 0.5, project="team-a", interactive=True, time_limit_s=60))
    assert pod["metadata"]["annotations"]["gpu-fraction"] == "0.5"
    assert pod["metadata"]["labels"]["kai.scheduler/queue"] == "team-a"
    assert pod["metadata"]["labels"]["ontap-mlops/project"] == "team-a"
    assert pod["spec"]["schedulerName"] == "kai-scheduler"
    assert pod["spec"]["nodeSelector"] == {"zone": "a", "gpu-class": "small"}
    assert pod["spec"]["activeDeadlineSeconds"] == 60
    assert "resources" not in pod["spec"]["containers"][0]


def test_whole_gpus_at_kai_are_asked_of_the_node() -> None:
    pod = pod_of(job("kai", 2, project="team-a"))
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert "annotations" not in pod["metadata"]


def test_kueue_reads_the_queue_from_the_job() -> None:
    made = job("kueue", project="team-a")
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert "schedulerName" not in pod_of(made)["spec"]


def test_the_clusters_own_scheduler_gets_nothing_more() -> None:
    made = job("kubernetes", project="team-a")
    assert not [label for label in made["metadata"]["labels"] if "queue" in label]
    assert pod_of(made)["spec"]["nodeSelector"] == {"zone": "a"}


@pytest.mark.parametrize("scheduler", ["kubernetes", "kueue"])
def test_a_share_where_nothing_can_give_one_is_one_sentence(scheduler: str) -> None:
    with pytest.raises(
        PlaceRefused, match=rf"asks for 0\.5 of a GPU, and Kubernetes gives whole ones only where .* is {scheduler};"
    ):
        job(scheduler, 0.5, project="team-a")


@pytest.mark.parametrize("scheduler", ["kai", "kueue"])
def test_a_workload_without_a_project_is_refused_where_the_scheduler_takes_none(scheduler: str) -> None:
    with pytest.raises(PlaceRefused, match="names no project"):
        job(scheduler)


def test_an_unknown_project_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no GPU project 'team-x'"):
        job("kai", project="team-x")


def test_a_replay_on_the_clusters_own_scheduler_says_that_it_knows_no_projects() -> None:
    with pytest.raises(PlaceRefused, match="Kubernetes' own scheduler knows no GPU projects"):
        places.place({"kind": "kubernetes"}).projects()
