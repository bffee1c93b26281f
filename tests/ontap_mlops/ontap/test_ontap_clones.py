"""FlexClones: one per name, of the very snapshot that was asked for."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import clones, errors, marks, snapshots, volumes
from tests.ontap_mlops.conftest import SVM

RUN = marks.mark("run r1")


@pytest.fixture
def ensure(client, volume, ontap):
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="facts")
    (ontap.emulator.namespace / "tyre" / "one.png").write_bytes(b"changed since")
    ontap.forget_requests()

    def ensured(**other):
        facts = {"name": "ws", "parent_volume": "tyre", "parent_snapshot": "v1", "comment": RUN, "junction_path": "/ws"}
        return clones.ensure(client, svm=SVM, **{**facts, **other})

    return ensured


def test_a_clone_shows_the_snapshots_files_and_can_be_written(ensure, ontap) -> None:
    clone = ensure()
    file = ontap.emulator.namespace / "ws" / "one.png"
    assert file.read_bytes() == b"first"
    file.write_bytes(b"mine")
    assert (ontap.emulator.namespace / "tyre" / "one.png").read_bytes() == b"changed since"
    assert (clone.parent_volume, clone.parent_snapshot, clone.junction_path, clone.is_ours) == (
        "tyre",
        "v1",
        "/ws",
        True,
    )


def test_asking_again_changes_nothing(ensure, ontap) -> None:
    made = ensure()
    ontap.forget_requests()
    assert ensure() == made
    assert ontap.writes() == []


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_lost_answer_leaves_one_mounted_clone(ensure, ontap, client, method: str) -> None:
    ontap.fault(method, "/api/storage/volumes", "lost_answer")
    assert ensure().junction_path == "/ws"
    assert [v.name for v in volumes.list_volumes(client, svm=SVM, name="ws*")] == ["ws"]


def test_a_clone_whose_mark_was_not_set_yet_is_ours_by_its_parent(ensure, ontap) -> None:
    clone = {"is_flexclone": True, "parent_volume": {"name": "tyre"}, "parent_snapshot": {"name": "v1"}}
    body = {"name": "ws", "svm": {"name": SVM}, "clone": clone}
    ontap.http.post("/api/storage/volumes?return_timeout=20", json=body).raise_for_status()
    assert (ensure().comment, ensure().junction_path) == (RUN, "/ws")


def test_a_clone_of_another_snapshot_is_not_taken_for_ours(ensure, client, volume) -> None:
    ensure()
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v2", comment="facts")
    with pytest.raises(
        errors.NameTaken, match="exists as a clone of snapshot 'v1' of volume 'tyre', not of snapshot 'v2'"
    ):
        ensure(parent_snapshot="v2")


def test_another_runs_clone_is_neither_taken_nor_removed(ensure, client) -> None:
    ensure()
    with pytest.raises(errors.NameTaken, match="its comment is 'ontap-mlops run r1', not 'ontap-mlops run r2'"):
        ensure(comment=marks.mark("run r2"))
    with pytest.raises(errors.NotOurs):
        clones.delete(client, svm=SVM, name="ws", comment=marks.mark("run r2"))


def test_a_snapshot_that_is_not_there_is_permanent(ensure) -> None:
    with pytest.raises(errors.OntapPermanentError, match="create volume 'ws' of SVM 'svm1'"):
        ensure(parent_snapshot="gone")


def test_a_split_clone_frees_its_snapshot(ensure, client, volume) -> None:
    clones.split(client, clone=ensure())
    assert snapshots.delete(client, volume_uuid=volume.uuid, name="v1") is True
    assert clones.delete(client, svm=SVM, name="ws", comment=RUN) is True


def test_an_account_of_the_svm_alone_suffices(ontap) -> None:
    user = {"name": "ml", "password": "ml-password", "role": "vsadmin", "svm": SVM}
    ontap.control("PUT", "/users", user)
    client = ontap.client(username="ml", password="ml-password")
    parent = volumes.ensure(client, svm=SVM, name="own", size_bytes=1024**3, comment=RUN, junction_path="/own")
    snapshots.ensure(client, volume_uuid=parent.uuid, name="v1", comment="facts")
    clones.ensure(
        client, svm=SVM, name="own_ws", parent_volume="own", parent_snapshot="v1", comment=RUN, junction_path="/own_ws"
    )
    assert clones.delete(client, svm=SVM, name="own_ws", comment=RUN) is True
    assert snapshots.delete(client, volume_uuid=parent.uuid, name="v1") is True
    assert volumes.delete(client, svm=SVM, name="own", comment=RUN) is True
