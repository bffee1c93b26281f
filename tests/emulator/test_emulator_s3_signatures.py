"""Who may speak at all: SigV4 as botocore signs it, in headers, URLs and chunks."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from s3_support import S3World, client

from emulator.s3 import sigv4

CONTENT = b"0123456789" * 20_000


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3World]:
    world = S3World(tmp_path_factory.mktemp("s3"))
    world.nas()
    yield world
    world.stop()


@pytest.fixture(scope="module")
def s3_over_https(tmp_path_factory) -> Iterator[S3World]:
    from emulator import tls

    root = tmp_path_factory.mktemp("s3-tls")
    ca, certificate, key = tls.ensure(root / "tls")
    world = S3World(root / "data", certificate=(str(certificate), str(key)))
    world.ca = str(ca)
    world.nas()
    yield world
    world.stop()


def test_a_client_with_the_right_secret_is_served(s3):
    s3.client().put_object(Bucket="images", Key="a", Body=b"x")
    assert s3.client().get_object(Bucket="images", Key="a")["Body"].read() == b"x"


@pytest.mark.parametrize("key", ["with space", "plus+sign", "ümlaut/日本", "a=b&c?d#e", "per%cent", "tilde~-_.!*'()"])
def test_keys_with_any_characters_are_signed_and_stored_as_they_are(s3, key):
    s3.client().put_object(Bucket="images", Key=key, Body=key.encode())
    assert s3.client().get_object(Bucket="images", Key=key)["Body"].read() == key.encode()
    assert key in [found["Key"] for found in s3.client().list_objects_v2(Bucket="images")["Contents"]]


def test_a_wrong_secret_is_told_from_an_unknown_key(s3):
    access, _ = s3.user()
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(s3.url, access, "wrong").list_buckets()
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client(s3.url, "AKIAUNKNOWN", "wrong").list_buckets()


def test_expired_keys_are_refused(s3):
    s3.user("late", expiry="2020-01-01T00:00:00+00:00")
    with pytest.raises(ClientError, match="InvalidAccessKeyId.*expired"):
        s3.client("late").list_buckets()


def test_a_clock_more_than_15_minutes_off_is_refused(s3, monkeypatch):
    import botocore.auth

    def an_hour_ago(**_: object) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", an_hour_ago)
    with pytest.raises(ClientError, match="RequestTimeTooSkewed.*clock"):
        s3.client().list_buckets()


def test_the_cluster_s_clock_does_not_count_as_skew(s3):
    s3.world.clock.set_offset(7200)
    try:
        assert s3.client().list_buckets()["Buckets"]
    finally:
        s3.world.clock.set_offset(0)


def test_an_unsigned_request_is_refused_unless_a_policy_lets_everybody_in(s3):
    s3.volume("open")
    s3.bucket("open", nas_path="/open")
    s3.client().put_object(Bucket="open", Key="readme", Body=b"hello")
    assert "AccessDenied" in httpx.get(f"{s3.url}/open/readme").text
    s3.statement("open", effect="allow", actions=["GetObject"], principals=["*"], resources=["open/*"])
    assert httpx.get(f"{s3.url}/open/readme").text == "hello"
    assert httpx.get(f"{s3.url}/open").status_code == 403
    assert httpx.get(f"{s3.url}/").status_code == 403


def test_a_presigned_url_works_until_it_expires(s3, monkeypatch):
    c = s3.client(signature_version="s3v4")
    c.put_object(Bucket="images", Key="a b", Body=b"signed by url")
    url = c.generate_presigned_url("get_object", Params={"Bucket": "images", "Key": "a b"}, ExpiresIn=60)
    assert httpx.get(url).text == "signed by url"
    assert "SignatureDoesNotMatch" in httpx.get(url.replace("a%20b", "other")).text

    signed = sigv4.datetime.now(UTC)
    monkeypatch.setattr(sigv4, "MAX_SKEW", timedelta(0))

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return signed + timedelta(seconds=90)

    monkeypatch.setattr(sigv4, "datetime", Later)
    assert "expired" in httpx.get(url).text


def test_a_presigned_put_needs_no_other_credentials(s3):
    url = s3.client(signature_version="s3v4").generate_presigned_url(
        "put_object", Params={"Bucket": "images", "Key": "uploaded"}
    )
    assert httpx.put(url, content=b"by url").status_code == 200
    assert s3.client().get_object(Bucket="images", Key="uploaded")["Body"].read() == b"by url"


def test_a_url_presigned_with_version_2_is_told_what_to_use(s3):
    url = s3.client(signature_version="s3").generate_presigned_url(
        "get_object", Params={"Bucket": "images", "Key": "a"}
    )
    assert "version 4" in httpx.get(url).text


def test_a_header_added_after_signing_is_refused(s3):
    headers = signed(s3, "GET", "/images/a")
    answer = httpx.get(f"{s3.url}/images/a", headers=headers | {"x-amz-meta-extra": "1"})
    assert (answer.status_code, "x-amz-meta-extra" in answer.text) == (403, True)


def test_a_body_changed_after_signing_is_refused(s3):
    headers = signed(s3, "PUT", "/images/changed", b"honest")
    assert "XAmzContentSHA256Mismatch" in httpx.put(f"{s3.url}/images/changed", headers=headers, content=b"forged").text
    with pytest.raises(ClientError, match="404"):
        s3.client().head_object(Bucket="images", Key="changed")


@pytest.mark.parametrize("word", ["AWS4-HMAC-SHA256 nonsense", "AWS AKID:signature", "Bearer token"])
def test_a_malformed_authorization_is_a_400_with_a_sentence(s3, word):
    answer = httpx.get(
        f"{s3.url}/images/a", headers={"authorization": word, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    )
    assert answer.status_code == 400 and "<Message>" in answer.text


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_in_headers_are_verified(s3, algorithm):
    s3.client().put_object(Bucket="images", Key="sum", Body=CONTENT, ChecksumAlgorithm=algorithm)
    headers = {"x-amz-checksum-crc32": base64.b64encode(b"\0\0\0\0").decode()}
    headers = signed(s3, "PUT", "/images/bad", b"abc", headers)
    assert "BadDigest" in httpx.put(f"{s3.url}/images/bad", headers=headers, content=b"abc").text


def test_content_md5_is_verified(s3):
    c = s3.client()
    good = base64.b64encode(hashlib.md5(b"abc").digest()).decode()
    c.put_object(Bucket="images", Key="md5", Body=b"abc", ContentMD5=good)
    with pytest.raises(ClientError, match="BadDigest"):
        c.put_object(Bucket="images", Key="md5", Body=b"abd", ContentMD5=good)
    with pytest.raises(ClientError, match="InvalidDigest"):
        c.put_object(Bucket="images", Key="md5", Body=b"abd", ContentMD5="short")
    headers = signed(s3, "PUT", "/images/md5", b"abd") | {"content-md5": "\u85bf".encode()}
    assert "InvalidDigest" in httpx.put(f"{s3.url}/images/md5", headers=headers, content=b"abd").text
    assert c.get_object(Bucket="images", Key="md5")["Body"].read() == b"abc"


def test_over_https_boto3_sends_a_checksum_trailer_and_it_is_verified(s3_over_https, tmp_path):
    access, secret = s3_over_https.user()
    c = client(s3_over_https.url, access, secret, verify=s3_over_https.ca)
    sent = []
    c.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    file = tmp_path / "content"
    file.write_bytes(CONTENT)
    with file.open("rb") as body:
        c.put_object(Bucket="images", Key="trailer", Body=body)
    assert sent[0]["X-Amz-Content-SHA256"] in (
        b"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    )
    assert c.get_object(Bucket="images", Key="trailer")["Body"].read() == CONTENT


def test_a_wrong_checksum_trailer_leaves_no_object(s3):
    body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    answer = put_streamed(s3, "torn", body, 3, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert "BadDigest" in answer.text
    right = base64.b64encode(zlib.crc32(b"abc").to_bytes(4, "big"))
    body = body.replace(b"AAAAAA==", right)
    assert put_streamed(s3, "whole", body, 3, "STREAMING-UNSIGNED-PAYLOAD-TRAILER").status_code == 200
    keys = [found["Key"] for found in s3.client().list_objects_v2(Bucket="images")["Contents"]]
    assert "whole" in keys and "torn" not in keys


def test_a_trailer_that_was_announced_must_come(s3):
    answer = put_streamed(s3, "torn", b"3\r\nabc\r\n0\r\n\r\n", 3, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert "did not come" in answer.text


@pytest.mark.parametrize("with_trailer", [False, True])
@pytest.mark.parametrize("spoil", ["", "chunk", "signature"])
def test_signed_chunks_are_verified_one_by_one(s3, spoil, with_trailer):
    word = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if with_trailer else "")
    name = f"chunks-{spoil}-{with_trailer}"
    answer = put_streamed(s3, name, None, 11, word, spoil=spoil)
    if spoil:
        assert "SignatureDoesNotMatch" in answer.text
    else:
        assert answer.status_code == 200, answer.text
        assert s3.client().get_object(Bucket="images", Key=name)["Body"].read() == b"hello world"


def signed(
    s3: S3World, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> dict[str, str]:
    """Headers of a request as botocore's signer makes them."""
    request = AWSRequest(method, s3.url + path, data=body, headers=headers or {})
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(Credentials(*s3.user()), "s3", "us-east-1").add_auth(request)
    return {"host": urlsplit(s3.url).netloc} | dict(request.headers.items())


