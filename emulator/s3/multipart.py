"""Multipart uploads: parts are kept apart until they are put together into one object.

On disk: DIR/s3/uploads/<upload id>/upload.json and one file <part number>-<md5> per part. They survive a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.s3 import errors, facts, incoming, keys, numeric, unix, writing, xml
from emulator.s3.context import MULTIPART_ON_NAS, Context, Response, Target

if TYPE_CHECKING:
    from emulator.world import World

MAX_PARTS = 10_000
MIN_PART = 5 << 20  # all parts but the last
NAS_UNIT = 1 << 20  # on a NAS bucket parts are whole megabytes, all but the last

_ID = re.compile(r"[0-9a-f]{32}\Z")
_XML = {"content-type": "application/xml"}


@dataclass(frozen=True)
class Part:
    number: int
    md5: str
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size


async def create(ctx: Context) -> Response:
    target = ctx.target("PutObject", writing.WRITE)
    if target.is_nas and ctx.version < MULTIPART_ON_NAS:
        raise errors.S3Error(
            "NotImplemented",
            f"CreateMultipartUpload is not supported on a NAS bucket before ONTAP 9.16.1 (this is "
            f"{ctx.server.world.config.ontap_version}); send the object in one PUT.",
        )
    writing.refuse_headers(ctx, target)
    keys.writable_path_of(target.root, target.volume_root, ctx.req.key)
    upload_id = uuid4().hex
    about = {
        "bucket": target.bucket["uuid"],
        "key": ctx.req.key,
        "content_type": writing.content_type(ctx),
        "metadata": writing.user_metadata(ctx, target),
        "initiated": ctx.server.world.clock.now().timestamp(),
    }
    folder = uploads_dir(ctx.server.world) / upload_id
    folder.mkdir(parents=True)
    _write_whole(ctx.server.world, folder / "upload.json", json.dumps(about))
    content: xml.Content = [("Bucket", ctx.req.bucket), ("Key", ctx.req.key), ("UploadId", upload_id)]
    return Response(200, _XML, xml.document("InitiateMultipartUploadResult", content))


async def upload_part(ctx: Context) -> Response:
    target, folder, _ = _upload(ctx, "PutObject", writing.WRITE)
    if "x-amz-copy-source" in ctx.req.headers:
        raise errors.S3Error("NotImplemented", "UploadPartCopy is not implemented; upload the part's bytes.")
    number = _part_number(ctx.req.query.get("partNumber", ""))
    ctx.server.space.require(target, incoming.declared_size(ctx))
    with incoming.Incoming(ctx) as arriving:
        await arriving.receive(ctx)
        etag = arriving.md5.hexdigest()
        old = [part.path for part in _parts(folder) if part.number == number]
        try:
            os.replace(arriving.path, folder / f"{number:05d}-{etag}")  # noqa: PTH105
        except FileNotFoundError as e:
            raise _no_upload(ctx) from e
        for path in old:
            if path.name != f"{number:05d}-{etag}":
                path.unlink(missing_ok=True)
        return Response(200, {"etag": f'"{etag}"'} | arriving.echoed)


async def complete(ctx: Context) -> Response:
    target, folder, about = _upload(ctx, "PutObject", writing.WRITE)
    wanted = _wanted_parts(await incoming.small_body(ctx, xml.MAX_DOCUMENT_BYTES))
    parts = _chosen(wanted, {part.number: part for part in _parts(folder)})
    _check_sizes(parts, target)
    path = keys.writable_path_of(target.root, target.volume_root, ctx.req.key)
    staged = str(ctx.server.world.dataplane.stage())
    try:
        await asyncio.to_thread(_join, parts, staged)
        etag = f"{_etag(parts)}-{len(parts)}"
        found = facts.Facts(etag, about["content_type"], about["metadata"])
        await incoming.publish(ctx, target, staged, path, found)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)  # noqa: PTH108
    shutil.rmtree(folder, ignore_errors=True)
    content: xml.Content = [
        ("Location", ctx.req.resource),
        ("Bucket", ctx.req.bucket),
        ("Key", ctx.req.key),
        ("ETag", f'"{etag}"'),
    ]
    return Response(200, _XML, xml.document("CompleteMultipartUploadResult", content))


async def abort(ctx: Context) -> Response:
    _, folder, _ = _upload(ctx, "AbortMultipartUpload", writing.WRITE)
    shutil.rmtree(folder, ignore_errors=True)
    return Response(204)


async def list_parts(ctx: Context) -> Response:
    _, folder, _ = _upload(ctx, "ListMultipartUploadParts", unix.READ | unix.SEARCH)
    content: xml.Content = [("Bucket", ctx.req.bucket), ("Key", ctx.req.key), ("UploadId", folder.name)]
    content += [("IsTruncated", False), ("MaxParts", MAX_PARTS)]
    for part in sorted(_parts(folder), key=lambda part: part.number):
        stat = part.path.stat()
        shown = [("PartNumber", part.number), ("LastModified", xml.moment(stat.st_mtime))]
        content.append(("Part", [*shown, ("ETag", f'"{part.md5}"'), ("Size", stat.st_size)]))
    return Response(200, _XML, xml.document("ListPartsResult", content))


async def list_uploads(ctx: Context) -> Response:
    target = ctx.target("ListBucketMultipartUploads", unix.READ | unix.SEARCH, key="")
    prefix = ctx.req.query.get("prefix", "")
    found = [
        (about["key"], upload_id, about["initiated"])
        for upload_id, about in _open_uploads(ctx.server.world)
        if about["bucket"] == target.bucket["uuid"] and about["key"].startswith(prefix)
    ]
    content: xml.Content = [("Bucket", ctx.req.bucket), ("Prefix", prefix), ("IsTruncated", False)]
    for key, upload_id, initiated in sorted(found):
        shown = [("Key", key), ("UploadId", upload_id), ("Initiated", xml.moment(initiated))]
        content.append(("Upload", [*shown, ("StorageClass", "STANDARD")]))
    return Response(200, _XML, xml.document("ListMultipartUploadsResult", content))


def forget_bucket(world: World, bucket_uuid: str) -> None:
    """Drop all unfinished uploads of a bucket that is being deleted."""
    for upload_id, about in _open_uploads(world):
        if about["bucket"] == bucket_uuid:
            shutil.rmtree(uploads_dir(world) / upload_id, ignore_errors=True)


def forget_others(world: World, buckets: set[str]) -> None:
    """Drop all uploads whose bucket is none of these, and those killed before they were written down."""
    if uploads_dir(world).exists():
        open_uploads = dict(_open_uploads(world))
        for folder in uploads_dir(world).iterdir():
            if open_uploads.get(folder.name, {}).get("bucket") not in buckets:
                shutil.rmtree(folder, ignore_errors=True)


def uploads_dir(world: World) -> Path:
    return world.root / "s3" / "uploads"


def _open_uploads(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in uploads_dir(world).glob("*/upload.json"):
        with contextlib.suppress(OSError):
            yield path.parent.name, json.loads(path.read_text())


def _upload(ctx: Context, action: str, wanted: int) -> tuple[Target, Path, dict[str, Any]]:
    target = ctx.target(action, wanted)
    upload_id = ctx.req.query.get("uploadId", "")
    folder = uploads_dir(ctx.server.world) / upload_id
    if not _ID.match(upload_id) or not (folder / "upload.json").exists():
        raise _no_upload(ctx)
    about = json.loads((folder / "upload.json").read_text())
    if (about["bucket"], about["key"]) != (target.bucket["uuid"], ctx.req.key):
        raise _no_upload(ctx)
    return target, folder, about


def _no_upload(ctx: Context) -> errors.S3Error:
    return errors.S3Error("NoSuchUpload", f"There is no open upload of {ctx.req.key!r} with this id.")


def _parts(folder: Path) -> list[Part]:
    found = (path.name.partition("-") + (path,) for path in folder.iterdir() if path.name != "upload.json")
    return [Part(int(number), md5, path) for number, _, md5, path in found]


def _part_number(text: str) -> int:
    return numeric.decimal(text, "partNumber", least=1, most=MAX_PARTS)


def _wanted_parts(body: bytes) -> list[tuple[int, str]]:
    tree = xml.parsed(body, "CompleteMultipartUpload")
    wanted = [
        (_part_number(part.findtext("PartNumber") or ""), (part.findtext("ETag") or "").strip('"'))
        for part in tree.findall("Part")
    ]
    if not wanted:
        raise errors.S3Error("MalformedXML", "The upload must be completed with at least one part.")
    numbers = [number for number, _ in wanted]
    if numbers != sorted(set(numbers)):
        raise errors.S3Error("InvalidPartOrder", "The parts must be listed once each, in ascending order.")
    return wanted


def _chosen(wanted: list[tuple[int, str]], there: dict[int, Part]) -> list[Part]:
    for number, etag in wanted:
        if number not in there or there[number].md5 != etag:
            raise errors.S3Error("InvalidPart", f"Part {number} with the ETag {etag!r} was not uploaded.")
    return [there[number] for number, _ in wanted]


def _check_sizes(parts: list[Part], target: Target) -> None:
    any_size = (target.volume.get("options") or {}).get("is_s3_arbitrary_part_size_enabled")
    needs_units = target.is_nas and not any_size
    for part in parts[:-1]:
        if part.size < MIN_PART:
            raise errors.S3Error(
                "EntityTooSmall", f"Part {part.number} has {part.size} bytes; all but the last need 5 MiB."
            )
        if needs_units and part.size % NAS_UNIT:
            raise errors.S3Error(
                "InvalidRequest",
                f"Part {part.number} has {part.size} bytes; on a NAS bucket parts are whole megabytes.",
            )


def _join(parts: list[Part], staged: str) -> None:
    with incoming.room_errors(), Path(staged).open("xb") as whole:
        for part in parts:
            with part.path.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 1 << 20)


def _etag(parts: list[Part]) -> str:
    return hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in parts), usedforsecurity=False).hexdigest()


def _write_whole(world: World, path: Path, text: str) -> None:
    staged = world.dataplane.stage()
    staged.write_text(text)
    staged.rename(path)
