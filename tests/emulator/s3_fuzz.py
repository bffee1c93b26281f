"""S3 requests that nobody would send on purpose: every operation, sound and odd keys, parameters, headers and bodies.

`shots` draws a `Shot`; `Gun` signs it (well or badly), sends it to an emulator process and says what came back.
"""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st
from s3_raw import STREAMING, UNSIGNED, Answer, Raw, head, read_answer

TIMEOUT_S = 90
METHODS = ("GET", "GET", "HEAD", "PUT", "PUT", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "FOO")
BUCKETS = ("files", "files", "objects", "objects", "new-one", "nobody", "", "..", "UPPER", "%2e%2e", "a" * 64, "%ff")
KEYS = (
    *("", "a", "a", "b", "a/b", "b/c", "a/", "deep/er/k", ".snapshot", ".snapshot/s1/x", "..", "../..", "a/../../x"),
    *("/etc/passwd", "../../../victim/secret", "out/secret", "out", "loop", "loop/x", "pipe", "%2e%2e/x", "a%00b"),
    *("%ff%fe", "%", "%zz", "a//b", "/", "//", "./a", "é".encode().hex(), "%C3%A9", "%F0%9F%98%80", "a%0d%0aX", "+ =&"),
    *("k" * 255, "k" * 256, "k" * 1024, "k" * 1025, "d/" * 511, "%2F" * 300, "user.s3", "=x", "+x/=y", "a%2Fb"),
)
NASTY = (
    *("", " ", "0", "1", "2", "-1", "-0", "+1", "1_0", "0x5", "²", "\u0663", "1.5", "NaN", "9" * 19, "9" * 30),
    *("9" * 5000, "true", "null", "*", '"', '""', '"*"', "a\r\nX: y", "a\nb", "\0", "\x7f", "é", "日本", "%", "%00"),
    *(
        "url",
        "/",
        "a",
        "b/",
        "..",
        "bytes=0-",
        "bytes=-1",
        "bytes=5-1",
        "bytes=0-0,2-3",
        "bytes=²-",
        "bytes=" + "9" * 99,
    ),
    *("Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 99 Foo 99999 00:00:00 XYZ", "x" * 3000, "<a>&b;", "STANDARD", "REPLACE"),
    *("objects/a", "/objects/b", "files/a", "objects/%ff", "nobody/x", "objects", "/", "objects/a?versionId=3"),
    *("CRC32", "SHA256", "MD5", "COMPOSITE", "FULL_OBJECT", "ENABLED", "AAAAAA==", "gzip", "aws-chunked", "private"),
)
QUERY = (
    *("list-type", "prefix", "delimiter", "marker", "start-after", "continuation-token", "max-keys", "encoding-type"),
    *("fetch-owner", "uploads", "uploadId", "partNumber", "max-parts", "part-number-marker", "key-marker", "acl"),
    *("upload-id-marker", "max-uploads", "delete", "location", "versioning", "versionId", "tagging", "attributes"),
    *("response-content-type", "response-content-disposition", "response-expires", "x-id", "policy", "max-buckets"),
    *("bucket-region", "X-Amz-Expires", "X-Amz-Date", "X-Amz-Security-Token", "x-amz-meta-a", "x-amz-acl", "foo", ""),
)
HEADERS = (
    *("range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "content-md5"),
    *("content-type", "content-encoding", "cache-control", "expires", "content-range", "expect", "transfer-encoding"),
    *("x-amz-copy-source", "x-amz-copy-source-range", "x-amz-copy-source-if-match", "x-amz-metadata-directive"),
    *("x-amz-meta-a", "x-amz-meta-\xe9", "x-amz-tagging", "x-amz-acl", "x-amz-storage-class", "x-amz-trailer"),
    *("x-amz-checksum-crc32", "x-amz-checksum-sha256", "x-amz-checksum-crc64nvme", "x-amz-checksum-algorithm"),
    *("x-amz-checksum-type", "x-amz-checksum-mode", "x-amz-object-attributes", "x-amz-mp-object-size", "upgrade"),
    *("x-amz-decoded-content-length", "content-length", "x-amz-security-token", "x-amz-server-side-encryption"),
    *("connection", "host", "x-amz-date", "x-amz-expected-bucket-owner", "x-amz-sdk-checksum-algorithm"),
)
DELETE = "<Delete><Object><Key>{0}</Key></Object><Object><Key>a</Key><ETag>{0}</ETag></Object></Delete>"
COMPLETE = (
    "<CompleteMultipartUpload><Part><PartNumber>{0}</PartNumber><ETag>{1}</ETag></Part></CompleteMultipartUpload>"
)
BODIES = (
    *(b"", b"x", b"hello", b"0123456789" * 1000, b"y" * (5 << 20), b"\xff\x00\xfe", b"<", b"{}", b"<a>" * 3000),
    b'<?xml version="1.0" encoding="x"?><Delete/>',
    b'<!DOCTYPE d [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    "<Delete/>".encode("utf-16"),
    *(DELETE.format(word).encode("utf-8", "surrogatepass") for word in ("a", "", "..", "out/secret", "\r\n", "&#x9;")),
    *(COMPLETE.format(number, hashlib.md5(b"x").hexdigest()).encode() for number in ("1", "0", "²", "9" * 5000, "")),
    b"<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint></CreateBucketConfiguration>",
)
CHUNKS = (
    *(b"5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n"),
    *(b"5\r\nhel", b"\r\n\r\n", b"5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n", b"z\r\n" * 100),
    *(
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"a:b\r\n" * 500,
        b"5" * 9000,
    ),
)
PAYLOADS = (
    *(UNSIGNED, UNSIGNED, "right", "right", STREAMING, STREAMING, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64, ""),
    *("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-X", "²", "STREAMING-"),
)
SIGNING = (*["well"] * 16, "url", "url", "not", "wrong", "broken")
AUTHORIZATIONS = (
    *("", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=", "AWS AK:sig", "Basic YTpi"),
    *(
        "AWS4-HMAC-SHA256 Credential=a/20260101/r/s3/aws4_request,SignedHeaders=\xff,Signature=\xff",
        "Bearer " + "x" * 5000,
    ),
    "AWS4-HMAC-SHA256 Credential=a/" + "\u00b2" * 8 + "/r/s3/aws4_request,SignedHeaders=h,Signature=s",
)


@dataclass(frozen=True)
class Shot:
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes
    payload: str
    signing: str
    authorization: str
    cut: int
    """Bytes of the request that are sent, where that is not all of them; 0 for all."""
    flip: int
    """A position at which a byte is another one; 0 for none."""


# Method, whether there is a key, and the parameters and headers without which it would be another operation.
OPERATIONS: tuple[tuple[str, bool, dict[str, str], dict[str, str]], ...] = (
    ("PUT", True, {}, {}),
    ("PUT", True, {}, {}),
    ("GET", True, {}, {}),
    ("HEAD", True, {}, {}),
    ("DELETE", True, {}, {}),
    ("PUT", True, {}, {"x-amz-copy-source": "objects/a"}),
    ("GET", True, {"attributes": ""}, {"x-amz-object-attributes": "ETag,Checksum,ObjectParts"}),
    ("POST", True, {"uploads": ""}, {}),
    ("PUT", True, {"uploadId": "{upload}", "partNumber": "1"}, {}),
    ("PUT", True, {"uploadId": "{upload}", "partNumber": "2"}, {"x-amz-copy-source": "objects/a"}),
    ("GET", True, {"uploadId": "{upload}"}, {}),
    ("POST", True, {"uploadId": "{upload}"}, {}),
    ("DELETE", True, {"uploadId": "{upload}"}, {}),
    ("GET", False, {}, {}),
    ("GET", False, {"list-type": "2"}, {}),
    ("GET", False, {"uploads": ""}, {}),
    ("GET", False, {"location": ""}, {}),
    ("POST", False, {"delete": ""}, {}),
    ("PUT", False, {}, {}),
    ("DELETE", False, {}, {}),
    ("HEAD", False, {}, {}),
)
SOUND_KEYS = ("a", "a", "b", "a/b", "b/c", "deep/er/k", "%C3%A9")

texts = st.sampled_from(NASTY) | st.text(max_size=12)


@st.composite
def shots(draw: st.DrawFn) -> Shot:
    """An operation that is mostly sound, with an odd thing or two in it, or none at all."""

    def one_in(number: int) -> bool:
        return draw(st.integers(1, number)) == number

    method, has_key, query, headers = draw(st.sampled_from(OPERATIONS))
    query, headers = dict(query), dict(headers)
    if one_in(12):
        method = draw(st.sampled_from(METHODS))
    bucket = draw(st.sampled_from(BUCKETS)) if one_in(5) else draw(st.sampled_from(("files", "objects")))
    keys = st.sampled_from(KEYS) | st.text(max_size=20).map(lambda text: quote(text, errors="surrogatepass"))
    key = (draw(keys) if one_in(3) else draw(st.sampled_from(SOUND_KEYS))) if has_key else ""
    while one_in(3):
        query[draw(st.sampled_from(QUERY))] = draw(texts)
    while one_in(3):
        headers[draw(st.sampled_from(HEADERS))] = draw(texts)
    payload = draw(st.sampled_from(PAYLOADS)) if one_in(3) else UNSIGNED
    streams = payload.startswith("STREAMING")
    if streams and not one_in(6):
        headers["x-amz-decoded-content-length"] = "5"
    return Shot(
        method,
        f"/{bucket}/{key}" if key or one_in(9) else f"/{bucket}",
        tuple(query.items()),
        tuple(headers.items()),
        draw(st.sampled_from(CHUNKS if streams else BODIES)) if method in ("PUT", "POST") or one_in(9) else b"",
        payload,
        draw(st.sampled_from(SIGNING)),
        draw(st.sampled_from(AUTHORIZATIONS)),
        draw(st.sampled_from([1, 20, 100, 400])) if one_in(20) else 0,
        draw(st.sampled_from([1, 5, 30, 200])) if one_in(20) else 0,
    )


class Gun:
    """Uploads that shots begin are remembered, so that later ones go on with them."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.uploads: list[str] = ["0" * 32]

    def fire(self, shot: Shot) -> Answer:
        data, whole = self._bytes(shot)
        answer = self._exchange(data, whole, shot.method == "HEAD")
        if answer.status == 204 and shot.path.strip("/") == "objects":  # removed, since it was empty
            self.raw.request("PUT", "/objects")
        self.uploads += re.findall(r"<UploadId>([0-9a-f]{32})</UploadId>", answer.text)
        return answer

    def _bytes(self, shot: Shot) -> tuple[bytes, bool]:
        query = {name: value.replace("{upload}", self.uploads[-1]) for name, value in shot.query}
        wanted = {name: _line(value) for name, value in shot.headers}
        payload = hashlib.sha256(shot.body).hexdigest() if shot.payload == "right" else shot.payload
        own = {name: value for name, value in wanted.items() if name not in ("host", "content-length", "x-amz-date")}
        found = self.raw.signed(shot.method, shot.path, query, own, _line(payload))
        if shot.signing == "not":
            del found["authorization"]
        elif shot.signing == "wrong":
            found["authorization"] = found["authorization"][:-4] + "0000"
        elif shot.signing == "broken":
            found["authorization"] = shot.authorization
        elif shot.signing == "url":
            query = self.raw.presigned(shot.method, shot.path, query)
            found = {"host": found["host"]}
        found = {"content-length": str(len(shot.body))} | found | wanted
        data = bytearray(head(shot.method, shot.path, query, found) + shot.body)
        if shot.flip:
            data[shot.flip % len(data)] ^= 0x55
        whole = not shot.flip and not shot.cut and not {"content-length", "transfer-encoding", "expect"} & wanted.keys()
        return bytes(data[: shot.cut] if shot.cut else data), whole

    def _exchange(self, data: bytes, whole: bool, bodyless: bool) -> Answer:
        with socket.create_connection(self.raw.address, timeout=TIMEOUT_S) as connection:
            try:
                connection.sendall(data)
                if not whole:  # the server may rightly wait for more, so it is told that there is none
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_answer(connection, bodyless)


def _line(value: str) -> str:
    """A header value as UTF-8 bytes; what would end the line is left in now and then by the shots that flip a byte."""
    return re.sub(r"[\r\n\0]", " ", value).encode("utf-8", "surrogatepass").decode("latin-1")
