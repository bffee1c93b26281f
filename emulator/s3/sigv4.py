"""Checking AWS Signature Version 4, in the Authorization header or in a presigned URL.

The specification is "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from emulator.s3 import errors, numeric, request

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=15)
MAX_PRESIGNED_S = 7 * 24 * 3600
UNSIGNED = "UNSIGNED-PAYLOAD"

_UNRESERVED = "-_.~"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.~-]*\Z")
_CREDENTIAL = re.compile(r"(?P<key>[^/]+)/(?P<date>[0-9]{8})/(?P<region>[^/]*)/(?P<service>[^/]+)/aws4_request\Z")
_TIMESTAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True)
class Credential:
    """Who a key belongs to."""

    secret_key: str = field(repr=False)
    user: str
    svm_uuid: str


@dataclass(frozen=True)
class Signed:
    """A request whose signature holds.

    `content_sha256` is what the signature says about the body: a hex digest, UNSIGNED-PAYLOAD, or one of the
    STREAMING-* words. The rest is what each chunk of a STREAMING body is signed with.
    """

    credential: Credential
    content_sha256: str
    signing_key: bytes
    timestamp: str
    scope: str
    signature: str


@dataclass(frozen=True)
class _Claim:
    """What the client says it signed, from header or query."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def verify(
    req: request.Request,
    *,
    credential_of: Callable[[str], Credential],
    now: datetime | None = None,
) -> Signed | None:
    """The proven signer, or None for an anonymous request. Raises S3Error where the proof fails.

    `credential_of` maps an access key to its owner and raises S3Error for one that is unknown or expired.
    The time compared with is the machine's own, never the emulator's controllable clock: that one steers the
    times ONTAP reports, while clients sign with the real time of day whatever a test does to it.
    """
    now = now or datetime.now(UTC)
    if "authorization" in req.headers:
        claim, content = _header_claim(req), req.headers.get("x-amz-content-sha256", "")
        if not content:
            raise errors.S3Error("InvalidRequest", "The header x-amz-content-sha256 is missing.")
        check_content_word(content)
        _check_skew(claim.timestamp, now)
    elif "X-Amz-Algorithm" in req.query or "X-Amz-Signature" in req.query:
        claim, content = _query_claim(req), UNSIGNED
        _check_presigned_window(req, claim.timestamp, now)
    elif "AWSAccessKeyId" in req.query:
        raise errors.S3Error(
            "InvalidRequest", "The URL was presigned with signature version 2; presign it with version 4 (s3v4)."
        )
    else:
        return None
    credential = credential_of(claim.access_key)
    _check_signed_headers(req, claim)
    key = signing_key(credential.secret_key, claim.date, claim.region, claim.service)
    expected = _signature(req, claim, content, key)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise errors.S3Error(
            "SignatureDoesNotMatch",
            "The signature sent is not the one computed from the request; check the secret key and the signing method.",
        )
    return Signed(credential, content, key, claim.timestamp, claim.scope, expected)


