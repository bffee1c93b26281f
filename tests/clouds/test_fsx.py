"""Amazon FSx for ONTAP: everything made once, followed, deleted without losing data; bad input and faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.clouds import errors
from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.operators import fsx as operators
from tests.clouds.airflow_connections import AirflowConnections
from tests.clouds.fsx_service import FsxService
from tests.clouds.local_service import unused_port

GIB = 1024**3


def done(kind: str, carried_out: Any, **arguments: Any) -> Any:
    return carried_out(operator(kind, **arguments))


def operator(kind: str, **arguments: Any) -> Any:
    return getattr(operators, f"Fsx{kind}Operator")(task_id="t", poll_interval_s=0.01, **arguments)


@pytest.fixture
def file_system(fsx: FsxService, carried_out: Any) -> dict[str, Any]:
    return done("FileSystemEnsure", carried_out, name="ml", subnet_ids=["subnet-00000001"])


@pytest.fixture
def svm(file_system: dict[str, Any], carried_out: Any) -> dict[str, Any]:
    return done("SvmEnsure", carried_out, name="svm1", file_system_id=file_system["id"])


@pytest.fixture
def volume(svm: dict[str, Any], carried_out: Any) -> dict[str, Any]:
    where = {"svm_id": svm["id"], "junction_path": "/tyre"}
    return done("VolumeEnsure", carried_out, name="tyre", size_bytes=GIB, **where)


def test_everything_is_made_once_and_told(
    fsx: FsxService, file_system: Any, svm: Any, volume: Any, carried_out: Any
) -> None:
    point = done("S3AccessPointEnsure", carried_out, name="tyre-objects", volume_id=volume["id"], user="ml")
    backup = done("BackupCreate", carried_out, name="before", volume_id=volume["id"])
    assert file_system["management"].startswith("management.fs")
    assert (svm["management"], volume["junction_path"]) == ("svm1.fsx.eu-west-1.amazonaws.com", "/tyre")
    assert (point["id"], point["volume_id"]) == ("tyre-objects", volume["id"])
    assert point["alias"].endswith("-s3alias")
    assert (backup["state"], backup["name"]) == ("AVAILABLE", "before")
    before = fsx.writes()
    again = {
        "FileSystemEnsure": {"name": "ml", "subnet_ids": ["subnet-00000001"]},
        "SvmEnsure": {"name": "svm1", "file_system_id": file_system["id"]},
        "VolumeEnsure": {"name": "tyre", "svm_id": svm["id"], "size_bytes": GIB},
        "S3AccessPointEnsure": {"name": "tyre-objects", "volume_id": volume["id"], "user": "ml"},
        "BackupCreate": {"name": "before", "volume_id": volume["id"]},
    }
    made = [done(kind, carried_out, **arguments)["id"] for kind, arguments in again.items()]
    assert made == [each["id"] for each in (file_system, svm, volume, point, backup)]
    assert [line for line in fsx.writes()[len(before) :] if "Describe" not in line] == []


def test_the_wait_goes_on_in_the_triggerer(fsx: FsxService, carried_out: Any) -> None:
    fsx.looks = 4
    made = done(
        "FileSystemEnsure", carried_out, name="ml", subnet_ids=["subnet-00000001"], deferrable=True, first_wait_s=0
    )
    assert made["state"] == "AVAILABLE"


def test_a_deleted_volume_leaves_a_last_backup_unless_told_otherwise(
    fsx: FsxService, volume: Any, svm: Any, carried_out: Any
) -> None:
    assert done("VolumeDelete", carried_out, volume_id=volume["id"]) == volume["id"]
    (backup,) = [each["record"] for each in fsx.objects.values() if each["kind"] == "backup"]
    assert {tag["Key"]: tag["Value"] for tag in backup["Tags"]}["ontap-mlops"] == "last-tyre"
    other = done("VolumeEnsure", carried_out, name="scratch", svm_id=svm["id"], size_bytes=GIB)
    done("VolumeDelete", carried_out, volume_id=other["id"], skip_final_backup=True)
    assert len([each for each in fsx.objects.values() if each["kind"] == "backup"]) == 1
    assert done("VolumeDelete", carried_out, volume_id=volume["id"]) == volume["id"], "gone already"


def test_what_still_holds_others_is_not_deleted_and_says_what(
    fsx: FsxService, file_system: Any, svm: Any, volume: Any, carried_out: Any
) -> None:
    with pytest.raises(errors.InUse, match="still has the volumes tyre; delete them first"):
        done("SvmDelete", carried_out, svm_id=svm["id"])
    with pytest.raises(errors.InUse, match="still has the SVMs svm1"):
        done("FileSystemDelete", carried_out, file_system_id=file_system["id"])
    done("VolumeDelete", carried_out, volume_id=volume["id"])
    done("SvmDelete", carried_out, svm_id=svm["id"])
    done("FileSystemDelete", carried_out, file_system_id=file_system["id"])
    assert {each["kind"] for each in fsx.objects.values()} <= {"backup", "fsvol"}


def test_an_access_point_and_a_backup_are_deleted(fsx: FsxService, volume: Any, carried_out: Any) -> None:
    done("S3AccessPointEnsure", carried_out, name="p-1", volume_id=volume["id"])
    backup = done("BackupCreate", carried_out, name="b", volume_id=volume["id"])
    done("S3AccessPointDelete", carried_out, name="p-1")
    done("BackupDelete", carried_out, backup_id=backup["id"])
    assert {each["kind"] for each in fsx.objects.values()} == {"fs", "svm", "fsvol"}


@pytest.mark.parametrize("kind", ["fs", "svm", "fsvol"])
def test_what_was_not_made_here_is_left_alone(
    fsx: FsxService, file_system: Any, svm: Any, volume: Any, carried_out: Any, kind: str
) -> None:
    for each in fsx.objects.values():
        if each["kind"] == kind:
            each["record"].pop("Tags", None)
    attempts = {
        "fs": ("FileSystemDelete", {"file_system_id": file_system["id"]}),
        "svm": ("SvmDelete", {"svm_id": svm["id"]}),
        "fsvol": ("VolumeDelete", {"volume_id": volume["id"]}),
    }
    with pytest.raises(errors.NotOurs, match="does not carry the tag 'ontap-mlops'"):
        done(attempts[kind][0], carried_out, **attempts[kind][1])
    if kind == "svm":
        with pytest.raises(errors.NameTaken, match="belongs to SVM svm-.*which was not made here"):
            done("SvmEnsure", carried_out, name="svm1", file_system_id=file_system["id"])
    if kind == "fsvol":
        with pytest.raises(errors.NameTaken, match="belongs to volume fsvol-"):
            done("VolumeEnsure", carried_out, name="tyre", svm_id=svm["id"], size_bytes=GIB)


def test_a_file_system_that_fails_is_told_with_its_reason(fsx: FsxService, carried_out: Any) -> None:
    fsx.failing = {"fs": "The subnet has no free addresses"}
    with pytest.raises(errors.BadState, match=r"'ml' \(fs-.* is FAILED, because: The subnet has no free addresses"):
        done("FileSystemEnsure", carried_out, name="ml", subnet_ids=["subnet-00000001"])


@pytest.mark.parametrize(("state", "kind"), [("MISCONFIGURED", errors.BadState), ("CREATING", errors.InUse)])
def test_nothing_is_made_in_a_file_system_that_is_not_available(
    fsx: FsxService, file_system: Any, carried_out: Any, state: str, kind: type[Exception]
) -> None:
    record = fsx.objects[file_system["id"]]["record"]
    record |= {"Lifecycle": state, "FailureDetails": {"Message": "the route table was deleted"}}
    fsx.objects[file_system["id"]]["left"] = 10
    with pytest.raises(kind, match=f"is {state}, because: the route table was deleted, so SVM 'svm1' cannot be made"):
        done("SvmEnsure", carried_out, name="svm1", file_system_id=file_system["id"])


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"subnet_ids": ["subnet-0000000a0e"]}, errors.InvalidRequest, "InvalidNetworkSettings, The subnet ID"),
        (
            {"subnet_ids": ["subnet-00000001", "subnet-00000002"]},
            errors.InvalidRequest,
            "SINGLE_AZ_1, which needs 1 subnets, not 2",
        ),
        (
            {"subnet_ids": ["subnet-00000001"], "deployment": "MULTI_AZ_1"},
            errors.InvalidRequest,
            "needs 2 subnets, not 1",
        ),
        ({"subnet_ids": ["subnet-00000001"], "deployment": "TWICE"}, errors.InvalidRequest, "TWICE"),
        ({"subnet_ids": ["subnet-00000001"], "capacity_gib": 100}, errors.InvalidRequest, "100 GiB; FSx gives 1024 to"),
    ],
)
def test_bad_input_is_one_sentence(
    fsx: FsxService, carried_out: Any, arguments: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        done("FileSystemEnsure", carried_out, name="ml", **arguments)


def test_a_quota_that_is_full_is_told(fsx: FsxService, carried_out: Any) -> None:
    fsx.quota = 0
    with pytest.raises(errors.OverQuota, match=r"maximum number of file systems.*have the quota raised"):
        done("FileSystemEnsure", carried_out, name="ml", subnet_ids=["subnet-00000001"])


def test_a_pool_too_small_and_an_unknown_id_name_the_region(fsx: FsxService, svm: Any, carried_out: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"make volume 'big' in SVM 'svm1'.*not enough capacity"):
        done("VolumeEnsure", carried_out, name="big", svm_id=svm["id"], size_bytes=2**51)
    with pytest.raises(errors.NotFound, match=r"FSx in eu-west-1 .*region or location of the connection"):
        done("VolumeEnsure", carried_out, name="v", svm_id="svm-" + "0" * 17, size_bytes=GIB)


def test_an_access_point_of_another_volume_or_a_bad_name_is_told(
    fsx: FsxService, volume: Any, svm: Any, carried_out: Any
) -> None:
    done("S3AccessPointEnsure", carried_out, name="p-1", volume_id=volume["id"])
    other = done("VolumeEnsure", carried_out, name="other", svm_id=svm["id"], size_bytes=GIB)
    with pytest.raises(errors.NameTaken, match=f"belongs to volume {volume['id']}.*asked for with {other['id']}"):
        done("S3AccessPointEnsure", carried_out, name="p-1", volume_id=other["id"])
    with pytest.raises(errors.InvalidRequest, match="give 3 to 50 of lower-case"):
        done("S3AccessPointEnsure", carried_out, name="Tyre_Objects", volume_id=volume["id"])


def test_a_volume_that_is_smaller_than_asked_is_told(fsx: FsxService, volume: Any, svm: Any, carried_out: Any) -> None:
    with pytest.raises(errors.NameTaken, match=r"has 1073741824 bytes, and was asked for with 2147483648"):
        done("VolumeEnsure", carried_out, name="tyre", svm_id=svm["id"], size_bytes=2 * GIB)


def test_the_address_is_filled_into_the_connection(
    fsx: FsxService,
    airflow_rest: AirflowConnections,
    file_system: Any,
    carried_out: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = {"connection_id": "ontap_fsx", "conn_type": "ontap", "login": "vsadmin", "extra": '{"verify": "true"}'}
    airflow_rest.rows["ontap_fsx"] = row
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_FSX", '{"conn_type": "ontap", "login": "vsadmin", "password": "Secret-12"}')
    arguments = {"name": "svm1", "file_system_id": file_system["id"], "ontap_conn_id": "ontap_fsx"}
    done("SvmEnsure", carried_out, **arguments)
    assert row["host"] == "svm1.fsx.eu-west-1.amazonaws.com"
    assert row["extra"] == '{"verify": "true", "svm": "svm1"}'
    done("SvmEnsure", carried_out, **arguments)
    row["host"] = "elsewhere"
    with pytest.raises(ServiceRefused, match=r"has the host 'elsewhere'.*stays as it is"):
        done("SvmEnsure", carried_out, **arguments)
    airflow_rest.rows.clear()
    with pytest.raises(ServiceRefused, match="There is no connection 'ontap_fsx' of type ontap"):
        done("SvmEnsure", carried_out, **arguments)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(429, errors.TooBusy), (503, errors.TooBusy), ("lost", errors.Unreachable), (403, errors.LoginRefused)],
)
@pytest.mark.parametrize("which", [0, 1], ids=["first call", "the one that makes"])
def test_after_a_fault_the_next_try_makes_nothing_twice(
    fsx: FsxService, carried_out: Any, fault: int | str, kind: type[Exception], which: int
) -> None:
    def make() -> Any:
        return done("FileSystemEnsure", carried_out, name="ml", subnet_ids=["subnet-00000001"])

    if which:
        fsx.fault("slow", value=0)
    fsx.fault(fault)
    with pytest.raises(kind, match=r"FSx in eu-west-1 was asked to (list the file systems|make file system 'ml')"):
        make()
    assert make()["state"] == "AVAILABLE"
    assert len(fsx.objects) == 1


@pytest.mark.parametrize("fault", [429, 503, "lost"])
def test_a_wait_lives_through_faults(fsx: FsxService, fault: int | str) -> None:
    fsx.looks = 3
    made = operator("FileSystemEnsure", name="ml", subnet_ids=["subnet-00000001"], deferrable=True, first_wait_s=0)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute({})
    fsx.fault(fault, times=2)

    async def first() -> Any:
        return (await anext(deferred.value.trigger.run())).payload

    assert made.execute_complete({}, asyncio.run(first()))["state"] == "AVAILABLE"


def test_a_refused_connection_and_no_region_are_told(
    fsx: FsxService, carried_out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"region_name": "eu-west-1", "endpoint_url": f"http://127.0.0.1:{unused_port()}"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", fsx.connection(extra=extra))
    with pytest.raises(errors.Unreachable, match="Connection refused"):
        done("FileSystemEnsure", carried_out, name="ml", subnet_ids=["subnet-00000001"])
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", fsx.connection(extra={}))
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(errors.InvalidRequest, match="has no region_name"):
        done("FileSystemEnsure", carried_out, name="ml", subnet_ids=["subnet-00000001"])
