"""A service of the test's own machine: a Starlette app over real HTTP, with faults on demand. Test equipment only."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.serving import free_ports


@dataclass
class Fault:
    """``kind``: a status such as 503, "slow" (seconds in ``value``), or "lost": done, but the answer never arrives."""

    kind: int | str
    method: str = ".*"
    path: str = ".*"
    times: int = 1
    value: Any = None
    body: Any = None

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and bool(re.fullmatch(self.method, method) and re.search(self.path, path))


class LocalService:
    """``seen`` holds "METHOD /path" of each request; a subclass gives ``routes`` and keeps its own state."""

    prefix = ""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.faults: list[Fault] = []
        self.port = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything, as when new."""

    def routes(self) -> list[Route]:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, kind: int | str, method: str = ".*", path: str = ".*", **more: Any) -> None:
        self.faults.append(Fault(kind, method, path, **more))

    def forget(self) -> None:
        self.seen.clear()
        self.faults.clear()
        self.reset()

    def writes(self) -> list[str]:
        return [line for line in self.seen if not line.startswith(("GET", "HEAD"))]

    def trouble(self, status: int, fault: Fault) -> tuple[Any, dict[str, str]]:
        """Body and headers of an error that is asked for; in the words of the service."""
        return fault.body or {"message": f"trouble {status}"}, {"Retry-After": "0"} if status in (429, 503) else {}

    def app(self) -> Any:
        inner = Starlette(routes=self.routes())

        async def outer(scope: Any, receive: Any, send: Any) -> None:
            method, path = scope["method"], scope["path"]
            self.seen.append(f"{method} {path}")
            fault = next((f for f in self.faults if f.fits(method, path)), None)
            answer = await self._troubled(fault) if fault else None
            if answer is not None:
                await answer(scope, receive, send)
            elif fault and fault.kind == "lost":  # what it did stays done
                await inner(scope, receive, _into_nothing)
                await _hang_up(send)
            else:
                await inner(scope, receive, send)

        return outer

    async def _troubled(self, fault: Fault) -> Any:
        """The answer that a fault gives by itself."""
        fault.times -= 1
        if fault.kind == "slow":
            await asyncio.sleep(fault.value)
        if not isinstance(fault.kind, int):
            return None
        body, headers = self.trouble(fault.kind, fault)
        return JSONResponse(body, fault.kind, headers)


async def _into_nothing(message: Any) -> None:
    return None


async def _hang_up(send: Any) -> None:
    """Close the connection without a word; ``send`` is a method of what uvicorn keeps for a request."""
    send.__self__.transport.abort()
    while not send.__self__.disconnected:
        await asyncio.sleep(0.001)


@contextmanager
def serving(service: LocalService, **options: Any) -> Iterator[LocalService]:
    """Serve it on a free port of the loopback; ``options`` are uvicorn's, such as a certificate."""
    listener = socket.create_server(("127.0.0.1", 0))
    service.port = listener.getsockname()[1]
    config = uvicorn.Config(service.app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def unused_port() -> int:
    (port,) = free_ports(1)
    return port
