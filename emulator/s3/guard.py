"""Whatever changes the meaning of a request and is not known to its operation is refused, never ignored."""

from __future__ import annotations

from functools import lru_cache

from emulator.s3 import errors, numeric, request

_SIGNATURE = (
    "X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-SignedHeaders X-Amz-Signature X-Amz-Content-Sha256"
)
# About the sender, the protocol, the signature, the body and its checksums: nothing in them could be ignored wrongly.
_HARMLESS = (
    "x-amz-date x-amz-content-sha256 x-amz-user-agent x-amz-decoded-content-length x-amz-trailer x-amz-checksum-mode"
    " x-amz-sdk-checksum-algorithm x-amz-request-payer x-amz-api-version x-amz-te x-amz-checksum-crc32"
    " x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-sha1 x-amz-checksum-sha256"
)
# These values ask for what is the case anyway.
_HARMLESS_VALUES = {
    "x-amz-acl": ("private", "bucket-owner-full-control"),
    "x-amz-storage-class": ("STANDARD",),
    "x-amz-bypass-governance-retention": ("false",),
    "x-amz-server-side-encryption-bucket-key-enabled": ("false",),
    "x-amz-bucket-object-lock-enabled": ("false", "False"),
    "x-amz-object-ownership": ("BucketOwnerEnforced",),
}
_CODES = {"x-amz-storage-class": "InvalidStorageClass", "x-amz-security-token": "InvalidToken"}
_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range")


def check(req: request.Request, query: str, headers: str, conditions: str) -> None:
    """Raise S3Error for a parameter or header beyond these, which are names (or beginnings, `x-*`) with blanks between.

    "null" is the version of an object in a bucket without versions.
    """
    if req.query_string:
        _check_query(req, query)
    for name, value in req.headers.items():
        if name.startswith("x-amz-"):
            _check_header(name, value, headers)
    # Whoever only reads a list or a bucket may have sent them for the sake of a cache.
    if not (req.method in ("GET", "HEAD") and not req.key):
        for name in _CONDITIONS:
            if name in req.headers and name not in conditions.split():
                raise errors.S3Error("NotImplemented", f"The condition {name} is not supported by this operation.")
    if "content-range" in req.headers:
        raise errors.S3Error("NotImplemented", "A part of an object cannot be written; upload all of it.")


def _check_query(req: request.Request, query: str) -> None:
    for name in req.query:
        # Amazon leaves names that begin with x- to clients, for their own logs.
        if _in(name, _SIGNATURE) or _in(name, query) or (name.startswith("x-") and not name.startswith("x-amz-")):
            continue
        if name == "X-Amz-Security-Token":
            raise _no_token()
        if name.startswith("x-amz-"):
            continue  # a header sent in a presigned URL, and looked at as a header
        if name == "versionId":
            raise errors.S3Error("NotImplemented", "Object versions are not supported on this bucket.")
        raise errors.S3Error(
            "InvalidArgument", f"The query parameter {numeric.shortened(name)!r} is not known to this operation."
        )
    if req.query.get("versionId", "null") != "null":
        raise errors.S3Error("NotImplemented", "Object versions are not supported on this bucket.")


def _check_header(name: str, value: str, headers: str) -> None:
    if not value or _in(name, _HARMLESS) or _in(name, headers) or value in _HARMLESS_VALUES.get(name, ()):
        return
    if name == "x-amz-security-token":
        raise _no_token()
    if name == "x-amz-acl":
        raise errors.S3Error("NotImplemented", "Object ACLs are not implemented; use a bucket policy.")
    raise errors.S3Error(
        _CODES.get(name, "NotImplemented"),
        f"The header {numeric.shortened(name)} asks for something that is not implemented here.",
    )


def _no_token() -> errors.S3Error:
    return errors.S3Error("InvalidToken", "Keys of ONTAP's S3 users come without a session token.")


def _in(name: str, known: str) -> bool:
    exact, beginnings = _split(known)
    return name in exact or name.startswith(beginnings)


@lru_cache
def _split(known: str) -> tuple[frozenset[str], tuple[str, ...]]:
    words = known.split()
    return frozenset(words), tuple(word[:-1] for word in words if word.endswith("*"))
