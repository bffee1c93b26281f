"""Snapshot policies are made, changed, given to volumes and removed, and never those of others."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import errors, snapshot_policies
from ontap_mlops.operators.snapshot_policies import (
    OntapSnapshotPolicyApplyOperator,
    OntapSnapshotPolicyDeleteOperator,
    OntapSnapshotPolicyEnsureOperator,
)
from ontap_mlops.operators.snapshots import OntapSnapshotExpireOperator
from tests.ontap_mlops.operators.protection import run

DAILY = {"schedule": "daily", "count": 7, "label": "daily"}
WEEKLY = {"schedule": "weekly", "count": 4, "label": "weekly"}


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


def kept(client) -> dict[str, tuple[int, str | None]]:
    policy = snapshot_policies.get(client, svm="svm1", name="ours")
    return {copy.schedule: (copy.count, copy.label) for copy in policy.copies}


def test_a_policy_is_made_once_and_changed_to_what_is_asked(client, ontap) -> None:
    first = run(OntapSnapshotPolicyEnsureOperator, policy="ours", copies=[DAILY, {"schedule": "hourly", "count": "6"}])
    assert kept(client) == {"daily": (7, "daily"), "hourly": (6, None)}
    ontap.forget_requests()
    again = run(OntapSnapshotPolicyEnsureOperator, policy="ours", copies=[{"schedule": "hourly", "count": 6}, DAILY])
    assert (again["uuid"], ontap.writes()) == (first["uuid"], [])
    run(OntapSnapshotPolicyEnsureOperator, policy="ours", copies=[DAILY | {"count": 3}, WEEKLY])
    assert kept(client) == {"daily": (3, "daily"), "weekly": (4, "weekly")}


def test_a_full_policy_can_exchange_all_its_schedules(client, ontap) -> None:
    for minute in range(5):
        schedule = {"name": f"own{minute}", "cron": {"minutes": [minute]}}
        ontap.http.post("/api/cluster/schedules", json=schedule).raise_for_status()
    ours = [{"schedule": f"own{minute}", "count": 1} for minute in range(5)]
    others = [{"schedule": name, "count": 2} for name in ("5min", "8hour", "hourly", "daily", "weekly")]
    run(OntapSnapshotPolicyEnsureOperator, policy="ours", copies=ours)
    run(OntapSnapshotPolicyEnsureOperator, policy="ours", copies=others)
    assert kept(client) == dict.fromkeys(("5min", "8hour", "hourly", "daily", "weekly"), (2, None))


@pytest.mark.parametrize(
    ("copies", "sentence"),
    [
        ([], "give 1 to 5 different ones"),
        ([DAILY, DAILY], "give 1 to 5 different ones"),
        ([DAILY | {"count": 1000}, WEEKLY | {"count": 24}], "a volume holds 1,023 in all"),
        ([{"schedule": "daily"}], "give schedule and count"),
        ([DAILY | {"prefix": "x"}], "give schedule and count"),
        ([DAILY | {"schedule": "never"}], "never"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(client, ontap, copies, sentence) -> None:
    with pytest.raises(errors.OntapPermanentError, match=sentence):
        run(OntapSnapshotPolicyEnsureOperator, policy="ours", copies=copies)
    assert snapshot_policies.find(client, svm="svm1", name="ours") is None


def test_ontaps_own_and_others_policies_stay_as_they_are(client) -> None:
    with pytest.raises(errors.NameTaken, match="'default' of the cluster keeps something else"):
        run(OntapSnapshotPolicyEnsureOperator, policy="default", copies=[DAILY])
    with pytest.raises(errors.NotOurs, match="'default' of the cluster was not removed"):
        run(OntapSnapshotPolicyDeleteOperator, policy="default")


def test_a_policy_in_use_stays_until_its_volume_has_another(client, volume) -> None:
    run(OntapSnapshotPolicyEnsureOperator, policy="ours", copies=[DAILY])
    applied = run(OntapSnapshotPolicyApplyOperator, volume="tyre", policy="ours")
    assert applied == {"volume": "tyre", "policy": "ours", "before": "none"}
    with pytest.raises(errors.InUse, match='in use by the volume "tyre"'):
        run(OntapSnapshotPolicyDeleteOperator, policy="ours")
    assert run(OntapSnapshotPolicyApplyOperator, volume="tyre", policy="none")["before"] == "ours"
    assert run(OntapSnapshotPolicyDeleteOperator, policy="ours") is True
    assert run(OntapSnapshotPolicyDeleteOperator, policy="ours") is False


def test_a_policy_that_is_not_there_cannot_be_given(client, volume) -> None:
    with pytest.raises(errors.NotFound, match="no snapshot policy 'lost' that SVM 'svm1' could use"):
        run(OntapSnapshotPolicyApplyOperator, volume="tyre", policy="lost")


def test_retention_by_label_looks_at_that_label_only(client, volume) -> None:
    from ontap_mlops.ontap import snapshots

    for number in range(3):
        for label in ("daily", "weekly"):
            facts = {"name": f"{label}.{number}", "comment": "ontap-mlops", "label": label}
            snapshots.ensure(client, volume_uuid=volume.uuid, **facts)
    snapshots.ensure(client, volume_uuid=volume.uuid, name="daily.admin", comment="payroll", label="daily")
    done = run(OntapSnapshotExpireOperator, volume="tyre", snapmirror_label="daily", keep_newest=2)
    assert done["removed"] == ["daily.0", "daily.1"]
    left = [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid, label="weekly")]
    assert left == ["weekly.0", "weekly.1", "weekly.2"]
