"""Amazon FSx for ONTAP: requests and answers are held to botocore's own model of the service."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import botocore.session
from botocore.validate import ParamValidator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clouds.local_service import LocalService

REGION, ACCOUNT = "eu-west-1", "123456789012"
_MODEL = botocore.session.get_session().get_service_model("fsx")
_STATES = {"fs": "AVAILABLE", "svm": "CREATED", "fsvol": "CREATED", "backup": "AVAILABLE", "point": "AVAILABLE"}
PAGE = 2


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class FsxService(LocalService):
    """``looks``: how often a new object is seen in the making; ``failing``: kind -> reason of those that will fail."""

    def reset(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.looks = 1
        self.failing: dict[str, str] = {}
        self.quota = 10

    def routes(self) -> list[Route]:
        return [Route("/", self.answer, methods=["POST"])]

    def trouble(self, status: int, fault: Any) -> tuple[Any, dict[str, str]]:
        code = (
            "ThrottlingException"
            if status == 429
            else "ExpiredTokenException"
            if status == 403
            else "InternalServerError"
        )
        return fault.body or {"__type": code, "Message": f"trouble {status}"}, {"x-amzn-errortype": code}

    async def answer(self, request: Request) -> Response:
        name = request.headers["x-amz-target"].rpartition(".")[2]
        self.seen[-1] = f"POST {name}"
        operation = _MODEL.operation_model(name)
        try:
            asked = json.loads(await request.body())
            _check(asked, operation.input_shape)
            _check_patterns(asked, operation.input_shape)
            told = getattr(self, re.sub(r"(?<!^)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", name).lower())(asked)
        except Refused as error:
            return JSONResponse({"__type": error.code, "Message": str(error)}, 400, {"x-amzn-errortype": error.code})
        try:
            _check(told, operation.output_shape)
        except Refused as error:
            raise AssertionError(f"the service's own answer is wrong: {error}") from None
        return JSONResponse(told)

    # What makes

    def create_file_system(self, asked: dict[str, Any]) -> dict[str, Any]:
        if len([each for each in self.objects if each.startswith("fs-")]) >= self.quota:
            raise Refused("ServiceLimitExceeded", "You have reached the maximum number of file systems")
        if any(subnet == "subnet-0000000a0e" for subnet in asked["SubnetIds"]):
            raise Refused("InvalidNetworkSettings", "The subnet ID 'subnet-0000000a0e' does not exist")
        endpoints = {"Management": {"DNSName": f"management.fs.fsx.{REGION}.amazonaws.com"}}
        ontap = {**asked["OntapConfiguration"], "Endpoints": endpoints}
        ontap.pop("FsxAdminPassword", None)
        facts = {
            "FileSystemType": "ONTAP",
            "StorageCapacity": asked["StorageCapacity"],
            "SubnetIds": asked["SubnetIds"],
            "OntapConfiguration": ontap,
        }
        return {"FileSystem": self._made("fs", "FileSystemId", asked, facts, length=17)}

    def create_storage_virtual_machine(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._need(asked["FileSystemId"], "FileSystemNotFound", "AVAILABLE")
        endpoints = {
            "Management": {"DNSName": f"{asked['Name']}.fsx.{REGION}.amazonaws.com", "IpAddresses": ["10.0.0.9"]}
        }
        facts = {"FileSystemId": asked["FileSystemId"], "Name": asked["Name"], "Endpoints": endpoints}
        made = self._made("svm", "StorageVirtualMachineId", asked, facts, length=17)
        root = {"StorageVirtualMachineId": made["StorageVirtualMachineId"], "StorageVirtualMachineRoot": True}
        self._volume({"Name": f"{asked['Name']}_root", "OntapConfiguration": root}, asked["FileSystemId"])
        return {"StorageVirtualMachine": made}

    def create_volume(self, asked: dict[str, Any]) -> dict[str, Any]:
        svm = self._need(
            asked["OntapConfiguration"]["StorageVirtualMachineId"], "StorageVirtualMachineNotFound", "CREATED"
        )
        ontap = asked["OntapConfiguration"]
        if ontap["SizeInBytes"] > 2**50:
            raise Refused("BadRequest", "There is not enough capacity in the file system for the volume")
        return {"Volume": self._volume(asked, svm["FileSystemId"])}

    def _volume(self, asked: dict[str, Any], file_system: str) -> dict[str, Any]:
        facts = {
            "FileSystemId": file_system,
            "Name": asked["Name"],
            "VolumeType": "ONTAP",
            "OntapConfiguration": asked["OntapConfiguration"],
        }
        return self._made("fsvol", "VolumeId", asked, facts, length=17)

    def create_and_attach_s3_access_point(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._need(asked["OntapConfiguration"]["VolumeId"], "VolumeNotFound", "CREATED")
        if f"point {asked['Name']}" in self.objects:
            raise Refused("AccessPointAlreadyOwnedByYou", "An access point with that name exists")
        point = {"ResourceARN": f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/{asked['Name']}"}
        point["Alias"] = f"{asked['Name']}-abcdef-ext-s3alias"
        facts = {"Name": asked["Name"], "Type": "ONTAP", "S3AccessPoint": point}
        facts["OntapConfiguration"] = asked["OntapConfiguration"]
        return {"S3AccessPointAttachment": self._made("point", "Name", asked, facts, id_=asked["Name"])}

    def create_backup(self, asked: dict[str, Any]) -> dict[str, Any]:
        volume = self._need(asked["VolumeId"], "VolumeNotFound", "CREATED")
        return {"Backup": self._backup(volume, asked)}

    def _backup(self, volume: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        file_system = {"FileSystemId": volume["FileSystemId"]}
        facts = {"Type": "USER_INITIATED", "ProgressPercent": 0, "FileSystem": file_system, "ResourceType": "VOLUME"}
        facts["Volume"] = {"VolumeId": volume["VolumeId"], "Name": volume["Name"]}
        return self._made("backup", "BackupId", asked, facts, length=17)

    def _made(
        self, kind: str, id_key: str, asked: dict[str, Any], facts: dict[str, Any], length: int = 0, id_: str = ""
    ) -> dict[str, Any]:
        token = asked.get("ClientRequestToken") or uuid.uuid4().hex
        if token in self.tokens and self.tokens[token] in self.objects:
            return self._shown(self.objects[self.tokens[token]])
        id_ = id_ or f"{kind}-{uuid.uuid4().hex[:length]}"
        record = {id_key: id_, "Lifecycle": "CREATING", "CreationTime": time.time(), **facts}
        if kind != "point":
            record["ResourceARN"] = f"arn:aws:fsx:{REGION}:{ACCOUNT}:{id_}"
            record |= {"Tags": asked["Tags"]} if asked.get("Tags") else {}
        key = f"point {id_}" if kind == "point" else id_
        self.objects[key] = {"kind": kind, "left": self.looks, "record": record}
        self.tokens[token] = key
        return self._shown(self.objects[key])

    # What shows

    def describe_file_systems(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._list("fs", "FileSystems", asked.get("FileSystemIds"), asked, "FileSystemNotFound")

    def describe_storage_virtual_machines(self, asked: dict[str, Any]) -> dict[str, Any]:
        wanted = asked.get("StorageVirtualMachineIds")
        return self._list("svm", "StorageVirtualMachines", wanted, asked, "StorageVirtualMachineNotFound")

    def describe_volumes(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._list("fsvol", "Volumes", asked.get("VolumeIds"), asked, "VolumeNotFound")

    def describe_backups(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._list("backup", "Backups", asked.get("BackupIds"), asked, "BackupNotFound")

    def describe_s3_access_point_attachments(self, asked: dict[str, Any]) -> dict[str, Any]:
        names = [f"point {name}" for name in asked["Names"]] if "Names" in asked else None
        return self._list("point", "S3AccessPointAttachments", names, asked, "S3AccessPointAttachmentNotFound")

    def _list(self, kind: str, key: str, ids: list[str] | None, asked: dict[str, Any], missing: str) -> dict[str, Any]:
        for id_ in ids or []:
            if id_ not in self.objects:
                raise Refused(missing, f"{id_.removeprefix('point ')} does not exist")
        there = [
            each
            for id_, each in self.objects.items()
            if each["kind"] == kind and (ids is None or id_ in ids) and _fits(each["record"], asked.get("Filters", []))
        ]
        start = int(asked.get("NextToken") or 0)
        shown = {key: [self._shown(each) for each in there[start : start + PAGE]]}
        self.objects = {id_: each for id_, each in self.objects.items() if each["record"]["Lifecycle"] != "gone"}
        return {**shown, "NextToken": str(start + PAGE)} if start + PAGE < len(there) else shown

    def _shown(self, each: dict[str, Any]) -> dict[str, Any]:
        """As it is now; the next look finds it further."""
        record, shown = each["record"], dict(each["record"])
        each["left"] -= 1
        if each["left"] < 0 and record["Lifecycle"] == "CREATING":
            record["Lifecycle"] = _STATES[each["kind"]]
            if reason := self.failing.get(each["kind"]):
                key = "FailureDetails" if each["kind"] in ("fs", "backup") else "LifecycleTransitionReason"
                record |= {"Lifecycle": "FAILED", key: {"Message": reason}}
        if each["left"] < 0 and record["Lifecycle"] == "DELETING":
            record["Lifecycle"] = "gone"
        return shown

    # What deletes

    def delete_volume(self, asked: dict[str, Any]) -> dict[str, Any]:
        volume = self._need(asked["VolumeId"], "VolumeNotFound")
        ontap = asked.get("OntapConfiguration") or {}
        told: dict[str, Any] = {"VolumeId": asked["VolumeId"], "Lifecycle": "DELETING"}
        if not ontap.get("SkipFinalBackup"):
            backup = self._backup(volume, {"Tags": ontap.get("FinalBackupTags", [])})
            told["OntapResponse"] = {"FinalBackupId": backup["BackupId"]}
        self._deleting(asked["VolumeId"])
        return told

    def delete_storage_virtual_machine(self, asked: dict[str, Any]) -> dict[str, Any]:
        id_ = asked["StorageVirtualMachineId"]
        self._need(id_, "StorageVirtualMachineNotFound")
        self._deleting(id_)
        return {"StorageVirtualMachineId": id_, "Lifecycle": "DELETING"}

    def delete_file_system(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._need(asked["FileSystemId"], "FileSystemNotFound")
        self._deleting(asked["FileSystemId"])
        return {"FileSystemId": asked["FileSystemId"], "Lifecycle": "DELETING"}

    def delete_backup(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._need(asked["BackupId"], "BackupNotFound")
        self._deleting(asked["BackupId"])
        return {"BackupId": asked["BackupId"], "Lifecycle": "DELETED"}

    def detach_and_delete_s3_access_point(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._need(f"point {asked['Name']}", "S3AccessPointAttachmentNotFound")
        self._deleting(f"point {asked['Name']}")
        return {"Name": asked["Name"], "Lifecycle": "DELETING"}

    def _need(self, id_: str, missing: str, state: str | None = None) -> dict[str, Any]:
        if id_ not in self.objects:
            raise Refused(missing, f"{id_} does not exist")
        record = self.objects[id_]["record"]
        if state and record["Lifecycle"] != state:
            raise Refused("BadRequest", f"{id_} is {record['Lifecycle']}")
        return record

    def _deleting(self, id_: str) -> None:
        self.objects[id_]["record"]["Lifecycle"] = "DELETING"
        self.objects[id_]["left"] = self.looks

    def connection(self, **other: Any) -> str:
        extra = {
            "region_name": REGION,
            "endpoint_url": self.url,
            "config_kwargs": {"retries": {"total_max_attempts": 1}},
        }
        facts = {"conn_type": "aws", "login": "AKIDTEST", "password": "secret", "extra": extra}
        return json.dumps({**facts, **other})


def _fits(record: dict[str, Any], filters: list[dict[str, Any]]) -> bool:
    ontap, volume = record.get("OntapConfiguration") or {}, record.get("Volume") or {}
    values = {
        "file-system-id": record.get("FileSystemId"),
        "storage-virtual-machine-id": ontap.get("StorageVirtualMachineId"),
        "volume-id": volume.get("VolumeId"),
    }
    return all(values[each["Name"]] in each["Values"] for each in filters)


def _check(value: Any, shape: Any) -> None:
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        raise Refused("ValidationException", report.generate_report())


def _check_patterns(value: Any, shape: Any) -> None:
    """What botocore leaves to the service."""
    if shape.type_name == "structure":
        for name, part in value.items():
            _check_patterns(part, shape.members[name])
    elif shape.type_name == "list":
        for part in value:
            _check_patterns(part, shape.member)
    elif shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        if pattern and "\\p{" in pattern:  # of another dialect
            pattern = None
        if (pattern and not re.search(pattern, value)) or (shape.enum and value not in shape.enum):
            raise Refused("ValidationException", f"{shape.name} {value!r} does not match {pattern or shape.enum}")