def put_streamed(
    s3: S3World, key: str, body: bytes | None, length: int, word: str, *, spoil: str = ""
) -> httpx.Response:
    """PUT with an aws-chunked body; for signed chunks the body is made here from the seed signature."""

    class Streaming(S3SigV4Auth):
        def payload(self, request: AWSRequest) -> str:
            return word

        def _inject_signature_to_request(self, request: AWSRequest, signature: str) -> AWSRequest:
            request.context["seed"] = signature
            return super()._inject_signature_to_request(request, signature)

    headers = {"x-amz-decoded-content-length": str(length), "content-encoding": "aws-chunked"}
    if word.endswith("-TRAILER"):
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    request = AWSRequest("PUT", f"{s3.url}/images/{key}", headers=headers | {"x-amz-content-sha256": word})
    Streaming(Credentials(*s3.user()), "s3", "us-east-1").add_auth(request)
    sent = {"host": urlsplit(s3.url).netloc} | dict(request.headers.items())
    if body is None:
        body = signed_chunks(s3, request, [b"hello ", b"world"], with_trailer=word.endswith("-TRAILER"))
        if spoil == "chunk":
            body = body.replace(b"world", b"w0rld")
        if spoil == "signature":
            at = body.index(b"chunk-signature=") + len("chunk-signature=")
            body = body[:at] + (b"0" if body[at : at + 1] != b"0" else b"1") + body[at + 1 :]
    return httpx.put(f"{s3.url}/images/{key}", headers=sent, content=body)


