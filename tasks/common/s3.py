"""S3 by obstore: who may speak to it, how long it waits, and its refusals as one sentence each."""

from __future__ import annotations

import base64
import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tasks.common.program import BadInput, TryAgain
from tasks.common.s3_url import why_no_path

if TYPE_CHECKING:
    from obstore.store import ClientConfig

RETRIES = 4  # of what a retry can mend: broken connections, answers of 500 and above
_ABSENT = {"NoSuchBucket", "NoSuchKey", "404", "NotFound"}
_REFUSED = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AllAccessDisabled",
    "Forbidden",
    "401",
    "403",
}
_FULL = {"QuotaExceeded", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "507", "EntityTooLargeForVolume"}
ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_WRITTEN_IN_TWO_WAYS = re.compile(r"[ *~]")
# Where obstore finds keys by itself; for a profile, a machine's role and the like botocore is asked.
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")


class Absent(BadInput):
    """The bucket or object is not there."""


class NameRefused(BadInput):
    """This server cannot have an object of that name."""


class S3Failed(TryAgain):
    """S3 gave no answer, or one that a later try may change; ``code`` is its own word for it, or the HTTP status."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


def connect(bucket: str, connections: int = 16) -> Any:
    """An obstore store of ``bucket``, with room for ``connections`` requests at once; asks the network nothing yet.

    At AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL if set, with path-style addresses and SigV4; AWS_CA_BUNDLE names further
    certificate authorities. Raises BadInput when there are no keys.
    """
    from obstore.store import S3Store

    options: ClientConfig = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=10),
        "read_timeout": timedelta(seconds=60),  # between two pieces of an answer
        "timeout": timedelta(hours=6),  # of a whole request: a file of 5 GB in one request over a slow line
        "pool_max_idle_per_host": str(connections),
    }
    if bundle := os.environ.get("AWS_CA_BUNDLE"):
        options["root_certificate"] = _certificates(bundle)
    return S3Store(
        bucket,
        region=_region(),
        client_options=options,
        disable_bulk_delete=True,  # some servers do not know it, others want a checksum of it
        retry_config={
            "max_retries": RETRIES,
            "backoff": {"init_backoff": timedelta(milliseconds=200)},
            "retry_timeout": timedelta(minutes=3),
        },
        **({} if any(os.environ.get(name) for name in _KEYS) else {"credential_provider": _keys_of_botocore(bucket)}),
    )


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def _certificates(bundle: str) -> bytes:
    try:
        return Path(bundle).read_bytes()
    except OSError as error:
        raise BadInput(f"AWS_CA_BUNDLE names {bundle}, which cannot be read: {error.strerror}.") from None


def _keys_of_botocore(bucket: str) -> Any:
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.session.Session()
    if session.get_credentials() is None:
        advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise BadInput(f"Cannot open s3://{bucket}: no S3 keys; {advice}.")
    return Boto3CredentialProvider(session)


def listed(objects: Any, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """What obstore tells of every object whose key begins with ``prefix``.

    In an address, a space can be written in two ways, and these letters with a percent sign or without: of the way that
    obstore chooses, some servers compute another signature. For such a prefix boto3 asks, whose way is S3's own.
    """
    import obstore

    if _WRITTEN_IN_TWO_WAYS.search(prefix):
        yield from _listed_by_boto3(bucket, prefix)
        return
    for page in obstore.list(objects, prefix=prefix or None, chunk_size=1000):
        yield from page


def _listed_by_boto3(bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    from obstore.exceptions import InvalidPathError

    with _boto3_errors():
        for page in _boto3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                key = item["Key"].removesuffix("/")
                if why_no_path(key):
                    raise InvalidPathError(f'"{key}" has {why_no_path(key)}')
                yield {"path": key, "size": item["Size"], "last_modified": item["LastModified"], "e_tag": item["ETag"]}


def put_streamed(bucket: str, key: str, file: IO[bytes], md5: bytes) -> str:
    """One object in one request, read from ``file`` as it is sent, checked by S3 against ``md5``. Returns its ETag.

    By boto3, since obstore holds in memory whatever it sends in one request. Raises what ``s3_errors`` understands.
    """
    checked = base64.b64encode(md5).decode()
    with _boto3_errors():
        answer = _boto3_client().put_object(Bucket=bucket, Key=key, Body=file, ContentMD5=checked)
    return answer.get("ETag", "").strip('"')


def _boto3_client() -> Any:
    import boto3
    from botocore.config import Config

    settings = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"max_attempts": RETRIES + 1, "mode": "standard"},
        connect_timeout=10,
        read_timeout=300,
        # Checksum trailers are newer than many S3 servers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client("s3", region_name=_region(), config=settings)


@contextmanager
def _boto3_errors() -> Iterator[None]:
    """Turns boto3's errors into what ``s3_errors`` understands."""
    from botocore.exceptions import BotoCoreError, ClientError
    from obstore.exceptions import GenericError

    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        raise GenericError(f"status code: {status}: <Code>{error.response['Error'].get('Code')}</Code>") from error
    except BotoCoreError as error:
        raise GenericError(str(error)) from error


