"""Sharing a volume out: qtrees, quotas that S3 writes keep to, and networks that may mount it."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ontap_mlops.ontap import errors, export_policies, qtrees, quotas
from ontap_mlops.operators.export_policies import OntapExportPolicyDeleteOperator, OntapExportPolicyEnsureOperator
from ontap_mlops.operators.qtrees import OntapQtreeDeleteOperator, OntapQtreeEnsureOperator
from ontap_mlops.operators.quotas import (
    OntapQuotaDeleteOperator,
    OntapQuotaEnsureOperator,
    OntapQuotaReportOperator,
)
from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from tests.ontap_mlops.operators.protection import run

GPU = {"clients": ["10.0.0.0/24", "10.0.1.7"], "ro": "sys", "rw": ["sys"], "superuser": "none"}


@pytest.fixture(autouse=True)
def connection(ontap, volume, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


def alice(**more: Any) -> dict[str, Any]:
    return run(OntapQtreeEnsureOperator, volume="tyre", qtree="alice", **more)


def limit(**limits: Any) -> dict[str, Any]:
    return run(OntapQuotaEnsureOperator, volume="tyre", **{"qtree": "alice", **limits})


def test_a_qtree_is_made_once_and_set_as_asked(client, ontap) -> None:
    first = alice(unix_permissions="770")
    assert (first["path"], first["volume"]) == ("/tyre/alice", "tyre")
    ontap.forget_requests()
    assert alice(unix_permissions="770") == first
    assert ontap.writes() == []
    alice(unix_permissions="777")
    assert qtrees.get(client, svm="svm1", volume="tyre", name="alice").unix_permissions == 777


def test_a_qtree_with_files_stays_unless_they_may_go(client, ontap) -> None:
    alice()
    (ontap.emulator.namespace / "tyre" / "alice" / "f").write_text("x")
    limit(hard_bytes=1000)
    with pytest.raises(errors.InUse, match="it holds files, which would go with it"):
        run(OntapQtreeDeleteOperator, volume="tyre", qtree="alice")
    assert quotas.report(client, svm="svm1", volume="tyre"), "its quota stays with it"
    assert run(OntapQtreeDeleteOperator, volume="tyre", qtree="alice", with_files=True) is True
    assert run(OntapQtreeDeleteOperator, volume="tyre", qtree="alice") is False


def test_a_name_that_is_taken_by_files_is_said(ontap) -> None:
    with pytest.raises(errors.NameTaken, match="has a folder or file 'one.png'"):
        run(OntapQtreeEnsureOperator, volume="tyre", qtree="one.png")


def test_a_quota_holds_over_s3_and_is_reported(client, ontap, tmp_path, caplog) -> None:
    alice(unix_permissions="777")
    store = f"file://{tmp_path}/keys.json"
    run(OntapS3ProvisionOperator, user="u", group="g", policy="p", buckets={"tyre": "/tyre"}, secret_store=store)
    facts = json.loads((tmp_path / "keys.json").read_text())
    s3 = boto3.client(
        "s3",
        endpoint_url=facts["endpoint_url"],
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    limit(hard_bytes="1000", hard_files=3)
    s3.put_object(Bucket="tyre", Key="alice/a", Body=b"x" * 950)
    with pytest.raises(ClientError, match="Qtree 'alice' of volume 'tyre' may have 1000 bytes and would have 1050"):
        s3.put_object(Bucket="tyre", Key="alice/b", Body=b"x" * 100)
    s3.put_object(Bucket="tyre", Key="beside", Body=b"x" * 2000)
    s3.put_object(Bucket="tyre", Key="alice/b", Body=b"x")
    s3.put_object(Bucket="tyre", Key="alice/c", Body=b"x")
    with pytest.raises(ClientError, match="may have 3 files and would have 4"):
        s3.put_object(Bucket="tyre", Key="alice/d", Body=b"x")
    found = run(OntapQuotaReportOperator, volume="tyre")
    assert found == {"alice": {"used_bytes": 952, "used_files": 3, "hard_bytes": 1000, "percent": 95.2}}
    limit(hard_bytes=5000)
    s3.put_object(Bucket="tyre", Key="alice/d", Body=b"x" * 100)


def test_a_quota_is_enforced_whether_others_are_on_already_or_not(client, ontap) -> None:
    alice()
    run(OntapQtreeEnsureOperator, volume="tyre", qtree="bob")
    limit(hard_bytes=1000)
    limit(qtree="bob", hard_bytes=2000)
    shown = {usage.qtree: usage.limits.hard_bytes for usage in quotas.report(client, svm="svm1", volume="tyre")}
    assert shown == {"alice": 1000, "bob": 2000}
    ontap.forget_requests()
    limit(hard_bytes=1000)
    assert ontap.writes() == []
    assert run(OntapQuotaDeleteOperator, volume="tyre", qtree="bob") is True
    shown = {usage.qtree: usage.limits.hard_bytes for usage in quotas.report(client, svm="svm1", volume="tyre")}
    assert shown == {"alice": 1000}, "what ONTAP goes on enforcing has no limit any more"
    assert run(OntapQuotaDeleteOperator, volume="tyre", qtree="bob") is False


def test_one_quota_for_every_qtree_without_its_own(client) -> None:
    alice()
    run(OntapQtreeEnsureOperator, volume="tyre", qtree="bob")
    limit(hard_bytes=1000)
    limit(qtree="", hard_bytes=500)
    shown = {usage.qtree: usage.limits.hard_bytes for usage in quotas.report(client, svm="svm1", volume="tyre")}
    assert shown == {"alice": 1000, "bob": 500}


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({}, "without a limit; give one"),
        ({"hard_bytes": 10, "soft_bytes": 20}, "a soft limit of 20 bytes over the hard one of 10"),
        ({"qtree": "none", "hard_bytes": 10}, "no qtree 'none' of volume 'tyre'"),
    ],
)
def test_a_quota_that_cannot_be_is_one_sentence(limits, sentence) -> None:
    alice()
    with pytest.raises(errors.OntapPermanentError, match=sentence):
        limit(**limits)


def test_a_network_is_let_in_and_the_volume_has_the_policy(client, ontap) -> None:
    made = run(OntapExportPolicyEnsureOperator, policy="mlops_gpu", rules=[GPU], volumes=["tyre"])
    assert made["volumes"] == {"tyre": "default"}
    ontap.forget_requests()
    turned = GPU | {"clients": ["10.0.1.7", "10.0.0.0/24"]}
    run(OntapExportPolicyEnsureOperator, policy="mlops_gpu", rules=[turned], volumes=["tyre"])
    assert ontap.writes() == []
    run(OntapExportPolicyEnsureOperator, policy="mlops_gpu", rules=[GPU | {"rw": "never"}, {"clients": "@admins"}])
    found = export_policies.find(client, svm="svm1", name="mlops_gpu")
    assert [(rule.clients, rule.rw) for rule in found.rules] == [
        (("10.0.0.0/24", "10.0.1.7"), ("never",)),
        (("@admins",), ("sys",)),
    ]
    with pytest.raises(errors.InUse):
        run(OntapExportPolicyDeleteOperator, policy="mlops_gpu")
    export_policies.apply(client, svm="svm1", volume="tyre", policy="default")
    assert run(OntapExportPolicyDeleteOperator, policy="mlops_gpu") is True
    assert run(OntapExportPolicyDeleteOperator, policy="mlops_gpu") is False


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"clients": ["10.0.0.7/24"]}, "'10.0.0.7/24' in export policy 'mlops_gpu' is no network"),
        ({"clients": []}, "names no clients"),
        ({"clients": ["10.0.0.0/24"], "rw": "all"}, "'all' in export policy 'mlops_gpu' is none of any"),
        ({"networks": ["10.0.0.0/24"]}, "is no export rule; give clients"),
    ],
)
def test_a_rule_that_cannot_be_is_one_sentence(client, rule, sentence) -> None:
    with pytest.raises(errors.InvalidRequest, match=sentence):
        run(OntapExportPolicyEnsureOperator, policy="mlops_gpu", rules=[rule])
    assert export_policies.find(client, svm="svm1", name="mlops_gpu") is None


def test_others_policies_stay_as_they_are(client) -> None:
    with pytest.raises(errors.NameTaken, match="only policies whose names begin with 'mlops_' are changed"):
        run(OntapExportPolicyEnsureOperator, policy="default", rules=[GPU])
    with pytest.raises(errors.NotOurs, match="does not begin with 'mlops_'"):
        run(OntapExportPolicyDeleteOperator, policy="default")
    with pytest.raises(errors.NotFound, match="has no export policy 'none' for volume 'tyre'"):
        export_policies.apply(client, svm="svm1", volume="tyre", policy="none")
