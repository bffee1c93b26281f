"""GetObject, HeadObject and GetObjectAttributes: a file, or a part of it, if the client's conditions hold."""

from __future__ import annotations

import asyncio
import os
import re
from email.utils import formatdate

from emulator.s3 import checksums, conditions, errors, keys, numeric, unix, xml
from emulator.s3.context import Context, Response
from emulator.s3.facts import Facts
from emulator.s3.target import Target

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)\Z")
_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
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
    if target.is_folder(ctx.req.key):
        return _folder(ctx, target)
    descriptor = keys.opened(target.path_of(ctx.req.key))
    if descriptor is None:
        raise _missing(ctx)
    try:
        return await _opened(ctx, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


async def _opened(ctx: Context, descriptor: int) -> Response:
    stat = os.fstat(descriptor)
    facts = await facts_of(ctx, descriptor, stat)
    headers = object_headers(stat, facts)
    if conditions.of_read(ctx.req.headers).not_modified(facts, stat):
        os.close(descriptor)
        return Response(304, headers)
    status, offset, length = _asked(ctx, facts, stat)
    if status == 206:
        headers["content-range"] = f"bytes {offset}-{offset + length - 1}/{stat.st_size}"
    headers["content-length"] = str(length)
    if "partNumber" in ctx.req.query and facts.parts:
        headers["x-amz-mp-parts-count"] = str(facts.part_count)
    if status == 200 and ctx.req.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers |= checksums.headers(facts.checksums, facts.checksum_type)
    headers |= _overrides(ctx)
    if ctx.req.method == "HEAD":
        os.close(descriptor)
        return Response(status, headers)
    return Response(status, headers, file=descriptor, offset=offset, length=length)


async def facts_of(ctx: Context, path: str | int, stat: os.stat_result) -> Facts:
    """Facts of a file or an open descriptor, computed in a thread where that takes long."""
    facts = ctx.server.facts.known(path, stat)
    if facts is None:
        if stat.st_size <= _HASH_INLINE:
            facts = ctx.server.facts.of(path, stat)
        else:
            facts = await asyncio.to_thread(ctx.server.facts.of, path, stat)
    return facts


async def get_attributes(ctx: Context) -> Response:
    target = ctx.target("GetObject", unix.READ | unix.SEARCH)
    wanted = {name.strip() for name in ctx.req.headers.get("x-amz-object-attributes", "").split(",")}
    if not wanted <= _ATTRIBUTES:
        raise errors.S3Error(
            "InvalidArgument", f"x-amz-object-attributes must name some of {', '.join(sorted(_ATTRIBUTES))}."
        )
    descriptor = None if target.is_folder(ctx.req.key) else keys.opened(target.path_of(ctx.req.key))
    if descriptor is None:
        raise _missing(ctx)
    try:
        stat = os.fstat(descriptor)
        facts = await facts_of(ctx, descriptor, stat)
    finally:
        os.close(descriptor)
    sums: xml.Content = [(f"Checksum{name.upper()}", value) for name, value in facts.checksums.items()]
    shown: xml.Content = [
        ("ETag", facts.etag),
        ("Checksum", [*sums, ("ChecksumType", facts.checksum_type)] if sums else None),
        ("ObjectParts", [("PartsCount", facts.part_count)] if facts.parts else None),
        ("StorageClass", "STANDARD"),
        ("ObjectSize", stat.st_size),
    ]
    content = [(name, value) for name, value in shown if name in wanted and value is not None]
    headers = {"content-type": "application/xml", "last-modified": formatdate(xml.sane(stat.st_mtime), usegmt=True)}
    return Response(200, headers, xml.document("GetObjectAttributesResponse", content))


def object_headers(stat: os.stat_result, facts: Facts) -> dict[str, str]:
    return {
        "etag": f'"{facts.etag}"',
        "last-modified": formatdate(xml.sane(stat.st_mtime), usegmt=True),
        "content-type": facts.content_type,
        "accept-ranges": "bytes",
        **facts.headers,
    } | {f"x-amz-meta-{name}": value for name, value in facts.metadata.items()}


def _folder(ctx: Context, target: Target) -> Response:
    """A key with a slash at its end is the directory itself: an empty object."""
    path = target.path_of(ctx.req.key)
    if path is None or not os.path.isdir(path):  # noqa: PTH112
        raise _missing(ctx)
    empty = Facts("d41d8cd98f00b204e9800998ecf8427e", "application/x-directory")
    return Response(200, object_headers(os.stat(path), empty) | {"content-length": "0"})  # noqa: PTH116


def _missing(ctx: Context) -> errors.S3Error:
    return errors.S3Error("NoSuchKey", f"There is no object {ctx.req.key!r} in bucket {ctx.req.bucket!r}.")


def _asked(ctx: Context, facts: Facts, stat: os.stat_result) -> tuple[int, int, int]:
    """Status, offset and length of the answer: the whole, a range, or one of the parts it was uploaded in."""
    asked = ctx.req.headers.get("range", "")
    if "partNumber" in ctx.req.query:
        if asked:
            raise errors.S3Error("InvalidRequest", "A range and a partNumber cannot both be asked for.")
        return _part(numeric.decimal(ctx.req.query["partNumber"], "partNumber", least=1, most=10_000), facts, stat)
    if not _RANGE.match(asked) or not conditions.holds_range(ctx.req.headers, facts, stat):
        return 200, 0, stat.st_size
    offset, length = _range(asked, stat.st_size)
    return (206 if asked != "bytes=-" else 200), offset, length


def _part(number: int, facts: Facts, stat: os.stat_result) -> tuple[int, int, int]:
    found = facts.part(number) if facts.parts else ((0, stat.st_size) if number == 1 else None)
    if found is None:
        raise errors.S3Error(
            "InvalidPartNumber", f"The object has no part {number}: it was uploaded in {facts.part_count or 1}."
        )
    # An empty part is no range that Content-Range could name.
    return 206 if facts.parts and found[1] else 200, *found


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
