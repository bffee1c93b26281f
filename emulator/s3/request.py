"""One S3 request as the handlers see it: bucket, key, query and headers taken out of the ASGI scope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

from emulator.s3 import errors, numeric

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODY_TIMEOUT_S = 60.0  # between two pieces of a body; Amazon waits 20 s, a busy laptop may need longer

SWALLOW_TIMEOUT_S = 2.0  # a refusal does not wait longer for the rest of what it refuses

_SWALLOWED = 1 << 20


class ClientGone(Exception):
    """The client closed the connection before its request body ended; nobody is left to answer."""


class Request:
    """Path-style addressing only: `/bucket/key`. Header names are lower case, repeated ones joined by a comma."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.raw_path: str = scope["raw_path"].decode("latin-1")
        self.query_string: str = scope["query_string"].decode("latin-1")
        self.scheme: str = scope["scheme"]
        self.client_ip: str = (scope.get("client") or ("127.0.0.1", 0))[0]
        self.headers = _headers(scope["headers"])
        self._receive = receive
        self._stalled = False
        self._body_ended = self.headers.get("content-length", "0") == "0" and "transfer-encoding" not in self.headers
        bucket, _, key = self.raw_path.lstrip("/").partition("/")
        self.bucket = decoded(bucket)
        self.key = decoded(key)

    @cached_property
    def query(self) -> dict[str, str]:
        """Decoded parameters; a parameter without a value (`?uploads`) maps to the empty string."""
        return dict(self.query_pairs)

    @cached_property
    def query_pairs(self) -> list[tuple[str, str]]:
        if not self.query_string:
            return []
        pairs = (part.partition("=") for part in self.query_string.split("&") if part)
        # A plus sign stays a plus sign: SigV4 encodes spaces as %20.
        return [(decoded(name), decoded(value)) for name, _, value in pairs]

    def take_headers_from_query(self) -> None:
        """A presigned URL may carry x-amz-* headers as parameters; from here on they are headers like others."""
        for name, value in self.query_pairs:
            if not name.startswith("x-amz-"):
                continue
            if not value.isprintable():
                raise errors.S3Error("InvalidArgument", f"{name} has a control character in it.")
            self.headers.setdefault(name, value.encode().decode("latin-1"))

    @property
    def resource(self) -> str:
        return f"/{self.bucket}/{self.key}" if self.key else f"/{self.bucket}"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, still in its transfer coding."""
        while True:
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    message = await self._receive()
            except TimeoutError as e:
                self._stalled = True
                raise errors.S3Error(
                    "RequestTimeout", f"Nothing more of the request's body came for {BODY_TIMEOUT_S} s."
                ) from e
            if message["type"] == "http.disconnect":
                raise ClientGone
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                self._body_ended = True
                return

    async def leaves_connection_usable(self) -> bool:
        """Whether another request may follow on this connection once this one is answered.

        What is left of a body would be read as the next request, so a little is swallowed. A client that waits for
        "100 Continue" must not be told to send what nobody wants.
        """
        if self._body_ended:
            return True
        if self._stalled or "expect" in self.headers or "content-length" not in self.headers:
            return False
        try:
            numeric.decimal(self.headers["content-length"], "content-length", most=_SWALLOWED)
            async with asyncio.timeout(SWALLOW_TIMEOUT_S):
                async for _ in self.chunks():
                    pass
        except (errors.S3Error, TimeoutError):  # too much, or it does not come
            return False
        return True


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1"), value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def decoded(text: str) -> str:
    """Percent-encoded text as it came (its bytes as Latin-1), which must be UTF-8."""
    if "%" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeDecodeError as e:
        raise errors.S3Error("InvalidArgument", "The request's path or query is not valid UTF-8.") from e