@contextmanager
def s3_errors(verb: str, url: str) -> Iterator[None]:
    """Turns what S3 answers inside the block into BadInput where no retry can mend it, else into S3Failed.

    A bucket without room, by whatever code its server says so, is the same as a full disk: OSError.
    """
    from obstore.exceptions import BaseError, InvalidPathError

    try:
        yield
    except InvalidPathError as error:
        said = _first_line(error)
        raise BadInput(
            f"Cannot {verb} {url}: a key there would not stay inside a folder as a file ({said}); rename or remove it."
        ) from None
    except ValueError as error:  # obstore's, of a key
        if not str(error).startswith("Could not parse path"):
            raise
        raise BadInput(f"Cannot {verb} {url!r}: it has {why_no_path(url.partition('://')[2])}; rename it.") from None
    except (BaseError, FileNotFoundError) as error:
        raise _explained(verb, url, str(error)) from None


def _explained(verb: str, url: str, told: str) -> Exception:
    code = code_of(told)
    if code in _FULL or "status code: 507" in told:
        return OSError(errno.ENOSPC, "no space left", url)
    if code in _ABSENT:
        return Absent(f"Cannot {verb} {url}: S3 says it does not exist ({code}).{_asked()}")
    if code == "SignatureDoesNotMatch" and (escaped := ESCAPED.search(url)):
        return NameRefused(
            f"Cannot {verb} {url}: this S3 server takes no name with {escaped[0]!r}, which it reads as another letter; "
            "rename the file or object."
        )
    if code in _REFUSED:
        advice = "check the bucket's policy and the permissions of the files behind it"
        return BadInput(f"Cannot {verb} {url}: S3 refuses these keys ({code}); {advice}.{_asked()}")
    return S3Failed(f"S3 failed to {verb} {url}: {_reason(told)}. Run it again to go on.{_asked()}", code)


def _asked() -> str:
    """A sentence that names the server: another program may have taken its port. Nothing where it is AWS itself."""
    server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return f" The server asked was {server}." if server else ""


def code_of(told: str) -> str:
    """S3's own error code in what obstore tells of an answer, else the HTTP status; empty when none was given."""
    if code := re.search(r"<Code>(\w+)</Code>", told):
        return code[1]
    status = re.search(r"status code: (\d{3})", told)
    return status[1] if status else ""


def _reason(told: str) -> str:
    """One line without the XML and without obstore's account of its own workings."""
    line = told.split("\n\nDebug source", 1)[0]
    line = re.sub(r"<(\?xml|Error).*", _words, line, flags=re.DOTALL)
    line = line.replace("HTTP error: error sending request", "no connection to the endpoint")
    return " ".join(line.removeprefix("Generic S3 error: ").split())


def _words(xml: re.Match[str]) -> str:
    return " ".join(re.findall(r"<(?:Code|Message)>([^<]*)<", xml[0]))


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
