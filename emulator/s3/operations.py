"""Which operation a request is: by method, by bucket or object, and by sub-resource (`?uploads`, `?acl`, ...)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emulator.s3 import bucket_ops, errors, multipart, reading, request, writing
from emulator.s3.context import Context, Response

Handler = Callable[[Context], Awaitable[Response]]


@dataclass(frozen=True)
class Operation:
    name: str
    handler: Handler


_SERVICE = {"GET": Operation("ListBuckets", bucket_ops.list_buckets)}

_BUCKET = {
    ("HEAD", ""): Operation("HeadBucket", bucket_ops.head_bucket),
    ("GET", ""): Operation("ListObjects", bucket_ops.list_objects_v1),
    ("GET", "list-type"): Operation("ListObjectsV2", bucket_ops.list_objects_v2),
    ("GET", "location"): Operation("GetBucketLocation", bucket_ops.get_location),
    ("GET", "versioning"): Operation("GetBucketVersioning", bucket_ops.get_versioning),
    ("GET", "uploads"): Operation("ListMultipartUploads", multipart.list_uploads),
    ("POST", "delete"): Operation("DeleteObjects", writing.delete_objects),
}

_OBJECT = {
    ("GET", ""): Operation("GetObject", reading.get_object),
    ("HEAD", ""): Operation("HeadObject", reading.get_object),
    ("PUT", ""): Operation("PutObject", writing.put_object),
    ("PUT", "x-amz-copy-source"): Operation("CopyObject", writing.copy_object),
    ("DELETE", ""): Operation("DeleteObject", writing.delete_object),
    ("POST", "uploads"): Operation("CreateMultipartUpload", multipart.create),
    ("PUT", "uploadId"): Operation("UploadPart", multipart.upload_part),
    ("GET", "uploadId"): Operation("ListParts", multipart.list_parts),
    ("POST", "uploadId"): Operation("CompleteMultipartUpload", multipart.complete),
    ("DELETE", "uploadId"): Operation("AbortMultipartUpload", multipart.abort),
}

# Words in the query that make a request another operation. Those not in the tables above are not implemented: on a
# NAS bucket ONTAP has no versions, object lock or lifecycle either.
_SUB_RESOURCES = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "attributes",
        "cors",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "list-type",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versioning",
        "versions",
        "website",
    }
)


def of(req: request.Request) -> Operation:
    if not req.bucket:
        operation = _SERVICE.get(req.method)
        sub = ""
    else:
        sub = _sub_resource(req)
        operation = (_OBJECT if req.key else _BUCKET).get((req.method, sub))
    if operation is None:
        if sub:
            raise errors.S3Error("NotImplemented", f"{req.method} with ?{sub} is not implemented on this server.")
        raise errors.S3Error("NotImplemented", f"{req.method} {req.resource} is not an operation of this server.")
    # "null" is the version of an object in a bucket without versions.
    if req.query.get("versionId", "null") != "null":
        raise errors.S3Error("NotImplemented", "Object versions are not supported on this bucket.")
    return operation


def names() -> list[str]:
    """All operations served, for the coverage page."""
    tables = (*_SERVICE.values(), *_BUCKET.values(), *_OBJECT.values())
    return sorted(operation.name for operation in tables)


def _sub_resource(req: request.Request) -> str:
    if req.query_string:
        named = sorted(_SUB_RESOURCES & req.query.keys())
        if named:
            return named[0]
    return "x-amz-copy-source" if req.method == "PUT" and "x-amz-copy-source" in req.headers else ""
