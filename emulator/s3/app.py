"""The S3 server as an ASGI application: authenticate, find the operation, answer; every refusal as S3 XML."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

from emulator.s3 import errors, operations, request, sigv4, xml
from emulator.s3.context import Context, Response, Server

log = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_READ_INLINE = 1 << 20  # files up to here are read at once, which is cheaper than a thread; larger ones block by block

# What the file system says no to, in S3's words.
_REFUSED_BY_FILES = {
    errno.ENAMETOOLONG: errors.S3Error("KeyTooLongError", "The key is longer than a path may be."),
    errno.ELOOP: errors.S3Error("InvalidRequest", "The key leads through links that go round in a circle."),
    errno.ENOTDIR: errors.S3Error("InvalidRequest", "A part of the key's path is an object already."),
    errno.EISDIR: errors.S3Error("InvalidRequest", "The key is a folder in this bucket."),
    errno.EACCES: errors.S3Error("AccessDenied", "The file system does not permit this."),
    errno.EPERM: errors.S3Error("AccessDenied", "The file system does not permit this."),
    errno.ENOENT: errors.S3Error("NoSuchBucket", "What the bucket points at has just been removed or unmounted."),
    errno.ENOSPC: errors.S3Error("QuotaExceeded", "The disk below the emulator is full."),
    errno.EDQUOT: errors.S3Error("QuotaExceeded", "The disk below the emulator is full."),
    errno.EROFS: errors.S3Error("AccessDenied", "The file system is read-only."),
}


class App:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: MutableMapping[str, Any], receive: request.Receive, send: Send) -> None:
        fault = self._server.world.faults.take(scope["method"], _where(scope), "refuse", "slow", "lost_answer")
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
        response = None
        request_id = uuid4().hex[:16].upper()
        with contextlib.suppress(request.ClientGone):
            if not fault or fault.kind != "refuse":
                response = await self._answer(scope, receive, request_id)
        if fault and fault.kind in ("refuse", "lost_answer"):
            _hang_up(send)
        elif response is not None:
            response.headers = {"x-amz-request-id": request_id, **response.headers}
            await _send(response, send)

    async def _answer(self, scope: MutableMapping[str, Any], receive: request.Receive, request_id: str) -> Response:
        method = scope["method"]
        try:
            req = request.Request(scope, receive)
        except errors.S3Error as e:
            return _refusal(e, method, scope["path"], request_id, {"connection": "close"})
        try:
            return await self._serve(req, scope)
        except errors.S3Error as e:
            refused = e
        except OSError as e:
            refused = _REFUSED_BY_FILES.get(e.errno or 0) or self._failure(e, method, req.resource, request_id)
        except request.ClientGone:
            raise
        except Exception as e:
            refused = self._failure(e, method, req.resource, request_id)
        closing = {} if await req.leaves_connection_usable() else {"connection": "close"}
        return _refusal(refused, method, req.resource, request_id, closing)

    async def _serve(self, req: request.Request, scope: MutableMapping[str, Any]) -> Response:
        accounts = self._server.accounts
        signed = sigv4.verify(req, credential_of=accounts.credential)
        svm = accounts.svm_of(signed, req.bucket)
        accounts.service(svm, req.scheme)
        req.take_headers_from_query()
        operation = operations.of(req)
        self._meet_trouble(scope)
        return await operation.handler(Context(self._server, req, signed, svm))

    def _meet_trouble(self, scope: MutableMapping[str, Any]) -> None:
        """The faults that a test asked for and that a refusal can show."""
        fault = self._server.world.faults.take(scope["method"], _where(scope), "space_full", "error")
        if fault is None:
            return
        if fault.kind == "space_full":
            raise errors.S3Error("QuotaExceeded", "No space left on the volume.")
        raise errors.S3Error(str(fault.code), fault.message, status=fault.status)

    def _failure(self, error: Exception, method: str, resource: str, request_id: str) -> errors.S3Error:
        log.error("S3 %s %s failed (request %s)", method, resource, request_id, exc_info=error)
        return errors.S3Error("InternalError", f"The emulator failed inside; its log has the request {request_id}.")


def _where(scope: MutableMapping[str, Any]) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else scope["path"]


def _hang_up(send: Send) -> None:
    """Drop the connection without an answer; ASGI has no word for it, so uvicorn's own transport is closed."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]


def _refusal(error: errors.S3Error, method: str, resource: str, request_id: str, extra: dict[str, str]) -> Response:
    headers = {"content-type": "application/xml"} | error.headers | extra
    if method == "HEAD":
        return Response(error.status, headers)
    return Response(error.status, headers, xml.error(error, resource, request_id))


async def _send(response: Response, send: Send) -> None:
    try:
        if response.file is None:
            response.headers.setdefault("content-length", str(len(response.body)))
            await _start(response, send)
            await send({"type": "http.response.body", "body": response.body})
        else:
            await _send_file(response, response.file, send)
    finally:
        if response.file is not None:
            os.close(response.file)


async def _start(response: Response, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


async def _send_file(response: Response, descriptor: int, send: Send) -> None:
    offset, left = response.offset, response.length
    if left <= _READ_INLINE:
        block = os.pread(descriptor, left, offset)
        if len(block) == left:
            await _start(response, send)
            await send({"type": "http.response.body", "body": block})
            return
    await _start(response, send)
    while left:
        block = await asyncio.to_thread(os.pread, descriptor, min(left, _READ_INLINE), offset)
        if not block:
            # Cut short by a writer over NFS: a promised length cannot be taken back, so the connection must break.
            raise ConnectionAbortedError("the file became shorter while it was sent")
        offset, left = offset + len(block), left - len(block)
        with contextlib.suppress(ConnectionError):
            await send({"type": "http.response.body", "body": block, "more_body": left > 0})
