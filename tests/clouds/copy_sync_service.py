"""Copy and Sync as NetApp documents it (relationships-v2, data brokers, accounts) and its login service."""

from __future__ import annotations

import itertools
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clouds.local_service import LocalService

ACCOUNT = "account-JeL97Ry3"
GROUP, BROKER = "group-1", "broker-1"
REFRESH_TOKEN, CLIENT_ID, SECRET = "refresh-1", "service-1", "secret-1"
REQUIRED = {
    "nfs": {"host", "export", "provider"},
    "cifs": {"host", "share", "provider", "credentials"},
    "s3": {"bucket", "provider"},
    "azure": {"container", "provider"},
    "gcp": {"bucket", "provider"},
}
SETTINGS = {"copyData", "gracePeriod", "deleteOnSource", "deleteOnTarget", "objectTagging", "retries", "fileTypes"}
SETTINGS |= {"compareBy", "files", "directories", "schedule", "scheduleAbort"}
PROVIDERS = {
    "nfs": {"nfs", "anf", "cvs", "cvo", "onprem", "fsx", "efs"},
    "cifs": {"cifs", "anf", "cvs", "cvo", "onprem", "fsx"},
    "s3": {"s3", "sgws", "ibm", "ontap"},
    "azure": {"azure", "azure_data_lake"},
    "gcp": {"gcp"},
}


