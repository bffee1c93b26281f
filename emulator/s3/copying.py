"""CopyObject and what UploadPartCopy shares with it: an object read within the server, if its conditions hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from emulator.s3 import (
    checksums,
    conditions,
    errors,
    incoming,
    joining,
    keys,
    numeric,
    reading,
    request,
    unix,
    writing,
    xml,
)
from emulator.s3.context import Context, Response
from emulator.s3.facts import Facts
from emulator.s3.target import Target

_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")
_DIRECTIVES = ("COPY", "REPLACE")


@dataclass(frozen=True)
class Source:
    """The object that x-amz-copy-source names."""

    target: Target
    key: str
    descriptor: int
    """Open for reading: what is copied is one version, whatever takes its place meanwhile."""
    stat: os.stat_result
    facts: Facts


async def copy_object(ctx: Context) -> Response:
    target = ctx.target("PutObject", writing.WRITE)
    refuse_on_nas(target, "CopyObject")
    wanted = conditions.of_write(ctx.req.headers, is_nas=False)
    replaces = _directive(ctx, "x-amz-metadata-directive") == "REPLACE"
    _directive(ctx, "x-amz-tagging-directive")
    target.writable_path_of(ctx.req.key)
    described = writing.description(ctx, target)
    async with source_of(ctx) as source:
        return await _copied(ctx, target, source, described if replaces else None, wanted)


async def _copied(
    ctx: Context,
    target: Target,
    source: Source,
    described: writing.Description | None,
    wanted: conditions.Conditions,
) -> Response:
    found = source.facts
    if described:
        found = replace(
            found, content_type=described.content_type, metadata=described.metadata, headers=described.headers
        )
    elif (source.target.root, source.key) == (target.root, ctx.req.key) and not _algorithm(ctx):
        raise errors.S3Error("InvalidRequest", "A copy of an object onto itself must change something of it.")
    staged = str(ctx.server.world.dataplane.stage())
    try:
        await asyncio.to_thread(joining.copy_range, source.descriptor, staged, 0, source.stat.st_size)
        if algorithm := _algorithm(ctx):
            computed = await asyncio.to_thread(checksums.of_file, algorithm, staged)
            found = replace(found, checksums={algorithm: computed}, checksum_type="FULL_OBJECT")
        made = await incoming.publish(ctx, target, staged, ctx.req.key, found, wanted)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)  # noqa: PTH108
    content: xml.Content = [("LastModified", xml.moment(made.st_mtime)), ("ETag", f'"{found.etag}"')]
    content += [(f"Checksum{name.upper()}", value) for name, value in found.checksums.items()]
    return Response(200, {"content-type": "application/xml"}, xml.document("CopyObjectResult", content))


def refuse_on_nas(target: Target, operation: str) -> None:
    if target.is_nas:
        raise errors.S3Error(
            "NotImplemented", f"{operation} is not supported on a NAS bucket; read and write the object."
        )


@contextlib.asynccontextmanager
async def source_of(ctx: Context) -> AsyncIterator[Source]:
    """The source of a copy, which the user may read and whose conditions hold."""
    bucket, key = _copy_source(ctx)
    target = ctx.target("GetObject", unix.READ | unix.SEARCH, key=key, bucket=bucket)
    descriptor = None if target.is_folder(key) else keys.opened(target.path_of(key))
    if descriptor is None:
        raise errors.S3Error("NoSuchKey", f"There is no object {key!r} in bucket {bucket!r} to copy.")
    try:
        stat = os.fstat(descriptor)
        found = await reading.facts_of(ctx, descriptor, stat)
        conditions.of_copy_source(ctx.req.headers).require_source(found, stat)
        yield Source(target, key, descriptor, stat, found)
    finally:
        os.close(descriptor)


def source_range(ctx: Context, size: int) -> tuple[int, int]:
    """Offset and length of what UploadPartCopy takes; the whole object where it names no range."""
    asked = ctx.req.headers.get("x-amz-copy-source-range")
    if asked is None:
        return 0, size
    match = _RANGE.fullmatch(asked)
    first, last = (numeric.decimal(text, "x-amz-copy-source-range") for text in match.groups()) if match else (1, 0)
    if not first <= last < size:
        raise errors.S3Error(
            "InvalidArgument",
            f"x-amz-copy-source-range must read bytes=<first>-<last> within the source's {size} bytes, "
            f"not {numeric.shortened(asked)!r}.",
        )
    return first, last - first + 1


def _copy_source(ctx: Context) -> tuple[str, str]:
    source, _, version = ctx.req.headers["x-amz-copy-source"].lstrip("/").partition("?versionId=")
    if version not in ("", "null"):
        raise errors.S3Error("NotImplemented", "Object versions are not implemented here.")
    bucket, _, key = request.decoded(source).lstrip("/").partition("/")
    if not bucket or not key:
        raise errors.S3Error("InvalidArgument", "x-amz-copy-source must read <bucket>/<key>.")
    return bucket, key


def _directive(ctx: Context, name: str) -> str:
    given = ctx.req.headers.get(name, "COPY")
    if given not in _DIRECTIVES:
        raise errors.S3Error("InvalidArgument", f"{name} must be COPY or REPLACE, not {numeric.shortened(given)!r}.")
    return given


def _algorithm(ctx: Context) -> str:
    name = ctx.req.headers.get("x-amz-checksum-algorithm", "").lower()
    if name:
        checksums.new(name)
    return name
