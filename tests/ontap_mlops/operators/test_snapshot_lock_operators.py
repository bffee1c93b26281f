"""A lock is checked to have taken, and everything that would keep it from taking is said before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ontap_mlops.ontap import errors, snapshot_locks, snapshots
from ontap_mlops.operators.snapshot_locks import (
    OntapComplianceClockInitializeOperator,
    OntapSnapshotLockingEnableOperator,
    OntapSnapshotLockOperator,
)
from ontap_mlops.operators.snapshots import OntapSnapshotDeleteOperator
from tests.ontap_mlops.operators.protection import run

WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    yield
    ontap.control("PUT", "/clock", {"offset_s": 0})


@pytest.fixture
def snapshot(client, volume):
    return snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="ontap-mlops")


@pytest.fixture
def lockable(snapshot):
    run(OntapComplianceClockInitializeOperator)
    assert run(OntapSnapshotLockingEnableOperator, volume="tyre") is True
    return snapshot


def lock(**until):
    return run(OntapSnapshotLockOperator, volume="tyre", snapshot="v1", **until)


def test_a_locked_snapshot_cannot_be_removed_until_its_time(client, volume, lockable, ontap) -> None:
    until = (datetime.now(UTC) + WEEK).isoformat()
    locked = lock(until=until)
    assert datetime.fromisoformat(locked["locked_until"]) == datetime.fromisoformat(until).replace(microsecond=0)
    with pytest.raises(errors.Locked, match="it is locked until"):
        run(OntapSnapshotDeleteOperator, volume="tyre", snapshot="v1")
    ontap.control("PUT", "/clock", {"offset_s": (WEEK + timedelta(hours=1)).total_seconds()})
    assert run(OntapSnapshotDeleteOperator, volume="tyre", snapshot="v1") is True


def test_a_lock_is_extended_and_never_shortened(client, lockable, ontap) -> None:
    first = lock(days=7)["locked_until"]
    later = lock(days="14")["locked_until"]
    ontap.forget_requests()
    assert later > first
    assert lock(days=1)["locked_until"] == later
    assert ontap.writes() == []


def test_a_date_lasts_until_its_end(lockable) -> None:
    assert lock(until="2099-01-31")["locked_until"] == "2099-01-31T23:59:59+00:00"


def test_without_snapshot_locking_nothing_is_asked_of_ontap(snapshot, ontap) -> None:
    ontap.forget_requests()
    with pytest.raises(errors.LockingOff, match="it would have ignored the lock. Switch snapshot locking on"):
        lock(days=7)
    assert ontap.writes() == []


def test_a_lock_that_did_not_take_is_an_error(client, volume, snapshot, monkeypatch) -> None:
    """As when locking is switched off between the question and the lock: ONTAP says yes all the same."""
    monkeypatch.setattr(snapshot_locks, "is_on", lambda client, volume_uuid: True)
    with pytest.raises(errors.LockNotTaken, match="but the snapshot is locked until no time"):
        lock(days=7)


@pytest.mark.parametrize(
    ("until", "sentence"),
    [
        ({"until": "2020-01-01"}, "which is over: ONTAP's clock says"),
        ({"until": "soon"}, "'soon' is no date or time"),
        ({"until": "2099-01-01T00:00:00"}, "has no time zone"),
        ({}, "give until or days"),
        ({"until": "2099-01-01", "days": 3}, "give until or days"),
    ],
)
def test_a_time_that_cannot_be_is_refused(lockable, until, sentence) -> None:
    with pytest.raises((errors.InvalidRequest, ValueError), match=sentence):
        lock(**until)


def test_locking_needs_a_compliance_clock_and_never_sets_it(client, volume, ontap) -> None:
    ontap.forget_requests()
    with pytest.raises(errors.ClockNotSet, match="no node has a compliance clock. Set it by hand or with"):
        run(OntapSnapshotLockingEnableOperator, volume="tyre")
    assert ontap.writes() == []
    assert run(OntapComplianceClockInitializeOperator) == ["node1"]
    assert run(OntapComplianceClockInitializeOperator) == []
    assert run(OntapSnapshotLockingEnableOperator, volume="tyre") is True
    assert run(OntapSnapshotLockingEnableOperator, volume="tyre") is False


def test_a_volume_that_tiers_cannot_be_locked(client, volume, ontap) -> None:
    client.modify("Volume", {"uuid": volume.uuid}, {"tiering": {"policy": "auto"}}, asked="tier")
    run(OntapComplianceClockInitializeOperator)
    with pytest.raises(errors.InvalidRequest, match="its tiering policy is 'auto'"):
        run(OntapSnapshotLockingEnableOperator, volume="tyre")
