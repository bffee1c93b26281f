"""PutObject, DeleteObject and DeleteObjects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from emulator.s3 import conditions, errors, facts, incoming, kept, unix, xml
from emulator.s3.context import METADATA_ON_NAS, Context, Response
from emulator.s3.target import Target

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_METADATA_BYTES = 2048
MAX_DELETES = 1000
WRITE = unix.WRITE | unix.SEARCH

_META = "x-amz-meta-"
_EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


async def put_object(ctx: Context) -> Response:
    target = ctx.target("PutObject", WRITE)
    wanted = conditions.of_write(ctx.req.headers, is_nas=target.is_nas)
    path = target.writable_path_of(ctx.req.key)
    described = description(ctx, target)
    if target.is_folder(ctx.req.key):
        return await _put_folder(ctx, path)
    ctx.server.space.require(target, incoming.declared_size(ctx) - (incoming.size_now(path) or 0))
    with incoming.Incoming(ctx) as arriving:
        await arriving.receive(ctx)
        found = described.facts(arriving.md5.hexdigest(), arriving.checksums)
        await incoming.publish(ctx, target, arriving.path, ctx.req.key, found, wanted)
        return Response(200, {"etag": f'"{found.etag}"'} | arriving.echoed)


async def delete_object(ctx: Context) -> Response:
    target = ctx.target("DeleteObject", WRITE)
    await _remove(ctx, target, ctx.req.key, conditions.of_write(ctx.req.headers, is_nas=target.is_nas))
    return Response(204)


async def delete_objects(ctx: Context) -> Response:
    """Each key on its own: what may not be removed is listed with its reason, the rest goes."""
    body = await incoming.small_body(ctx, xml.MAX_DOCUMENT_BYTES)
    tree = xml.parsed(body, "Delete")
    asked = tree.findall("Object")
    if not asked or len(asked) > MAX_DELETES:
        raise errors.S3Error("MalformedXML", f"Between 1 and {MAX_DELETES} keys can be deleted at once.")
    quiet = (tree.findtext("Quiet") or "").strip() == "true"
    content: xml.Content = []
    for element in asked:
        name = element.findtext("Key") or ""
        try:
            target = ctx.target("DeleteObject", WRITE, key=name)
            await _remove(ctx, target, name, _conditions_of(element, target))
            if not quiet:
                content.append(("Deleted", [("Key", name)]))
        except errors.S3Error as e:
            content.append(("Error", [("Key", name), ("Code", e.code), ("Message", e.message)]))
    return Response(200, {"content-type": "application/xml"}, xml.document("DeleteResult", content))


def description(ctx: Context, target: Target) -> Description:
    """What the headers of a new object say of it."""
    ignores = target.is_nas and ctx.version < METADATA_ON_NAS
    # Before 9.16.1 a NAS bucket ignores metadata and tags sent along with an object, as documented.
    if "x-amz-tagging" in ctx.req.headers and not ignores:
        raise errors.S3Error("NotImplemented", "Object tags are not implemented here.")
    headers = ctx.req.headers
    metadata = {name[len(_META) :]: value for name, value in headers.items() if name.startswith(_META)}
    if sum(len(name) + len(value) for name, value in metadata.items()) > MAX_METADATA_BYTES:
        raise errors.S3Error("MetadataTooLarge", f"User metadata may have {MAX_METADATA_BYTES} bytes in all.")
    kept = {name: headers[name] for name in facts.KEPT_HEADERS if headers.get(name)}
    codings = [coding.strip() for coding in kept.pop("content-encoding", "").split(",")]
    # aws-chunked is how the body travels and not how it is kept.
    if encoding := ", ".join(coding for coding in codings if coding and coding.lower() != "aws-chunked"):
        kept["content-encoding"] = encoding
    if sum(map(len, kept.values())) > MAX_METADATA_BYTES:
        raise errors.S3Error("MetadataTooLarge", f"An object's headers may have {MAX_METADATA_BYTES} bytes in all.")
    content_type = headers.get("content-type") or facts.DEFAULT_CONTENT_TYPE
    return Description(content_type, {} if ignores else metadata, kept)


class Description:
    """What is known of an object before its content: kept with an upload until that is complete."""

    def __init__(self, content_type: str, metadata: dict[str, str], headers: dict[str, str]) -> None:
        self.content_type = content_type
        self.metadata = metadata
        self.headers = headers

    def facts(
        self,
        etag: str,
        checksums: dict[str, str],
        *,
        checksum_type: str = "FULL_OBJECT",
        parts: tuple[tuple[int, int], ...] = (),
    ) -> facts.Facts:
        return facts.Facts(
            etag, self.content_type, self.metadata, self.headers, checksums, checksum_type=checksum_type, parts=parts
        )


def _conditions_of(element: Element, target: Target) -> conditions.Conditions:
    """What one entry of a DeleteObjects asks for beyond its key; anything not known there is refused, not ignored."""
    found = {child.tag: (child.text or "").strip() for child in element}
    if found.pop("VersionId", "null") not in ("", "null"):
        raise errors.S3Error("NotImplemented", "Object versions are not supported on this bucket.")
    unknown = found.keys() - {"Key", "ETag"}
    if unknown:
        raise errors.S3Error("NotImplemented", f"{', '.join(sorted(unknown))} of an object to delete is not supported.")
    if "ETag" in found:
        return conditions.of_write({"if-match": found["ETag"]}, is_nas=target.is_nas)
    return conditions.Conditions({})


async def _put_folder(ctx: Context, path: str) -> Response:
    """A key with a slash at its end makes a directory; content cannot be put into it."""
    if incoming.declared_size(ctx):
        raise errors.S3Error("InvalidRequest", "A key that ends with a slash is a folder and has no content.")
    await incoming.small_body(ctx, 0)
    try:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    except (FileExistsError, NotADirectoryError) as e:
        raise errors.S3Error("InvalidRequest", "A part of the key's path is an object already.") from e
    return Response(200, {"etag": f'"{_EMPTY_MD5}"'})


async def _remove(ctx: Context, target: Target, key: str, wanted: conditions.Conditions) -> None:
    """Gone afterwards, whether it was there or not. Directories stay: they may be somebody's mount."""
    path = target.writable_path_of(key)
    async with ctx.server.changing(path):
        if wanted:
            wanted.require(await incoming.facts_now(ctx, path))
        kept.require(ctx.server.world, target, path)
        size = incoming.size_now(path) or 0
        try:
            if target.is_folder(key):
                os.rmdir(path)  # noqa: PTH106
                return
            os.unlink(path)  # noqa: PTH108
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as e:
            raise errors.S3Error("InvalidRequest", f"The key {key!r} is a folder that is not empty.") from e
        if not target.is_nas:
            ctx.server.index.discard(target.root, key)
        ctx.server.space.note(target.volume_root, -size)
    if target.volume:
        ctx.server.world.dataplane.forget_used(target.volume["uuid"])
