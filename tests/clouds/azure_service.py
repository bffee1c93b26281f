"""Azure Resource Manager for Microsoft.NetApp, with its asynchronous operations, and Microsoft's login service."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clouds.local_service import LocalService

TENANT, CLIENT, SECRET = "11111111-1111-1111-1111-111111111111", "client-1", "secret-1"
SUBSCRIPTION, GROUP, ACCOUNT, LOCATION = "22222222-2222-2222-2222-222222222222", "ml", "ml-netapp", "westeurope"
DELEGATED = "/subscriptions/x/subnets/delegated"
_KINDS = ("netAppAccounts", "capacityPools", "volumes", "snapshots")


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class AzureService(LocalService):
    """``looks``: how often an operation is seen under way; ``failing``: kind -> (code, message) of those that fail."""

    def __init__(self, certificate: Path) -> None:
        self.certificate = certificate
        super().__init__()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def reset(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.looks = 1
        self.failing: dict[str, tuple[str, str]] = {}
        self.refuses = False
        self.tokens: set[str] = set()
        self.quota_pools = 25
        self._numbers = itertools.count(1)

    def routes(self) -> list[Route]:
        base = "/subscriptions/{subscription}"
        provider = f"{base}/resourceGroups/{{group}}/providers/Microsoft.NetApp"
        login = "/{tenant}/v2.0/.well-known/openid-configuration"
        return [
            Route(login, self.discovery, methods=["GET"]),
            Route("/{tenant}/oauth2/v2.0/token", self.token, methods=["POST"]),
            Route(
                f"{base}/providers/Microsoft.NetApp/operations/{{id}}", self.guarded(self.operation), methods=["GET"]
            ),
            Route(f"{provider}/{{rest:path}}", self.guarded(self.resource), methods=["GET", "PUT", "DELETE", "POST"]),
        ]

    def trouble(self, status: int, fault: Any) -> tuple[Any, dict[str, str]]:
        code = {429: "TooManyRequests", 503: "ServerBusy"}.get(status, "Trouble")
        return fault.body or {"error": {"code": code, "message": f"trouble {status}"}}, {"Retry-After": "0"}

    async def discovery(self, request: Request) -> Response:
        base = f"{self.url}/{request.path_params['tenant']}"
        facts = {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        }
        return JSONResponse({**facts, "issuer": f"{base}/v2.0"})

    async def token(self, request: Request) -> Response:
        form = dict(item.split("=", 1) for item in (await request.body()).decode().split("&"))
        if self.refuses or (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            error = {
                "error": "invalid_client",
                "error_description": "AADSTS7000222: The provided client secret is expired.",
            }
            return JSONResponse(error, 401)
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def guarded(self, handler: Any) -> Any:
        async def checked(request: Request) -> Response:
            try:
                if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                    raise Refused(401, "InvalidAuthenticationToken", "The access token is invalid.")
                if not request.query_params.get("api-version") and "operations/" not in request.url.path:
                    raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
                body = await request.body()
                return handler(request, json.loads(body) if body else {})
            except Refused as error:
                told = {"error": {"code": error.code, "message": str(error)}}
                return JSONResponse(told, error.status)

        return checked

    def operation(self, request: Request, body: Any) -> Response:
        known = self.operations.get(request.path_params["id"])
        if known is None:
            raise Refused(404, "NotFound", "The operation is not known.")
        self._step(known)
        told = {"id": request.url.path, "name": request.path_params["id"], "status": known["status"]}
        return JSONResponse({**told, **({"error": known["error"]} if known["error"] else {})})

    def resource(self, request: Request, body: Any) -> Response:
        if (request.path_params["subscription"], request.path_params["group"]) != (SUBSCRIPTION, GROUP):
            raise Refused(
                404, "ResourceGroupNotFound", f"Resource group '{request.path_params['group']}' could not be found."
            )
        parts = request.path_params["rest"].split("/")
        kinds, names = parts[::2], parts[1::2]
        if request.method == "POST":
            return self._pool_change(names, body)
        key = "/".join(names)
        if request.method == "GET" and len(kinds) > len(names):
            below = [o for k, o in self.objects.items() if k.startswith(f"{key}/") and k.count("/") == len(names)]
            if key not in self.objects:
                raise Refused(404, "ResourceNotFound", f"The resource '{key}' was not found.")
            return JSONResponse({"value": below})
        if request.method == "PUT":
            return self._put(kinds[-1], names, body)
        if request.method == "GET":  # work goes on whoever looks
            for known in list(self.operations.values()):
                self._step(known)
        if key not in self.objects:
            raise Refused(404, "ResourceNotFound", f"The resource '{key}' was not found.")
        if request.method == "DELETE":
            return self._delete(key, kinds[-1])
        return JSONResponse(self.objects[key])

    def _put(self, kind: str, names: list[str], body: dict[str, Any]) -> Response:
        key, parent = "/".join(names), "/".join(names[:-1])
        if kind not in _KINDS or (parent and parent not in self.objects):
            raise Refused(404, "ParentResourceNotFound", f"The parent of '{key}' was not found.")
        if not body.get("location"):
            raise Refused(400, "LocationRequired", "The location property is required.")
        properties = body.get("properties") or {}
        if kind == "capacityPools" and len([k for k in self.objects if k.count("/") == 1]) >= self.quota_pools:
            raise Refused(400, "QuotaExceeded", "The maximum number of capacity pools has been reached.")
        if kind == "volumes":
            self._check_volume(properties, parent)
        record = {
            "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.NetApp/{key}",
            "name": key,
            "location": body["location"],
            "tags": body.get("tags") or {},
            "properties": {**properties, "provisioningState": "Creating"},
        }
        self.objects[key] = record
        return JSONResponse(record, 201, self._begun("made", key, kind))

    def _check_volume(self, properties: dict[str, Any], pool: str) -> None:
        missing = {"creationToken", "usageThreshold", "subnetId"} - set(properties)
        if missing:
            raise Refused(400, "MissingProperty", f"Missing {sorted(missing)}")
        volumes = [o for k, o in self.objects.items() if k.count("/") == 2]
        if any(v["properties"]["creationToken"] == properties["creationToken"] for v in volumes):
            raise Refused(400, "CreationTokenInUse", "A volume with this creation token already exists.")
        size = self.objects[pool]["properties"]["size"]
        used = sum(v["properties"]["usageThreshold"] for k, v in self._in(pool))
        if used + properties["usageThreshold"] > size:
            raise Refused(400, "PoolSizeTooSmall", f"The capacity pool of {size} bytes is too small for the volume.")

    def _in(self, pool: str) -> list[tuple[str, dict[str, Any]]]:
        return [(k, o) for k, o in self.objects.items() if k.startswith(f"{pool}/") and k.count("/") == 2]

    def _pool_change(self, names: list[str], body: dict[str, Any]) -> Response:
        key = "/".join(names[:3])
        target = body["newPoolResourceId"].rpartition("Microsoft.NetApp/")[2]
        if key not in self.objects or target not in self.objects:
            raise Refused(404, "ResourceNotFound", f"{key} or {target} was not found.")
        self.objects[key]["properties"]["provisioningState"] = "Moving"
        return Response(status_code=202, headers=self._begun(f"moved {target}", key, "poolChange"))

    def _delete(self, key: str, kind: str) -> Response:
        if kind == "capacityPools" and self._in(key):
            raise Refused(409, "CannotDeleteResource", "Can not delete resource before nested resources are deleted.")
        self.objects[key]["properties"]["provisioningState"] = "Deleting"
        return Response(status_code=202, headers=self._begun("deleted", key, kind))

    def _begun(self, end: str, key: str, kind: str) -> dict[str, str]:
        id_ = f"op-{next(self._numbers)}"
        self.operations[id_] = {"left": self.looks, "status": "InProgress", "end": end, "key": key, "kind": kind}
        self.operations[id_]["error"] = None
        where = f"{self.url}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.NetApp/operations/{id_}?api-version=1"
        return {"Azure-AsyncOperation": where, "Location": where}

    def _step(self, known: dict[str, Any]) -> None:
        known["left"] -= 1
        if known["status"] != "InProgress" or known["left"] >= 0:
            return
        if reason := self.failing.get(known["kind"]):
            known |= {"status": "Failed", "error": {"code": reason[0], "message": reason[1]}}
            if known["end"] == "made":
                del self.objects[known["key"]]
            return
        known["status"], key = "Succeeded", known["key"]
        if known["end"] == "deleted":
            self.objects = {k: o for k, o in self.objects.items() if k != key and not k.startswith(f"{key}/")}
            return
        record = self.objects[key]
        record["properties"]["provisioningState"] = "Succeeded"
        if known["end"].startswith("moved "):
            pool = known["end"].removeprefix("moved ")
            del self.objects[key]
            record["properties"]["serviceLevel"] = self.objects[pool]["properties"]["serviceLevel"]
            name = f"{pool}/{key.rpartition('/')[2]}"
            self.objects[name] = {**record, "name": name, "id": record["id"].replace(key, name)}
        elif key.count("/") == 2:
            record["properties"]["mountTargets"] = [{"ipAddress": "10.1.0.4"}]

    def connection(self, **other: Any) -> str:
        extra = {
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resource_group": GROUP,
            "account": ACCOUNT,
            "location": LOCATION,
            "authority": self.url,
            "verify": str(self.certificate),
        }
        facts: dict[str, Any] = {
            "conn_type": "azure_netapp_files",
            "host": self.url,
            "login": CLIENT,
            "password": SECRET,
        }
        return json.dumps({**facts, **other, "extra": {**extra, **other.get("extra", {})}})
