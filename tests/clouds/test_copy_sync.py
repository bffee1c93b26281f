"""Copy and Sync: relationships made once, run, followed and deleted; bad input and faults, each with its sentence."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops import assets
from ontap_mlops.clouds import errors
from ontap_mlops.clouds.copy_sync import endpoints
from ontap_mlops.operators.copy_sync import (
    CopySyncDeleteOperator,
    CopySyncEnsureOperator,
    CopySyncListOperator,
    CopySyncRunOperator,
)
from tests.clouds.copy_sync_service import BROKER, CLIENT_ID, GROUP, SECRET, CopySyncService
from tests.clouds.local_service import unused_port
from tests.conftest import REPOSITORY

NFS = {"kind": "nfs", "host": "10.0.0.5", "export": "/data"}
S3 = {"kind": "s3", "bucket": "lake", "region": "eu-west-1"}
COMPLETE: dict[str, dict[str, Any]] = {
    "nfs": NFS,
    "smb": {"kind": "smb", "host": "10.0.0.6", "share": "data", "login_conn_id": "end"},
    "anf": {"kind": "anf", "host": "10.0.0.7", "export": "/vol"},
    "cvs": {"kind": "cvs", "host": "10.0.0.8", "share": "vol", "login_conn_id": "end"},
    "cvo": {"kind": "cvo", "host": "10.0.0.9", "export": "/vol"},
    "onprem": {"kind": "onprem", "host": "10.0.0.10", "export": "/vol"},
    "fsx": {"kind": "fsx", "host": "10.0.0.11", "export": "/vol"},
    "efs": {"kind": "efs", "host": "fs-1.efs", "export": "/", "access_point": "fsap-1"},
    "s3": S3,
    "storagegrid": {"kind": "storagegrid", "host": "grid", "bucket": "b", "login_conn_id": "end"},
    "ontap_s3": {"kind": "ontap_s3", "host": "svm", "port": 8443, "bucket": "b", "login_conn_id": "end"},
    "ibm_cos": {"kind": "ibm_cos", "host": "cos", "bucket": "b", "login_conn_id": "end"},
    "azure_blob": {"kind": "azure_blob", "storage_account": "a", "container": "c", "login_conn_id": "end"},
    "data_lake": {"kind": "data_lake", "storage_account": "a", "container": "c", "login_conn_id": "end"},
    "gcs": {"kind": "gcs", "bucket": "b"},
}


def ensure(**other: Any) -> dict[str, Any]:
    facts = {"name": "tyre", "source": NFS, "target": S3, "group_id": GROUP}
    return CopySyncEnsureOperator(task_id="t", **{**facts, **other}).execute({})


def running(relationship: str, **other: Any) -> CopySyncRunOperator:
    return CopySyncRunOperator(task_id="t", relationship_id=relationship, poll_interval_s=0.01, **other)


@pytest.fixture(autouse=True)
def end_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_END", '{"conn_type": "generic", "login": "u", "password": "p"}')


PAIRS = [(source, target) for source, targets in endpoints.PAIRS.items() for target in sorted(targets)]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pair_that_netapp_supports_can_be_made(copy_sync: CopySyncService, source: str, target: str) -> None:
    made = ensure(source=COMPLETE[source], target=COMPLETE[target])
    assert made["id"] in copy_sync.relationships
    assert copy_sync.relationships[made["id"]]["settings"]["schedule"]["isEnabled"] is False


def test_a_pair_that_is_not_supported_is_refused_before_anything_is_asked(copy_sync: CopySyncService) -> None:
    with pytest.raises(errors.InvalidRequest, match="does not copy from ontap_s3 to nfs"):
        ensure(source=COMPLETE["ontap_s3"], target=NFS)
    assert copy_sync.seen == []


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ({"kind": "nfs", "host": "h"}, "export is missing"),
        ({"kind": "nfs", "export": "/e"}, "host is missing"),
        ({"kind": "smb", "host": "h", "share": "s"}, "login_conn_id is missing"),
        ({"kind": "anf", "host": "h"}, "either export .NFS. or share .SMB."),
        ({"kind": "s3", "bucket": "b"}, "region is missing"),
        ({"kind": "storagegrid", "bucket": "b"}, "host is missing"),
        ({"kind": "ontap_s3", "bucket": "b", "host": "h"}, "access key and secret key"),
        ({"kind": "azure_blob", "container": "c", "login_conn_id": "x"}, "storage_account is missing"),
        ({"kind": "gcs"}, "bucket is missing"),
        ({"kind": "gcs", "bucket": "b", "hots": "h"}, "hots is not known"),
        ({"kind": "tape"}, "kind has to be one of"),
        ({}, "kind has to be one of"),
    ],
)
def test_an_incomplete_end_says_what_is_missing(copy_sync: CopySyncService, end: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"The source .* is not complete: .*{said}"):
        ensure(source=end)
    assert copy_sync.seen == []


def test_a_relationship_is_made_once_and_keys_reach_the_service_only(copy_sync: CopySyncService) -> None:
    first = ensure(target=COMPLETE["storagegrid"])
    assert ensure(target=COMPLETE["storagegrid"])["id"] == first["id"]
    assert copy_sync.writes().count("POST /api/relationships-v2") == 1
    assert (first["source"], first["target"]) == ("nfs://10.0.0.5/data", "sgws://grid/443/b")
    assert "p" not in first.values()
    (listed,) = CopySyncListOperator(task_id="t").execute({})
    assert listed["name"] == "tyre"


def test_settings_go_over_those_that_the_service_asks_for(copy_sync: CopySyncService) -> None:
    id_ = ensure(settings={"deleteOnTarget": True, "files": {"minSize": 10}})["id"]
    kept = copy_sync.relationships[id_]["settings"]
    assert (kept["deleteOnTarget"], kept["deleteOnSource"]) == (True, False)
    assert kept["files"] == {"excludeExtensions": [], "minSize": 10}


def test_a_name_with_other_ends_names_both(copy_sync: CopySyncService) -> None:
    ensure()
    with pytest.raises(errors.NameTaken, match=r"nfs://10.0.0.5/data to s3://lake.*asked for.*s3://other"):
        ensure(target={**S3, "bucket": "other"})


def test_a_sync_is_followed_to_its_report(copy_sync: CopySyncService, carried_out: Any) -> None:
    id_ = ensure()["id"]
    first = carried_out(running(id_))
    assert (first["files_copied"], first["bytes_copied"], first["failed"], first["seconds"]) == (10, 1000, 0, 5.0)
    assert carried_out(running(id_, deferrable=True, first_wait_s=0))["files_copied"] == 10
    assert copy_sync.writes().count(f"PUT /api/relationships/{id_}/sync") == 2


def test_what_a_sync_took_is_kept_for_the_planner(copy_sync: CopySyncService) -> None:
    told: list[Any] = []
    outlet = SimpleNamespace(add=lambda asset, *, extra: told.append((asset, extra["transfer"])))
    run = SimpleNamespace(dag_id="d", run_id="r")
    operator = running(ensure()["id"])
    ExecutorSafeguard.tracker.set(operator)
    operator.execute({"outlet_events": {assets.MOVED: outlet}, "dag_run": run})  # type: ignore[typeddict-item]
    ((asset, record),) = told
    assert asset == assets.TRANSFERS
    said = [record[name] for name in ("way", "source", "target", "bytes", "seconds", "run")]
    assert said == ["Copy and Sync", "10.0.0.5:/data", "s3://lake", 1000, 5.0, "d/r"]


def test_one_that_runs_is_joined(copy_sync: CopySyncService, carried_out: Any) -> None:
    id_ = ensure()["id"]
    copy_sync.looks = 10**6
    with pytest.raises(TaskDeferred):
        running(id_, deferrable=True, first_wait_s=0).execute({})
    copy_sync.relationships[id_]["left"] = 1
    assert carried_out(running(id_))["files_copied"] == 10
    assert copy_sync.writes().count(f"PUT /api/relationships/{id_}/sync") == 1


def test_the_token_is_renewed_in_the_midst_of_a_wait(copy_sync: CopySyncService, carried_out: Any) -> None:
    """As often as it runs out: by its time, and when the service takes it no more."""
    id_ = ensure()["id"]
    copy_sync.lifetime_s, copy_sync.looks = 1, 4
    copy_sync.revoke()
    assert carried_out(running(id_, deferrable=True, first_wait_s=0))["files_copied"] == 10
    assert len(copy_sync.logins) > 4
    copy_sync.lifetime_s = 86400
    copy_sync.revoke()
    assert carried_out(running(id_))["files_copied"] == 10


def test_a_service_account_logs_in_with_its_secret(copy_sync: CopySyncService, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = copy_sync.connection(login=CLIENT_ID, password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_COPY_SYNC_DEFAULT", connection)
    assert CopySyncListOperator(task_id="t").execute({}) == []
    assert copy_sync.logins[0]["grant_type"] == "client_credentials"


@pytest.mark.parametrize(
    ("end", "kind", "said"),
    [
        (
            {"status": "FAILED", "failureMessage": "NFS mount failed"},
            errors.OperationFailed,
            "failed: NFS mount failed",
        ),
        ({"status": "FAILED"}, errors.OperationFailed, "no reason given"),
        ({"status": "FAILED", "errors": [{"reason": "broker died"}]}, errors.OperationFailed, "broker died"),
        ({"status": "ABORTED"}, errors.BadState, "stopped by somebody"),
        (
            {
                "status": "DONE",
                "filesFailed": 2,
                "topFiveMostCommonRelationshipErrors": [{"description": "no access", "counter": 2}],
            },
            errors.OperationFailed,
            "2 files or directories were not copied: no access .2 times",
        ),
    ],
)
def test_a_sync_that_ends_badly_says_why(
    copy_sync: CopySyncService, carried_out: Any, end: dict[str, Any], kind: type[Exception], said: str
) -> None:
    id_ = ensure()["id"]
    copy_sync.end = end
    for deferrable in (False, True):
        with pytest.raises(kind, match=said):
            carried_out(running(id_, deferrable=deferrable, first_wait_s=0))


def test_failed_files_can_be_allowed_and_are_counted(copy_sync: CopySyncService, carried_out: Any) -> None:
    id_ = ensure()["id"]
    copy_sync.end = {"status": "DONE", "filesFailed": 2}
    assert carried_out(running(id_, allow_failed_files=True))["failed"] == 2


@pytest.mark.parametrize(
    ("brokers", "said"),
    [
        ([], "needs group 'group-1', and there is none"),
        (
            [{"id": BROKER, "name": "db1", "status": "FAILED", "message": "no disk", "groupId": GROUP}],
            "db1 is FAILED, no disk",
        ),
        ([{"id": BROKER, "name": "db1", "groupId": GROUP}], "db1 is not yet seen"),
    ],
)
def test_a_broker_that_is_not_there_is_named(copy_sync: CopySyncService, brokers: list[Any], said: str) -> None:
    id_ = ensure()["id"]
    copy_sync.brokers = brokers
    with pytest.raises(errors.BadState, match=said):
        ensure(name="other")
    with pytest.raises(errors.BadState, match=said.replace("group 'group-1'", "data broker 'broker-1'")):
        running(id_).execute({})


def test_an_unknown_relationship_is_one_sentence(copy_sync: CopySyncService) -> None:
    with pytest.raises(errors.NotFound, match=r"show relationship 'rel-9' of account account-JeL97Ry3.*not found"):
        running("rel-9").execute({})
    assert CopySyncDeleteOperator(task_id="t", relationship_id="rel-9").execute({}) is False


def test_only_ours_is_deleted_and_not_while_it_syncs(copy_sync: CopySyncService) -> None:
    id_ = ensure()["id"]
    copy_sync.looks = 10**6
    with pytest.raises(TaskDeferred):
        running(id_, deferrable=True, first_wait_s=0).execute({})
    delete = CopySyncDeleteOperator(task_id="t", relationship_id=id_)
    with pytest.raises(errors.InUse, match="is syncing"):
        delete.execute({})
    copy_sync.relationships[id_]["left"] = 0
    assert delete.execute({}) is True
    foreign = ensure(name="x")["id"]
    copy_sync.relationships[foreign]["tags"] = []
    with pytest.raises(errors.NotOurs, match="was not made here"):
        CopySyncDeleteOperator(task_id="t", relationship_id=foreign).execute({})


def test_a_wait_past_its_limit_stops_the_sync(copy_sync: CopySyncService, carried_out: Any) -> None:
    from ontap_mlops.triggers.polling import WaitTimedOut

    id_ = ensure()["id"]
    copy_sync.looks = 10**6
    with pytest.raises(WaitTimedOut):
        carried_out(running(id_, wait_limit_s=0.05, deferrable=True, first_wait_s=0))
    assert copy_sync.relationships[id_]["activity"]["status"] == "ABORTED"


@pytest.mark.parametrize("fault", [429, 503, "lost"])
@pytest.mark.parametrize("request_", ["GET", "POST"])
def test_after_a_fault_the_next_try_makes_nothing_twice(
    copy_sync: CopySyncService, fault: int | str, request_: str
) -> None:
    copy_sync.fault(fault, request_, "/api/relationships-v2")
    with pytest.raises(errors.CloudTemporaryError, match=r"(list the|make) relationship"):
        ensure()
    ensure()
    assert len(copy_sync.relationships) == 1


@pytest.mark.parametrize("fault", [429, 503, "lost"])
def test_a_wait_lives_through_faults(copy_sync: CopySyncService, carried_out: Any, fault: int | str) -> None:
    id_ = ensure()["id"]
    operator = running(id_, deferrable=True, first_wait_s=0)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    copy_sync.fault(fault, "GET", id_, times=2)
    import asyncio

    async def first() -> Any:
        return (await anext(deferred.value.trigger.run())).payload

    assert operator.execute_complete({}, asyncio.run(first()))["files_copied"] == 10


def test_a_lost_start_is_joined_by_the_next_try(copy_sync: CopySyncService, carried_out: Any) -> None:
    id_ = ensure()["id"]
    copy_sync.fault("lost", "PUT", "sync")
    copy_sync.looks = 3
    with pytest.raises(errors.Unreachable):
        carried_out(running(id_))
    assert carried_out(running(id_))["files_copied"] == 10
    assert copy_sync.writes().count(f"PUT /api/relationships/{id_}/sync") == 1


def test_a_refused_login_says_to_renew_it(copy_sync: CopySyncService) -> None:
    copy_sync.refuses = True
    with pytest.raises(errors.LoginRefused, match=r"Unknown or invalid refresh token.*Renew the credentials"):
        CopySyncListOperator(task_id="t").execute({})


def test_a_refused_connection_and_a_slow_answer_are_temporary(
    copy_sync: CopySyncService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ontap_mlops.hooks.copy_sync import CopySyncHook

    copy_sync.fault("slow", "GET", "/api/accounts", value=1)
    client = CopySyncHook().get_conn()
    client.timeout_s = 0.1
    with pytest.raises(errors.Unreachable, match="gave no answer .*timed out"):
        _ = client.account_id
    monkeypatch.setenv("AIRFLOW_CONN_COPY_SYNC_DEFAULT", copy_sync.connection(host=f"http://127.0.0.1:{unused_port()}"))
    with pytest.raises(errors.Unreachable, match="Connection refused"):
        CopySyncListOperator(task_id="t").execute({})


def test_one_that_somebody_starts_in_between_is_joined(copy_sync: CopySyncService, carried_out: Any) -> None:
    id_ = ensure()["id"]
    copy_sync.started_in_between = True
    assert carried_out(running(id_))["files_copied"] == 10


def test_an_account_that_the_login_may_not_use_is_told(
    copy_sync: CopySyncService, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"token_url": f"{copy_sync.url}/oauth/token", "account_id": "account-of-others"}
    monkeypatch.setenv("AIRFLOW_CONN_COPY_SYNC_DEFAULT", copy_sync.connection(extra=extra))
    with pytest.raises(errors.NotAllowed, match=r"account not allowed.*Give the account of the connection a role"):
        CopySyncListOperator(task_id="t").execute({})


def test_the_page_names_every_kind_of_end() -> None:
    table = (REPOSITORY / "docs" / "copy-and-sync.md").read_text().partition("| `kind` |")[2].partition("\n\n")[0]
    first = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert {kind for cell in first for kind in re.findall("`([a-z0-9_]+)`", cell)} == set(endpoints.PAIRS)


def test_several_accounts_have_to_be_told_apart(copy_sync: CopySyncService) -> None:
    from ontap_mlops.hooks.copy_sync import CopySyncHook

    copy_sync.accounts.append({"accountId": "account-2", "name": "Other"})
    with pytest.raises(errors.InvalidRequest, match=r"account-2 \(Other\), account-JeL97Ry3 \(Test\)"):
        CopySyncListOperator(task_id="t").execute({})
    assert CopySyncHook().test_connection()[0] is False


def test_the_connection_is_tested(copy_sync: CopySyncService, monkeypatch: pytest.MonkeyPatch) -> None:
    from ontap_mlops.hooks.copy_sync import CopySyncHook

    assert CopySyncHook().test_connection() == (True, "Connected to Copy and Sync, account account-JeL97Ry3.")
    monkeypatch.setenv("AIRFLOW_CONN_COPY_SYNC_DEFAULT", copy_sync.connection(password=""))
    assert "has no password" in CopySyncHook().test_connection()[1]
