"""PutObject, CopyObject, DeleteObject and DeleteObjects."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from urllib.parse import unquote

from emulator.s3 import errors, facts, incoming, keys, unix, xml
from emulator.s3.context import METADATA_ON_NAS, Context, Response, Target

MAX_METADATA_BYTES = 2048
MAX_DELETES = 1000
WRITE = unix.WRITE | unix.SEARCH

_META = "x-amz-meta-"
# What these ask for is not done here; leaving them out silently would leave the client believing otherwise.
_REFUSED_HEADERS = (
    "x-amz-server-side-encryption",
    "x-amz-object-lock",
    "x-amz-website-redirect",
    "x-amz-grant",
    "if-match",
    "if-none-match",
)


async def put_object(ctx: Context) -> Response:
    target = ctx.target("PutObject", WRITE)
    refuse_headers(ctx, target)
    path = keys.writable_path_of(target.root, target.volume_root, ctx.req.key)
    metadata = user_metadata(ctx, target)
    if keys.is_folder_key(ctx.req.key):
        return await _put_folder(ctx, path)
    ctx.server.space.require(target, incoming.declared_size(ctx) - (incoming.size_now(path) or 0))
    with incoming.Incoming(ctx) as arriving:
        await arriving.receive(ctx)
        found = facts.Facts(arriving.md5.hexdigest(), content_type(ctx), metadata)
        await incoming.publish(ctx, target, arriving.path, path, found)
        return Response(200, {"etag": f'"{found.etag}"'} | arriving.echoed)


async def copy_object(ctx: Context) -> Response:
    if ctx.bucket()["type"] == "nas":
        raise errors.S3Error(
            "NotImplemented", "CopyObject is not supported on a NAS bucket; read and write the object."
        )
    source_bucket, source_key = _copy_source(ctx)
    source = ctx.target("GetObject", unix.READ | unix.SEARCH, key=source_key, bucket=source_bucket)
    target = ctx.target("PutObject", WRITE)
    refuse_headers(ctx, target)
    path = keys.writable_path_of(target.root, target.volume_root, ctx.req.key)
    origin = keys.path_of(source.root, source.volume_root, source_key)
    stat = keys.regular(origin) if origin else None
    if origin is None or stat is None:
        raise errors.S3Error("NoSuchKey", f"There is no object {source_key!r} in bucket {source_bucket!r} to copy.")
    found = await asyncio.to_thread(ctx.server.facts.of, origin, stat)
    if ctx.req.headers.get("x-amz-metadata-directive") == "REPLACE":
        found = facts.Facts(found.etag, content_type(ctx), user_metadata(ctx, target))
    staged = str(ctx.server.world.dataplane.stage())
    try:
        await asyncio.to_thread(shutil.copyfile, origin, staged)
        made = await incoming.publish(ctx, target, staged, path, found)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)  # noqa: PTH108
    body = xml.document("CopyObjectResult", [("LastModified", xml.moment(made.st_mtime)), ("ETag", f'"{found.etag}"')])
    return Response(200, {"content-type": "application/xml"}, body)


async def delete_object(ctx: Context) -> Response:
    target = ctx.target("DeleteObject", WRITE)
    _remove(ctx, target, ctx.req.key)
    return Response(204)


async def delete_objects(ctx: Context) -> Response:
    """Each key on its own: what may not be removed is listed with its reason, the rest goes."""
    body = await incoming.small_body(ctx, xml.MAX_DOCUMENT_BYTES)
    tree = xml.parsed(body, "Delete")
    names = [element.findtext("Key") or "" for element in tree.findall("Object")]
    if not names or len(names) > MAX_DELETES:
        raise errors.S3Error("MalformedXML", f"Between 1 and {MAX_DELETES} keys can be deleted at once.")
    quiet = (tree.findtext("Quiet") or "").strip() == "true"
    content: xml.Content = []
    for name in names:
        try:
            _remove(ctx, ctx.target("DeleteObject", WRITE, key=name), name)
            if not quiet:
                content.append(("Deleted", [("Key", name)]))
        except errors.S3Error as e:
            content.append(("Error", [("Key", name), ("Code", e.code), ("Message", e.message)]))
    return Response(200, {"content-type": "application/xml"}, xml.document("DeleteResult", content))


def refuse_headers(ctx: Context, target: Target) -> None:
    for name in ctx.req.headers:
        if name.startswith(_REFUSED_HEADERS):
            raise errors.S3Error(
                "NotImplemented", f"The header {name} asks for something that is not implemented here."
            )
    if ctx.req.headers.get("x-amz-acl", "private") not in ("private", "bucket-owner-full-control"):
        raise errors.S3Error("NotImplemented", "Object ACLs are not implemented; use a bucket policy.")
    # Before 9.16.1 a NAS bucket ignores tags sent along with an object.
    ignored = target.is_nas and ctx.version < METADATA_ON_NAS
    if "x-amz-tagging" in ctx.req.headers and not ignored:
        raise errors.S3Error("NotImplemented", "Object tags are not implemented here.")


def user_metadata(ctx: Context, target: Target) -> dict[str, str]:
    """x-amz-meta-* of the request; before ONTAP 9.16.1 a NAS bucket ignores them, as documented."""
    if target.is_nas and ctx.version < METADATA_ON_NAS:
        return {}
    found = {name[len(_META) :]: value for name, value in ctx.req.headers.items() if name.startswith(_META)}
    if sum(len(name) + len(value) for name, value in found.items()) > MAX_METADATA_BYTES:
        raise errors.S3Error("MetadataTooLarge", f"User metadata may have {MAX_METADATA_BYTES} bytes in all.")
    return found


def content_type(ctx: Context) -> str:
    return ctx.req.headers.get("content-type") or facts.DEFAULT_CONTENT_TYPE


async def _put_folder(ctx: Context, path: str) -> Response:
    """A key with a slash at its end makes a directory; content cannot be put into it."""
    if await incoming.small_body(ctx, 0):
        raise errors.S3Error("InvalidRequest", "A key that ends with a slash is a folder and has no content.")
    try:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    except (FileExistsError, NotADirectoryError) as e:
        raise errors.S3Error("InvalidRequest", "A part of the key's path is an object already.") from e
    return Response(200, {"etag": '"d41d8cd98f00b204e9800998ecf8427e"'})


def _remove(ctx: Context, target: Target, key: str) -> None:
    """Gone afterwards, whether it was there or not. Directories stay: they may be somebody's mount."""
    path = keys.writable_path_of(target.root, target.volume_root, key)
    size = incoming.size_now(path) or 0
    try:
        if keys.is_folder_key(key):
            os.rmdir(path)  # noqa: PTH106
            return
        os.unlink(path)  # noqa: PTH108
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as e:
        raise errors.S3Error("InvalidRequest", f"The key {key!r} is a folder that is not empty.") from e
    ctx.server.space.note(target.volume_root, -size)
    if target.volume:
        ctx.server.world.dataplane.forget_used(target.volume["uuid"])


def _copy_source(ctx: Context) -> tuple[str, str]:
    source = unquote(ctx.req.headers["x-amz-copy-source"]).lstrip("/")
    source, _, version = source.partition("?versionId=")
    if version not in ("", "null"):
        raise errors.S3Error("NotImplemented", "Object versions are not implemented here.")
    bucket, _, key = source.partition("/")
    if not bucket or not key:
        raise errors.S3Error("InvalidArgument", "x-amz-copy-source must read <bucket>/<key>.")
    return bucket, key