class CopySyncService(LocalService):
    """``end`` is how syncs end; ``looks`` how often one is seen running first. Each start has a time of its own."""

    def reset(self) -> None:
        self.relationships: dict[str, dict[str, Any]] = {}
        self.brokers = [{"id": BROKER, "name": "db1", "status": "COMPLETE", "groupId": GROUP}]
        self.accounts = [{"accountId": ACCOUNT, "name": "Test"}]
        self.tokens: set[str] = set()
        self.lifetime_s = 86400
        self.refuses = False
        self.started_in_between = False
        self.end: dict[str, Any] = {"status": "DONE"}
        self.looks = 1
        self.logins: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def routes(self) -> list[Route]:
        def route(path: str, handler: Any, *methods: str) -> Route:
            return Route(path, handler, methods=list(methods))

        one = "/api/relationships-v2/{id}"
        return [
            route("/oauth/token", self.token, "POST"),
            route("/api/accounts", self.guarded(self.list_accounts), "GET"),
            route("/api/data-brokers", self.guarded(self.list_brokers), "GET"),
            route("/api/relationships-v2", self.guarded(self.list_relationships), "GET"),
            route("/api/relationships-v2", self.guarded(self.create), "POST"),
            route(one, self.guarded(self.show), "GET"),
            route("/api/relationships/{id}", self.guarded(self.delete), "DELETE"),
            route("/api/relationships/{id}/sync", self.guarded(self.sync), "PUT"),
            route("/api/relationships/{id}/abort", self.guarded(self.abort), "PUT"),
        ]

    def trouble(self, status: int, fault: Any) -> tuple[Any, dict[str, str]]:
        return fault.body or {"statusCode": status, "message": f"trouble {status}"}, {}

    def revoke(self) -> None:
        """What a token that has run out looks like to the service."""
        self.tokens.clear()

    async def token(self, request: Request) -> Response:
        asked = await request.json()
        self.logins.append(asked)
        known = {
            "refresh_token": asked.get("refresh_token") == REFRESH_TOKEN and bool(asked.get("client_id")),
            "client_credentials": (asked.get("client_id"), asked.get("client_secret")) == (CLIENT_ID, SECRET)
            and bool(asked.get("audience")),
        }
        if self.refuses or not known.get(asked.get("grant_type"), False):
            error = {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
            return JSONResponse(error, 403)
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": self.lifetime_s, "token_type": "Bearer"})

    def guarded(self, handler: Any) -> Any:
        async def checked(request: Request) -> Response:
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                return JSONResponse({"statusCode": 401, "message": "jwt expired"}, 401)
            if handler != self.list_accounts and request.headers.get("x-account-id") != ACCOUNT:
                return JSONResponse({"statusCode": 403, "message": "account not allowed"}, 403)
            found = self.relationships.get(request.path_params.get("id", ""))
            if "id" in request.path_params and found is None:
                return JSONResponse({"statusCode": 404, "message": "Relationship was not found"}, 404)
            body = await request.body()
            return handler(*([found] if found else []), *([json.loads(body)] if body else []))

        return checked

    def list_accounts(self) -> Response:
        return JSONResponse(self.accounts)

    def list_brokers(self) -> Response:
        return JSONResponse(self.brokers)

    def list_relationships(self) -> Response:
        return JSONResponse([self.shown(each) for each in self.relationships.values()])

    def create(self, body: dict[str, Any]) -> Response:
        for which in ("source", "target"):
            end = body.get(which) or {}
            protocol = end.get("protocol")
            details = end.get(protocol) or {}
            missing = REQUIRED.get(protocol, {"protocol"}) - set(details)
            if missing or details["provider"] not in PROVIDERS[protocol]:
                return JSONResponse({"statusCode": 400, "message": f"{which}: {sorted(missing)}"}, 400)
            if details["provider"] in ("sgws", "ibm", "ontap") and not all((details.get("credentials") or {}).values()):
                return JSONResponse({"statusCode": 400, "message": f"{which}: credentials"}, 400)
        if missing := SETTINGS - set(body.get("settings") or {}):
            return JSONResponse({"statusCode": 400, "message": f"settings: {sorted(missing)}"}, 400)
        if body.get("groupId") not in {broker["groupId"] for broker in self.brokers}:
            return JSONResponse({"statusCode": 400, "message": "group was not found"}, 400)
        id_ = f"rel-{next(self._numbers)}"
        kept = {name: body[name] for name in ("source", "target", "settings", "tags") if name in body}
        for which in ("source", "target"):
            kept[which][kept[which]["protocol"]].pop("credentials", None)
        self.relationships[id_] = {"id": id_, "dataBroker": BROKER, "group": body["groupId"], "createdAt": 1, **kept}
        return JSONResponse({"id": id_, "relationshipId": id_, "dataBroker": BROKER}, 202)

    def show(self, found: dict[str, Any]) -> Response:
        return JSONResponse(self.shown(found))

    def shown(self, found: dict[str, Any]) -> dict[str, Any]:
        activity = found.get("activity")
        if activity and activity["status"] in ("RUNNING", "PENDING"):
            found["left"] -= 1
            if found["left"] < 0:
                activity.update({"filesCopied": 10, "bytesCopied": 1000, "filesScanned": 12, "executionTime": 5000})
                activity.update({"filesMarkedForCopy": 10, **self.end})
        return {name: value for name, value in found.items() if name != "left"}

    def sync(self, found: dict[str, Any]) -> Response:
        if self.started_in_between:
            self.started_in_between = False
            self.sync(found)
        if (found.get("activity") or {}).get("status") == "RUNNING":
            return JSONResponse({"statusCode": 400, "message": "Relationship is already running"}, 400)
        start = f"2026-11-20T00:00:{next(self._numbers):02d}Z"
        found["activity"] = {"type": "Sync", "status": "RUNNING", "startTime": start, "filesMarkedForCopy": 10}
        found["left"] = self.looks
        return Response(status_code=202)

    def abort(self, found: dict[str, Any]) -> Response:
        found["activity"]["status"] = "ABORTED"
        return Response(status_code=202)

    def delete(self, found: dict[str, Any]) -> Response:
        del self.relationships[found["id"]]
        return Response(status_code=200)

    def connection(self, **other: Any) -> str:
        facts: dict[str, Any] = {"conn_type": "netapp_copy_sync", "host": self.url, "password": REFRESH_TOKEN}
        return json.dumps({**facts, "extra": {"token_url": f"{self.url}/oauth/token"}, **other})
