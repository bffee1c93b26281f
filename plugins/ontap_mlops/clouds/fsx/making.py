"""Objects made once: found by tag or name, else asked for; FSx goes on with them, and ``resources.look`` follows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.clouds import errors, marks
from ontap_mlops.clouds.fsx import resources
from ontap_mlops.clouds.fsx.calls import call
from ontap_mlops.clouds.fsx.resources import ACCESS_POINT, BACKUP, FILE_SYSTEM, SVM, VOLUME

_ACCESS_POINT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,48}[a-z0-9]")


def ensure_file_system(
    client: Any,
    *,
    name: str,
    subnet_ids: Sequence[str],
    capacity_gib: int,
    throughput_mbps: int,
    deployment: str = "SINGLE_AZ_1",
    security_group_ids: Sequence[str] = (),
    admin_password: str = "",
) -> str:
    """Return the id. ``deployment`` is FSx's: SINGLE_AZ_1, SINGLE_AZ_2, MULTI_AZ_1 or MULTI_AZ_2 (two subnets)."""
    found = [each for each in resources.list_all(client, FILE_SYSTEM) if _is(each, name)]
    if found:
        return _only(FILE_SYSTEM, name, found)
    if not 1024 <= capacity_gib <= 1024**2:
        raise errors.InvalidRequest(
            f"File system {name!r} was asked for with {capacity_gib} GiB; FSx gives 1024 to 1048576."
        )
    needed = 2 if deployment.startswith("MULTI") else 1
    if len(subnet_ids) != needed:
        raise errors.InvalidRequest(
            f"File system {name!r} is {deployment}, which needs {needed} subnets, not {len(subnet_ids)}."
        )
    ontap: dict[str, Any] = {"DeploymentType": deployment, "ThroughputCapacity": throughput_mbps}
    if needed == 2:
        ontap["PreferredSubnetId"] = subnet_ids[0]
    if admin_password:
        ontap["FsxAdminPassword"] = admin_password
    groups = {"SecurityGroupIds": list(security_group_ids)} if security_group_ids else {}
    answer = call(
        client,
        "create_file_system",
        "FileSystem",
        asked=f"make file system {name!r} in {', '.join(subnet_ids)}",
        ClientRequestToken=marks.token("file system", name),
        FileSystemType="ONTAP",
        StorageCapacity=capacity_gib,
        SubnetIds=list(subnet_ids),
        Tags=resources.tags(name),
        OntapConfiguration=ontap,
        **groups,
    )
    return answer["FileSystemId"]


def ensure_svm(client: Any, *, name: str, file_system_id: str, admin_password: str = "") -> str:
    """Return the id. Raises NameTaken when somebody else's SVM of the file system has the name."""
    there = resources.list_all(client, SVM, file_system_id=file_system_id)
    found = [each for each in there if each["Name"] == name]
    if found:
        return _ours(SVM, name, found[0])
    file_system = resources.get(client, FILE_SYSTEM, file_system_id)
    resources.require_ready(FILE_SYSTEM, file_system, f"SVM {name!r} cannot be made in it")
    password = {"SvmAdminPassword": admin_password} if admin_password else {}
    answer = call(
        client,
        "create_storage_virtual_machine",
        "StorageVirtualMachine",
        asked=f"make SVM {name!r} in file system {file_system_id!r}",
        ClientRequestToken=marks.token("svm", file_system_id, name),
        FileSystemId=file_system_id,
        Name=name,
        RootVolumeSecurityStyle="UNIX",
        Tags=resources.tags(name),
        **password,
    )
    return answer["StorageVirtualMachineId"]


def ensure_volume(
    client: Any,
    *,
    name: str,
    svm_id: str,
    size_bytes: int,
    junction_path: str | None = None,
    tiering: str = "AUTO",
    snapshot_policy: str = "none",
) -> str:
    """Return the id. Raises NameTaken when the SVM's volume of that name is somebody else's, or smaller than asked."""
    there = resources.list_all(client, VOLUME, storage_virtual_machine_id=svm_id)
    found = [each for each in there if each["Name"] == name]
    if found:
        return _large_enough(_ours(VOLUME, name, found[0]), name, found[0], size_bytes)
    svm = resources.get(client, SVM, svm_id)
    resources.require_ready(SVM, svm, f"volume {name!r} cannot be made in it")
    path = {"JunctionPath": junction_path} if junction_path else {}
    cooling = {"CoolingPeriod": 31} if tiering == "AUTO" else {"CoolingPeriod": 2} if tiering == "SNAPSHOT_ONLY" else {}
    answer = call(
        client,
        "create_volume",
        "Volume",
        asked=f"make volume {name!r} in SVM {svm.get('Name')!r} ({svm_id})",
        ClientRequestToken=marks.token("volume", svm_id, name),
        VolumeType="ONTAP",
        Name=name,
        Tags=resources.tags(name),
        OntapConfiguration={
            "StorageVirtualMachineId": svm_id,
            "SizeInBytes": size_bytes,
            "SecurityStyle": "UNIX",
            "StorageEfficiencyEnabled": True,
            "SnapshotPolicy": snapshot_policy,
            "CopyTagsToBackups": True,
            "TieringPolicy": {"Name": tiering, **cooling},
            **path,
        },
    )
    return answer["VolumeId"]


