"""What a client makes depend on something is done only if that holds; what is not known is refused, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from s3_raw import Raw
from s3_support import S3World

MB = 1024**2
WRONG = '"00000000000000000000000000000000"'


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3World]:
    world = S3World(tmp_path_factory.mktemp("s3"))
    world.nas()
    world.bucket("native")
    world.bucket("other")
    world.user()
    yield world
    world.stop()


@pytest.fixture
def c(s3):
    return s3.client()


@pytest.fixture(scope="module")
def raw(s3) -> Raw:
    return Raw(s3.url, s3.user())


def body_of(c, key: str, bucket: str = "native") -> bytes:
    return c.get_object(Bucket=bucket, Key=key)["Body"].read()


def there(c, key: str, bucket: str = "native") -> bool:
    return bool(c.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"])


def started(c, key: str, content: bytes, bucket: str = "native") -> dict:
    upload = c.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    etag = c.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=content)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    return {"Bucket": bucket, "Key": key, "UploadId": upload, "MultipartUpload": parts}


def test_a_put_that_must_be_new_is_refused_where_an_object_is(c):
    c.put_object(Bucket="native", Key="new", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        c.put_object(Bucket="native", Key="new", Body=b"second", IfNoneMatch="*")
    assert body_of(c, "new") == b"first"


def test_a_put_on_an_etag_replaces_that_version_only(c):
    etag = c.put_object(Bucket="native", Key="lock", Body=b"1")["ETag"]
    c.put_object(Bucket="native", Key="lock", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        c.put_object(Bucket="native", Key="lock", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError, match="NoSuchKey"):
        c.put_object(Bucket="native", Key="none", Body=b"3", IfMatch=etag)
    assert body_of(c, "lock") == b"2" and not there(c, "none")


def test_of_many_that_must_be_new_exactly_one_is_written(s3):
    def put(number: int) -> bytes | None:
        body = b"%d" % number * 100_000
        try:
            s3.client().put_object(Bucket="native", Key="race", Body=body, IfNoneMatch="*")
        except ClientError as e:
            assert e.response["Error"]["Code"] == "PreconditionFailed"
            return None
        return body

    with ThreadPoolExecutor(8) as pool:
        written = [body for body in pool.map(put, range(10, 30)) if body]
    assert len(written) == 1 and body_of(s3.client(), "race") == written[0]


def test_counting_by_compare_and_swap_loses_no_step(s3):
    s3.client().put_object(Bucket="native", Key="counter", Body=b"0")

    def count(_: int) -> None:
        c = s3.client()
        while True:
            answer = c.get_object(Bucket="native", Key="counter")
            body = b"%d" % (int(answer["Body"].read()) + 1)
            try:
                c.put_object(Bucket="native", Key="counter", Body=body, IfMatch=answer["ETag"])
                return
            except ClientError as e:
                assert e.response["Error"]["Code"] == "PreconditionFailed", e

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(24)))
    assert body_of(s3.client(), "counter") == b"24"


@pytest.mark.parametrize("condition", [{"IfNoneMatch": "*"}, {"IfMatch": WRONG}])
def test_completing_an_upload_keeps_the_object_that_a_condition_protects(c, condition):
    c.put_object(Bucket="native", Key="whole", Body=b"old")
    upload = started(c, "whole", b"new")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        c.complete_multipart_upload(**upload, **condition)
    assert body_of(c, "whole") == b"old"
    c.complete_multipart_upload(**upload, IfMatch=c.head_object(Bucket="native", Key="whole")["ETag"])
    assert body_of(c, "whole") == b"new"


def test_a_delete_on_another_etag_deletes_nothing(c):
    etag = c.put_object(Bucket="native", Key="kept", Body=b"1")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        c.delete_object(Bucket="native", Key="kept", IfMatch=WRONG)
    assert there(c, "kept")
    c.delete_object(Bucket="native", Key="kept", IfMatch=etag)
    assert not there(c, "kept")


def test_deleting_many_deletes_those_whose_etag_is_the_one_named(c):
    etags = {key: c.put_object(Bucket="native", Key=key, Body=key.encode())["ETag"] for key in ("d1", "d2", "d3")}
    asked = [{"Key": "d1", "ETag": etags["d1"]}, {"Key": "d2", "ETag": WRONG}, {"Key": "d3"}]
    answer = c.delete_objects(Bucket="native", Delete={"Objects": asked})
    assert [d["Key"] for d in answer["Deleted"]] == ["d1", "d3"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("d2", "PreconditionFailed")]
    assert [o["Key"] for o in c.list_objects_v2(Bucket="native", Prefix="d")["Contents"]] == ["d2"]


@pytest.mark.parametrize(
    "more", [{"VersionId": "3"}, {"Size": 5}, {"LastModifiedTime": datetime(2020, 1, 1, tzinfo=UTC)}]
)
def test_deleting_many_refuses_what_it_does_not_know_of_an_object(c, more):
    c.put_object(Bucket="native", Key="more", Body=b"x")
    answer = c.delete_objects(Bucket="native", Delete={"Objects": [{"Key": "more", **more}]})
    assert [e["Code"] for e in answer["Errors"]] == ["NotImplemented"] and there(c, "more")


def test_a_copy_is_made_only_of_the_source_that_is_wanted(c):
    etag = c.put_object(Bucket="other", Key="from", Body=b"x")["ETag"]
    copy = {"Bucket": "native", "Key": "to", "CopySource": {"Bucket": "other", "Key": "from"}}
    now = datetime.now(UTC)
    for wrong in (
        {"CopySourceIfMatch": WRONG},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfUnmodifiedSince": now - timedelta(days=1)},
        {"CopySourceIfModifiedSince": now + timedelta(days=1)},
    ):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            c.copy_object(**copy, **wrong)
        assert not there(c, "to")
    c.copy_object(**copy, CopySourceIfMatch=etag, CopySourceIfModifiedSince=now - timedelta(days=1))
    assert body_of(c, "to") == b"x"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        c.copy_object(**copy, IfNoneMatch="*")


@pytest.mark.parametrize("condition", [{"IfNoneMatch": "*"}, {"IfMatch": WRONG}])
def test_a_nas_bucket_refuses_conditional_writes_and_does_nothing(c, condition):
    c.put_object(Bucket="images", Key="k", Body=b"old")
    upload = started(c, "k", b"new", "images")
    with pytest.raises(ClientError, match="NotImplemented.*NAS"):
        c.put_object(Bucket="images", Key="k", Body=b"new", **condition)
    with pytest.raises(ClientError, match="NotImplemented.*NAS"):
        c.complete_multipart_upload(**upload, **condition)
    with pytest.raises(ClientError, match="NotImplemented.*NAS"):
        c.delete_object(Bucket="images", Key="k", IfMatch=WRONG)
    answer = c.delete_objects(Bucket="images", Delete={"Objects": [{"Key": "k", "ETag": WRONG}]})
    assert [e["Code"] for e in answer["Errors"]] == ["NotImplemented"]
    assert body_of(c, "k", "images") == b"old"


@pytest.mark.parametrize("bucket", ["images", "native"])
def test_an_object_is_read_by_the_parts_it_was_uploaded_in(c, bucket):
    key = {"Bucket": bucket, "Key": "parts"}
    upload = c.create_multipart_upload(**key)["UploadId"]
    bodies = [b"a" * (5 * MB), b"b" * (6 * MB), b"c" * 10]
    etags = [
        c.upload_part(**key, UploadId=upload, PartNumber=n * 3, Body=body)["ETag"] for n, body in enumerate(bodies, 1)
    ]
    parts = [{"PartNumber": n * 3, "ETag": etag} for n, etag in enumerate(etags, 1)]
    c.complete_multipart_upload(**key, UploadId=upload, MultipartUpload={"Parts": parts})
    for number, body in enumerate(bodies, 1):
        answer = c.get_object(**key, PartNumber=number)
        assert (answer["Body"].read(), answer["PartsCount"]) == (body, 3)
        assert c.head_object(**key, PartNumber=number)["ContentLength"] == len(body)
    with pytest.raises(ClientError, match="InvalidPartNumber"):
        c.get_object(**key, PartNumber=4)


def test_an_object_of_one_put_has_one_part(c):
    c.put_object(Bucket="native", Key="one", Body=b"whole")
    assert c.get_object(Bucket="native", Key="one", PartNumber=1)["Body"].read() == b"whole"
    with pytest.raises(ClientError, match="InvalidPartNumber"):
        c.get_object(Bucket="native", Key="one", PartNumber=2)
    with pytest.raises(ClientError, match="InvalidRequest"):
        c.get_object(Bucket="native", Key="one", PartNumber=1, Range="bytes=0-1")


def test_a_range_of_another_version_than_if_range_names_is_answered_with_the_whole(c, raw):
    etag = c.put_object(Bucket="native", Key="ranged", Body=b"0123456789")["ETag"]
    for held, body in ((etag, b"12"), (WRONG, b"0123456789"), ("Mon, 01 Jan 2001 00:00:00 GMT", b"0123456789")):
        answer = raw.request("GET", "/native/ranged", headers={"range": "bytes=1-2", "if-range": held})
        assert answer.body == body


@pytest.mark.parametrize("bucket", ["images", "native"])
@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("PUT", {}, {"if-unmodified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
        ("PUT", {}, {"if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
        ("PUT", {}, {"x-amz-write-offset-bytes": "3"}),
        ("PUT", {}, {"x-amz-server-side-encryption": "AES256"}),
        ("PUT", {}, {"x-amz-server-side-encryption-customer-algorithm": "AES256"}),
        ("PUT", {}, {"x-amz-expected-bucket-owner": "123456789012"}),
        ("PUT", {}, {"x-amz-storage-class": "GLACIER"}),
        ("PUT", {}, {"x-amz-acl": "public-read"}),
        ("PUT", {}, {"x-amz-grant-read": "id=x"}),
        ("PUT", {}, {"x-amz-object-lock-mode": "GOVERNANCE"}),
        ("PUT", {}, {"x-amz-tagging": "a=b"}),
        ("PUT", {}, {"x-amz-website-redirect-location": "/"}),
        ("PUT", {}, {"x-amz-never-heard-of": "1"}),
        ("PUT", {}, {"content-range": "bytes 0-0/1"}),
        ("PUT", {"partNumber": "1"}, {}),
        ("PUT", {"never": "heard"}, {}),
        ("PUT", {"versionId": "null"}, {}),
        ("PUT", {"append": "", "position": "1"}, {}),
        ("PUT", {"tagging": ""}, {}),
        ("DELETE", {}, {"if-unmodified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
        ("DELETE", {}, {"x-amz-if-match-size": "5"}),
        ("DELETE", {}, {"x-amz-if-match-last-modified-time": "x"}),
        ("DELETE", {}, {"x-amz-mfa": "1 2"}),
        ("DELETE", {"versionId": "3"}, {}),
        ("GET", {"versionId": "3"}, {}),
        ("GET", {"never": "heard"}, {}),
        ("GET", {}, {"x-amz-server-side-encryption-customer-key": "x"}),
        ("GET", {}, {"x-amz-security-token": "x"}),
        ("HEAD", {"torrent": ""}, {}),
        ("POST", {"select": "", "select-type": "2"}, {}),
        ("POST", {"restore": ""}, {}),
    ],
)
def test_what_would_change_a_request_and_is_not_known_is_refused(s3, raw, c, bucket, method, query, headers):
    c.put_object(Bucket=bucket, Key="same", Body=b"old")
    answer = raw.request(method, f"/{bucket}/same", b"n" if method == "PUT" else b"", query=query, headers=headers)
    assert 400 <= answer.status < 500, answer
    assert body_of(c, "same", bucket) == b"old"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"x-id": "PutObject"}, {}),
        ({"x-request-of": "me"}, {}),
        ({}, {"x-amz-acl": "private", "x-amz-storage-class": "STANDARD"}),
        ({}, {"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-user-agent": "x", "x-amz-request-payer": "requester"}),
        ({}, {"x-amz-api-version": "2006-03-01", "x-amz-te": "append-md5", "x-amz-server-side-encryption": ""}),
        ({}, {"x-forwarded-for": "x", "accept-encoding": "gzip", "cache-control": "no-cache", "te": "trailers"}),
    ],
)
def test_what_changes_nothing_is_let_through(raw, query, headers):
    assert raw.request("PUT", "/native/fine", b"x", query=query, headers=headers).status == 200


def test_conditions_where_an_operation_has_none_are_refused(raw):
    answer = raw.request("POST", "/native/k", query={"uploads": ""}, headers={"if-none-match": "*"})
    assert (answer.status, "if-none-match" in answer.text) == (400, True)
