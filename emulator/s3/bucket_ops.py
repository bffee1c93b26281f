"""ListBuckets, HeadBucket, GetBucketLocation, ListObjects in both versions."""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from functools import partial

from emulator.s3 import errors, listing, numeric, unix, xml
from emulator.s3.context import Context, Response
from emulator.s3.target import Target

MAX_KEYS = 1000
MAX_BUCKETS = 10_000
REGION = "us-east-1"
_XML = {"content-type": "application/xml"}


async def list_buckets(ctx: Context) -> Response:
    """The buckets the user may list, as Amazon does it for the owner of the account."""
    if ctx.user is None:
        raise errors.S3Error("AccessDenied", "ListBuckets needs a signed request.")
    if not any(ctx.may(action, None) for action in ("ListAllMyBuckets", "ListMyBuckets")):
        mine = [b for b in _buckets(ctx) if ctx.may("ListBucket", b)]
    else:
        mine = _buckets(ctx)
    query = ctx.req.query
    token, prefix, region = (query.get(name, "") for name in ("continuation-token", "prefix", "bucket-region"))
    after = _from_token(token) if token else ""
    most = numeric.decimal(query.get("max-buckets", str(MAX_BUCKETS)), "max-buckets", least=1, most=MAX_BUCKETS)
    if region not in ("", REGION):
        mine = []
    left = [b for b in mine if b["name"].startswith(prefix) and b["name"] > after]
    shown = [("Bucket", [("Name", b["name"]), ("CreationDate", _created(b["created"]))]) for b in left[:most]]
    content: xml.Content = [("Owner", _owner(ctx)), ("Buckets", shown)]
    if len(left) > most:
        content.append(("ContinuationToken", _to_token(left[most - 1]["name"])))
    if prefix:
        content.append(("Prefix", prefix))
    return Response(200, _XML, xml.document("ListAllMyBucketsResult", content))


async def head_bucket(ctx: Context) -> Response:
    ctx.target("ListBucket", unix.READ | unix.SEARCH, key="")
    return Response(200, {"x-amz-bucket-region": REGION})


async def get_location(ctx: Context) -> Response:
    ctx.require("GetBucketLocation", ctx.bucket())
    return Response(200, _XML, xml.document("LocationConstraint", []))


async def get_versioning(ctx: Context) -> Response:
    bucket = ctx.bucket()
    if bucket["type"] == "nas":
        raise errors.S3Error("NotImplemented", "GetBucketVersioning is not supported on a NAS bucket.")
    ctx.require("GetBucketVersioning", bucket)
    return Response(200, _XML, xml.document("VersioningConfiguration", []))


async def list_objects_v2(ctx: Context) -> Response:
    query = ctx.req.query
    if query["list-type"] != "2":
        raise errors.S3Error("InvalidArgument", "list-type must be 2, or not be there.")
    token = query.get("continuation-token", "")
    after = _from_token(token) if token else query.get("start-after", "")
    page, target = await _page(ctx, after)
    content: xml.Content = _echoed(ctx, "start-after", "StartAfter")
    content += [("KeyCount", len(page.entries) + len(page.prefixes)), ("IsTruncated", page.truncated)]
    if "continuation-token" in query:
        content.append(("ContinuationToken", token))
    if page.truncated:
        content.append(("NextContinuationToken", _to_token(page.last)))
    with_owner = query.get("fetch-owner", "") == "true"
    body = await asyncio.to_thread(_result, ctx, target, page, content, with_owner=with_owner)
    return Response(200, _XML, body)


async def list_objects_v1(ctx: Context) -> Response:
    page, target = await _page(ctx, ctx.req.query.get("marker", ""))
    content: xml.Content = [("Marker", _shown(ctx, ctx.req.query.get("marker", ""))), ("IsTruncated", page.truncated)]
    # Amazon gives NextMarker only with a delimiter; giving it always spares clients the last key.
    if page.truncated:
        content.append(("NextMarker", _shown(ctx, page.last)))
    body = await asyncio.to_thread(_result, ctx, target, page, content, with_owner=True)
    return Response(200, _XML, body)


async def _page(ctx: Context, after: str) -> tuple[listing.Page, Target]:
    query = ctx.req.query
    if query.get("encoding-type", "url") != "url":
        raise errors.S3Error("InvalidArgument", "encoding-type must be url, or not be there.")
    target = ctx.target("ListBucket", unix.READ | unix.SEARCH, key="")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    most = _max_keys(query.get("max-keys", str(MAX_KEYS)))
    if not target.is_nas:
        chosen = ctx.server.index.select(target.root, prefix=prefix, delimiter=delimiter, after=after, most=most)
        # Who asks for no keys is not told that there are more.
        return await asyncio.to_thread(listing.flat_page, target, chosen[0], chosen[1] and most > 0), target
    read = partial(listing.page, prefix=prefix, delimiter=delimiter, after=after, max_keys=most)
    return await asyncio.to_thread(read, target.root, target.volume_root), target


def _result(ctx: Context, target: Target, page: listing.Page, content: xml.Content, *, with_owner: bool) -> bytes:
    """Runs in a thread: files that came over NFS are hashed here for their ETag."""
    query = ctx.req.query
    head: xml.Content = [
        ("Name", target.bucket["name"]),
        ("Prefix", _shown(ctx, query.get("prefix", ""))),
        ("MaxKeys", _max_keys(query.get("max-keys", str(MAX_KEYS)))),
        *(_echoed(ctx, "delimiter", "Delimiter") if query.get("delimiter") else []),
        *([("EncodingType", "url")] if query.get("encoding-type") == "url" else []),
    ]
    owner = [("Owner", _owner(ctx))] if with_owner else []
    entries = [("Contents", [*shown, *owner]) for entry in page.entries if (shown := _entry(ctx, entry))]
    prefixes = [("CommonPrefixes", [("Prefix", _shown(ctx, prefix))]) for prefix in page.prefixes]
    return xml.document("ListBucketResult", [*head, *content, *entries, *prefixes])


def _entry(ctx: Context, entry: listing.Entry) -> xml.Content | None:
    try:
        facts = ctx.server.facts.of(entry.path, entry.facts)
    except OSError:
        return None  # removed since the directory was read
    return [
        ("Key", _shown(ctx, entry.key)),
        ("LastModified", xml.moment(entry.facts.st_mtime)),
        ("ETag", f'"{facts.etag}"'),
        ("Size", entry.facts.st_size),
        ("StorageClass", "STANDARD"),
    ]


def _owner(ctx: Context) -> xml.Content:
    """ONTAP has no accounts; who asks is named, as the owner of all that he sees."""
    return [("ID", ctx.user or "anonymous"), ("DisplayName", ctx.user or "anonymous")]


def _buckets(ctx: Context) -> list[dict]:
    found = ctx.server.accounts.view().buckets.items()
    return sorted((bucket for (svm, _), bucket in found if svm == ctx.svm), key=lambda bucket: bucket["name"])


def _created(iso: str) -> str:
    return xml.moment(datetime.fromisoformat(iso).timestamp())


def _echoed(ctx: Context, name: str, element: str) -> xml.Content:
    return [(element, _shown(ctx, ctx.req.query[name]))] if name in ctx.req.query else []


def _shown(ctx: Context, text: str) -> str:
    return xml.key(text, ctx.req.query.get("encoding-type", ""))


def _max_keys(text: str) -> int:
    return min(numeric.decimal(text, "max-keys", most=2**31 - 1), MAX_KEYS)


def _to_token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as e:
        raise errors.S3Error("InvalidArgument", "The continuation token is not one that this server gave out.") from e
