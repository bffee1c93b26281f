"""The tyre training in a pod of our image, on a FlexClone of the emulator that the pod mounts.

The pod reaches the emulator's namespace as a folder of its node, so this needs a cluster whose node is this machine.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import Mount, Resources, State, Workload
from ontap_mlops.kubernetes.api import Cluster
from tasks.common.data import open_target
from tasks.tyre import samples
from tests.conftest import Emulator
from tests.kubernetes.machine import is_a_node
from tests.kubernetes.test_one_pod import ended, log_of, nothing_left, place

GIB = 1024**3


@pytest.fixture(scope="module")
def tyres(emulator: Emulator) -> Path:
    return filled(emulator, "k8s_tyres")


def filled(emulator: Emulator, name: str) -> Path:
    """A volume as an NFS client sees it, with images and a snapshot of them."""
    facts = {"name": name, "svm": {"name": emulator.svm}, "size": GIB, "aggregates": [{"name": "aggr1"}]}
    with emulator.client() as client:
        make(client, "/api/storage/volumes", {**facts, "nas": {"path": f"/{name}"}})
        folder = emulator.namespace / name
        samples.bring(open_target(str(folder / "data")), list(samples.plan(60, seed=1, revision=1)), processes=1)
        uuid = client.get("/api/storage/volumes", params={"name": name}).json()["records"][0]["uuid"]
        make(client, f"/api/storage/volumes/{uuid}/snapshots", {"name": "v1"})
    return folder


def make(client, path: str, body: dict) -> None:
    client.post(path, params={"return_timeout": 60}, json=body).raise_for_status()


def clone(emulator: Emulator, name: str, volume: str = "k8s_tyres") -> Path:
    parent = {"is_flexclone": True, "parent_volume": {"name": volume}, "parent_snapshot": {"name": "v1"}}
    with emulator.client() as client:
        body = {"name": name, "svm": {"name": emulator.svm}, "clone": parent, "nas": {"path": f"/{name}"}}
        make(client, "/api/storage/volumes", body)
    return emulator.namespace / name


@pytest.mark.timeout(600)
@pytest.mark.parametrize("claims", [False, True])
def test_a_training_in_a_pod_writes_its_model_into_the_clone_and_nothing_stays(
    cluster: Cluster, emulator, tyres, claims
):
    if not is_a_node(cluster):
        pytest.skip("no node of the cluster is this machine")
    workspace = clone(emulator, f"k8s_ws_{int(claims)}")
    reach = {"host_path": str(emulator.namespace), "claims": claims}
    runner = KubernetesRunner(place(namespaces={"default": reach}, user=0, shm_gib=0.25), lambda: cluster)
    one = Workload(
        name=f"r20261127t000000z0000000{int(claims)}-train",
        program="tasks.tyre.train",
        arguments=("--data", "{workspace}/data", "--output", "{workspace}/.mlops/run", "--epochs", "1"),
        mounts={"workspace": Mount(svm=emulator.svm, junction_path=f"/{workspace.name}")},
        resources=Resources(cpus=1, memory_gib=2),
    )
    runner.submit(one)
    status = ended(runner, one.name, 400)
    assert status.state is State.SUCCEEDED, (status, log_of(runner, one.name))
    told = json.loads((workspace / ".mlops" / "run" / "model.json").read_text())
    assert "model.onnx" in told["files"]
    assert not (tyres / ".mlops" / "run").exists(), "the dataset is as it was"
    assert runner.result(one.name), "the program's result has come through the pod"
    assert "Reading images: done, 60 images" in log_of(runner, one.name)
    runner.remove(one.name)
    nothing_left(cluster, one.name)