def check_content_word(word: str) -> None:
    """What x-amz-content-sha256 may be; which of the STREAMING-* are known is for who decodes them."""
    if word != UNSIGNED and not word.startswith("STREAMING-") and not _SHA256.fullmatch(word):
        raise errors.S3Error(
            "InvalidArgument", f"x-amz-content-sha256 must be {UNSIGNED}, STREAMING-... or a hexadecimal SHA-256."
        )


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service. Cached: it costs four HMACs and every request of a day shares it."""
    key = _hmac(f"AWS4{secret}".encode(), date)
    for part in (region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _header_claim(req: request.Request) -> _Claim:
    algorithm, _, rest = req.headers["authorization"].partition(" ")
    if algorithm != ALGORITHM:
        raise errors.S3Error(
            "InvalidRequest", f"The authorization method {algorithm!r} is not supported; sign with {ALGORITHM}."
        )
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    try:
        credential, signed, signature = fields["Credential"], fields["SignedHeaders"], fields["Signature"]
    except KeyError as e:
        raise errors.S3Error("AuthorizationHeaderMalformed", f"The Authorization header has no {e.args[0]}.") from e
    timestamp = req.headers.get("x-amz-date", "")
    return _claim(credential, signed, signature, timestamp, "AuthorizationHeaderMalformed")


def _query_claim(req: request.Request) -> _Claim:
    code = "AuthorizationQueryParametersError"
    if req.query.get("X-Amz-Algorithm") != ALGORITHM:
        raise errors.S3Error(code, f"X-Amz-Algorithm must be {ALGORITHM}.")
    try:
        return _claim(
            req.query["X-Amz-Credential"],
            req.query["X-Amz-SignedHeaders"],
            req.query["X-Amz-Signature"],
            req.query["X-Amz-Date"],
            code,
        )
    except KeyError as e:
        raise errors.S3Error(code, f"The presigned URL has no {e.args[0]}.") from e


def _claim(credential: str, signed: str, signature: str, timestamp: str, code: str) -> _Claim:
    match = _CREDENTIAL.match(credential)
    if not match:
        raise errors.S3Error(code, "The credential must read <access key>/<yyyymmdd>/<region>/s3/aws4_request.")
    if not timestamp.startswith(match["date"]):
        raise errors.S3Error(code, "The date of the credential differs from the date of the request (x-amz-date).")
    headers = tuple(signed.lower().split(";"))
    return _Claim(match["key"], match["date"], match["region"], match["service"], headers, signature, timestamp)


def _check_skew(timestamp: str, now: datetime) -> None:
    skew = abs(now - _moment(timestamp))
    if skew > MAX_SKEW:
        raise errors.S3Error(
            "RequestTimeTooSkewed",
            f"The request's time {timestamp} and the server's time differ by {int(skew.total_seconds())} s; "
            "15 minutes are allowed, so set the client's clock.",
        )


def _check_presigned_window(req: request.Request, timestamp: str, now: datetime) -> None:
    lifetime = numeric.decimal(
        req.query.get("X-Amz-Expires", ""),
        "X-Amz-Expires (seconds, up to 7 days)",
        least=1,
        most=MAX_PRESIGNED_S,
        code="AuthorizationQueryParametersError",
    )
    age = now - _moment(timestamp)
    if age < -MAX_SKEW:
        raise errors.S3Error("AccessDenied", f"The presigned URL is not valid before {timestamp}.")
    if age > timedelta(seconds=lifetime):
        raise errors.S3Error("AccessDenied", "The presigned URL has expired; ask for a new one.")


def _moment(timestamp: str) -> datetime:
    """Not by strptime, which would cost more than all the hashing of the signature."""
    match = _TIMESTAMP.match(timestamp)
    if match:
        year, month, day, hour, minute, second = map(int, match.groups())
        with contextlib.suppress(ValueError):
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    raise errors.S3Error("AccessDenied", "The request's date must be given as x-amz-date: yyyymmddThhmmssZ.")


def _check_signed_headers(req: request.Request, claim: _Claim) -> None:
    """Everything that changes what a request does must be under the signature."""
    must = {"host"} | {name for name in req.headers if name.startswith("x-amz-")}
    missing = sorted(must - set(claim.signed_headers))
    if missing:
        raise errors.S3Error("AccessDenied", f"These headers were sent but not signed: {', '.join(missing)}.")


def _signature(req: request.Request, claim: _Claim, content: str, key: bytes) -> str:
    headers = "".join(f"{name}:{_trimmed(req.headers.get(name, ''))}\n" for name in claim.signed_headers)
    before = f"{req.method}\n{_canonical_path(req)}\n{_canonical_query(req)}\n"
    after = f"\n{';'.join(claim.signed_headers)}\n{content}"
    # Header values are signed as the bytes they are sent as, whatever those mean.
    digest = hashlib.sha256(before.encode() + headers.encode("latin-1", "replace") + after.encode()).hexdigest()
    return sign(key, f"{ALGORITHM}\n{claim.timestamp}\n{claim.scope}\n{digest}")


def _trimmed(value: str) -> str:
    value = value.strip()
    return _SPACES.sub(" ", value) if "  " in value else value


def _canonical_path(req: request.Request) -> str:
    if _PLAIN_PATH.match(req.raw_path):
        return req.raw_path
    return quote(request.decoded(req.raw_path), safe="/" + _UNRESERVED)


def _canonical_query(req: request.Request) -> str:
    pairs = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
        for name, value in req.query_pairs
        if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in pairs)
