"""Google Cloud NetApp Volumes (REST, version 1) with google.longrunning operations, and Google's token service."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clouds.local_service import LocalService

PROJECT, LOCATION, ELSEWHERE = "ml", "europe-west3", "europe-west4"
_TYPES = {"storagePools": "StoragePool", "volumes": "Volume", "snapshots": "Snapshot", "replications": "Replication"}
_IDS = {
    "storagePools": "storagePoolId",
    "volumes": "volumeId",
    "snapshots": "snapshotId",
    "replications": "replicationId",
}
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_STATUS |= {409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class GoogleService(LocalService):
    """``looks``: how often an operation is seen under way; ``failing``: folder -> (code, message) of what fails."""

    def reset(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.looks = 1
        self.failing: dict[str, tuple[int, str]] = {}
        self.refuses = False
        self.tokens: set[str] = set()
        self.quota_pools = 20
        self._numbers = itertools.count(1)

    def routes(self) -> list[Route]:
        return [
            Route("/token", self.token, methods=["POST"]),
            Route("/v1/{name:path}", self.guarded, methods=["GET", "POST", "DELETE"]),
        ]

    def trouble(self, status: int, fault: Any) -> tuple[Any, dict[str, str]]:
        return fault.body or _error(status, f"trouble {status}"), {}

    async def token(self, request: Request) -> Response:
        if self.refuses:
            error = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return JSONResponse(error, 400)
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    async def guarded(self, request: Request) -> Response:
        try:
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                raise Refused(401, "Request had invalid authentication credentials.")
            body = await request.body()
            return JSONResponse(self.answer(request, request.path_params["name"], json.loads(body) if body else {}))
        except Refused as error:
            return JSONResponse(_error(error.status, str(error)), error.status)

    def answer(self, request: Request, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name.split("/")[1] != PROJECT:
            raise Refused(403, f"Permission denied on resource project {name.split('/')[1]}.")
        if request.method == "GET" and "/operations/" in name:
            return self._operation(name)
        if request.method == "GET":
            for known in list(self.operations):  # work goes on whoever looks
                self._operation(known)
        name, _, verb = name.partition(":")
        folder = name.rpartition("/")[2]
        if folder in _TYPES and request.method == "GET":
            there = [o for key, o in self.objects.items() if key.rpartition("/")[0] == name]
            return {folder: there}
        if folder in _TYPES:
            return self._create(f"{name}/{request.query_params[_IDS[folder]]}", folder, body)
        if name not in self.objects:
            raise Refused(404, f"Resource '{name}' was not found")
        if request.method == "GET":
            return self.objects[name]
        if request.method == "DELETE":
            return self._delete(name, request.query_params.get("force") == "true")
        return self._turn(name, verb)

    def _create(self, name: str, folder: str, body: dict[str, Any]) -> dict[str, Any]:
        if name in self.objects:
            raise Refused(409, f"Resource '{name}' already exists")
        if not re.fullmatch("[a-z]([a-z0-9-]*[a-z0-9])?", name.rpartition("/")[2]):
            raise Refused(400, f"Invalid resource id in '{name}'")
        record = {**body, "name": name, "state": "CREATING"}
        if folder == "storagePools":
            if len([k for k in self.objects if "/storagePools/" in k]) >= self.quota_pools:
                raise Refused(429, "Quota exceeded for quota metric 'Storage pools'")
            if not {"serviceLevel", "capacityGib", "network"} <= set(body):
                raise Refused(400, "service level, capacity and network are required")
        if folder == "volumes":
            self._check_volume(name, body)
            record["serviceLevel"] = self.objects[self._pool(name, body)]["serviceLevel"]
            record["storagePool"] = self._pool(name, body)
        if folder == "replications":
            to = body["destinationVolumeParameters"]
            target = f"{to['storagePool'].partition('/storagePools/')[0]}/volumes/{to['volumeId']}"
            record |= {"destinationVolume": target, "sourceVolume": name.partition("/replications/")[0]}
            record["mirrorState"] = "PREPARING"
        self.objects[name] = record
        return self._begun("made", name, folder)

    def _pool(self, name: str, body: dict[str, Any]) -> str:
        return f"{name.partition('/volumes/')[0]}/storagePools/{body['storagePool'].rpartition('/')[2]}"

    def _check_volume(self, name: str, body: dict[str, Any]) -> None:
        pool = self._pool(name, body)
        if pool not in self.objects:
            raise Refused(400, f"Storage pool '{pool}' was not found in this location")
        volumes = [o for o in self.objects.values() if o.get("storagePool") == pool]
        used = sum(int(o["capacityGib"]) for o in volumes) + int(body["capacityGib"])
        if used > int(self.objects[pool]["capacityGib"]):
            raise Refused(400, f"Not enough capacity in storage pool for {body['capacityGib']} GiB")
        if any(o["shareName"] == body["shareName"] for o in volumes):
            raise Refused(409, f"A volume with share name '{body['shareName']}' already exists")

    def _delete(self, name: str, force: bool) -> dict[str, Any]:
        below = [k for k in self.objects if k.startswith(f"{name}/")]
        held = [o for o in self.objects.values() if o.get("storagePool") == name]
        if held or (below and not force):
            raise Refused(400, f"Resource '{name}' has nested resources")
        if self.objects[name].get("mirrorState") in ("MIRRORED", "TRANSFERRING"):
            raise Refused(400, "The replication must be stopped before it is deleted")
        self.objects[name]["state"] = "DELETING"
        return self._begun("deleted", name, name.split("/")[-2])

    def _turn(self, name: str, verb: str) -> dict[str, Any]:
        self.objects[name]["state"] = "UPDATING"
        return self._begun(verb, name, "replications")

    def _begun(self, end: str, name: str, folder: str) -> dict[str, Any]:
        id_ = f"{'/'.join(name.split('/')[:4])}/operations/operation-{next(self._numbers)}"
        self.operations[id_] = {"left": self.looks, "end": end, "target": name, "folder": folder, "error": None}
        self.operations[id_]["done"] = False
        return self._shown(id_)

    def _operation(self, name: str) -> dict[str, Any]:
        known = self.operations.get(name)
        if known is None:
            raise Refused(404, f"Operation '{name}' was not found")
        known["left"] -= 1
        if known["left"] < 0 and not known["done"]:
            self._end(known)
        return self._shown(name)

    def _end(self, known: dict[str, Any]) -> None:
        known["done"], target = True, known["target"]
        if reason := self.failing.get(known["folder"]):
            known["error"] = {"code": reason[0], "message": reason[1]}
            if known["end"] == "made":
                del self.objects[target]
            return
        if known["end"] == "deleted":
            self.objects = {k: o for k, o in self.objects.items() if k != target and not k.startswith(f"{target}/")}
            return
        record = self.objects[target]
        record["state"] = "READY"
        if known["folder"] == "replications":
            record["mirrorState"] = "STOPPED" if known["end"] == "stop" else "MIRRORED"
            record |= {"healthy": True, "transferStats": {"lagDuration": "12s"}}
        if known["folder"] == "volumes":
            record["mountOptions"] = [{"exportFull": f"10.2.0.4:/{record['shareName']}"}]

    def _shown(self, name: str) -> dict[str, Any]:
        known = self.operations[name]
        kind = "type.googleapis.com/google.cloud.netapp.v1"
        told = {"name": name, "done": known["done"], "metadata": {"@type": f"{kind}.OperationMetadata"}}
        told["metadata"] |= {"target": known["target"]}
        if known["error"]:
            return {**told, "error": known["error"]}
        if known["done"] and known["target"] in self.objects:
            told["response"] = {"@type": f"{kind}.{_TYPES[known['folder']]}", **self.objects[known["target"]]}
        return told

    def connection(self, **extra: Any) -> str:
        key = {
            "type": "service_account",
            "client_email": "ml@ml.iam.gserviceaccount.com",
            "private_key": KEY.decode(),
            "private_key_id": "1",
            "token_uri": f"{self.url}/token",
        }
        facts = {"project": PROJECT, "location": LOCATION, "keyfile_dict": json.dumps(key), **extra}
        host = facts.pop("host", self.url)
        return json.dumps({"conn_type": "google_netapp_volumes", "host": host, "extra": facts})


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": _STATUS.get(status, "UNKNOWN")}}
