"""What every service over HTTP has: headers that keep a browser to it, limits of a request, and a token.

What is refused is said as ``{"error": "one sentence"}``.
"""

from __future__ import annotations

import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class BadRequestError(Exception):
    """What was sent cannot be answered; the message says why."""

    def __init__(self, says: str, status: int = 400) -> None:
        super().__init__(says)
        self.status = status


async def refused(_: Request, error: Exception) -> Response:
    """Answer a request that raised BadRequestError."""
    return JSONResponse({"error": str(error)}, getattr(error, "status", 400))


async def body_of(request: Request, largest: int) -> bytes:
    """Return what was sent. Raises BadRequestError beyond ``largest`` bytes."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > largest:
            raise BadRequestError(f"That is more than {largest // 1024} KiB.", 413)
    return bytes(content)


def bears(request: Request, token: str | None) -> bool:
    """Say whether a request brings ``token``; none does where there is no token."""
    sent = request.headers.get("authorization", "")
    return bool(token) and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())


class WithHeaders:
    """Adds to every answer what keeps a browser from running anything that is not of this service."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, sent)
