"""A dataset and its models are frozen in one act and put back together."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import consistency_groups, errors, leases, restoring, snapshots, volumes
from ontap_mlops.operators.consistency_groups import (
    OntapConsistencyGroupDeleteOperator,
    OntapConsistencyGroupEnsureOperator,
    OntapConsistencyGroupRestoreOperator,
    OntapConsistencyGroupSnapshotOperator,
)
from tests.ontap_mlops.conftest import GIB, MARK
from tests.ontap_mlops.operators.protection import run

MEMBERS = ["tyre", "models"]


@pytest.fixture(autouse=True)
def models(ontap, client, volume, monkeypatch):
    """The volume of models, beside that of the dataset."""
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    facts = {"name": "models", "size_bytes": GIB, "comment": MARK, "junction_path": "/models"}
    made = volumes.ensure(client, svm="svm1", **facts, unix_permissions="777")
    (ontap.emulator.namespace / "models" / "m.onnx").write_bytes(b"weights")
    return made


def write(ontap, content: bytes) -> None:
    (ontap.emulator.namespace / "tyre" / "one.png").write_bytes(content)
    (ontap.emulator.namespace / "models" / "m.onnx").write_bytes(content)


def read(ontap) -> list[bytes]:
    top = ontap.emulator.namespace
    return [(top / "tyre" / "one.png").read_bytes(), (top / "models" / "m.onnx").read_bytes()]


def freeze(name: str = "v1"):
    return run(OntapConsistencyGroupSnapshotOperator, group="tyre_all", snapshot=name)


@pytest.fixture
def group():
    return run(OntapConsistencyGroupEnsureOperator, group="tyre_all", volumes=MEMBERS)


def test_a_group_is_made_once_and_extended(client, ontap) -> None:
    first = run(OntapConsistencyGroupEnsureOperator, group="tyre_all", volumes=["tyre"])
    ontap.forget_requests()
    assert run(OntapConsistencyGroupEnsureOperator, group="tyre_all", volumes=["tyre"]) == first
    assert ontap.writes() == []
    more = run(OntapConsistencyGroupEnsureOperator, group="tyre_all", volumes=["models"])
    assert (more["uuid"], more["volumes"]) == (first["uuid"], ["models", "tyre"])
    assert run(OntapConsistencyGroupDeleteOperator, group="tyre_all") is True
    assert run(OntapConsistencyGroupDeleteOperator, group="tyre_all") is False


def test_both_volumes_are_frozen_at_one_moment(client, volume, models, group) -> None:
    made = freeze()
    assert freeze() == made
    found = [snapshots.get(client, volume_uuid=v.uuid, name="v1") for v in (volume, models)]
    assert {s.uuid for s in found} == set(made["snapshots"].values())
    assert len({s.created_at for s in found}) == 1


def test_there_and_back_with_every_snapshot_kept(client, volume, group, ontap) -> None:
    freeze()
    before = read(ontap)
    write(ontap, b"changed since then")
    freeze("v2")
    done = run(OntapConsistencyGroupRestoreOperator, group="tyre_all", snapshot="v1")
    assert read(ontap) == before
    names = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)}
    assert names == {"v1", "v2", done["safety"]["tyre"]}
    run(OntapConsistencyGroupRestoreOperator, "back", group="tyre_all", snapshot="v2")
    assert read(ontap) == [b"changed since then"] * 2


def test_of_two_runs_one_restores_all_and_the_other_touches_none(client, models, group, ontap) -> None:
    freeze()
    write(ontap, b"changed")
    leases.take(client, volume_uuid=models.uuid, name=restoring.LEASE, owner="r-first")
    for safety in (True, False):
        with pytest.raises(errors.InUse, match="'models' is being restored by r-first"):
            run(OntapConsistencyGroupRestoreOperator, group="tyre_all", snapshot="v1", safety=safety)
    assert read(ontap) == [b"changed"] * 2


def test_in_one_step_newer_snapshots_are_lost_only_where_that_is_said(client, volume, group, ontap) -> None:
    freeze()
    write(ontap, b"changed")
    freeze("v2")
    facts = {"group": "tyre_all", "snapshot": "v1", "safety": False}
    with pytest.raises(errors.InvalidRequest, match=r"2 newer snapshots would be lost \(v2 of models, v2 of tyre\)"):
        run(OntapConsistencyGroupRestoreOperator, **facts)
    run(OntapConsistencyGroupRestoreOperator, **facts, discard_newer=True)
    assert read(ontap) == [b"first", b"weights"]
    assert [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)] == ["v1"]


def test_bad_input_is_one_sentence(client, volume, group, ontap) -> None:
    with pytest.raises(errors.InUse, match="is in group 'tyre_all', and a volume can be in one only"):
        run(OntapConsistencyGroupEnsureOperator, group="other", volumes=["tyre"])
    with pytest.raises(errors.NotFound, match="There is no volume 'none'"):
        run(OntapConsistencyGroupEnsureOperator, group="other", volumes=["none"])
    with pytest.raises(errors.InvalidRequest, match="name at least one"):
        run(OntapConsistencyGroupEnsureOperator, group="other", volumes=[])
    with pytest.raises(errors.NotFound, match="has no consistency group 'other'"):
        run(OntapConsistencyGroupSnapshotOperator, group="other", snapshot="v1")
    with pytest.raises(errors.NotFound, match="has no snapshot 'v9'"):
        run(OntapConsistencyGroupRestoreOperator, group="tyre_all", snapshot="v9")
    with pytest.raises(ValueError, match="never lost with safety snapshots"):
        run(OntapConsistencyGroupRestoreOperator, group="tyre_all", snapshot="v1", discard_newer=True)


def test_a_snapshot_of_which_a_part_is_gone_restores_nothing(client, volume, group, ontap) -> None:
    freeze()
    write(ontap, b"changed")
    snapshots.delete(client, volume_uuid=volume.uuid, name="v1")
    with pytest.raises(errors.InvalidRequest, match="is partial: volumes tyre have none of it any more"):
        run(OntapConsistencyGroupRestoreOperator, group="tyre_all", snapshot="v1")
    assert read(ontap) == [b"changed"] * 2


def test_a_snapshot_of_one_volume_is_not_taken_for_that_of_the_group(client, volume, group) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="ontap-mlops")
    with pytest.raises(errors.NameTaken):
        freeze()
    assert (
        consistency_groups.list_snapshots(client, group=consistency_groups.get(client, svm="svm1", name="tyre_all"))
        == []
    )
