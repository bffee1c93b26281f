"""Multipart uploads: parts are kept apart until they are put together into one object."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulator.s3 import (
    conditions,
    copying,
    errors,
    facts,
    incoming,
    joining,
    numeric,
    unix,
    uploads,
    writing,
    xml,
)
from emulator.s3.context import MULTIPART_ON_NAS, Context, Response
from emulator.s3.target import Target

MAX_PARTS = 10_000

_XML = {"content-type": "application/xml"}


async def create(ctx: Context) -> Response:
    target = ctx.target("PutObject", writing.WRITE)
    if target.is_nas and ctx.version < MULTIPART_ON_NAS:
        raise errors.S3Error(
            "NotImplemented",
            f"CreateMultipartUpload is not supported on a NAS bucket before ONTAP 9.16.1 (this is "
            f"{ctx.server.world.config.ontap_version}); send the object in one PUT.",
        )
    target.writable_path_of(ctx.req.key)
    if target.is_folder(ctx.req.key):
        raise errors.S3Error("InvalidRequest", "A key that ends with a slash is a folder and has no content.")
    described = writing.description(ctx, target)
    algorithm, kind = joining.checksum_wanted(ctx.req.headers)
    upload_id = uuid4().hex
    about = {
        "bucket": target.bucket["uuid"],
        "key": ctx.req.key,
        "content_type": described.content_type,
        "metadata": described.metadata,
        "headers": described.headers,
        "algorithm": algorithm,
        "checksum_type": kind,
        "initiated": ctx.server.world.clock.now().timestamp(),
    }
    uploads.begin(ctx.server.world, upload_id, about)
    headers = {"x-amz-checksum-algorithm": algorithm.upper(), "x-amz-checksum-type": kind} if algorithm else {}
    content: xml.Content = [("Bucket", ctx.req.bucket), ("Key", ctx.req.key), ("UploadId", upload_id)]
    return Response(200, _XML | headers, xml.document("InitiateMultipartUploadResult", content))


async def upload_part(ctx: Context) -> Response:
    target, folder, _ = _upload(ctx, "PutObject", writing.WRITE)
    number = numeric.decimal(ctx.req.query.get("partNumber", ""), "partNumber", least=1, most=MAX_PARTS)
    ctx.server.space.require(target, incoming.declared_size(ctx))
    with incoming.Incoming(ctx) as arriving:
        await arriving.receive(ctx)
        etag = arriving.md5.hexdigest()
        _add_part(ctx, folder, number, arriving.path, facts.Facts(etag, checksums=arriving.checksums))
        return Response(200, {"etag": f'"{etag}"'} | arriving.echoed)


async def upload_part_copy(ctx: Context) -> Response:
    target, folder, _ = _upload(ctx, "PutObject", writing.WRITE)
    copying.refuse_on_nas(target, "UploadPartCopy")
    number = numeric.decimal(ctx.req.query.get("partNumber", ""), "partNumber", least=1, most=MAX_PARTS)
    async with copying.source_of(ctx) as source:
        offset, length = copying.source_range(ctx, source.stat.st_size)
        if length > incoming.MAX_OBJECT:
            raise errors.S3Error("InvalidRequest", "One part takes at most 5 GiB of its source.")
        ctx.server.space.require(target, length)
        staged = str(ctx.server.world.dataplane.stage())
        try:
            etag = await asyncio.to_thread(joining.copy_range, source.descriptor, staged, offset, length)
            _add_part(ctx, folder, number, staged, facts.Facts(etag))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(staged)  # noqa: PTH108
    content: xml.Content = [("LastModified", xml.moment(source.stat.st_mtime)), ("ETag", f'"{etag}"')]
    return Response(200, _XML, xml.document("CopyPartResult", content))


async def complete(ctx: Context) -> Response:
    """Once only, also when a client that lost the answer asks again."""
    upload_id = ctx.req.query.get("uploadId", "")
    body = await incoming.small_body(ctx, xml.MAX_DOCUMENT_BYTES, has_checksums=False)
    async with ctx.server.changing(f"upload {upload_id}"):
        wanted = joining.wanted_parts(body, MAX_PARTS)
        done = uploads.completed(ctx.server.world, upload_id)
        if done is None:
            done = await _complete(ctx, wanted)
        else:
            target = ctx.target("PutObject", writing.WRITE)
            numbers = [[part.number, part.etag] for part in wanted]
            if (done["bucket"], done["key"], done["wanted"]) != (target.bucket["uuid"], ctx.req.key, numbers):
                raise _no_upload(ctx)
    content: xml.Content = [
        ("Location", ctx.req.resource),
        ("Bucket", ctx.req.bucket),
        ("Key", ctx.req.key),
        ("ETag", f'"{done["etag"]}"'),
        *((f"Checksum{name.upper()}", value) for name, value in done["checksums"].items()),
        *([("ChecksumType", done["checksum_type"])] if done["checksums"] else []),
    ]
    return Response(200, _XML, xml.document("CompleteMultipartUploadResult", content))


async def _complete(ctx: Context, wanted: list[joining.Wanted]) -> dict[str, Any]:
    world = ctx.server.world
    target, folder, about = _upload(ctx, "PutObject", writing.WRITE)
    required = conditions.of_write(ctx.req.headers, is_nas=target.is_nas)
    with _while_open(ctx):
        parts = joining.chosen(wanted, uploads.parts_of(folder), ctx.server.facts)
        joining.check_sizes(parts, target, ctx.req.headers)
    staged = str(world.dataplane.stage())
    try:
        with _while_open(ctx):
            sums = await asyncio.to_thread(joining.join, parts, staged, about.get("algorithm", ""), about)
        joining.check_whole(ctx.req.headers, sums)
        described = writing.Description(about["content_type"], about["metadata"], about.get("headers", {}))
        found = described.facts(
            joining.etag(parts),
            sums,
            checksum_type=about.get("checksum_type") or "FULL_OBJECT",
            parts=facts.in_a_row(part.size for part in parts),
        )
        await incoming.publish(ctx, target, staged, ctx.req.key, found, required)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)  # noqa: PTH108
    outcome = {
        "bucket": about["bucket"],
        "key": about["key"],
        "wanted": [[part.number, part.etag] for part in wanted],
        "etag": found.etag,
        "checksums": found.checksums,
        "checksum_type": found.checksum_type,
    }
    uploads.note_completed(world, folder.name, outcome)
    uploads.end(world, folder.name)
    return outcome


async def abort(ctx: Context) -> Response:
    _, folder, _ = _upload(ctx, "AbortMultipartUpload", writing.WRITE)
    uploads.end(ctx.server.world, folder.name)
    return Response(204)


async def list_parts(ctx: Context) -> Response:
    _, folder, about = _upload(ctx, "ListMultipartUploadParts", unix.READ | unix.SEARCH)
    query = ctx.req.query
    most = min(numeric.decimal(query.get("max-parts", "1000"), "max-parts", most=2**31 - 1), 1000)
    after = numeric.decimal(query.get("part-number-marker", "0"), "part-number-marker", most=2**31 - 1)
    with _while_open(ctx):
        left = [part for part in uploads.parts_of(folder) if part.number > after]
        shown = [("Part", _shown(ctx, part)) for part in left[:most]]
    key = xml.key(ctx.req.key, query.get("encoding-type", ""))
    content: xml.Content = [("Bucket", ctx.req.bucket), ("Key", key), ("UploadId", folder.name)]
    content += [("PartNumberMarker", after), ("MaxParts", most), ("IsTruncated", len(left) > most)]
    content.append(("NextPartNumberMarker", left[:most][-1].number if left[:most] else after))
    if about.get("algorithm"):
        content += [("ChecksumAlgorithm", about["algorithm"].upper()), ("ChecksumType", about["checksum_type"])]
    return Response(200, _XML, xml.document("ListPartsResult", [*content, ("StorageClass", "STANDARD"), *shown]))


async def list_uploads(ctx: Context) -> Response:
    target = ctx.target("ListBucketMultipartUploads", unix.READ | unix.SEARCH, key="")
    query = ctx.req.query
    prefix, encoding = query.get("prefix", ""), query.get("encoding-type", "")
    most = min(numeric.decimal(query.get("max-uploads", "1000"), "max-uploads", most=2**31 - 1), 1000)
    mark = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
    found = sorted(
        (about["key"], upload_id, about["initiated"])
        for upload_id, about in uploads.open_uploads(ctx.server.world)
        if about["bucket"] == target.bucket["uuid"] and about["key"].startswith(prefix)
    )
    # Without an id, the marker stands behind all uploads of its key.
    left = [one for one in found if (one[:2] > mark if mark[1] else one[0] > mark[0])]
    content: xml.Content = [("Bucket", ctx.req.bucket), ("Prefix", xml.key(prefix, encoding))]
    content += [("KeyMarker", xml.key(mark[0], encoding)), ("UploadIdMarker", mark[1]), ("MaxUploads", most)]
    content.append(("IsTruncated", len(left) > most))
    if len(left) > most and most:
        key, upload_id, _ = left[most - 1]
        content += [("NextKeyMarker", xml.key(key, encoding)), ("NextUploadIdMarker", upload_id)]
    for key, upload_id, initiated in left[:most]:
        shown = [("Key", xml.key(key, encoding)), ("UploadId", upload_id), ("Initiated", xml.moment(initiated))]
        content.append(("Upload", [*shown, ("StorageClass", "STANDARD")]))
    return Response(200, _XML, xml.document("ListMultipartUploadsResult", content))


def _upload(ctx: Context, action: str, wanted: int) -> tuple[Target, Path, dict[str, Any]]:
    target = ctx.target(action, wanted)
    upload_id = ctx.req.query.get("uploadId", "")
    about = uploads.about(ctx.server.world, upload_id)
    if about is None or (about["bucket"], about["key"]) != (target.bucket["uuid"], ctx.req.key):
        raise _no_upload(ctx)
    return target, uploads.folder_of(ctx.server.world, upload_id), about


def _no_upload(ctx: Context) -> errors.S3Error:
    return errors.S3Error("NoSuchUpload", f"There is no open upload of {ctx.req.key!r} with this id.")


@contextlib.contextmanager
def _while_open(ctx: Context) -> Iterator[None]:
    """Parts vanish under who reads them when another client ends the upload."""
    try:
        yield
    except FileNotFoundError as e:
        raise _no_upload(ctx) from e


def _add_part(ctx: Context, folder: Path, number: int, staged: str, found: facts.Facts) -> None:
    ctx.server.facts.remember(staged, os.stat(staged), found)  # noqa: PTH116
    name = f"{number:05d}-{found.etag}"
    with _while_open(ctx):
        old = [part.path for part in uploads.parts_of(folder) if part.number == number]
        os.replace(staged, folder / name)  # noqa: PTH105
    for path in old:
        if path.name != name:
            path.unlink(missing_ok=True)


def _shown(ctx: Context, part: uploads.Part) -> xml.Content:
    stat = part.path.stat()
    known = ctx.server.facts.known(str(part.path), stat)
    return [
        ("PartNumber", part.number),
        ("LastModified", xml.moment(stat.st_mtime)),
        ("ETag", f'"{part.md5}"'),
        ("Size", stat.st_size),
        *((f"Checksum{name.upper()}", value) for name, value in (known.checksums if known else {}).items()),
    ]
