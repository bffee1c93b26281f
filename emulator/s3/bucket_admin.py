"""CreateBucket and DeleteBucket, which ONTAP has for buckets of type s3; all else about buckets is for REST."""

from __future__ import annotations

from uuid import uuid4

from emulator.errors import OntapError
from emulator.protocols_s3.buckets import state
from emulator.s3 import errors, incoming, xml
from emulator.s3.context import Context, Response

_MAX_BODY = 64 << 10
_REGIONS = ("", "us-east-1")


async def create_bucket(ctx: Context) -> Response:
    body = await incoming.small_body(ctx, _MAX_BODY) if ctx.req.headers.get("content-length", "0") != "0" else b""
    name = ctx.req.bucket
    if ctx.user is None:
        raise errors.S3Error("AccessDenied", "CreateBucket needs a signed request.")
    if (ctx.svm, name) in ctx.server.accounts.view().buckets:
        raise errors.S3Error("BucketAlreadyOwnedByYou", f"This SVM has a bucket {name!r} already.")
    ctx.require("CreateBucket", {"name": name})
    _check_configuration(body)
    svm = ctx.server.accounts.view().services[ctx.svm]["svm"]
    wanted = {"name": name, "type": "s3"}
    try:
        state.check_new(ctx.server.world, svm, wanted)
        state.create(ctx.server.world, {"svm": svm, "body": wanted, "uuid": str(uuid4())})
    except OntapError as e:
        raise errors.S3Error("InvalidBucketName", e.message) from e
    return Response(200, {"location": f"/{name}"})


async def delete_bucket(ctx: Context) -> Response:
    bucket = ctx.bucket()
    ctx.require("DeleteBucket", bucket)
    if bucket["type"] == "nas":
        raise errors.S3Error("NotImplemented", "A NAS bucket is removed over REST, where its folder is named.")
    try:
        state.check_deletable(ctx.server.world, bucket)
    except OntapError as e:
        raise errors.S3Error("BucketNotEmpty", e.message) from e
    state.delete(ctx.server.world, {"uuid": bucket["uuid"]})
    return Response(204)


def _check_configuration(body: bytes) -> None:
    if not body:
        return
    tree = xml.parsed(body, "CreateBucketConfiguration")
    region = (tree.findtext("LocationConstraint") or "").strip()
    if region not in _REGIONS:
        raise errors.S3Error("InvalidLocationConstraint", "There is one region here, us-east-1.")
    if unknown := {child.tag for child in tree} - {"LocationConstraint"}:
        raise errors.S3Error("NotImplemented", f"{', '.join(sorted(unknown))} of a new bucket is not implemented.")
