"""GetObject and HeadObject: a file, or a part of it, if the client's conditions hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat as stat_module
from email.utils import formatdate, parsedate_to_datetime

from emulator.s3 import errors, keys, numeric, unix
from emulator.s3.context import Context, Response, Target
from emulator.s3.facts import Facts

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HASH_INLINE = 1 << 20  # up to here an unknown MD5 is computed at once, beyond it in a thread
_OVERRIDES = {
    "response-content-type": "content-type",
    "response-content-language": "content-language",
    "response-content-encoding": "content-encoding",
    "response-content-disposition": "content-disposition",
    "response-cache-control": "cache-control",
    "response-expires": "expires",
}


async def get_object(ctx: Context) -> Response:
    target = ctx.target("GetObject", unix.READ | unix.SEARCH)
    if keys.is_folder_key(ctx.req.key):
        return _folder(ctx, target)
    path = keys.path_of(target.root, target.volume_root, ctx.req.key)
    descriptor = _open(path)
    if path is None or descriptor is None:
        raise _missing(ctx)
    try:
        return await _opened(ctx, path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


async def _opened(ctx: Context, path: str, descriptor: int) -> Response:
    stat = os.fstat(descriptor)
    facts = ctx.server.facts.known(path, stat)
    if facts is None:
        if stat.st_size <= _HASH_INLINE:
            facts = ctx.server.facts.of(path, stat)
        else:
            facts = await asyncio.to_thread(ctx.server.facts.of, path, stat)
    headers = object_headers(stat, facts)
    if _not_modified(ctx.req.headers, facts, stat):
        os.close(descriptor)
        return Response(304, headers)
    offset, length = _range(ctx.req.headers.get("range", ""), stat.st_size)
    status = 200
    if length != stat.st_size or ("range" in ctx.req.headers and _RANGE.match(ctx.req.headers["range"])):
        status = 206
        headers["content-range"] = f"bytes {offset}-{offset + length - 1}/{stat.st_size}"
    headers["content-length"] = str(length)
    headers |= _overrides(ctx)
    if ctx.req.method == "HEAD":
        os.close(descriptor)
        return Response(status, headers)
    return Response(status, headers, file=descriptor, offset=offset, length=length)


def object_headers(stat: os.stat_result, facts: Facts) -> dict[str, str]:
    return {
        "etag": f'"{facts.etag}"',
        "last-modified": formatdate(stat.st_mtime, usegmt=True),
        "content-type": facts.content_type,
        "accept-ranges": "bytes",
    } | {f"x-amz-meta-{name}": value for name, value in facts.metadata.items()}


def _folder(ctx: Context, target: Target) -> Response:
    """A key with a slash at its end is the directory itself: an empty object."""
    path = keys.path_of(target.root, target.volume_root, ctx.req.key)
    if path is None or not os.path.isdir(path):  # noqa: PTH112
        raise _missing(ctx)
    empty = Facts("d41d8cd98f00b204e9800998ecf8427e", "application/x-directory")
    return Response(200, object_headers(os.stat(path), empty) | {"content-length": "0"})  # noqa: PTH116


def _open(path: str | None) -> int | None:
    """A descriptor of a regular file, so that what is sent is one version even while a PUT replaces the name."""
    if path is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        # Not blocking: opening a pipe that somebody left in the volume would otherwise wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if stat_module.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return None


def _missing(ctx: Context) -> errors.S3Error:
    return errors.S3Error("NoSuchKey", f"There is no object {ctx.req.key!r} in bucket {ctx.req.bucket!r}.")


def _not_modified(headers: dict[str, str], facts: Facts, stat: os.stat_result) -> bool:
    """HTTP's order: If-Match before If-Unmodified-Since, If-None-Match before If-Modified-Since."""
    if "if-match" in headers:
        if not _etag_in(headers["if-match"], facts.etag):
            raise errors.S3Error("PreconditionFailed", f"The object's ETag is {facts.etag}, not the one in If-Match.")
    elif "if-unmodified-since" in headers and _changed_since(headers["if-unmodified-since"], stat):
        raise errors.S3Error("PreconditionFailed", "The object was modified after If-Unmodified-Since.")
    if "if-none-match" in headers:
        return _etag_in(headers["if-none-match"], facts.etag)
    return "if-modified-since" in headers and not _changed_since(headers["if-modified-since"], stat)


def _etag_in(header: str, etag: str) -> bool:
    return any(part.strip().removeprefix("W/").strip('"') in (etag, "*") for part in header.split(","))


def _changed_since(header: str, stat: os.stat_result) -> bool:
    try:
        return int(stat.st_mtime) > parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError) as e:
        raise errors.S3Error("InvalidArgument", f"{numeric.shortened(header)!r} is not an HTTP date.") from e


def _position(digits: str) -> int:
    """A position of more digits than any file has bytes is beyond the end, like any other that is too large."""
    return int(digits) if len(digits) < 20 else 2**63


def _overrides(ctx: Context) -> dict[str, str]:
    """Answer headers that the query asks for."""
    found = {_OVERRIDES[name]: value for name, value in ctx.req.query.items() if name in _OVERRIDES}
    if found and ctx.signed is None:
        raise errors.S3Error("InvalidRequest", "Only a signed request may choose the headers of its answer.")
    for name, value in found.items():
        if _CONTROL.search(value):
            raise errors.S3Error("InvalidArgument", f"response-{name} has a control character in it.")
    return found


def _range(header: str, size: int) -> tuple[int, int]:
    """Offset and length asked for; a range S3 does not understand means the whole object, as HTTP has it."""
    match = _RANGE.match(header)
    if not match or match[1] == match[2] == "":
        return 0, size
    if match[1]:
        start = _position(match[1])
        end = min(_position(match[2]), size - 1) if match[2] else size - 1
    else:
        start, end = max(size - _position(match[2]), 0), size - 1
    if start >= size or end < start:
        raise errors.S3Error(
            "InvalidRange",
            f"The range {header!r} is not within the object's {size} bytes.",
            {"content-range": f"bytes */{size}"},
        )
    return start, end - start + 1
