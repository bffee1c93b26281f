"""Volumes in pods: by a folder of the node, and through claims that are made for a workload and gone after it."""

from __future__ import annotations

from typing import Any

import pytest

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import Mount, PlaceRefused, State
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from tests.kubernetes.programs import ENDLESS, result, workload
from tests.kubernetes.test_one_pod import ended, log_of, nothing_left, place
from tests.kubernetes.waiting import wait_until

# A folder that every node has stands for the namespace of an SVM, and /etc for a volume in it.
NODE = {"host_path": "/"}
DATA = {"data": Mount(svm="svm1", junction_path="/etc", read_only=True)}
LOOK = "import os, sys; names = os.listdir(os.environ['DATA']); " + result("{'passwd': 'passwd' in names}")


def runner(cluster: Cluster, **reach: Any) -> KubernetesRunner:
    return KubernetesRunner(place(namespaces={"default": reach}), lambda: cluster)


def looking(code: str = LOOK, **more: Any) -> Any:
    return workload(code, mounts=DATA, environment={"DATA": "/mnt/data"}, **more)


@pytest.mark.parametrize("claims", [False, True])
def test_a_program_sees_its_volume_and_nothing_of_the_mount_stays(cluster, claims):
    at, one = runner(cluster, **NODE, claims=claims), looking()
    at.submit(one)
    volumes = cluster.select("PersistentVolume", labels(workload=one.name))
    assert len(volumes) == claims
    assert ended(at, one.name).state is State.SUCCEEDED, log_of(at, one.name)
    assert at.result(one.name) == {"passwd": True}
    at.remove(one.name)
    nothing_left(cluster, one.name)


def test_cancelling_lets_go_of_volume_and_claim(cluster):
    at, one = runner(cluster, **NODE, claims=True), looking(ENDLESS)
    at.submit(one)
    wait_until(lambda: "begun" in log_of(at, one.name))
    at.cancel(one.name)
    nothing_left(cluster, one.name)


def test_a_volume_whose_workload_died_with_its_job_goes_with_the_next_one(cluster):
    at, one, other = runner(cluster, **NODE, claims=True), looking(), looking()
    at.submit(one)
    ended(at, one.name)
    cluster.delete("Job", one.name)  # as the cluster does at last with one that nobody came back for

    def is_left() -> bool:
        found = cluster.select("PersistentVolume", labels(workload=one.name))
        return bool(found) and all(volume["status"]["phase"] == "Released" for volume in found)

    wait_until(is_left)
    at.submit(other)
    ended(at, other.name)
    at.remove(other.name)
    nothing_left(cluster, one.name)
    nothing_left(cluster, other.name)


def test_a_volume_that_is_not_there_is_what_it_waits_for(cluster):
    at = runner(cluster, **NODE)
    one = workload("pass", mounts={"data": Mount(svm="svm1", junction_path="/no/such/volume")})
    at.submit(one)
    status = wait_until(lambda: "FailedMount" in (s := at.status(one.name)).message and s)
    assert status.state is State.PENDING and status.pending_since and "/no/such/volume" in status.message
    at.cancel(one.name)
    nothing_left(cluster, one.name)


def test_an_svm_that_the_place_does_not_reach_is_refused(cluster):
    at = KubernetesRunner(place(namespaces={"svm9": NODE}), lambda: cluster)
    with pytest.raises(PlaceRefused, match=r"how pods reach the namespace of SVM 'svm1' \(known: svm9\)"):
        at.submit(looking())
    with pytest.raises(PlaceRefused, match="which is not a junction path; give one such as /tyre_images"):
        runner(cluster, **NODE).submit(workload("pass", mounts={"d": Mount(svm="svm1", junction_path="/a/../b")}))
