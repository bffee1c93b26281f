"""Files of SnapLock volumes stay as they were written, over files, REST and S3, by the rules of each type."""

from __future__ import annotations

import json
from datetime import timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ontap_mlops.ontap import errors, files, snaplock, volumes
from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from ontap_mlops.operators.snaplock import OntapSnapLockFileKeepOperator, OntapSnapLockVolumeEnsureOperator
from ontap_mlops.operators.snapshot_locks import OntapComplianceClockInitializeOperator
from ontap_mlops.operators.volumes import OntapVolumeDeleteOperator
from tests.ontap_mlops.conftest import GIB, MARK
from tests.ontap_mlops.operators.protection import run

WEEK = timedelta(days=7)
EVIDENCE = {"volume": "evidence", "size_bytes": GIB, "comment": MARK, "junction_path": "/evidence"}


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    yield
    ontap.control("PUT", "/clock", {"offset_s": 0})


@pytest.fixture
def clock() -> None:
    run(OntapComplianceClockInitializeOperator)


def ensure(kind: str = "enterprise", **more):
    return run(OntapSnapLockVolumeEnsureOperator, **EVIDENCE, kind=kind, **more)


@pytest.fixture
def report(ontap, clock):
    """A file on a compliance volume that is kept for a week."""
    ensure("compliance", minimum_retention="P1D", default_retention="P2D")
    path = ontap.emulator.namespace / "evidence" / "report.json"
    path.write_text("{}")
    run(OntapSnapLockFileKeepOperator, volume="evidence", path="report.json", days=7)
    return path


def test_a_volume_is_made_once_and_its_periods_set(client, clock, ontap) -> None:
    made = ensure(default_retention="P30D")
    ontap.forget_requests()
    assert ensure(default_retention="P30D") == made
    assert ontap.writes() == []
    ensure(default_retention="P60D", maximum_retention="P1Y")
    told = snaplock.of_volume(client, volume_uuid=made["uuid"])
    assert (told.kind, told.retention.default, told.retention.maximum) == ("enterprise", "P60D", "P1Y")
    with pytest.raises(errors.NameTaken, match="is enterprise and not compliance, and the type never changes"):
        ensure("compliance")


def test_without_a_compliance_clock_nothing_is_made_and_none_is_set(client, ontap) -> None:
    with pytest.raises(errors.ClockNotSet, match="no node has a compliance clock"):
        ensure()
    assert volumes.find(client, svm="svm1", name="evidence") is None
    assert ontap.records("/storage/snaplock/compliance-clocks") == []


def test_a_kept_file_is_neither_changed_nor_removed_before_its_time(client, report, ontap, tmp_path) -> None:
    store = f"file://{tmp_path}/keys.json"
    run(OntapS3ProvisionOperator, user="u", group="g", policy="p", buckets={"evi": "/evidence"}, secret_store=store)
    facts = json.loads((tmp_path / "keys.json").read_text())
    s3 = boto3.client(
        "s3",
        endpoint_url=facts["endpoint_url"],
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    home = volumes.get(client, svm="svm1", name="evidence").uuid
    for attempt in (
        lambda: s3.put_object(Bucket="evi", Key="report.json", Body=b"other"),
        lambda: s3.delete_object(Bucket="evi", Key="report.json"),
    ):
        with pytest.raises(ClientError, match="can be neither changed nor removed"):
            attempt()
    with pytest.raises(errors.Locked, match="is kept until"):
        files.delete(client, volume_uuid=home, path="report.json")
    assert report.read_text() == "{}"
    s3.put_object(Bucket="evi", Key="new.json", Body=b"{}")
    ontap.control("PUT", "/clock", {"offset_s": (WEEK + timedelta(hours=1)).total_seconds()})
    assert files.delete(client, volume_uuid=home, path="report.json") is True


def test_retention_is_extended_and_never_shortened(report, ontap) -> None:
    later = run(OntapSnapLockFileKeepOperator, volume="evidence", path="report.json", days=14)
    ontap.forget_requests()
    assert run(OntapSnapLockFileKeepOperator, volume="evidence", path="report.json", days=1) == later
    assert ontap.writes() == []


def test_a_compliance_volume_stays_while_files_in_it_are_kept(client, report, ontap) -> None:
    with pytest.raises(errors.Locked, match="SnapLock Compliance volume .* has files that are kept until"):
        run(OntapVolumeDeleteOperator, volume="evidence")
    ontap.control("PUT", "/clock", {"offset_s": (WEEK + timedelta(hours=1)).total_seconds()})
    assert run(OntapVolumeDeleteOperator, volume="evidence") is True


def test_an_enterprise_volume_can_be_removed_by_its_administrator(clock, ontap) -> None:
    ensure()
    (ontap.emulator.namespace / "evidence" / "f").write_text("x")
    run(OntapSnapLockFileKeepOperator, volume="evidence", path="f", days=7)
    assert run(OntapVolumeDeleteOperator, volume="evidence") is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"until": "2020-01-01"}, "that is over, or has no time zone"),
        ({"until": "2099-01-01"}, "Check the longest retention period"),
        ({"days": 3, "path": "none"}, "is not a file of the volume"),
        ({"days": 3, "volume": "tyre", "path": "one.png"}, "it is no SnapLock volume"),
        ({}, "give until or days"),
    ],
)
def test_bad_input_is_one_sentence(report, volume, arguments, sentence) -> None:
    with pytest.raises((errors.OntapPermanentError, ValueError), match=sentence):
        run(OntapSnapLockFileKeepOperator, **{"volume": "evidence", "path": "report.json", **arguments})


def test_periods_that_do_not_grow_are_refused(clock) -> None:
    with pytest.raises(errors.InvalidRequest, match="must grow from minimum"):
        ensure(minimum_retention="P2Y", default_retention="P1Y")
    with pytest.raises(errors.InvalidRequest, match="give enterprise or compliance"):
        ensure("strict")
