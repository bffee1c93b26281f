"""The front of an edge server over HTTP.

| Request | Answer |
| --- | --- |
| ``POST /pictures``, a picture's file as body | what the model says: ``request``, ``model``, ``version``, ``outputs`` |
| ``GET /health``, ``GET /metrics`` | whether the server serves the model; figures for Prometheus |

``X-Request-Id`` names a request; without it, it gets a name. Every picture that is answered is kept for home, unless
there is no room for it, which changes no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import aiohttp
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.edge.archive import Archive
from tasks.common.program import BadInput

LARGEST_PICTURE = 32 * 1024**2
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
TICK_S = 1.0
TIMEOUT_S = 30.0
# How files of pictures begin; what else is decoded keeps its bytes under a name without a kind.
_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp", b"II*\0": "tif", b"MM\0*": "tif", b"BM": "bmp"}


class RefusedError(Exception):
    """What was asked gets no answer; the message says why."""

    def __init__(self, says: str, status: int) -> None:
        super().__init__(says)
        self.status = status


class Front:
    """Between those who ask and one model of the site's server.

    :param server: address of the server, of the Open Inference Protocol with binary tensors (Triton).
    :param workload: of ``tasks.edge.workloads``: how a picture becomes the model's input.
    """

    def __init__(self, server: str, model: str, workload: ModuleType, archive: Archive) -> None:
        self._page = f"{server.rstrip('/')}/v2/models/{model}"
        self._model, self._workload = model, workload
        self._client: aiohttp.ClientSession
        self._shape: list[int] | None = None
        self._version = ""
        self.archive = archive
        self.registry = CollectorRegistry()
        self._kept = Counter("edge_inputs_kept", "Inputs kept for home.", registry=self.registry)
        self._seconds = Histogram("edge_answer_seconds", "From a picture to its answer.", registry=self.registry)
        self._refused = Counter("edge_inputs_refused", "Requests that got no answer.", registry=self.registry)
        lost = Gauge("edge_inputs_lost", "Inputs that were answered and could not be kept.", registry=self.registry)
        used = Gauge("edge_inputs_bytes", "Bytes on the volume of inputs.", registry=self.registry)
        lost.set_function(lambda: archive.lost)
        used.set_function(lambda: archive.used)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Keep the connections to the server, without which nothing can be asked."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as self._client:
            yield

    async def look(self, content: bytes, request: str) -> dict[str, Any]:
        """Answer one picture and keep it. Raises RefusedError."""
        began = time.perf_counter()
        try:
            name, tensor = await run_in_threadpool(self._workload.tensor, content, await self._input())
        except BadInput as error:
            raise RefusedError(str(error), 400) from error
        answer = await self._infer(name, tensor)
        version = str(answer.get("model_version", ""))
        if version != self._version:  # another version may take another size
            self._shape, self._version = None, version
        told = {"model": self._model, "version": version, "outputs": answer["outputs"]}
        facts = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **told}
        if await run_in_threadpool(self.archive.keep, request, content, _kind(content), facts):
            self._kept.inc()
        self._seconds.observe(time.perf_counter() - began)
        return {"request": request, **told}

    async def check(self) -> None:
        """Raise RefusedError where the server does not serve the model."""
        self._shape = None
        await self._input()

    def refused(self) -> None:
        self._refused.inc()

    async def _input(self) -> list[int]:
        """Shape of what the model takes, as the server says."""
        if self._shape is None:
            told = await self._ask("GET", self._page)
            self._shape = [int(length) for length in told["inputs"][0]["shape"]]
        return self._shape

    async def _infer(self, name: str, tensor: Any) -> dict[str, Any]:
        content = tensor.tobytes()
        described = {"name": name, "shape": list(tensor.shape), "datatype": "FP32"}
        header = json.dumps({"inputs": [{**described, "parameters": {"binary_data_size": len(content)}}]}).encode()
        length = {"Inference-Header-Content-Length": str(len(header))}
        return await self._ask("POST", f"{self._page}/infer", data=header + content, headers=length)

    async def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            async with self._client.request(method, url, **more) as answer:
                told: dict[str, Any] = json.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._shape = None
            raise RefusedError(
                f"The inference server does not answer ({type(error).__name__}); ask again.", 503
            ) from error
        if answer.status != 200:
            self._shape = None
            raise RefusedError(f"The inference server refused: {told.get('error', answer.status)}", 503)
        return told


def make(front: Front) -> Starlette:
    """Return the web application of ``front``; the batch that is open is closed when it ends."""

    async def look(request: Request) -> Response:
        name = request.headers.get("x-request-id") or secrets.token_hex(8)
        if not REQUEST_ID.fullmatch(name):
            raise RefusedError("X-Request-Id is up to 64 letters, digits, - and _.", 400)
        content = b""
        async for chunk in request.stream():
            content += chunk
            if len(content) > LARGEST_PICTURE:
                raise RefusedError(f"That is more than {LARGEST_PICTURE // 1024**2} MiB.", 413)
        return JSONResponse(await front.look(content, name))

    async def health(_: Request) -> Response:
        await front.check()
        return JSONResponse({"status": "ok", "archive": front.archive.trouble or "ok"})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(front.registry), media_type=CONTENT_TYPE_LATEST)

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        front.refused()
        return JSONResponse({"error": str(error)}, error.status)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick(front.archive))
        try:
            async with front.connected():
                yield
        finally:
            ticking.cancel()
            await run_in_threadpool(front.archive.close)

    routes = [Route("/pictures", look, methods=["POST"]), Route("/health", health), Route("/metrics", metrics)]
    return Starlette(routes=routes, exception_handlers={RefusedError: refused}, lifespan=lifespan)


async def _tick(archive: Archive) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        await run_in_threadpool(archive.tick)


def _kind(content: bytes) -> str:
    return next((kind for head, kind in _KINDS.items() if content.startswith(head)), "picture")