def ensure_access_point(
    client: Any, *, name: str, volume_id: str, user: str, windows: bool = False, vpc_id: str | None = None
) -> str:
    """Return the name. Raises NameTaken when it is attached to another volume or as another user."""
    if not _ACCESS_POINT_NAME.fullmatch(name):
        raise errors.InvalidRequest(
            f"S3 access point {name!r}: give 3 to 50 of lower-case letters, digits and hyphens."
        )
    volume = resources.get(client, VOLUME, volume_id)
    who = (
        {"Type": "WINDOWS", "WindowsUser": {"Name": user}} if windows else {"Type": "UNIX", "UnixUser": {"Name": user}}
    )
    try:
        ontap = resources.get(client, ACCESS_POINT, name).get("OntapConfiguration") or {}
    except errors.NotFound:
        ontap = {}
    if ontap:
        if (ontap.get("VolumeId"), ontap.get("FileSystemIdentity")) != (volume_id, who):
            raise errors.NameTaken(
                f"S3 access point {name!r} belongs to volume {ontap.get('VolumeId')} and user "
                f"{ontap.get('FileSystemIdentity')}, and was asked for with {volume_id} and {who}. Choose another name."
            )
        return name
    resources.require_ready(VOLUME, volume, f"S3 access point {name!r} cannot be attached to it")
    vpc: dict[str, Any] = {"S3AccessPoint": {"VpcConfiguration": {"VpcId": vpc_id}}} if vpc_id else {}
    call(
        client,
        "create_and_attach_s3_access_point",
        asked=f"attach S3 access point {name!r} to volume {volume_id!r}",
        ClientRequestToken=marks.token("access point", volume_id, name),
        Name=name,
        Type="ONTAP",
        OntapConfiguration={"VolumeId": volume_id, "FileSystemIdentity": who},
        **vpc,
    )
    return name


def ensure_backup(client: Any, *, name: str, volume_id: str) -> str:
    """Return the id of the volume's backup called ``name``."""
    found = [each for each in resources.list_all(client, BACKUP, volume_id=volume_id) if _is(each, name)]
    if found:
        return _only(BACKUP, name, found)
    volume = resources.get(client, VOLUME, volume_id)
    resources.require_ready(VOLUME, volume, f"backup {name!r} cannot be made of it")
    token = marks.token("backup", volume_id, name)
    asked = f"make backup {name!r} of volume {volume_id!r}"
    answer = call(
        client,
        "create_backup",
        "Backup",
        asked=asked,
        ClientRequestToken=token,
        VolumeId=volume_id,
        Tags=resources.tags(name),
    )
    return answer["BackupId"]


def _is(record: Mapping[str, Any], name: str) -> bool:
    return resources.mark_of(record) == name and record.get("Lifecycle") not in ("DELETING", "DELETED")


def _only(kind: str, name: str, found: list[dict[str, Any]]) -> str:
    known = resources.KINDS[kind]
    ids = sorted(each[known.id_key] for each in found)
    if len(ids) > 1:
        raise errors.NameTaken(
            f"Several {known.word}s carry the tag {marks.TAG}={name}: {', '.join(ids)}. Leave it on one."
        )
    return ids[0]


def _ours(kind: str, name: str, record: Mapping[str, Any]) -> str:
    known = resources.KINDS[kind]
    if resources.mark_of(record) is None:
        raise errors.NameTaken(
            f"The name {name!r} belongs to {known.word} {record[known.id_key]}, which was not made here. Choose "
            f"another name, or give it the tag {marks.TAG}={name} to have it used."
        )
    return record[known.id_key]


def _large_enough(id_: str, name: str, record: Mapping[str, Any], size_bytes: int) -> str:
    ontap = record.get("OntapConfiguration") or {}
    size = ontap.get("SizeInBytes") or (ontap.get("SizeInMegabytes") or 0) * 1024**2
    if size and size < size_bytes:
        raise errors.NameTaken(
            f"Volume {name!r} ({id_}) has {size} bytes, and was asked for with {size_bytes}. Resize it or ask for less."
        )
    return id_
