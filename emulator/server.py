"""The HTTP side: one request in, through faults, password, role and route, one answer out."""

from __future__ import annotations

import asyncio
import html
import json
import logging
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from emulator import control
from emulator.auth import Accounts, check_role, tunnelled
from emulator.bulk import with_collections
from emulator.errors import NoSuchMethod, OntapError, TooLarge, TooSlow, Unauthorized
from emulator.fields import without_links
from emulator.rest import Call, Reply, Route
from emulator.router import Router
from emulator.world import World


def _urls() -> list[Route]:
    """The routes of every resource: whatever folder of the emulator has a ``urls.py``."""
    folders = sorted(path.parent.name for path in Path(__file__).parent.glob("*/urls.py"))
    return [route for folder in folders for route in import_module(f"emulator.{folder}.urls").URLS]


URLS: list[Route] = with_collections(_urls())
# Requests wait in threads for jobs (return_timeout, up to two minutes), so there must be many of them.
THREADS = 128
# ONTAP's longest request, a list of many records, stays far below.
MAX_BODY_BYTES = 8 << 20
BODY_TIMEOUT_S = 60.0

log = logging.getLogger(__name__)


class App:
    """The ASGI application over one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.router = Router(URLS)
        self.accounts = Accounts(world.store)
        self._threads: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request, send)
        except ClientDisconnect:
            return
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, request: Request, send: Send) -> Response | None:
        method, asked = request.method, _asked(request)
        faults = self.world.faults
        if faults.take(method, asked, "refuse"):
            self._note(method, asked, None)
            _drop(send)
            return None
        lost = faults.take(method, asked, "lost_answer")
        if slow := faults.take(method, asked, "slow"):
            await asyncio.sleep(slow.delay_s)
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(THREADS)
        try:
            body = await _body(request)
        except OntapError as error:
            response = _json_response(error.body(), error.status, {"Connection": "close"})
        else:
            response = await anyio.to_thread.run_sync(self._handle, request, asked, body, limiter=self._threads)
        self._note(method, asked, response.status_code)
        if lost:
            _drop(send)
            return None
        return response

    def _note(self, method: str, path: str, status: int | None) -> None:
        if not path.startswith("/emulator"):
            self.world.requests.append({"method": method, "path": path, "status": status})

    def _handle(self, request: Request, asked: str, body: bytes) -> Response:
        hal = "application/json" not in request.headers.get("accept", "")
        headers = {"Date": self.world.clock.http_date()}
        if request.scope["path"] == "/" and request.method in ("GET", "HEAD"):
            return HTMLResponse(self._page(), headers=headers)
        try:
            reply = self._reply(request, asked, body)
        except Unauthorized as error:
            return _json_response(error.body(), 401, headers | {"WWW-Authenticate": 'Basic realm="ONTAP"'})
        except OntapError as error:
            return _json_response(error.body(), error.status, headers)
        except Exception as error:
            log.exception("%s %s failed inside the emulator", request.method, request.scope["path"])
            broken = OntapError(f"Internal error. {type(error).__name__}: {error}", code="20", status=500)
            return _json_response(broken.body(), 500, headers)
        headers |= {"Content-Type": "application/hal+json" if hal else "application/json"} | reply.headers
        content = reply.body if hal else without_links(reply.body)
        text = "" if content is None or request.method == "HEAD" else json.dumps(content)
        return Response(text, reply.status, headers)

    def _reply(self, request: Request, asked: str, body: bytes) -> Reply:
        method, path, headers = request.method, request.scope["path"], request.headers
        user = self.accounts.authenticate(headers.get("authorization"))
        check_role(user, method, path)
        user = tunnelled(self.world.store, user, headers.get("x-dot-svm-name"), headers.get("x-dot-svm-uuid"))
        parsed = _json(body)
        if path.startswith("/emulator/"):
            return control.dispatch(self.world, method, path.removeprefix("/emulator"), parsed)
        if fault := self.world.faults.take(method, asked, "error"):
            raise fault.error()
        below = _raw_path(request).removeprefix("/api")
        if method == "OPTIONS":
            return Reply(200, None, {"Allow": ", ".join([*self.router.methods(below), "HEAD", "OPTIONS"])})
        if method == "PUT":
            raise NoSuchMethod(method)
        arguments = dict(parse_qsl(_query(request), keep_blank_values=True))
        with self.world.gate.entered():
            return self.router.dispatch(Call(method, below, {}, arguments, {}, user, self.world), parsed)

    def _page(self) -> str:
        paths = sorted({route.path for route in self.router.routes})
        rows = "".join(f"<li><code>/api{html.escape(path)}</code></li>" for path in paths)
        version = html.escape(self.world.config.ontap_version)
        return (
            "<!doctype html><html lang='en'><meta charset='utf-8'><title>ONTAP emulator</title>"
            "<body style='font-family: sans-serif; max-width: 45em; margin: 2em auto'><h1>ONTAP emulator</h1>"
            f"<p>This is not an ONTAP cluster but a program that speaks its REST API (as ONTAP {version} does) "
            "and keeps volumes, snapshots and clones as directories. Sign in with Basic authentication.</p>"
            f"<h2>What it answers</h2><ul>{rows}</ul></body></html>"
        )


async def _body(request: Request) -> bytes:
    """The whole body; 413 where it is too long, 408 where it does not arrive."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise TooLarge(MAX_BODY_BYTES)
    except TimeoutError as error:
        raise TooSlow(BODY_TIMEOUT_S) from error
    return bytes(body)


def _json(body: bytes) -> Any:
    """JSON as the standard has it: no NaN, and only text that can be sent back."""
    if not body.strip():
        return None
    try:
        parsed = json.loads(body)
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError as error:
        raise OntapError("The request body is nested too deeply.") from error
    except ValueError as error:
        raise OntapError(f"The request body is not valid JSON: {error}") from error
    return parsed


def _json_response(body: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(json.dumps(body), status, headers, media_type="application/json")


def _raw_path(request: Request) -> str:
    """The path with its escapes, so that a name with a slash stays one part of it."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.decode("latin-1").split("?")[0]


def _query(request: Request) -> str:
    return request.scope["query_string"].decode("latin-1")


def _asked(request: Request) -> str:
    """Path and query. Not by way of a URL object: what a client writes into a path or a Host header can be no URL."""
    path, query = request.scope["path"], _query(request)
    return f"{path}?{query}" if query else path


def _drop(send: Send) -> None:
    """Close the connection without an answer. Uvicorn's ``send`` belongs to the request, which has the transport."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
