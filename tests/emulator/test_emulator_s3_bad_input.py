"""Whatever a client sends, it gets a sentence and a 4xx, at once, and everybody else goes on being served."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from s3_raw import Raw
from s3_support import S3World

from emulator.s3 import facts, policy, protocol, request, xml


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3World]:
    world = S3World(tmp_path_factory.mktemp("s3"))
    world.nas()
    world.bucket("native")
    yield world
    world.stop()


@pytest.fixture(scope="module")
def raw(s3) -> Raw:
    return Raw(s3.url, s3.user())


def refused(answer, code: str, status: int = 400) -> None:
    assert (answer.status, code in answer.text) == (status, True), (answer.status, answer.text)


@pytest.mark.parametrize("bucket", ["images", "native"])
@pytest.mark.parametrize(
    "size",
    [
        "-5",
        "-0",
        "+5",
        " 5",
        "5 ",
        "0x5",
        "1_0",
        "",
        "\u0665",
        "g",
        "5.0",
        "1.1",
        "f" * 17,
        "9" * 5000,
        "\x005",
        "-" * 3,
    ],
)
def test_a_chunk_size_that_is_not_plain_hexadecimal_is_refused_and_others_are_served(s3, raw, bucket, size):
    body = size.encode() + b"\r\nhello\r\n0\r\n\r\n"
    refused(raw.chunked(f"/{bucket}/k", body, "5"), "InvalidRequest")
    assert s3.client().list_buckets()["Buckets"]
    refused(raw.request("GET", f"/{bucket}/k"), "NoSuchKey", 404)


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhello",
        b"5\r\nhello\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"0\r\n\r\n",
        b"5;chunk-signature=-1\r\nhel\r\n",
        b"5\r\nhello\r\n0\r\n" + b"a:b\r\n" * 100 + b"\r\n",
        b"",
        b"\r\n" * 50,
        b"5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_chunked_body_that_does_not_add_up_is_refused(raw, body):
    answer = raw.chunked("/images/k", body, "5")
    assert answer.status == 400, answer.text


def test_a_body_in_very_many_very_small_chunks_is_decoded_and_others_are_served(s3, raw):
    content = bytes(range(256)) * 1000
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in content) + b"0\r\n\r\n"
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(raw.chunked, "/native/small-chunks", body, str(len(content)))
        while not sent.done():
            assert s3.client().list_buckets()["Buckets"]
    assert sent.result().status == 200
    assert raw.request("GET", "/native/small-chunks").body == content


@pytest.mark.parametrize("more", [b"x", b"5\r\nhello\r\n0\r\n\r\n", b"\r\n", b"y" * 3_000_000])
def test_a_chunked_body_that_goes_on_after_its_end_is_refused(raw, more):
    refused(raw.chunked("/native/k", b"5\r\nhello\r\n0\r\n\r\n" + more, "5"), "InvalidRequest")


def test_folders_deeper_than_python_can_call_are_listed(s3):
    top = s3.nas("deep")
    path = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=path)
        path, before = os.open("d", os.O_RDONLY, dir_fd=path), path
        os.close(before)
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=path))
    os.close(path)
    try:
        keys = [entry["Key"] for entry in s3.client().list_objects_v2(Bucket="deep")["Contents"]]
        assert keys == ["d/" * 1500 + "leaf"]
        found = s3.client().list_objects_v2(Bucket="deep", Delimiter="/")["CommonPrefixes"]
        assert found == [{"Prefix": "d/"}]
    finally:
        # Python's own rmtree, by which pytest tidies up, cannot go so deep.
        subprocess.run(["rm", "-rf", str(top / "d")], check=True)


@pytest.mark.parametrize("seconds", [-1e12, 0, 1e12, 1e18, float("inf")])
def test_any_time_of_a_file_can_be_shown(seconds):
    assert len(xml.moment(seconds)) == len("2026-01-01T00:00:00.000Z")


@pytest.mark.parametrize("declared", ["²", "-1", "+5", "1_0", "5 5", "\u0665", "9" * 5000, "0x5", "5.0", ""])
def test_a_declared_length_that_is_no_number_is_refused(raw, declared):
    text = declared.encode().decode("latin-1")
    answer = raw.chunked("/images/k", b"5\r\nhello\r\n0\r\n\r\n", text)
    assert answer.status == 400, answer.text


@pytest.mark.parametrize("number", ["²", "-1", "+1", " 1", "1_0", "\u0663", "9" * 5000, "1.0", "abc", "99999999999"])
def test_a_number_in_the_query_that_is_none_is_refused(raw, number):
    refused(raw.request("GET", "/images", query={"max-keys": number}), "InvalidArgument")
    refused(raw.request("GET", "/images", query={"list-type": "2", "max-keys": number}), "InvalidArgument")
    upload = raw.request("POST", "/native/k", query={"uploads": ""}).text.split("UploadId>")[1].split("<")[0]
    refused(raw.request("PUT", "/native/k", b"x", query={"uploadId": upload, "partNumber": number}), "InvalidArgument")


@pytest.mark.parametrize("expires", ["²", "-1", "0", "1_0", "\u0663", "9" * 30, "9" * 5000, "1.5", "", "604801"])
def test_a_presigned_url_with_a_lifetime_that_is_none_is_refused(s3, expires):
    access, _ = s3.user()
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{access}/20260101/us-east-1/s3/aws4_request",
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
        "X-Amz-Expires": expires,
    }
    answer = httpx.get(f"{s3.url}/images/k", params=query)
    assert (answer.status_code, "AuthorizationQueryParametersError" in answer.text) == (400, True), answer.text


@pytest.mark.parametrize(
    "date", ["00010101T000000Z", "99991231T235959Z", "20260230T000000Z", "\u0662\u0660\u0662\u06660101T000000Z", ""]
)
@pytest.mark.parametrize("expires", ["1", "604800"])
def test_a_presigned_url_of_any_date_is_answered(s3, date, expires):
    access, _ = s3.user()
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{access}/{date[:8]}/us-east-1/s3/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
        "X-Amz-Expires": expires,
    }
    assert httpx.get(f"{s3.url}/images/k", params=query).status_code in (400, 403)


def test_a_range_of_more_digits_than_any_file_has_bytes_is_beyond_its_end(s3, raw):
    s3.client().put_object(Bucket="images", Key="ten", Body=b"0123456789")
    big = "9" * 5000
    refused(raw.request("GET", "/images/ten", headers={"range": f"bytes={big}-"}), "InvalidRange", 416)
    assert raw.request("GET", "/images/ten", headers={"range": f"bytes=8-{big}"}).body == b"89"
    assert raw.request("GET", "/images/ten", headers={"range": f"bytes=-{big}"}).body == b"0123456789"


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
@pytest.mark.parametrize("date", ["x", "Mon, 32 Jan 2026 00:00:00 GMT", f"Mon, 01 Jan {'9' * 30} 00:00:00 GMT", "²"])
def test_a_date_that_is_none_is_refused(s3, raw, name, date):
    s3.client().put_object(Bucket="images", Key="dated", Body=b"x")
    refused(raw.request("GET", "/images/dated", headers={name: date}), "InvalidArgument")


NESTED = "<a>" * 5000 + "</a>" * 5000
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0" encoding="klingon"?><Delete/>',
        b'<?xml version="1.0" encoding="utf-7"?><Delete/>',
        b'<?xml version="1.0" encoding="idna"?><Delete/>',
        b'<?xml version="1.0" encoding="UTF-16"?><Delete/>',
        BOMB.encode(),
        BOMB.encode("utf-16"),
        BOMB.encode("utf-16-le"),
        f"<Delete>{NESTED}</Delete>".encode(),
        b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>",
        b"<Delete><Object><Key>&#xD800;</Key></Object></Delete>",
        b"<Delete>\x00</Delete>",
        b"<Delete",
        b"",
        b"{}",
        b"<Other/>",
    ],
)
def test_xml_that_is_not_what_s3_speaks_is_malformed(raw, body):
    refused(raw.request("POST", "/images", body, query={"delete": ""}), "MalformedXML")
    upload = raw.request("POST", "/native/k", query={"uploads": ""}).text.split("UploadId>")[1].split("<")[0]
    refused(raw.request("POST", "/native/k", body, query={"uploadId": upload}), "MalformedXML")


@pytest.mark.parametrize("number", ["²", "-1", "\u0663", "9" * 5000, "", "1.0"])
def test_a_part_number_in_xml_that_is_none_is_refused(raw, number):
    upload = raw.request("POST", "/native/k", query={"uploads": ""}).text.split("UploadId>")[1].split("<")[0]
    part = f"<Part><PartNumber>{number}</PartNumber><ETag>x</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    refused(raw.request("POST", "/native/k", body, query={"uploadId": upload}), "InvalidArgument")


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "\x00", "a\x7f", "\x1b[0m"])
@pytest.mark.parametrize("name", ["content-disposition", "content-type", "cache-control", "expires"])
def test_an_answer_header_with_control_characters_is_refused(s3, raw, name, value):
    s3.client().put_object(Bucket="images", Key="named", Body=b"x")
    refused(raw.request("GET", "/images/named", query={f"response-{name}": value}), "InvalidArgument")


@pytest.mark.parametrize("replacement", [r"\9", r"\g<x>", "\\", r"\g<1"])
def test_a_name_mapping_that_cannot_be_applied_maps_nobody(s3, replacement):
    mapping = {"uuid": "m1", "svm": {"uuid": "5f1e5a8e-0000-4000-8000-000000000001"}, "direction": "s3_unix"}
    s3.world.store.insert("name_mapping", mapping | {"index": 1, "pattern": "(.*)", "replacement": replacement})
    try:
        assert s3.client().list_objects_v2(Bucket="images")["KeyCount"] >= 0
    finally:
        s3.world.store.delete("name_mapping", "m1")


def test_a_name_mapping_whose_pattern_is_no_expression_maps_nobody(s3):
    mapping = {"uuid": "m1", "svm": {"uuid": "5f1e5a8e-0000-4000-8000-000000000001"}, "direction": "s3_unix"}
    s3.world.store.insert("name_mapping", mapping | {"index": 1, "pattern": "(", "replacement": "root"})
    try:
        assert s3.client().list_objects_v2(Bucket="images")["KeyCount"] >= 0
    finally:
        s3.world.store.delete("name_mapping", "m1")


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "[1, 2]", "null", "\xff", '{"a": 1}', "[1, 1, null, null, null]"),
        '[1, MTIME, "a\\r\\nx: y", "b", {}]',
        '[1, MTIME, "e", "日本", {}]',
        '[1, MTIME, "e", "b", {"a b": "c"}]',
        '[1, MTIME, "e", "b", {"a": "c\\u0000"}]',
        '[1, MTIME, "e", "b", {}, {"headers": {"content-length": "5"}}]',
        '[1, MTIME, "e", "b", {}, {"parts": [[5, 2]]}]',
        '[1, MTIME, "e", "b", {}, {"parts": [[-1, 1], [2, 1]]}]',
        '[1, MTIME, "e", "b", {}, {"checksums": {"crc32": "\\n"}}]',
        '[1, MTIME, "e", "b", {}, ["x"]]',
    ],
)
def test_an_attribute_that_somebody_else_wrote_is_not_taken_for_ours(s3, tmp_path, text):
    path = s3.world.dataplane.data_dir(s3.world.store.find("volume")[0]["uuid"]) / "touched"
    path.write_bytes(b"x")
    os.setxattr(path, facts.ATTRIBUTE, text.replace("MTIME", str(path.stat().st_mtime_ns)).encode())
    assert s3.client().head_object(Bucket="images", Key="touched")["ETag"] == '"9dd4e461268c8034f5c8564e155c67a6"'


def test_a_policy_condition_on_a_number_that_is_none_does_not_hold():
    ask = policy.Ask("ListBucket", "b", user="u", query={"max-keys": "²"})
    condition = {"operator": "numeric_equals", "max_keys": ["2"]}
    statement = {"actions": ["*"], "resources": ["*"], "conditions": [condition]}
    for number in ("²", "9" * 5000, "\u0662", "-2"):
        ask = policy.Ask("ListBucket", "b", user="u", query={"max-keys": number})
        assert policy.verdict([statement], ask) is None


def test_a_policy_pattern_with_many_stars_is_matched_without_trying_every_split():
    pattern = "bucket/" + "*a" * 40 + "*b"
    assert (
        policy.verdict([{"actions": ["*"], "resources": [pattern]}], policy.Ask("x", "bucket/" + "a" * 1000, "u"))
        is None
    )
    assert policy.verdict(
        [{"actions": ["*"], "resources": [pattern]}], policy.Ask("x", "bucket/" + "a" * 1000 + "b", "u")
    )


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a*", "abc", True),
        ("*c", "abc", True),
        ("a*c", "abbc", True),
        ("a*b*c", "axbxbxc", True),
        ("a*b*c", "axc", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("**", "", True),
        ("a*a", "a", False),
        ("*a*", "bab", True),
        ("a.c", "abc", False),
        ("*.jpg", "x/y.jpg", True),
        ("x/*/z", "x/a/b/z", True),
    ],
)
def test_stars_and_question_marks_of_a_pattern_match_as_before(pattern, text, matches):
    assert (
        policy.verdict([{"actions": ["*"], "resources": [pattern]}], policy.Ask("x", text, "u")) == "allow"
    ) == matches


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /images/k?prefix=\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /%ff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nauthorization: \xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 \xff=1\r\nx-amz-content-sha256: x\r\n\r\n",
        b"PUT /images/k HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\nhello",
        b"PUT /images/k HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"PUT /images/k HTTP/1.1\r\nhost: x\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\nhello",
        b"PUT /images/k HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"a" * 1_000_000,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
    ],
)
def test_a_request_that_is_barely_http_gets_a_4xx(raw, data):
    assert 400 <= raw.exchange(data).status < 500


def test_a_head_that_is_never_finished_is_given_up(s3, raw, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)
    for start in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n"):
        assert raw.exchange(start).status == 0  # closed; a client that waited in vain would see socket.timeout


def test_the_second_request_of_a_connection_must_end_too(s3, raw, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)
    whole = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    with socket.create_connection(raw.address, timeout=20) as connection:
        connection.sendall(whole + whole[:9])
        data = b""
        while piece := connection.recv(65536):
            data += piece
    assert data.count(b"HTTP/1.1 403") == 1


def test_a_body_that_is_never_finished_is_given_up(s3, raw, monkeypatch):
    monkeypatch.setattr(request, "BODY_TIMEOUT_S", 0.2)
    answer = raw.request("PUT", "/images/half", b"half", headers={"content-length": "10"})
    refused(answer, "RequestTimeout")
    assert answer.headers["connection"] == "close"
    assert list(s3.world.dataplane.staging.iterdir()) == []


def test_a_refusal_does_not_wait_for_the_rest_of_what_it_refuses(raw, monkeypatch):
    monkeypatch.setattr(request, "SWALLOW_TIMEOUT_S", 0.2)
    unsigned = b"PUT /images/k HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf"
    answer = raw.exchange(unsigned)
    assert (answer.status, answer.headers["connection"]) == (403, "close")


def test_200_connections_that_say_nothing_keep_nobody_from_being_served(s3, raw):
    half = b"PUT /images/slow HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n"
    signed = raw.signed("PUT", "/images/slow", {}, {}, "UNSIGNED-PAYLOAD") | {"content-length": "10"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    body = f"PUT /images/slow HTTP/1.1\r\n{lines}\r\nhalf".encode()
    slow = [socket.create_connection(raw.address) for _ in range(200)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(half if number % 2 else body)
        assert s3.client().list_buckets()["Buckets"]
        s3.client().put_object(Bucket="images", Key="quick", Body=b"x" * (5 << 20))
    finally:
        for connection in slow:
            connection.close()


def test_facts_are_read_in_every_form_they_were_ever_written(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b"x")
    stat = path.stat()
    os.setxattr(path, facts.ATTRIBUTE, json.dumps([1, stat.st_mtime_ns, "e", "text/x", {"a": "b"}]).encode())
    found = facts.FactStore().known(str(path), stat)
    assert (found.etag, found.content_type, found.metadata) == ("e", "text/x", {"a": "b"})


@pytest.mark.parametrize(
    "trailer", ["x-amz-checksum-crc32: AAAAAA==", "x-amz-checksum-crc32: NhCmhg==", "x-amz-meta-a: b"]
)
def test_a_trailer_that_was_not_announced_is_refused(raw, trailer):
    body = b"5\r\nhello\r\n0\r\n" + trailer.encode() + b"\r\n\r\n"
    refused(raw.chunked("/images/k", body, "5"), "MalformedTrailerError")
    refused(raw.chunked("/images/k", body, "5", x_amz_trailer="x-amz-checksum-sha1"), "MalformedTrailerError")


def test_a_trailer_that_was_announced_is_checked(raw):
    announced = {"x_amz_trailer": "x-amz-checksum-crc32"}
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32: %s\r\n\r\n"
    assert raw.chunked("/images/k", body % b"NhCmhg==", "5", **announced).status == 200
    refused(raw.chunked("/images/k", body % b"AAAAAA==", "5", **announced), "BadDigest")
    refused(raw.chunked("/images/k", b"5\r\nhello\r\n0\r\n\r\n", "5", **announced), "InvalidRequest")


@pytest.mark.parametrize("digest", ["²", "\xe9" * 64, "0" * 63, "0" * 65, "g" * 64, "UNSIGNED", "streaming-x", " "])
def test_a_content_digest_that_is_none_is_refused(s3, raw, digest):
    assert raw.request("PUT", "/images/k", b"x", payload=digest).status == 400
    s3.statement("native", effect="allow", actions=["*"], principals=["*"], resources=["*"])
    lines = f"host: x\r\ncontent-length: 1\r\nx-amz-content-sha256: {digest}\r\n\r\nx"
    assert raw.exchange(b"PUT /native/k HTTP/1.1\r\n" + lines.encode("latin-1")).status == 400


def test_who_does_not_sign_has_his_chunks_decoded_and_his_digest_checked(s3, raw):
    s3.statement("native", effect="allow", actions=["*"], principals=["*"], resources=["*"])

    def put(word: str, body: bytes) -> int:
        lines = f"host: x\r\ncontent-length: {len(body)}\r\nx-amz-decoded-content-length: 5\r\n"
        lines += f"x-amz-content-sha256: {word}\r\n\r\n"
        return raw.exchange(b"PUT /native/anonymous HTTP/1.1\r\n" + lines.encode() + body).status

    assert put("STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"5\r\nhello\r\n0\r\n\r\n") == 200
    assert raw.request("GET", "/native/anonymous").body == b"hello"
    assert put("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"5\r\nhello\r\n0\r\n\r\n") == 400
    assert put("0" * 64, b"other") == 400
    assert put(hashlib.sha256(b"other").hexdigest(), b"other") == 200
    assert raw.request("GET", "/native/anonymous").body == b"other"


@pytest.mark.parametrize("value", ["Zürich", "日本", "naïve café", "\xe9 alone"])
def test_metadata_is_signed_and_given_back_as_the_bytes_it_was_sent_as(raw, value):
    sent = value.encode().decode("latin-1") if "alone" not in value else value
    assert raw.request("PUT", "/native/m", b"x", headers={"x-amz-meta-city": sent}).status == 200
    assert raw.request("HEAD", "/native/m").headers["x-amz-meta-city"] == sent
