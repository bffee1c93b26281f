"""FlexClones through the official client."""

from __future__ import annotations

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Snapshot, Volume

CLONE_FIELDS = "name,nas.path,size,clone"


def code_of(error: pytest.ExceptionInfo[NetAppRestError]) -> str:
    return str(error.value.http_err_response.http_response.json()["error"]["code"])


def clone_of(cluster, volume, **more) -> Volume:
    parent = {"is_flexclone": True, "parent_volume": {"name": volume.name}, "parent_snapshot": {"name": "first"}}
    parent |= more.pop("clone", {})
    return Volume(name=volume.name + "_clone", svm={"name": cluster.svm}, clone=parent, **more)


@pytest.fixture
def clone(cluster, volume, snapshot) -> Volume:
    made = clone_of(cluster, volume)
    made.post(poll_interval=1)
    made.get(fields=CLONE_FIELDS)
    return made


def test_a_clone_names_its_parent_and_has_no_path_of_its_own(clone, volume, snapshot):
    assert clone.clone.is_flexclone
    assert (clone.clone.parent_volume.uuid, clone.clone.parent_snapshot.uuid) == (volume.uuid, snapshot.uuid)
    assert clone.size == volume.size
    assert "nas" not in clone.to_dict()


def test_a_clone_can_be_mounted_where_asked(cluster, volume, snapshot):
    made = clone_of(cluster, volume, nas={"path": f"/{volume.name}_clone"})
    made.post(poll_interval=1)
    made.get(fields="nas.path")
    assert made.nas.path == f"/{volume.name}_clone"


def test_without_a_snapshot_named_one_is_taken(cluster, volume):
    made = Volume(
        name=volume.name + "_clone",
        svm={"name": cluster.svm},
        clone={"is_flexclone": True, "parent_volume": {"uuid": volume.uuid}},
    )
    made.post(poll_interval=1)
    made.get(fields=CLONE_FIELDS)
    assert [s.name for s in Snapshot.get_collection(volume.uuid)] == [made.clone.parent_snapshot.name]


def test_a_snapshot_with_a_clone_is_busy_and_the_clone_is_named(clone, volume, snapshot):
    with pytest.raises(NetAppRestError) as refused:
        snapshot.delete(poll_interval=1)
    assert clone.name in str(refused.value)
    snapshot.get(fields="owners")
    assert snapshot.owners == ["volume_clone"]


def test_the_busy_code_is_in_the_answer_when_it_waits_for_the_job(clone, snapshot):
    with pytest.raises(NetAppRestError) as refused:
        snapshot.delete(return_timeout=15)
    assert code_of(refused) == "524486"


def test_a_parent_with_a_clone_cannot_be_deleted(clone, volume):
    with pytest.raises(NetAppRestError) as refused:
        volume.delete(return_timeout=15)
    assert code_of(refused) == "524615" and clone.name in str(refused.value)


def test_a_split_clone_sets_its_parent_free(clone, volume, snapshot):
    clone.clone.split_initiated = True
    clone.patch(poll_interval=1)
    clone.get(fields="clone.is_flexclone")
    assert not clone.clone.is_flexclone
    snapshot.delete(poll_interval=1)
    clone.delete(poll_interval=1)


def test_a_parent_that_is_not_there_is_refused_with_its_code(cluster, volume, snapshot):
    orphan = clone_of(cluster, volume, clone={"parent_volume": {"name": "nobody"}})
    with pytest.raises(NetAppRestError) as refused:
        orphan.post(poll_interval=1)
    assert code_of(refused) == "524601"


def test_a_path_together_with_the_same_svm_as_the_parents_is_allowed(cluster, volume, snapshot):
    made = clone_of(cluster, volume, nas={"path": "/same_svm"}, clone={"parent_svm": {"name": cluster.svm}})
    made.post(poll_interval=1)
    made.get(fields="nas.path")
    assert made.nas.path == "/same_svm"
    made.delete(poll_interval=1)


def test_a_clone_has_the_files_and_permissions_of_the_snapshot(cluster, volume, name, only_emulator):
    files = only_emulator.namespace / name
    (files / "run.sh").write_text("then")
    (files / "run.sh").chmod(0o750)
    Snapshot(volume.uuid, name="first").post(poll_interval=1)
    (files / "run.sh").write_text("now")
    clone_of(cluster, volume, nas={"path": f"/{name}_clone"}).post(poll_interval=1)
    copy = only_emulator.namespace / f"{name}_clone" / "run.sh"
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("then", 0o750)
