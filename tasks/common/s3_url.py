"""What an ``s3://bucket/prefix`` URL names; every other letter of it is part of the prefix, as it stands."""

from __future__ import annotations

import re

from tasks.common.program import BadInput

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_OTHER_SCHEME = re.compile(r".*://|s3[an]?:", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_s3(url: str) -> bool:
    """Raises BadInput for what is neither a path nor such a URL."""
    if url.startswith("arn:"):
        raise BadInput(_access_point(url))
    if not url.startswith("s3://") and _OTHER_SCHEME.match(url):
        raise BadInput(f"{_without_login(url)} is neither a path nor an s3://bucket/prefix URL.")
    return url.startswith("s3://")


def place_of(url: str) -> tuple[str, str]:
    """Bucket, and prefix with a slash at its end, or "" for the whole bucket.

    Not by a parser of URLs, to which ``#``, ``?``, ``%`` and more in a prefix are something else. Raises BadInput for
    a URL without a bucket, and for a prefix that no client can ask for.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if bucket.startswith("arn:"):
        raise BadInput(_access_point(url))
    if not _BUCKET.fullmatch(bucket):
        raise BadInput(
            f"{_without_login(url)} names no bucket; write s3://bucket/prefix, and give keys and the server's address "
            "in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL_S3)."
        )
    prefix = prefix.removesuffix("/")
    if prefix and (wrong := why_no_path(prefix)):
        raise BadInput(f"{url!r} cannot be read as a prefix: it has {wrong}. Correct it, or rename the objects.")
    return bucket, f"{prefix}/" if prefix else ""


def why_no_path(key: str) -> str:
    """What in a key cannot be part of a path inside a folder, in words; "" for one that can be a file."""
    if any(part in ("", ".", "..") for part in key.split("/")):
        return "an empty part, '.' or '..' between its slashes"
    return "a control character" if _CONTROL.search(key) else ""


def _access_point(url: str) -> str:
    return f"{url} names an access point by its ARN; name it by its alias, as s3://alias/prefix."


def _without_login(url: str) -> str:
    return re.sub(r"(//)[^/]*@", r"\1...@", url)
