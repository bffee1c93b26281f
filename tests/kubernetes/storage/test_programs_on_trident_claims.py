"""Programs whose volumes Trident imports: one claim for each volume, as long as any program mounts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import Mount, PlaceRefused, Resources, State, Workload
from ontap_mlops.kubernetes_manifests.labels import MANAGED_BY, OURS
from tests.kubernetes.programs import ENDLESS, workload
from tests.kubernetes.storage.conftest import Storage
from tests.kubernetes.test_one_pod import ended, log_of, place
from tests.kubernetes.test_tyre_programs import clone, filled
from tests.kubernetes.waiting import wait_until
from tests.ontap_mlops.conftest import GIB

VOLUME = "Trident_programs"
CLAIM = "ontap-mlops-trident-programs"
WRITE = "import pathlib; pathlib.Path('/mnt/data/seen').write_text(pathlib.Path('/mnt/data/file').read_text())"


@pytest.fixture(scope="module")
def volume(storage: Storage) -> Iterator[str]:
    """A volume that ONTAP operators made, with a file."""
    emulator = storage.emulator
    facts = {"name": VOLUME, "svm": {"name": emulator.svm}, "size": GIB, "aggregates": [{"name": "aggr1"}]}
    with emulator.client() as client:
        made = client.post(
            "/api/storage/volumes", params={"return_timeout": 60}, json=facts | {"nas": {"path": f"/{VOLUME}"}}
        )
        made.raise_for_status()
    (emulator.namespace / VOLUME / "file").write_text("made outside\n")
    yield VOLUME


def runner(storage: Storage, **other: Any) -> KubernetesRunner:
    reach = {"trident": storage.driver, "storage_class": storage.driver, **other}
    return KubernetesRunner(place(namespaces={"default": reach}, user=0), lambda: storage.cluster)


def mounting(code: str, volume: str) -> Any:
    return workload(code, mounts={"data": Mount(svm="svm1", junction_path=f"/{volume}")})


def claims(storage: Storage) -> list[str]:
    return [one["metadata"]["name"] for one in storage.cluster.select("PersistentVolumeClaim", {MANAGED_BY: OURS})]


def test_programs_share_the_claim_of_a_volume_and_it_goes_with_the_last_of_them(storage: Storage, volume: str):
    at, one, other = runner(storage), mounting(ENDLESS, volume), mounting(WRITE, volume)
    at.submit(one)
    wait_until(lambda: "begun" in log_of(at, one.name))
    uid = storage.cluster.find("PersistentVolumeClaim", CLAIM)["metadata"]["uid"]
    at.submit(other)
    assert ended(at, other.name).state is State.SUCCEEDED, log_of(at, other.name)
    at.remove(other.name)
    assert storage.cluster.find("PersistentVolumeClaim", CLAIM)["metadata"]["uid"] == uid, "the first one still runs"
    at.cancel(one.name)
    wait_until(lambda: CLAIM not in claims(storage))
    folder = storage.emulator.namespace / volume
    assert (folder / "seen").read_text() == "made outside\n", "the volume outlives its claim"


def test_a_program_right_after_another_waits_for_the_claim_to_go(storage: Storage, volume: str):
    at, one, other = runner(storage), mounting("pass", volume), mounting("pass", volume)
    for each in (one, other):
        at.submit(each)
        assert ended(at, each.name).state is State.SUCCEEDED, log_of(at, each.name)
        at.remove(each.name)
    wait_until(lambda: CLAIM not in claims(storage))


@pytest.mark.timeout(600)
def test_a_training_reads_a_clone_of_a_version_from_its_claim_and_writes_the_model_there(storage: Storage):
    tyres = filled(storage.emulator, "trident_tyres")
    workspace = clone(storage.emulator, "trident_ws", "trident_tyres")
    one = Workload(
        name="r20261127t000000z0000000a-train",
        program="tasks.tyre.train",
        arguments=("--data", "{workspace}/data", "--output", "{workspace}/.mlops/run", "--epochs", "1"),
        mounts={"workspace": Mount(svm=storage.emulator.svm, junction_path=f"/{workspace.name}")},
        resources=Resources(cpus=0.5, memory_gib=2),
    )
    at = runner(storage)
    at.submit(one)
    assert ended(at, one.name, 500).state is State.SUCCEEDED, log_of(at, one.name)
    assert "model.onnx" in json.loads((workspace / ".mlops" / "run" / "model.json").read_text())["files"]
    assert not (tyres / ".mlops" / "run").exists(), "the dataset is as it was"
    at.remove(one.name)
    wait_until(lambda: "ontap-mlops-trident-ws" not in claims(storage))
    assert (workspace / "data").is_dir(), "the clone is still there, for its run to remove"


def test_what_trident_cannot_serve_is_said_and_leaves_nothing(storage: Storage, volume: str):
    for other, sentence in (
        ({"trident": "gold"}, "Trident has no back end 'gold'; it has: .*stand-in"),
        ({"storage_class": "gold"}, "there is no StorageClass 'gold'; there are: .*stand-in"),
    ):
        with pytest.raises(PlaceRefused, match=sentence):
            runner(storage, **other).submit(mounting("pass", volume))
    with pytest.raises(PlaceRefused, match="Trident imports volumes by name: mount it in its SVM as /<volume>"):
        runner(storage).submit(mounting("pass", "some/folder"))
    assert CLAIM not in claims(storage) and storage.cluster.select("Job", {MANAGED_BY: OURS}) == []