def signed_chunks(s3: S3World, request: AWSRequest, pieces: list[bytes], *, with_trailer: bool) -> bytes:
    """Written from Amazon's description, apart from the code under test; the signing key is botocore's."""
    timestamp, day = request.context["timestamp"], request.context["timestamp"][:8]
    auth = S3SigV4Auth(Credentials(*s3.user()), "s3", "us-east-1")
    scope = f"{day}/us-east-1/s3/aws4_request"
    previous, coded = request.context["seed"], b""
    empty = hashlib.sha256(b"").hexdigest()
    for piece in [*pieces, b""]:
        text = ["AWS4-HMAC-SHA256-PAYLOAD", timestamp, scope, previous, empty, hashlib.sha256(piece).hexdigest()]
        previous = auth.signature("\n".join(text), request)
        coded += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + (piece + b"\r\n" if piece else b"")
    if with_trailer:
        crc = base64.b64encode(zlib.crc32(b"".join(pieces)).to_bytes(4, "big")).decode()
        canonical = f"x-amz-checksum-crc32:{crc}\n"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = auth.signature("\n".join(["AWS4-HMAC-SHA256-TRAILER", timestamp, scope, previous, digest]), request)
        coded += f"x-amz-checksum-crc32:{crc}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    return coded + b"\r\n"
