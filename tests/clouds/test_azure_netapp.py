"""Azure NetApp Files: everything made once, followed, moved to another level, deleted; bad input and faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.clouds import errors
from ontap_mlops.hooks import azure_netapp
from ontap_mlops.hooks.azure_netapp import AzureNetAppHook
from ontap_mlops.operators import azure_netapp as operators
from tests.clouds.azure_service import ACCOUNT, DELEGATED, AzureService
from tests.clouds.local_service import unused_port

GIB, TIB = 1024**3, 1024**4


def operator(kind: str, **arguments: Any) -> Any:
    return getattr(operators, f"AzureNetApp{kind}Operator")(task_id="t", poll_interval_s=0.01, **arguments)


def made(carried_out: Any, kind: str, **arguments: Any) -> Any:
    return carried_out(operator(kind, **arguments))


@pytest.fixture
def pool(azure: AzureService, carried_out: Any) -> dict[str, Any]:
    return made(carried_out, "PoolEnsure", capacity_pool="fast", size_bytes=TIB)


def ensured_volume(carried_out: Any, **other: Any) -> Any:
    facts = {"volume": "tyre", "capacity_pool": "fast", "size_bytes": 100 * GIB, "subnet_id": DELEGATED}
    return made(carried_out, "VolumeEnsure", **{**facts, **other})


@pytest.fixture
def volume(pool: Any, carried_out: Any) -> dict[str, Any]:
    return ensured_volume(carried_out)


def test_everything_is_made_once_and_told(azure: AzureService, pool: Any, volume: Any, carried_out: Any) -> None:
    snapshot = made(carried_out, "SnapshotCreate", volume="tyre", snapshot="before")
    assert (pool["service_level"], pool["size_bytes"], pool["location"]) == ("Premium", TIB, "westeurope")
    assert (volume["pool"], volume["address"], volume["path"]) == ("fast", "10.1.0.4", "tyre")
    assert snapshot["name"] == "before"
    before = len(azure.writes())
    made(carried_out, "PoolEnsure", capacity_pool="fast", size_bytes=TIB)
    assert ensured_volume(carried_out)["id"] == volume["id"]
    made(carried_out, "SnapshotCreate", volume="tyre", snapshot="before")
    assert [line for line in azure.writes()[before:] if "oauth2" not in line] == []


def test_a_volume_is_moved_to_another_level_and_found_there(azure: AzureService, volume: Any, carried_out: Any) -> None:
    made(carried_out, "PoolEnsure", capacity_pool="slow", size_bytes=TIB, service_level="Standard")
    moved = made(carried_out, "PoolChange", volume="tyre", capacity_pool="slow", deferrable=True, first_wait_s=0)
    assert (moved["pool"], moved["service_level"]) == ("slow", "Standard")
    assert made(carried_out, "PoolChange", volume="tyre", capacity_pool="slow")["pool"] == "slow"
    assert ensured_volume(carried_out)["pool"] == "slow"
    assert len([line for line in azure.writes() if line.endswith("poolChange")]) == 1


def test_all_is_deleted_from_the_inside_out(azure: AzureService, volume: Any, carried_out: Any) -> None:
    made(carried_out, "SnapshotCreate", volume="tyre", snapshot="before")
    with pytest.raises(errors.InUse, match=r"delete capacity pool 'ml-netapp/fast'.*before nested resources"):
        made(carried_out, "PoolDelete", capacity_pool="fast")
    assert made(carried_out, "SnapshotDelete", volume="tyre", snapshot="before") == {"name": "before"}
    made(carried_out, "VolumeDelete", volume="tyre", deferrable=True, first_wait_s=0)
    made(carried_out, "PoolDelete", capacity_pool="fast")
    assert list(azure.objects) == [ACCOUNT]
    assert made(carried_out, "VolumeDelete", volume="tyre") == {"name": "tyre"}, "gone already"


def test_what_was_not_made_here_is_left_alone(azure: AzureService, volume: Any, carried_out: Any) -> None:
    azure.objects[f"{ACCOUNT}/fast/tyre"]["tags"] = {}
    for kind, arguments in (
        ("VolumeDelete", {"volume": "tyre"}),
        ("PoolChange", {"volume": "tyre", "capacity_pool": "fast2"}),
    ):
        if kind == "PoolChange":
            made(carried_out, "PoolEnsure", capacity_pool="fast2", size_bytes=TIB)
        with pytest.raises(errors.NotOurs, match="does not carry the tag 'ontap-mlops'"):
            made(carried_out, kind, **arguments)
    with pytest.raises(errors.NameTaken, match="belongs to a volume in pool 'fast' that was not made here"):
        ensured_volume(carried_out)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"size_bytes": 10 * GIB}, errors.InvalidRequest, "Azure makes 50 GiB or more"),
        ({"size_bytes": 2 * TIB}, errors.OverQuota, r"PoolSizeTooSmall.*make the pool larger"),
        ({"capacity_pool": "none"}, errors.NotFound, r"has no capacity pool 'ml-netapp/none' in resource group 'ml'"),
        ({"path": "tyre", "volume": "other"}, errors.NameTaken, "creation token already exists"),
    ],
)
def test_bad_input_is_one_sentence(
    azure: AzureService, volume: Any, carried_out: Any, arguments: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        ensured_volume(carried_out, **{"volume": "other", "path": "other", **arguments})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"size_bytes": GIB}, "give whole TiB"),
        ({"size_bytes": TIB, "service_level": "Fast"}, "give one of Standard, Premium"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(azure: AzureService, carried_out: Any, arguments: Any, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        made(carried_out, "PoolEnsure", capacity_pool="p", **arguments)


def test_a_quota_and_another_level_are_told(azure: AzureService, pool: Any, carried_out: Any) -> None:
    with pytest.raises(errors.NameTaken, match="'fast' is Premium with .* and was asked for as Ultra"):
        made(carried_out, "PoolEnsure", capacity_pool="fast", size_bytes=TIB, service_level="Ultra")
    azure.quota_pools = 1
    with pytest.raises(errors.OverQuota, match=r"QuotaExceeded.*have the quota raised"):
        made(carried_out, "PoolEnsure", capacity_pool="other", size_bytes=TIB)


@pytest.mark.parametrize(
    ("reason", "kind", "said"),
    [
        (
            ("VnetNotDelegated", "The subnet is not delegated."),
            errors.InvalidRequest,
            "Delegate the subnet to Microsoft.NetApp/volumes",
        ),
        (("OutOfCapacity", "There is not enough capacity here."), errors.OverQuota, "not enough capacity"),
        (("Unexpected", "Something broke."), errors.OperationFailed, "Something broke"),
    ],
)
def test_work_that_fails_later_is_told_with_azures_reason(
    azure: AzureService, pool: Any, carried_out: Any, reason: tuple[str, str], kind: type[Exception], said: str
) -> None:
    azure.failing = {"volumes": reason}
    for deferrable in (False, True):
        with pytest.raises(kind, match=rf"make volume 'ml-netapp/fast/tyre'.*{said}"):
            ensured_volume(carried_out, deferrable=deferrable, first_wait_s=0)


def test_an_account_elsewhere_or_a_foreign_resource_group_is_told(
    azure: AzureService, pool: Any, carried_out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(**extra: str) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_AZURE_NETAPP_DEFAULT", azure.connection(extra=extra))

    say(location="eastus")
    with pytest.raises(errors.NameTaken, match="'ml-netapp' is in 'westeurope', and the connection says 'eastus'"):
        made(carried_out, "PoolEnsure", capacity_pool="p", size_bytes=TIB)
    say(resource_group="others")
    with pytest.raises(errors.NotFound, match="Resource group 'others' could not be found"):
        made(carried_out, "PoolEnsure", capacity_pool="p", size_bytes=TIB)
    say(subscriptionId="")
    with pytest.raises(errors.InvalidRequest, match="has no subscriptionId"):
        made(carried_out, "PoolEnsure", capacity_pool="p", size_bytes=TIB)


@pytest.mark.parametrize("fault", [429, 503, "lost"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_after_a_fault_the_next_try_makes_nothing_twice(
    azure: AzureService, pool: Any, carried_out: Any, fault: int | str, method: str
) -> None:
    azure.fault(fault, method, "tyre")
    with pytest.raises((errors.TooBusy, errors.Unreachable), match=r"asked to (show|make) volume"):
        ensured_volume(carried_out, wait_limit_s=5)
    assert ensured_volume(carried_out)["address"] == "10.1.0.4"
    assert len([key for key in azure.objects if key.count("/") == 2]) == 1


def test_a_lost_move_is_joined(azure: AzureService, volume: Any, carried_out: Any) -> None:
    made(carried_out, "PoolEnsure", capacity_pool="slow", size_bytes=TIB, service_level="Standard")
    azure.fault("lost", "POST", "poolChange")
    azure.looks = 4
    with pytest.raises(errors.Unreachable):
        made(carried_out, "PoolChange", volume="tyre", capacity_pool="slow")
    azure.looks = 1
    assert made(carried_out, "PoolChange", volume="tyre", capacity_pool="slow")["pool"] == "slow"
    assert len([line for line in azure.writes() if line.endswith("poolChange")]) == 1


@pytest.mark.parametrize("fault", [429, 503, "lost"])
def test_a_wait_lives_through_faults_and_a_forgotten_operation(
    azure: AzureService, pool: Any, fault: int | str
) -> None:
    azure.looks = 2
    facts = {"volume": "tyre", "capacity_pool": "fast", "size_bytes": 100 * GIB, "subnet_id": DELEGATED}
    task = operator("VolumeEnsure", **facts, deferrable=True, first_wait_s=0)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    azure.fault(fault, "GET", "operations", times=2)
    azure.fault(404, "GET", "operations", body={"error": {"code": "NotFound", "message": "gone"}}, times=9)

    async def first() -> Any:
        return (await anext(deferred.value.trigger.run())).payload

    assert task.execute_complete({}, asyncio.run(first()))["address"] == "10.1.0.4"


def test_a_refused_login_a_token_that_ran_out_and_a_refused_connection(
    azure: AzureService, carried_out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.fault(
        401, "GET", "netAppAccounts", body={"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}
    )
    with pytest.raises(errors.LoginRefused, match="ExpiredAuthenticationToken"):
        made(carried_out, "PoolEnsure", capacity_pool="p", size_bytes=TIB)
    azure_netapp._KEPT.clear()
    azure.refuses = True
    with pytest.raises(errors.LoginRefused, match=r"login service .*AADSTS7000222.*Renew the credentials"):
        made(carried_out, "PoolEnsure", capacity_pool="p", size_bytes=TIB)
    azure.refuses = False
    nowhere = azure.connection(host=f"https://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("AIRFLOW_CONN_AZURE_NETAPP_DEFAULT", nowhere)
    with pytest.raises(errors.Unreachable, match="Connection refused"):
        made(carried_out, "PoolEnsure", capacity_pool="p", size_bytes=TIB)


def test_the_connection_is_tested_and_may_be_one_of_the_provider(
    azure: AzureService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert AzureNetAppHook().test_connection() == (
        True,
        "Connected to Azure NetApp Files, account 'ml-netapp' is not there yet.",
    )
    facts = json.loads(azure.connection())
    monkeypatch.setenv("AIRFLOW_CONN_AZURE_NETAPP_DEFAULT", json.dumps({**facts, "conn_type": "azure"}))
    assert AzureNetAppHook().test_connection()[0] is True
