"""Claims and snapshots by our operators, with real files in real pods on volumes of an emulated ONTAP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ontap_mlops.kubernetes import errors
from ontap_mlops.kubernetes_manifests.labels import RUN
from ontap_mlops.operators.kubernetes_claims import (
    KubernetesClaimCloneOperator,
    KubernetesClaimDeleteOperator,
    KubernetesClaimEnsureOperator,
    KubernetesClaimResizeOperator,
    KubernetesClaimShareOperator,
)
from ontap_mlops.operators.kubernetes_snapshots import (
    KubernetesSnapshotCreateOperator,
    KubernetesSnapshotDeleteOperator,
    KubernetesSnapshotRestoreOperator,
)
from tests.kubernetes.storage.conftest import MIB, Storage
from tests.kubernetes.waiting import wait_until

Run = Callable[..., Any]


@pytest.fixture
def data(storage: Storage, run_operator: Run) -> dict[str, Any]:
    """A claim with a file in it, which every test shares and none changes."""
    made = run_operator(KubernetesClaimEnsureOperator, claim="data", size_bytes=50 * MIB, storage_class=storage.driver)
    if "one" not in storage.run("data", "cat file 2>/dev/null || true"):
        storage.run("data", "echo one > file")
    return made


def test_a_claim_is_made_once_and_its_files_lie_in_ontap(storage: Storage, run_operator: Run, data: dict[str, Any]):
    again = run_operator(KubernetesClaimEnsureOperator, claim="data", size_bytes=50 * MIB)
    assert again == data
    assert (data["phase"], data["access_modes"], data["size_bytes"]) == ("Bound", ["ReadWriteMany"], 50 * MIB)
    assert (storage.emulator.namespace / storage.volume_of("data") / "file").read_text() == "one\n"
    labels = storage.cluster.find("PersistentVolumeClaim", "data")["metadata"]["labels"]
    assert labels[RUN].startswith("r2026")


def test_a_claim_grows_and_its_volume_with_it(storage: Storage, run_operator: Run):
    run_operator(KubernetesClaimEnsureOperator, claim="grows", size_bytes=30 * MIB, storage_class=storage.driver)
    grown = run_operator(KubernetesClaimResizeOperator, claim="grows", size_bytes=60 * MIB)
    assert grown["size_bytes"] == 60 * MIB
    with storage.emulator.client() as client:
        query = {"name": storage.volume_of("grows"), "fields": "size"}
        assert client.get("/api/storage/volumes", params=query).json()["records"][0]["size"] == 60 * MIB
    with pytest.raises(errors.InvalidRequest, match="no claim can shrink"):
        run_operator(KubernetesClaimResizeOperator, claim="grows", size_bytes=30 * MIB)


def test_a_snapshot_is_restored_to_a_new_claim_while_the_old_one_goes_on(
    storage: Storage, run_operator: Run, data: dict[str, Any]
):
    storage.run("data", "echo before > moves")
    made = run_operator(KubernetesSnapshotCreateOperator, snapshot="first", claim=data, snapshot_class=storage.driver)
    storage.run("data", "echo after > moves")
    restored = run_operator(
        KubernetesSnapshotRestoreOperator, snapshot=made, claim="restored", storage_class=storage.driver
    )
    assert restored["size_bytes"] == data["size_bytes"]
    assert storage.run("restored", "cat moves") == "before\n"
    assert storage.run("data", "cat moves") == "after\n"
    assert made["handle"].rpartition("/")[2] in storage.snapshots_of(storage.volume_of("data"))


def test_a_snapshot_that_a_clone_stands_on_is_not_deleted_and_the_error_says_why(
    storage: Storage, run_operator: Run, data: dict[str, Any]
):
    arguments = {"claim": data, "snapshot_class": storage.driver}
    made = run_operator(KubernetesSnapshotCreateOperator, snapshot="held", **arguments)
    run_operator(KubernetesSnapshotRestoreOperator, snapshot="held", claim="holds", storage_class=storage.driver)
    with pytest.raises(errors.NotReady, match=f"busy because of the volume clone .{storage.volume_of('holds')}"):
        run_operator(KubernetesSnapshotDeleteOperator, snapshot=made, wait_limit_s=3)
    run_operator(KubernetesClaimDeleteOperator, claim="holds")
    run_operator(KubernetesSnapshotDeleteOperator, snapshot=made)
    assert made["handle"].rpartition("/")[2] not in storage.snapshots_of(storage.volume_of("data"))


def test_a_kept_snapshot_outlives_its_object(storage: Storage, run_operator: Run, data: dict[str, Any]):
    made = run_operator(
        KubernetesSnapshotCreateOperator, snapshot="kept", claim=data, snapshot_class=storage.driver, keep=True
    )
    assert made["kept"]
    with pytest.raises(errors.NameTaken, match="it is kept"):
        run_operator(KubernetesSnapshotDeleteOperator, snapshot=made)
    storage.cluster.delete("VolumeSnapshot", "kept")
    wait_until(lambda: storage.cluster.find("VolumeSnapshot", "kept") is None)
    assert made["handle"].rpartition("/")[2] in storage.snapshots_of(storage.volume_of("data"))
    storage.cluster.patch("VolumeSnapshotContent", made["content"], {"spec": {"deletionPolicy": "Delete"}})
    storage.cluster.delete("VolumeSnapshotContent", made["content"])


def test_a_clone_has_the_files_of_its_parent_and_leaves_no_snapshot_behind(
    storage: Storage, run_operator: Run, data: dict[str, Any]
):
    before = storage.snapshots_of(storage.volume_of("data"))
    run_operator(KubernetesClaimCloneOperator, claim="copy", source=data)
    assert storage.run("copy", "cat file; echo two > file") == "one\n"
    assert storage.run("data", "cat file") == "one\n"
    run_operator(KubernetesClaimDeleteOperator, claim="copy")
    assert storage.snapshots_of(storage.volume_of("data")) == before


def test_a_claim_is_not_deleted_while_a_pod_mounts_it(storage: Storage, run_operator: Run):
    run_operator(KubernetesClaimEnsureOperator, claim="busy", size_bytes=MIB, storage_class=storage.driver)
    volume = storage.volume_of("busy")
    storage.start("mounts-it", "busy", "sleep 600")
    wait_until(lambda: storage.phase("mounts-it") == "Running")
    with pytest.raises(errors.InUse, match="used by pod mounts-it"):
        run_operator(KubernetesClaimDeleteOperator, claim="busy")
    assert volume in storage.volumes()
    storage.cluster.delete("Pod", "mounts-it", grace_s=0)
    wait_until(lambda: storage.phase("mounts-it") == "gone")
    gone = run_operator(KubernetesClaimDeleteOperator, claim="busy")
    assert not gone["volume_kept"]
    assert volume not in storage.volumes()
    assert run_operator(KubernetesClaimDeleteOperator, claim="busy") == gone


def test_a_claim_for_one_node_is_shared(storage: Storage, run_operator: Run):
    modes = {"access_modes": ["ReadWriteOnce"], "storage_class": storage.driver}
    made = run_operator(KubernetesClaimEnsureOperator, claim="shared", size_bytes=MIB, **modes)
    volume = run_operator(KubernetesClaimShareOperator, claim=made)
    assert storage.cluster.find("PersistentVolume", volume)["spec"]["accessModes"] == ["ReadWriteMany"]
    run_operator(KubernetesClaimDeleteOperator, claim="shared")


def test_what_is_not_there_is_named_and_nothing_is_made(storage: Storage, run_operator: Run, data: dict[str, Any]):
    with pytest.raises(errors.NotFound, match=f"no StorageClass 'gold'; there are: .*{storage.driver}"):
        run_operator(KubernetesClaimEnsureOperator, claim="none", size_bytes=MIB, storage_class="gold")
    with pytest.raises(errors.NotFound, match=f"no VolumeSnapshotClass 'gold'; there are: .*{storage.driver}"):
        run_operator(KubernetesSnapshotCreateOperator, snapshot="none", claim=data, snapshot_class="gold")
    with pytest.raises(errors.NotFound, match="no PersistentVolumeClaim .*/nothing"):
        run_operator(KubernetesClaimCloneOperator, claim="none", source="nothing")
    with pytest.raises(errors.NotFound, match="no VolumeSnapshot .*/nothing"):
        run_operator(KubernetesSnapshotRestoreOperator, claim="none", snapshot="nothing")
    assert storage.cluster.find("PersistentVolumeClaim", "none") is None
    assert storage.cluster.find("VolumeSnapshot", "none") is None


def test_a_claim_that_gets_no_volume_is_withdrawn_and_the_error_has_the_last_event(storage: Storage, run_operator: Run):
    with pytest.raises(errors.NotReady, match="bind claim .*Pending.*ProvisioningFailed: .*[Ss]ize"):
        run_operator(
            KubernetesClaimEnsureOperator,
            claim="too-large",
            size_bytes=10**18,
            storage_class=storage.driver,
            wait_limit_s=3,
        )
    wait_until(lambda: storage.cluster.find("PersistentVolumeClaim", "too-large") is None)


def test_a_claim_that_is_something_else_is_not_taken_for_it(storage: Storage, run_operator: Run, data: dict[str, Any]):
    with pytest.raises(errors.NameTaken, match="began as an empty volume, not as PersistentVolumeClaim data"):
        run_operator(KubernetesClaimCloneOperator, claim="data", source="data")
    with pytest.raises(errors.NameTaken, match="asked for: enlarge it"):
        run_operator(KubernetesClaimEnsureOperator, claim="data", size_bytes=90 * MIB)
