"""Google Cloud NetApp Volumes: everything made once, followed, mirrored, deleted; bad input and faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.clouds import errors
from ontap_mlops.hooks import google_netapp
from ontap_mlops.hooks.google_netapp import GoogleNetAppHook
from ontap_mlops.operators import google_netapp as operators
from tests.clouds.google_service import ELSEWHERE, LOCATION, PROJECT, GoogleService
from tests.clouds.local_service import unused_port

VOLUME = f"projects/{PROJECT}/locations/{LOCATION}/volumes/tyre"
MIRROR = {"volume": "tyre", "replication": "dr", "to_location": ELSEWHERE, "to_pool": "cold"}


def operator(kind: str, **arguments: Any) -> Any:
    return getattr(operators, f"GoogleNetApp{kind}Operator")(task_id="t", poll_interval_s=0.01, **arguments)


def made(carried_out: Any, kind: str, **arguments: Any) -> Any:
    return carried_out(operator(kind, **arguments))


@pytest.fixture
def pool(google_cloud: GoogleService, carried_out: Any) -> dict[str, Any]:
    return made(carried_out, "PoolEnsure", storage_pool="fast", capacity_gib=2048)


def ensured_volume(carried_out: Any, **other: Any) -> Any:
    return made(carried_out, "VolumeEnsure", **{"volume": "tyre", "storage_pool": "fast", "capacity_gib": 100, **other})


@pytest.fixture
def volume(pool: Any, carried_out: Any) -> dict[str, Any]:
    return ensured_volume(carried_out)


@pytest.fixture
def there(google_cloud: GoogleService) -> str:
    """A pool in another location."""
    name = f"projects/{PROJECT}/locations/{ELSEWHERE}/storagePools/cold"
    google_cloud.objects[name] = {"name": name, "state": "READY", "serviceLevel": "STANDARD", "capacityGib": "2048"}
    return name


def test_everything_is_made_once_and_told(
    google_cloud: GoogleService, pool: Any, volume: Any, carried_out: Any
) -> None:
    snapshot = made(carried_out, "SnapshotCreate", volume="tyre", snapshot="before")
    assert (pool["id"], pool["service_level"], pool["capacity_gib"]) == ("fast", "PREMIUM", 2048)
    assert (volume["name"], volume["pool"], volume["mount"]) == (VOLUME, "fast", "10.2.0.4:/tyre")
    assert snapshot["name"] == f"{VOLUME}/snapshots/before"
    assert google_cloud.objects[pool["name"]]["network"] == f"projects/{PROJECT}/global/networks/default"
    before = len(google_cloud.writes())
    made(carried_out, "PoolEnsure", storage_pool="fast", capacity_gib=2048)
    ensured_volume(carried_out)
    made(carried_out, "SnapshotCreate", volume="tyre", snapshot="before")
    assert [line for line in google_cloud.writes()[before:] if line != "POST /token"] == []


def test_a_volume_is_mirrored_stopped_and_resumed(
    google_cloud: GoogleService, volume: Any, there: str, carried_out: Any
) -> None:
    mirror = made(carried_out, "ReplicationEnsure", **MIRROR, deferrable=True, first_wait_s=0)
    assert (mirror["mirror"], mirror["healthy"], mirror["lag_s"]) == ("MIRRORED", True, 12.0)
    assert mirror["destination_volume"] == f"projects/{PROJECT}/locations/{ELSEWHERE}/volumes/tyre"
    assert made(carried_out, "ReplicationEnsure", **MIRROR)["name"] == mirror["name"]
    which = {"volume": "tyre", "replication": "dr"}
    with pytest.raises(errors.InvalidRequest, match=r"delete replication 'dr'.*must be stopped"):
        made(carried_out, "ReplicationDelete", **which)
    assert made(carried_out, "ReplicationStop", **which)["mirror"] == "STOPPED"
    assert made(carried_out, "ReplicationStop", **which)["mirror"] == "STOPPED"
    assert made(carried_out, "ReplicationResume", **which)["mirror"] == "MIRRORED"
    made(carried_out, "ReplicationStop", **which)
    made(carried_out, "ReplicationDelete", **which)
    assert f"{VOLUME}/replications/dr" not in google_cloud.objects
    assert [line for line in google_cloud.writes() if line.endswith(":stop")] == [
        f"POST /v1/{VOLUME}/replications/dr:stop"
    ] * 2


def test_all_is_deleted_from_the_inside_out(google_cloud: GoogleService, volume: Any, carried_out: Any) -> None:
    made(carried_out, "SnapshotCreate", volume="tyre", snapshot="before")
    with pytest.raises(errors.InvalidRequest, match="has nested resources"):
        made(carried_out, "VolumeDelete", volume="tyre")
    made(carried_out, "SnapshotDelete", volume="tyre", snapshot="before")
    made(carried_out, "SnapshotCreate", volume="tyre", snapshot="other")
    made(carried_out, "VolumeDelete", volume="tyre", force=True, deferrable=True, first_wait_s=0)
    made(carried_out, "PoolDelete", storage_pool="fast")
    assert google_cloud.objects == {}
    assert made(carried_out, "VolumeDelete", volume="tyre") == {"name": VOLUME}, "gone already"


def test_what_was_not_made_here_is_left_alone(google_cloud: GoogleService, volume: Any, carried_out: Any) -> None:
    google_cloud.objects[VOLUME]["labels"] = {}
    with pytest.raises(errors.NotOurs, match="does not carry the label 'ontap-mlops'"):
        made(carried_out, "VolumeDelete", volume="tyre")
    with pytest.raises(errors.NameTaken, match="was not made here"):
        ensured_volume(carried_out)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"volume": "other", "capacity_gib": 4096}, errors.OverQuota, r"Not enough capacity.*make the pool larger"),
        ({"volume": "other", "storage_pool": "none"}, errors.NotFound, "has no storage pool 'none' in europe-west3"),
        ({"volume": "other", "share": "tyre"}, errors.NameTaken, "share name 'tyre' already exists"),
        ({"volume": "Tyre_1", "share": "x"}, errors.InvalidRequest, "Invalid resource id"),
        ({"protocol": "FTP"}, errors.InvalidRequest, "give one of NFSV3, NFSV4, SMB"),
        ({"capacity_gib": 200}, errors.NameTaken, "has 100 GiB in pool 'fast', and was asked for with 200"),
    ],
)
def test_bad_input_is_one_sentence(
    google_cloud: GoogleService, volume: Any, carried_out: Any, arguments: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        ensured_volume(carried_out, **arguments)


def test_pool_and_mirror_that_cannot_be_are_told(google_cloud: GoogleService, volume: Any, carried_out: Any) -> None:
    with pytest.raises(errors.NameTaken, match=r"is PREMIUM with 2048 GiB, and was asked for as EXTREME"):
        made(carried_out, "PoolEnsure", storage_pool="fast", capacity_gib=2048, service_level="EXTREME")
    with pytest.raises(errors.NotFound, match="has no storage pool 'cold' in europe-west4"):
        made(carried_out, "ReplicationEnsure", **MIRROR)
    with pytest.raises(errors.InvalidRequest, match="give one of EVERY_10_MINUTES, HOURLY, DAILY"):
        made(carried_out, "ReplicationEnsure", **MIRROR, schedule="NOW")
    google_cloud.quota_pools = 1
    with pytest.raises(errors.OverQuota, match=r"Quota exceeded.*have the quota raised"):
        made(carried_out, "PoolEnsure", storage_pool="other", capacity_gib=2048)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ((8, "Not enough capacity in the region"), errors.OverQuota),
        ((3, "The network is not peered"), errors.InvalidRequest),
        ((13, "Something broke"), errors.OperationFailed),
    ],
)
def test_work_that_fails_later_is_told_with_googles_reason(
    google_cloud: GoogleService, pool: Any, carried_out: Any, reason: tuple[int, str], kind: type[Exception]
) -> None:
    google_cloud.failing = {"volumes": reason}
    for deferrable in (False, True):
        with pytest.raises(kind, match=rf"make volume 'tyre' in europe-west3 of project 'ml'.*{reason[1]}"):
            ensured_volume(carried_out, deferrable=deferrable, first_wait_s=0)


def test_an_object_in_error_is_told_with_its_reason(google_cloud: GoogleService, volume: Any, carried_out: Any) -> None:
    google_cloud.objects[VOLUME] |= {"state": "ERROR", "stateDetails": "the network was removed"}
    with pytest.raises(errors.BadState, match="is ERROR: the network was removed"):
        ensured_volume(carried_out)


def test_a_foreign_project_and_an_incomplete_connection_are_told(
    google_cloud: GoogleService, carried_out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(kind: type[Exception], words: str, **extra: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_NETAPP_DEFAULT", google_cloud.connection(**extra))
        with pytest.raises(kind, match=words):
            made(carried_out, "PoolEnsure", storage_pool="p", capacity_gib=2048)

    said(errors.NotAllowed, "Permission denied on resource project others", project="others")
    said(errors.InvalidRequest, "has no location", location="")
    said(
        errors.InvalidRequest, "no usable key of a service account in keyfile_dict", keyfile_dict='{"private_key": "x"}'
    )
    said(errors.Unreachable, "Connection refused", host=f"http://127.0.0.1:{unused_port()}")


@pytest.mark.parametrize("fault", [429, 503, "lost"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_after_a_fault_the_next_try_makes_nothing_twice(
    google_cloud: GoogleService, pool: Any, carried_out: Any, fault: int | str, method: str
) -> None:
    google_cloud.fault(fault, method, "volumes")
    with pytest.raises((errors.TooBusy, errors.Unreachable), match=r"asked to (show|make) volume 'tyre'"):
        ensured_volume(carried_out)
    assert ensured_volume(carried_out)["mount"] == "10.2.0.4:/tyre"
    assert len([key for key in google_cloud.objects if "/volumes/" in key]) == 1


@pytest.mark.parametrize("fault", [429, 503, "lost", 404])
def test_a_wait_lives_through_faults_and_a_forgotten_operation(
    google_cloud: GoogleService, pool: Any, fault: int | str
) -> None:
    google_cloud.looks = 2
    task = operator(
        "VolumeEnsure", volume="tyre", storage_pool="fast", capacity_gib=100, deferrable=True, first_wait_s=0
    )
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    google_cloud.fault(fault, "GET", "operations", times=2)

    async def first() -> Any:
        return (await anext(deferred.value.trigger.run())).payload

    assert task.execute_complete({}, asyncio.run(first()))["mount"] == "10.2.0.4:/tyre"


def test_a_slow_answer_a_token_that_ran_out_and_a_refused_key(google_cloud: GoogleService, carried_out: Any) -> None:
    client = GoogleNetAppHook().get_conn()
    object.__setattr__(client, "timeout_s", 0.2)
    google_cloud.fault("slow", "GET", "storagePools", value=1)
    with pytest.raises(errors.Unreachable, match="timed out"):
        client.call("show a pool", client.api.get_storage_pool, name=f"{client.parent}/storagePools/x")
    google_cloud.tokens.clear()
    with pytest.raises(errors.NotFound):  # the library renews it
        client.call("show a pool", client.api.get_storage_pool, name=f"{client.parent}/storagePools/x")
    client.close()
    google_netapp._KEPT.clear()
    google_cloud.refuses = True
    with pytest.raises(errors.LoginRefused, match=r"login service .*Invalid JWT Signature.*Renew the credentials"):
        made(carried_out, "PoolEnsure", storage_pool="p", capacity_gib=2048)


def test_the_connection_is_tested(google_cloud: GoogleService, pool: Any) -> None:
    told = "Connected to Google Cloud NetApp Volumes, 1 storage pools in europe-west3."
    assert GoogleNetAppHook().test_connection() == (True, told)
    google_netapp._KEPT.clear()
    google_cloud.refuses = True
    assert GoogleNetAppHook().test_connection()[0] is False
