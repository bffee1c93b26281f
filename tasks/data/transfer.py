"""One file from a bucket to a folder, or back: whole, read again after it arrived, and tried again when interrupted."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.common.data import Entry, S3Store, s3_errors
from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import say
from tasks.data.folder import CHUNK, Folder, Local, md5_of

SMALL = 8 << 20  # bytes up to which a file is held in memory
MULTIPART_FROM = 64 << 20  # bytes from which an upload goes in parts, where that is allowed
LARGEST_PUT = 5 << 30  # bytes S3 takes in one request
ATTEMPTS = 4
PAUSE_S = 0.5  # before the second attempt; doubled each time

_MD5 = re.compile(r"[0-9a-f]{32}")
_GONE = {"NoSuchKey", "404", "NotFound", "412", "PreconditionFailed"}
_NO_PARTS = {"NotImplemented", "MethodNotAllowed", "501"}
_FULL = {"QuotaExceeded", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "507", "EntityTooLargeForVolume"}

Advance = Callable[[int], None]


class Spoilt(Exception):
    """What arrived is not what was sent."""


class Download:
    """Objects of ``store`` become files of ``folder``."""

    def __init__(self, store: S3Store, folder: Folder, advance: Advance) -> None:
        self.store, self.folder, self.advance = store, folder, advance
        self._etags_are_digests = True

    def __call__(self, entry: Entry) -> None:
        again(lambda: self._fetch(entry), f"{self.store.url.rstrip('/')}/{entry.key}")

    def _fetch(self, entry: Entry) -> None:
        arrived = self.folder.incoming()
        try:
            sent = self._receive(entry, arrived)
            stored = md5_of(arrived)
            if sent is None and stored != entry.etag:
                sent = self._second_reading(entry)
            if sent is not None and sent != stored:
                raise Spoilt(f"{entry.key} reads otherwise than it was sent")
            if sent is not None and _MD5.fullmatch(entry.etag):
                self._etags_are_digests = False
            self.folder.put(arrived, entry.key, stored, entry.etag)
        finally:
            arrived.unlink(missing_ok=True)

    def _receive(self, entry: Entry, arrived: Path) -> str | None:
        """MD5 of what was sent; None where the ETag tells it."""
        told = self._etags_are_digests and _MD5.fullmatch(entry.etag) is not None
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with arrived.open("wb") as file:
                for chunk in self._chunks(entry):
                    if not told:
                        digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                    self.advance(len(chunk))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self.advance(-size)
            raise
        if size != entry.size:
            raise TryAgain(
                f"{entry.key} of {self.store.url} changed while it was copied ({entry.size} bytes became {size}); "
                "run it again."
            )
        return None if told else digest.hexdigest()

    def _second_reading(self, entry: Entry) -> str:
        """An ETag is the MD5 for most objects, not for encrypted ones or files seen through a NAS bucket.

        Where it differs from what arrived, reading again decides: the same bytes twice mean that this server's ETags
        are no MD5.
        """
        second = hashlib.md5(usedforsecurity=False)
        for chunk in self._chunks(entry):
            second.update(chunk)
        return second.hexdigest()

    def _chunks(self, entry: Entry) -> Iterator[bytes]:
        with _still_there(self.store, entry.key):
            if entry.size <= SMALL:
                yield self.store.read(entry.key)
                return
            with s3_errors("read", f"{self.store.url}/{entry.key}"):
                body = self.store.client.get_object(Bucket=self.store.bucket, Key=self.store.prefix + entry.key)["Body"]
                yield from body.iter_chunks(CHUNK)


class Upload:
    """Files of ``folder`` become objects of ``store``; in one request each unless ``multipart`` is allowed."""

    def __init__(self, folder: Folder, store: S3Store, advance: Advance, *, multipart: bool) -> None:
        self.folder, self.store, self.advance, self.multipart = folder, store, advance, multipart

    def __call__(self, local: Local) -> None:
        again(lambda: self._send(local), f"{self.store.url.rstrip('/')}/{local.key}")

    def _send(self, local: Local) -> None:
        md5 = self.folder.md5(local)
        with full_bucket(self.store.url), s3_errors("write", f"{self.store.url.rstrip('/')}/{local.key}"):
            etag = self._put(local, md5)
        if etag != md5 and self._stored_md5(local) != md5:
            raise Spoilt(f"{local.key} reads otherwise in the bucket than it was sent")
        self.folder.remember(local.key, md5, etag)
        self.advance(local.size)

    def _put(self, local: Local, md5: str) -> str:
        client, bucket, key = self.store.client, self.store.bucket, self.store.prefix + local.key
        path = self.folder.root / local.key
        if self.multipart and local.size >= MULTIPART_FROM and self._put_in_parts(path, key):
            return client.head_object(Bucket=bucket, Key=key).get("ETag", "").strip('"')
        if local.size > LARGEST_PUT:
            raise BadInput(
                f"{local.key} is {local.size} bytes; without multipart upload S3 takes at most {LARGEST_PUT}. "
                "Use a bucket and a server that allow multipart, or split the file."
            )
        with path.open("rb") as file:
            checked = base64.b64encode(bytes.fromhex(md5)).decode()
            answer = client.put_object(Bucket=bucket, Key=key, Body=file, ContentMD5=checked)
        return answer.get("ETag", "").strip('"')

    def _put_in_parts(self, path: Path, key: str) -> bool:
        """False where the server knows no multipart upload, as ONTAP's NAS buckets in many versions."""
        from boto3.s3.transfer import TransferConfig
        from botocore.exceptions import ClientError

        parts = TransferConfig(multipart_threshold=MULTIPART_FROM, use_threads=False)
        try:
            with path.open("rb") as file:
                self.store.client.upload_fileobj(file, self.store.bucket, key, Config=parts)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _NO_PARTS:
                raise
            say(f"{self.store.url} takes no multipart uploads; files are sent in one request each.")
            self.multipart = False
        return self.multipart

    def _stored_md5(self, local: Local) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        with s3_errors("read", f"{self.store.url}/{local.key}"):
            body = self.store.client.get_object(Bucket=self.store.bucket, Key=self.store.prefix + local.key)["Body"]
            for chunk in body.iter_chunks(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()


def again(work: Callable[[], None], what: str) -> None:
    """Do it, up to ATTEMPTS times when the connection breaks or what arrives is spoilt. Raises TryAgain after that."""
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

    for attempt in range(ATTEMPTS):
        last = attempt == ATTEMPTS - 1
        try:
            work()
            return
        except ClientError as error:
            raise TryAgain(f"S3 failed on {what}: {error}. Run it again to go on.") from error
        except (BotoCoreError, Spoilt, ConnectionError, TimeoutError) as error:
            if last or isinstance(error, EndpointConnectionError):  # botocore has tried that one often enough
                raise TryAgain(f"{what} cannot be copied: {error}. Run it again to go on.") from error
        time.sleep(PAUSE_S * 2**attempt)


@contextmanager
def full_bucket(url: str) -> Iterator[None]:
    """A bucket without room, by whatever code its server says so, is the same as a full disk."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 507 or error.response.get("Error", {}).get("Code") in _FULL:
            raise OSError(errno.ENOSPC, "no space left", url) from error
        raise


@contextmanager
def _still_there(store: S3Store, key: str) -> Iterator[None]:
    """The object was listed; if it is gone now, the source is changing, and another try sees the new state."""
    from botocore.exceptions import ClientError

    try:
        yield
    except BadInput as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response.get("Error", {}).get("Code") in _GONE:
            raise TryAgain(f"{key} of {store.url} vanished while it was copied; run it again.") from error
        raise
