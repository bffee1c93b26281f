"""The part of Airflow's REST interface that reads and writes a connection."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clouds.local_service import LocalService


class AirflowConnections(LocalService):
    """``rows`` by id."""

    def reset(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/auth/token", self.token, methods=["POST"]),
            Route("/api/v2/connections/{id}", self.one, methods=["GET", "PATCH"]),
        ]

    async def token(self, request: Request) -> Response:
        return JSONResponse({"access_token": "t"}, 201)

    async def one(self, request: Request) -> Response:
        row = self.rows.get(request.path_params["id"])
        if row is None:
            return JSONResponse({"detail": "not found"}, 404)
        if request.method == "PATCH":
            body = await request.json()
            row.update({name: body[name] for name in request.query_params.getlist("update_mask")})
        return JSONResponse(row)

    def connection(self) -> str:
        return json.dumps({"conn_type": "http", "host": self.url, "login": "u", "password": "p"})
