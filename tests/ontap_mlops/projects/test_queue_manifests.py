"""Manifests of KAI Scheduler's and Kueue's queues against golden files, and what a workload carries to enter one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ontap_mlops.kubernetes_manifests import kai, kueue
from ontap_mlops.kubernetes_manifests.queues import Queue, differences

GOLDEN = Path(__file__).parent / "golden"
QUEUES = [
    Queue(name="team-a", quota=4, weight=4, limit=8, interactive_nodes={"gpu-class": "small"}),
    Queue(name="team-b", quota=2, weight=0.5, priority=200, training_nodes={"gpu-class": "dgx"}),
]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("kai", kai.manifests(QUEUES, 6)),
        ("kueue-v1beta1", kueue.manifests(QUEUES, "ml")),
        ("kueue-v1beta2", kueue.manifests(QUEUES, "ml", version="v1beta2", gpu_resource="amd.com/gpu")),
    ],
)
def test_the_manifests_are_those_of_the_golden_file(name: str, made: list[dict[str, Any]]) -> None:
    assert made == list(yaml.safe_load_all((GOLDEN / f"{name}.yaml").read_text()))


def test_a_share_of_a_gpu_is_an_annotation_for_kai() -> None:
    shared = kai.entrance(QUEUES[0], share=0.6, interactive=True)
    assert (shared.annotations, shared.scheduler_name) == ({"gpu-fraction": "0.6"}, "kai-scheduler")
    assert shared.labels == {"kai.scheduler/queue": "team-a", "priorityClassName": "build"}
    assert shared.node_selector == {"gpu-class": "small"}
    assert not kai.entrance(QUEUES[1]).annotations
    assert kai.entrance(QUEUES[1]).node_selector == {"gpu-class": "dgx"}


def test_a_job_enters_kueue_by_the_label_of_its_queue() -> None:
    labels = kueue.entrance(QUEUES[1]).labels
    assert labels["kueue.x-k8s.io/queue-name"] == "team-b"
    classes = {one["metadata"]["name"] for one in kueue.manifests(QUEUES, "ml") if one["kind"].endswith("Class")}
    assert labels["kueue.x-k8s.io/priority-class"] in classes


def test_what_the_cluster_adds_by_itself_is_no_difference() -> None:
    wanted = kueue.manifests(QUEUES, "ml")[4]
    found = {**wanted, "status": {}, "spec": {**wanted["spec"], "stopPolicy": "None"}}
    assert not differences(wanted["spec"], found["spec"])
    found["spec"] = {**found["spec"], "cohort": "theirs"}
    assert differences(wanted["spec"], found["spec"])
