"""What is said with an object is given back with it: headers, checksums, the outcome of an upload."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from s3_raw import Raw
from s3_support import S3World

MB = 1024**2
HEADERS = {
    "ContentEncoding": "gzip",
    "CacheControl": "no-store, max-age=0",
    "ContentDisposition": 'attachment; filename="a b.bin"',
    "ContentLanguage": "de-CH",
    "ContentType": "application/x-thing",
    "Expires": datetime(2030, 1, 1, tzinfo=UTC),
    "Metadata": {"run": "7"},
}


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3World]:
    world = S3World(tmp_path_factory.mktemp("s3"))
    world.nas()
    world.bucket("native")
    yield world
    world.stop()


@pytest.fixture
def c(s3):
    return s3.client()


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def kept(answer: dict) -> dict:
    return {name: answer.get(name) for name in HEADERS}


def uploaded(c, bucket: str, key: str, bodies: list[bytes], **create: object) -> dict:
    at = {"Bucket": bucket, "Key": key}
    upload = c.create_multipart_upload(**at, **create)["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        extra = {"ChecksumAlgorithm": create["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in create else {}
        answer = c.upload_part(**at, UploadId=upload, PartNumber=number, Body=body, **extra)
        sums = {name: value for name, value in answer.items() if name.startswith("Checksum") and name != "ChecksumType"}
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
    return {**at, "UploadId": upload, "MultipartUpload": {"Parts": parts}}


@pytest.mark.parametrize("bucket", ["images", "native"])
def test_an_object_s_headers_come_back_whichever_way_it_was_written(c, bucket):
    c.put_object(Bucket=bucket, Key="put", Body=b"x", **HEADERS)
    assert kept(c.head_object(Bucket=bucket, Key="put")) == HEADERS
    assert kept(c.get_object(Bucket=bucket, Key="put")) == HEADERS
    c.complete_multipart_upload(**uploaded(c, bucket, "parts", [b"x"], **HEADERS))
    assert kept(c.head_object(Bucket=bucket, Key="parts")) == HEADERS


def test_a_copy_keeps_headers_or_takes_new_ones(c):
    c.put_object(Bucket="native", Key="from", Body=b"x", **HEADERS)
    source = {"Bucket": "native", "CopySource": "native/from"}
    c.copy_object(**source, Key="same")
    assert kept(c.head_object(Bucket="native", Key="same")) == HEADERS
    c.copy_object(**source, Key="new", MetadataDirective="REPLACE", CacheControl="public")
    found = kept(c.head_object(Bucket="native", Key="new"))
    assert found == dict.fromkeys(HEADERS) | {
        "CacheControl": "public",
        "ContentType": "binary/octet-stream",
        "Metadata": {},
    }
    with pytest.raises(ClientError, match="InvalidRequest.*onto itself"):
        c.copy_object(**source, Key="from")


def test_how_a_body_travelled_is_not_how_it_is_encoded(s3, c):
    raw = Raw(s3.url, s3.user())
    for sent, shown in (("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip,aws-chunked", "gzip")):
        assert raw.chunked("/native/coded", b"1\r\nx\r\n0\r\n\r\n", "1", content_encoding=sent).status == 200
        assert c.head_object(Bucket="native", Key="coded").get("ContentEncoding") == shown


@pytest.mark.parametrize("bucket", ["images", "native"])
@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_that_was_sent_is_given_back_when_asked_for(c, bucket, algorithm):
    made = c.put_object(Bucket=bucket, Key="sum", Body=b"hello", ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    found = c.head_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
    assert made[name] == found[name] and found["ChecksumType"] == "FULL_OBJECT"
    assert c.get_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")[name] == made[name]
    attributes = c.get_object_attributes(
        Bucket=bucket, Key="sum", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    )
    assert attributes["Checksum"] == {name: made[name], "ChecksumType": "FULL_OBJECT"}
    assert (attributes["ObjectSize"], attributes["StorageClass"]) == (5, "STANDARD")
    assert attributes["ETag"] == hashlib.md5(b"hello").hexdigest() and "ObjectParts" not in attributes


def test_attributes_are_those_asked_for_and_no_others(c):
    c.put_object(Bucket="native", Key="few", Body=b"x")
    found = c.get_object_attributes(Bucket="native", Key="few", ObjectAttributes=["ObjectSize"])
    assert found["ObjectSize"] == 1 and "ETag" not in found
    with pytest.raises(ClientError, match="InvalidArgument.*ObjectSize"):
        c.get_object_attributes(Bucket="native", Key="few", ObjectAttributes=["Colour"])
    with pytest.raises(ClientError, match="NoSuchKey"):
        c.get_object_attributes(Bucket="native", Key="none", ObjectAttributes=["ETag"])


@pytest.mark.parametrize("bucket", ["images", "native"])
def test_parts_with_checksums_make_one_of_all_their_checksums(c, bucket):
    bodies = [b"a" * (5 * MB), b"b" * (5 * MB), b"tail"]
    done = c.complete_multipart_upload(**uploaded(c, bucket, "composite", bodies, ChecksumAlgorithm="CRC32"))
    expected = crc32(b"".join(base64.b64decode(crc32(body)) for body in bodies)) + "-3"
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (expected, "COMPOSITE")
    found = c.head_object(Bucket=bucket, Key="composite", ChecksumMode="ENABLED")
    assert (found["ChecksumCRC32"], found["ChecksumType"]) == (expected, "COMPOSITE")
    attributes = c.get_object_attributes(Bucket=bucket, Key="composite", ObjectAttributes=["ObjectParts", "Checksum"])
    assert attributes["ObjectParts"]["TotalPartsCount"] == 3


def test_parts_may_make_one_checksum_of_the_whole(c):
    bodies = [b"a" * (5 * MB), b"tail"]
    upload = uploaded(c, "native", "full", bodies, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    with pytest.raises(ClientError, match="BadDigest"):
        c.complete_multipart_upload(**upload, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    done = c.complete_multipart_upload(**upload, ChecksumCRC32=crc32(b"".join(bodies)), ChecksumType="FULL_OBJECT")
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (crc32(b"".join(bodies)), "FULL_OBJECT")
    assert c.get_object(Bucket="native", Key="full", ChecksumMode="ENABLED")["Body"].read() == b"".join(bodies)


def test_a_part_with_another_checksum_than_named_is_not_taken(c):
    upload = uploaded(c, "native", "wrong", [b"x"], ChecksumAlgorithm="CRC32")
    upload["MultipartUpload"]["Parts"][0]["ChecksumCRC32"] = "AAAAAA=="
    with pytest.raises(ClientError, match="InvalidPart"):
        c.complete_multipart_upload(**upload)


def test_a_total_size_that_is_not_the_parts_is_refused(c):
    upload = uploaded(c, "native", "sized", [b"12345"])
    with pytest.raises(ClientError, match="InvalidRequest.*5 bytes"):
        c.complete_multipart_upload(**upload, MpuObjectSize=6)
    c.complete_multipart_upload(**upload, MpuObjectSize=5)


@pytest.mark.parametrize("bucket", ["images", "native"])
def test_completing_an_upload_again_says_the_same_again(s3, c, bucket):
    upload = uploaded(c, bucket, "again", [b"a" * (5 * MB), b"b"])
    first = c.complete_multipart_upload(**upload)
    c.put_object(Bucket=bucket, Key="again", Body=b"newer")
    assert c.complete_multipart_upload(**upload)["ETag"] == first["ETag"]
    assert c.get_object(Bucket=bucket, Key="again")["Body"].read() == b"newer"
    other = upload | {"MultipartUpload": {"Parts": upload["MultipartUpload"]["Parts"][:1]}}
    with pytest.raises(ClientError, match="NoSuchUpload"):
        c.complete_multipart_upload(**other)
    with pytest.raises(ClientError, match="NoSuchUpload"):
        c.upload_part(Bucket=bucket, Key="again", UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    assert "Uploads" not in c.list_multipart_uploads(Bucket=bucket, Prefix="again")


def test_completing_an_upload_from_two_sides_at_once_completes_it_once(s3):
    upload = uploaded(s3.client(), "native", "twice", [b"a" * (5 * MB), b"b"])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: s3.client().complete_multipart_upload(**upload)["ETag"], range(4)))
    assert len(set(answers)) == 1


def test_a_list_of_parts_and_of_uploads_goes_on_where_it_stopped(c):
    upload = uploaded(c, "native", "paged", [b"1", b"2", b"3"])
    at = {"Bucket": "native", "Key": "paged", "UploadId": upload["UploadId"]}
    first = c.list_parts(**at, MaxParts=2)
    assert [p["PartNumber"] for p in first["Parts"]] == [1, 2] and first["IsTruncated"]
    rest = c.list_parts(**at, MaxParts=2, PartNumberMarker=first["NextPartNumberMarker"])
    assert [p["PartNumber"] for p in rest["Parts"]] == [3] and not rest["IsTruncated"]
    ids = {c.create_multipart_upload(Bucket="native", Key="many")["UploadId"] for _ in range(3)} | {at["UploadId"]}
    pages = c.get_paginator("list_multipart_uploads").paginate(Bucket="native", PaginationConfig={"PageSize": 1})
    found = [u["UploadId"] for page in pages for u in page.get("Uploads", [])]
    assert len(found) == len(set(found)) and ids <= set(found)


def test_ten_thousand_parts_of_different_sizes_leave_the_rest_of_the_facts(tmp_path):
    from emulator.s3 import facts

    path = tmp_path / "object"
    path.write_bytes(b"x")
    many = facts.in_a_row(range(5_000_000, 5_010_000))
    facts.FactStore().remember(str(path), path.stat(), facts.Facts("e-10000", headers={"expires": "0"}, parts=many))
    found = facts.FactStore().known(str(path), path.stat())
    assert (found.etag, found.headers) == ("e-10000", {"expires": "0"})
    path.write_bytes(b"x" * 12)
    same = facts.Facts("e-3", parts=facts.in_a_row([5, 5, 2]))
    facts.FactStore().remember(str(path), path.stat(), same)
    assert facts.FactStore().known(str(path), path.stat()) == same


def test_buckets_are_listed_page_by_page(s3, c):
    first = c.list_buckets(MaxBuckets=1)
    assert [b["Name"] for b in first["Buckets"]] == ["images"]
    rest = c.list_buckets(MaxBuckets=1, ContinuationToken=first["ContinuationToken"])
    assert [b["Name"] for b in rest["Buckets"]] == ["native"] and "ContinuationToken" not in rest
    assert [b["Name"] for b in c.list_buckets(Prefix="na")["Buckets"]] == ["native"]
    assert c.list_buckets(BucketRegion="eu-west-9")["Buckets"] == []


def test_owners_and_empty_parameters_of_a_list(c):
    c.put_object(Bucket="native", Key="listed/a", Body=b"x")
    at = {"Bucket": "native", "Prefix": "listed/"}
    assert "Owner" not in c.list_objects_v2(**at)["Contents"][0]
    assert c.list_objects_v2(**at, FetchOwner=True)["Contents"][0]["Owner"]["ID"] == "trainer"
    assert c.list_objects(**at)["Contents"][0]["Owner"]["ID"] == "trainer"
    assert "Delimiter" not in c.list_objects_v2(**at, Delimiter="")
    assert c.list_objects_v2(**at, ContinuationToken="")["ContinuationToken"] == ""


@pytest.mark.parametrize("bucket", ["images", "native"])
def test_who_reads_while_others_write_gets_content_etag_and_metadata_of_one_version(s3, bucket):
    def write(number: int) -> None:
        c = s3.client()
        for turn in range(8):
            body = f"{number} {turn} ".encode() * 30_000
            c.put_object(Bucket=bucket, Key="hot", Body=body, Metadata={"md5": hashlib.md5(body).hexdigest()})

    def read(_: int) -> None:
        c = s3.client()
        for _ in range(12):
            answer = c.get_object(Bucket=bucket, Key="hot")
            digest = hashlib.md5(answer["Body"].read()).hexdigest()
            assert (answer["ETag"], answer["Metadata"]) == (f'"{digest}"', {"md5": digest})
            if bucket == "native":
                c.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/hot")
                copied = c.get_object(Bucket=bucket, Key="copy")
                assert copied["Metadata"] == {"md5": hashlib.md5(copied["Body"].read()).hexdigest()}

    write(0)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: (write if number % 2 else read)(number), range(6)))
