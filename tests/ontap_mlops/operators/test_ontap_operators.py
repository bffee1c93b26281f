"""What each operator leaves in ONTAP, and that doing it twice leaves the same."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops.ontap import dataset_versions, errors, leases, marks, model_versions, s3, snapshots, volumes
from ontap_mlops.operators.clones import OntapCloneCreateOperator, OntapCloneDeleteOperator
from ontap_mlops.operators.s3 import (
    OntapS3BucketDeleteOperator,
    OntapS3BucketEnsureOperator,
    OntapS3ProvisionOperator,
)
from ontap_mlops.operators.snapshot_restore import OntapSnapshotRestoreOperator
from ontap_mlops.operators.snapshots import (
    OntapSnapshotCreateOperator,
    OntapSnapshotDeleteOperator,
    OntapSnapshotExpireOperator,
)
from ontap_mlops.operators.volumes import OntapVolumeDeleteOperator, OntapVolumeEnsureOperator
from tests.ontap_mlops.conftest import GIB, MARK, SVM


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


def run(kind: type, **arguments: Any) -> Any:
    operator = kind(task_id="t", **arguments)
    ExecutorSafeguard.tracker.set(operator)
    dag_run = SimpleNamespace(dag_id="d", run_id="r", run_after=datetime(2026, 11, 21, tzinfo=UTC))
    return operator.execute({"dag_run": dag_run})


def provision(tmp_path, **other: Any) -> dict[str, Any]:
    facts = {"user": "mlops", "group": "mlops", "policy": "mlops-full-access", "buckets": {"tyre": "/tyre"}}
    return run(OntapS3ProvisionOperator, **{**facts, "secret_store": f"file://{tmp_path}/keys.json", **other})


def boto(tmp_path, name: str = "keys.json") -> Any:
    import boto3
    from botocore.config import Config

    keys = json.loads((tmp_path / name).read_text())
    return boto3.client(
        "s3",
        endpoint_url=keys["endpoint_url"],
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def test_a_volume_is_ensured_from_rendered_text_and_removed() -> None:
    facts = {"volume": "tyre", "size_bytes": str(2 * GIB), "comment": MARK, "junction_path": "/tyre"}
    made = run(OntapVolumeEnsureOperator, **facts)
    assert made == {"uuid": made["uuid"], "name": "tyre", "svm": SVM, "size_bytes": 2 * GIB, "junction_path": "/tyre"}
    assert run(OntapVolumeEnsureOperator, **facts) == made
    assert run(OntapVolumeDeleteOperator, volume="tyre") is True
    assert run(OntapVolumeDeleteOperator, volume="tyre") is False


def test_a_size_that_is_no_number_is_bad_input() -> None:
    with pytest.raises(ValueError, match="size_bytes is 'large'; give a whole number of bytes"):
        run(OntapVolumeEnsureOperator, volume="tyre", size_bytes="large", comment=MARK)


def test_a_snapshot_is_made_once_and_removed(volume) -> None:
    first = run(OntapSnapshotCreateOperator, volume="tyre", snapshot="mlops_v1", comment="facts")
    assert (first["name"], first["comment"], first["volume_uuid"]) == ("mlops_v1", "facts", volume.uuid)
    assert run(OntapSnapshotCreateOperator, volume="tyre", snapshot="mlops_v1", comment="facts") == first
    assert run(OntapSnapshotDeleteOperator, volume="tyre", snapshot="mlops_v1") is True
    assert run(OntapSnapshotDeleteOperator, volume="tyre", snapshot="mlops_v1") is False


def test_a_restore_spares_newer_snapshots_unless_told_not_to(volume, ontap) -> None:
    file = ontap.emulator.namespace / "tyre" / "one.png"
    for name in ("v1", "v2"):
        run(OntapSnapshotCreateOperator, volume="tyre", snapshot=name)
    file.write_bytes(b"second")
    with pytest.raises(errors.InvalidRequest, match=r"1 newer snapshots would be lost \(v2\). Restore with safety"):
        run(OntapSnapshotRestoreOperator, volume="tyre", snapshot="v1", safety=False)
    assert file.read_bytes() == b"second"
    run(OntapSnapshotRestoreOperator, volume="tyre", snapshot="v1", safety=False, discard_newer=True)
    assert file.read_bytes() == b"first"


def test_retention_keeps_what_a_rule_keeps_and_says_why_others_stay(client, volume, ontap) -> None:
    for day, name in enumerate(["mlops_a", "mlops_b", "mlops_c", "mlops_d", "mlops_e", "hourly"], start=1):
        ontap.control("PUT", "/clock", {"now": f"2026-01-{day:02}T00:00:00+00:00"})
        snapshots.ensure(client, volume_uuid=volume.uuid, name=name, comment="ontap-mlops")
    ontap.control("PUT", "/clock", {"now": "2026-01-07T00:00:00+00:00"})
    run(OntapCloneCreateOperator, clone="ws", parent_volume="tyre", parent_snapshot="mlops_a")
    result = run(OntapSnapshotExpireOperator, volume="tyre", keep_newest=1, keep_days="3.5", keep=["mlops_b"])
    assert result["removed"] == ["mlops_c"]
    assert result["kept"]["mlops_b"] == "it is on the list of those to keep"
    assert "clone 'ws' of SVM 'svm1' is based on it" in result["kept"]["mlops_a"]
    left = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)}
    assert left == {"mlops_a", "mlops_b", "mlops_d", "mlops_e", "hourly"}
    ontap.control("PUT", "/clock", {"offset_s": 0})


def test_retention_without_a_rule_is_bad_input(volume) -> None:
    with pytest.raises(ValueError, match="has no rule; give keep_newest or keep_days"):
        run(OntapSnapshotExpireOperator, volume="tyre")


def test_a_clone_and_its_bucket_come_and_go_together(volume, ontap, tmp_path) -> None:
    provision(tmp_path)
    before = ontap.everything()
    run(OntapSnapshotCreateOperator, volume="tyre", snapshot="v1")
    made = run(OntapCloneCreateOperator, clone="ws_r1", parent_volume="tyre", parent_snapshot="v1", with_bucket=True)
    assert (made["junction_path"], made["bucket"]) == ("/ws_r1", "ws-r1")
    assert boto(tmp_path).get_object(Bucket="ws-r1", Key="one.png")["Body"].read() == b"first"
    assert run(OntapCloneDeleteOperator, clone="ws_r1") is True
    assert run(OntapCloneDeleteOperator, clone="ws_r1") is False
    run(OntapSnapshotDeleteOperator, volume="tyre", snapshot="v1")
    assert ontap.everything() == before


def test_a_volume_without_our_mark_is_not_removed_as_a_clone(client, volume, ontap) -> None:
    ontap.http.patch(f"/api/storage/volumes/{volume.uuid}", json={"comment": "payroll"}, params={"return_timeout": 20})
    with pytest.raises(errors.NotOurs, match="its comment is 'payroll'"):
        run(OntapCloneDeleteOperator, clone="tyre")


def test_a_bucket_comes_and_goes(volume, tmp_path) -> None:
    provision(tmp_path, buckets={})
    made = run(OntapS3BucketEnsureOperator, bucket="more", nas_path="/tyre")
    assert made["endpoint_url"].startswith("http://127.0.0.1:")
    assert run(OntapS3BucketDeleteOperator, bucket="more") is True
    assert run(OntapS3BucketDeleteOperator, bucket="more") is False


def test_provisioning_lets_a_client_read_and_write_the_volumes_files(client, volume, ontap, tmp_path, capsys) -> None:
    volumes.set_unix_permissions(client, volume=volume, unix_permissions="755")
    result = provision(tmp_path)
    assert result["new_keys"] is True
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    s3 = boto(tmp_path)
    s3.put_object(Bucket="tyre", Key="new.png", Body=b"new")
    assert (ontap.emulator.namespace / "tyre" / "new.png").read_bytes() == b"new"
    secret = json.loads((tmp_path / "keys.json").read_text())["secret_key"]
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err + json.dumps(result)


def test_provisioning_again_changes_nothing(volume, ontap, tmp_path) -> None:
    provision(tmp_path)
    keys = (tmp_path / "keys.json").read_text()
    ontap.forget_requests()
    assert provision(tmp_path)["new_keys"] is False
    assert ontap.writes() == []
    assert (tmp_path / "keys.json").read_text() == keys


@pytest.mark.parametrize("lost", ["removed", "of another system"])
def test_provisioning_makes_new_keys_when_the_store_has_not_the_right_ones(volume, tmp_path, lost: str) -> None:
    provision(tmp_path)
    path = tmp_path / "keys.json"
    if lost == "removed":
        path.unlink()
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"access_key": "SOMEBODYELSES"}))
    assert provision(tmp_path)["new_keys"] is True
    assert boto(tmp_path).list_objects_v2(Bucket="tyre")["KeyCount"] == 1


def test_provisioning_mends_an_endpoint_that_moved(volume, tmp_path, ontap) -> None:
    provision(tmp_path)
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"endpoint_url": "http://127.0.0.1:1"}))
    assert provision(tmp_path)["new_keys"] is False
    assert json.loads(path.read_text())["endpoint_url"] == ontap.emulator.s3_url


def test_a_store_that_cannot_be_used_stops_before_keys_are_made(volume, ontap, tmp_path) -> None:
    with pytest.raises(ValueError, match="secret store 'vault://x' is not known"):
        provision(tmp_path, secret_store="vault://x")
    assert "mlops" not in ontap.everything()["users"]


def test_a_wrong_password_is_one_sentence(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(password="mistyped-secret"))
    with pytest.raises(errors.AuthenticationFailed, match="Check user and password") as caught:
        run(OntapVolumeEnsureOperator, volume="x", size_bytes=GIB, comment=marks.mark("x"))
    assert "mistyped-secret" not in str(caught.value)


def test_provisioning_never_opens_the_root_of_the_namespace(client, volume, tmp_path) -> None:
    before = volumes.get(client, svm=SVM, name="svm1_root").unix_permissions
    with pytest.raises(errors.NotFound, match="No volume of SVM 'svm1' is mounted at /elsewhere"):
        provision(tmp_path, buckets={"elsewhere": "/elsewhere"})
    assert volumes.get(client, svm=SVM, name="svm1_root").unix_permissions == before == 755


@pytest.fixture
def mixed(client, volume) -> list[str]:
    """A dataset version, a model version, a lease, and two other snapshots of which one has our mark."""
    facts = {"digest": "sha256:" + "a" * 64, "files": 1, "size": 1, "run_key": "r1", "source": "s3://lake/"}
    frozen = dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyre_images", **facts)
    comments = {
        "mlops_r20261120t063000z01234567": model_versions.comment("tyre", "r20261120t063000z01234567"),
        "mlops_results": marks.mark("scores of r1"),
        "mlops_by_hand": "before the move",
    }
    for name, comment in comments.items():
        snapshots.ensure(client, volume_uuid=volume.uuid, name=name, comment=comment)
    leases.take(client, volume_uuid=volume.uuid, name="mlops_lease_tyre", owner="r1")
    return [frozen.version.snapshot, "mlops_r20261120t063000z01234567", "mlops_lease_tyre"]


def test_retention_of_snapshots_spares_versions_leases_and_what_has_no_mark(client, volume, mixed) -> None:
    result = run(OntapSnapshotExpireOperator, volume="tyre", keep_newest=0)
    assert result["removed"] == ["mlops_results"]
    assert [result["kept"][name].split(",")[0] for name in mixed] == [
        "it is a dataset version",
        "it is a model version",
        "it is a lease",
    ]
    assert "'before the move', not our mark" in result["kept"]["mlops_by_hand"]
    left = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)}
    assert left == {*mixed, "mlops_by_hand"}


@pytest.mark.parametrize("prefix", ["mlops_v", "mlops_r2", "mlops_lease_tyre", "mlops_by"])
def test_a_prefix_that_is_named_removes_ones_own_and_no_version(client, volume, mixed, prefix: str) -> None:
    result = run(OntapSnapshotExpireOperator, volume="tyre", keep_newest=0, prefix=prefix)
    assert result["removed"] == (["mlops_by_hand"] if prefix == "mlops_by" else [])
    left = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)}
    assert left >= set(mixed)


def test_a_bucket_without_our_mark_stays(client, volume, tmp_path) -> None:
    provision(tmp_path)
    s3.ensure_nas_bucket(client, svm=SVM, name="payroll", nas_path="/tyre", comment="of the finance team")
    with pytest.raises(errors.NotOurs, match="its comment is 'of the finance team', not our mark. Remove it by hand"):
        run(OntapS3BucketDeleteOperator, bucket="payroll")
    assert s3.find_bucket(client, svm=SVM, name="payroll") is not None


def test_two_svms_are_provisioned_with_keys_of_their_own(ontap, client, volume, tmp_path) -> None:
    ontap.control("PUT", "/svms", {"name": "svm2"})
    volumes.ensure(client, svm="svm2", name="labels", size_bytes=GIB, comment=MARK, junction_path="/labels")
    provision(tmp_path)
    second = provision(tmp_path, svm="svm2", buckets={"labels": "/labels"}, secret_suffix="_svm2")
    assert (second["svm"], second["new_keys"]) == ("svm2", True)
    keys = {json.loads((tmp_path / name).read_text())["access_key"] for name in ("keys.json", "keys_svm2.json")}
    assert len(keys) == 2
    assert boto(tmp_path, "keys_svm2.json").list_buckets()["Buckets"][0]["Name"] == "labels"
    assert [b["Name"] for b in boto(tmp_path).list_buckets()["Buckets"]] == ["tyre"]
