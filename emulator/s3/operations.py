"""Which operation a request is: by method, by bucket or object, and by sub-resource (`?uploads`, `?acl`, ...)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emulator.s3 import bucket_admin, bucket_ops, copying, errors, guard, multipart, reading, request, writing
from emulator.s3.context import Context, Response

Handler = Callable[[Context], Awaitable[Response]]


@dataclass(frozen=True)
class Operation:
    """`query` and `headers` are the parameters it knows, `conditions` the If-* headers; any other is refused."""

    name: str
    handler: Handler
    query: str = ""
    headers: str = ""
    conditions: str = ""


_READ_CONDITIONS = "if-match if-none-match if-modified-since if-unmodified-since if-range"
_WRITE_CONDITIONS = "if-match if-none-match"
_COPY_SOURCE = (
    "x-amz-copy-source x-amz-copy-source-if-match x-amz-copy-source-if-none-match"
    " x-amz-copy-source-if-modified-since x-amz-copy-source-if-unmodified-since"
)
_LIST = "prefix delimiter max-keys encoding-type"
_LISTED = "x-amz-optional-object-attributes"  # no object has any of them
_NEW = "x-amz-meta-* x-amz-tagging"

_SERVICE = {
    "GET": Operation("ListBuckets", bucket_ops.list_buckets, "max-buckets continuation-token prefix bucket-region")
}

_BUCKET = {
    ("HEAD", ""): Operation("HeadBucket", bucket_ops.head_bucket),
    ("GET", ""): Operation("ListObjects", bucket_ops.list_objects_v1, f"{_LIST} marker", _LISTED),
    ("GET", "list-type"): Operation(
        "ListObjectsV2",
        bucket_ops.list_objects_v2,
        f"{_LIST} list-type continuation-token start-after fetch-owner",
        _LISTED,
    ),
    ("GET", "location"): Operation("GetBucketLocation", bucket_ops.get_location, "location"),
    ("GET", "versioning"): Operation("GetBucketVersioning", bucket_ops.get_versioning, "versioning"),
    ("GET", "uploads"): Operation(
        "ListMultipartUploads",
        multipart.list_uploads,
        "uploads prefix key-marker upload-id-marker max-uploads encoding-type",
    ),
    ("PUT", ""): Operation(
        "CreateBucket",
        bucket_admin.create_bucket,
    ),
    ("DELETE", ""): Operation("DeleteBucket", bucket_admin.delete_bucket),
    ("POST", "delete"): Operation("DeleteObjects", writing.delete_objects, "delete"),
}

_OBJECT = {
    ("GET", ""): Operation(
        "GetObject", reading.get_object, "response-* partNumber versionId", conditions=_READ_CONDITIONS
    ),
    ("HEAD", ""): Operation(
        "HeadObject", reading.get_object, "response-* partNumber versionId", conditions=_READ_CONDITIONS
    ),
    ("GET", "attributes"): Operation(
        "GetObjectAttributes", reading.get_attributes, "attributes versionId", "x-amz-object-attributes"
    ),
    ("PUT", ""): Operation("PutObject", writing.put_object, headers=_NEW, conditions=_WRITE_CONDITIONS),
    ("PUT", "x-amz-copy-source"): Operation(
        "CopyObject",
        copying.copy_object,
        headers=f"{_NEW} {_COPY_SOURCE} x-amz-metadata-directive x-amz-tagging-directive x-amz-checksum-algorithm",
        conditions=_WRITE_CONDITIONS,
    ),
    ("DELETE", ""): Operation("DeleteObject", writing.delete_object, "versionId", conditions=_WRITE_CONDITIONS),
    ("POST", "uploads"): Operation(
        "CreateMultipartUpload", multipart.create, "uploads", f"{_NEW} x-amz-checksum-algorithm x-amz-checksum-type"
    ),
    ("PUT", "uploadId"): Operation("UploadPart", multipart.upload_part, "uploadId partNumber"),
    ("PUT", "uploadId x-amz-copy-source"): Operation(
        "UploadPartCopy",
        multipart.upload_part_copy,
        "uploadId partNumber",
        f"{_COPY_SOURCE} x-amz-copy-source-range",
    ),
    ("GET", "uploadId"): Operation(
        "ListParts", multipart.list_parts, "uploadId max-parts part-number-marker encoding-type"
    ),
    ("POST", "uploadId"): Operation(
        "CompleteMultipartUpload",
        multipart.complete,
        "uploadId",
        "x-amz-checksum-type x-amz-mp-object-size",
        conditions=_WRITE_CONDITIONS,
    ),
    ("DELETE", "uploadId"): Operation("AbortMultipartUpload", multipart.abort, "uploadId"),
}

# Words in the query that make a request another operation. Those not in the tables above are not implemented: on a
# NAS bucket ONTAP has no versions, object lock or lifecycle either.
_SUB_RESOURCES = (
    "accelerate acl analytics append attributes cors delete encryption intelligent-tiering inventory legal-hold"
    " lifecycle list-type location logging metadataTable metrics notification object-lock ownershipControls policy"
    " policyStatus publicAccessBlock renameObject replication requestPayment restore retention select session tagging"
    " torrent uploadId uploads versioning versions website"
)


def of(req: request.Request) -> Operation:
    """The operation, all of whose parameters are known to it; S3Error where it is none, or one of them is not."""
    if not req.bucket:
        operation = _SERVICE.get(req.method)
        sub = ""
    else:
        sub = _sub_resource(req)
        operation = (_OBJECT if req.key else _BUCKET).get((req.method, sub))
    if operation is None:
        what = f"{req.method} with ?{sub}" if sub else f"{req.method} {req.resource}"
        # 405 rather than 501: some clients repeat whatever begins with a 5.
        raise errors.S3Error("NotImplemented", f"{what} is not an operation of this server.", status=405)
    guard.check(req, operation.query, operation.headers, operation.conditions)
    return operation


def names() -> list[str]:
    """All operations served, for the coverage page."""
    tables = (*_SERVICE.values(), *_BUCKET.values(), *_OBJECT.values())
    return sorted(operation.name for operation in tables)


def _sub_resource(req: request.Request) -> str:
    named = sorted(req.query.keys() & set(_SUB_RESOURCES.split()))[:1] if req.query_string else []
    if req.method == "PUT" and "x-amz-copy-source" in req.headers:
        named.append("x-amz-copy-source")
    return " ".join(named)
