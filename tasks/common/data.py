"""Data by path or by ``s3://bucket/prefix`` URL, behind the same few calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from tasks.common.program import BadInput
from tasks.common.result import write_whole
from tasks.common.s3_get import ObjectReader

if TYPE_CHECKING:
    from botocore.client import BaseClient

# Ours on a dataset volume, and ONTAP's: neither is data.
IGNORED_FOLDERS = frozenset({".mlops", ".snapshot"})
S3_ATTEMPTS = 5
_ABSENT = {"NoSuchBucket", "NoSuchKey", "404", "NotFound"}
_REFUSED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "Forbidden"}


@dataclass(frozen=True, order=True)
class Entry:
    """One file: ``key`` relative to the store, with ``/``; ``modified`` in seconds since 1970; ``etag`` S3 only."""

    key: str
    size: int
    modified: float
    etag: str = ""


class Store(Protocol):
    """A folder or a bucket prefix. Every call may come from any thread."""

    url: str

    def entries(self) -> list[Entry]:
        """All files, sorted by key, without the ignored folders."""

    def read(self, key: str) -> bytes: ...

    def write(self, key: str, content: bytes) -> None:
        """Create or replace, whole or not at all."""

    def delete(self, key: str) -> None:
        """Remove; a file already gone is no error."""


def open_source(url: str, connections: int = 16) -> Store:
    """Open data to read. Raises BadInput for a folder that is not there or a URL that is none of ours."""
    if not is_s3(url):
        if not Path(url).is_dir():
            raise BadInput(
                f"The data folder {url} does not exist; name an existing folder or an s3://bucket/prefix URL."
            )
        return LocalStore(url)
    return S3Store(url, connections)


def open_target(url: str, connections: int = 16) -> Store:
    """Open a place to write to; a folder is made if it is not there, a bucket must exist."""
    if is_s3(url):
        return S3Store(url, connections)
    Path(url).mkdir(parents=True, exist_ok=True)
    return LocalStore(url)


def read_url(url: str) -> bytes:
    """One file or one object. Raises BadInput when it is not there."""
    if is_s3(url):
        parent, _, name = url.rpartition("/")
        return S3Store(parent, connections=1).read(name)
    path = Path(url)
    return LocalStore(str(path.parent)).read(path.name)


def is_s3(url: str) -> bool:
    if "://" in url and not url.startswith("s3://"):
        raise BadInput(f"{url} is neither a path nor an s3://bucket/prefix URL.")
    return url.startswith("s3://")


class LocalStore:
    def __init__(self, url: str) -> None:
        self.url = url
        self._root = Path(url)

    def entries(self) -> list[Entry]:
        return sorted(self._walk())

    def _walk(self) -> Iterator[Entry]:
        for folder, folders, files in os.walk(self._root):
            folders[:] = [name for name in folders if name not in IGNORED_FOLDERS]
            for name in files:
                path = Path(folder) / name
                facts = path.stat()
                yield Entry(path.relative_to(self._root).as_posix(), facts.st_size, facts.st_mtime)

    def read(self, key: str) -> bytes:
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            raise BadInput(f"{self._root / key} does not exist.") from None

    def write(self, key: str, content: bytes) -> None:
        write_whole(self._root / key, content)

    def delete(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)


class S3Store:
    """A bucket prefix, at AWS_ENDPOINT_URL_S3 if that is set: path-style addresses, SigV4, objects sent in one request.

    One request per object, since ONTAP's buckets over NAS volumes refuse multipart uploads in many versions.
    """

    def __init__(self, url: str, connections: int = 16) -> None:
        parts = urlsplit(url)
        if not parts.netloc:
            raise BadInput(f"{url} names no bucket; write s3://bucket/prefix.")
        self.url = url
        self.bucket = parts.netloc
        self.prefix = parts.path.strip("/") + "/" if parts.path.strip("/") else ""
        self.client = s3_client(connections)
        self._reader = ObjectReader.for_client(self.client)

    def entries(self) -> list[Entry]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        with s3_errors("list", self.url):
            found = [self._entry(item) for page in pages for item in page.get("Contents", [])]
        return sorted(e for e in found if not e.key.endswith("/") and not IGNORED_FOLDERS & set(e.key.split("/")[:-1]))

    def _entry(self, item: dict[str, Any]) -> Entry:
        key = item["Key"][len(self.prefix) :]
        return Entry(key, item["Size"], item["LastModified"].timestamp(), item.get("ETag", "").strip('"'))

    def read(self, key: str) -> bytes:
        if self._reader and (content := self._reader.get(self.bucket, self.prefix + key)) is not None:
            return content
        with s3_errors("read", f"s3://{self.bucket}/{self.prefix}{key}"):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)
            return answer["Body"].read()

    def write(self, key: str, content: bytes) -> None:
        with s3_errors("write", f"s3://{self.bucket}/{self.prefix}{key}"):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=content)

    def delete(self, key: str) -> None:
        with s3_errors("delete", f"s3://{self.bucket}/{self.prefix}{key}"):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)


def s3_client(connections: int = 16) -> BaseClient:
    """A client that retries what a retry can mend, with room for ``connections`` requests at once."""
    import boto3
    from botocore.config import Config

    settings = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"max_attempts": S3_ATTEMPTS, "mode": "standard"},
        max_pool_connections=connections,
        connect_timeout=10,
        read_timeout=60,
        # Checksum trailers are newer than many S3 servers; the ones S3 demands are still sent.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return boto3.session.Session().client("s3", region_name=region, config=settings)


@contextmanager
def s3_errors(verb: str, url: str) -> Iterator[None]:
    """Turns what S3 answers inside the block into BadInput where no retry can mend it; lets the rest pass."""
    from botocore.exceptions import ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise BadInput(f"Cannot {verb} {url}: no S3 keys; {advice}.") from None
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _ABSENT:
            raise BadInput(f"Cannot {verb} {url}: S3 says it does not exist ({code}).") from error
        if code in _REFUSED:
            advice = "check the bucket's policy and the permissions of the files behind it"
            raise BadInput(f"Cannot {verb} {url}: S3 refuses these keys ({code}); {advice}.") from error
        raise
