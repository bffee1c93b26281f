"""What a NAS bucket cannot do and since when, multipart uploads, and a full volume."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from s3_support import S3World

from emulator.s3 import server, uploads

MB = 1024**2


@pytest.fixture
def s3(tmp_path) -> Iterator[S3World]:
    world = S3World(tmp_path)
    world.bucket("native")
    yield world
    world.stop()


@pytest.fixture
def old(tmp_path) -> Iterator[S3World]:
    world = S3World(tmp_path, version="9.15.1")
    world.bucket("native")
    yield world
    world.stop()


def start(client, bucket: str, key: str = "large") -> str:
    return client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]


def part(client, bucket: str, upload: str, number: int, body: bytes) -> dict:
    answer = client.upload_part(Bucket=bucket, Key="large", UploadId=upload, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": answer["ETag"]}


def complete(client, bucket: str, upload: str, parts: list[dict]) -> dict:
    return client.complete_multipart_upload(
        Bucket=bucket, Key="large", UploadId=upload, MultipartUpload={"Parts": parts}
    )


def test_a_multipart_upload_to_a_nas_bucket_is_refused_before_9_16_1(old):
    old.nas()
    with pytest.raises(ClientError, match="NotImplemented.*CreateMultipartUpload.*before ONTAP 9.16.1.*one PUT"):
        start(old.client(), "images")
    assert start(old.client(), "native")


def test_a_client_told_not_to_go_multipart_uploads_a_large_file_anyway(old, tmp_path):
    top = old.nas()
    source = tmp_path / "source"
    source.write_bytes(b"x" * (9 * MB))
    old.client().upload_file(str(source), "images", "large", Config=TransferConfig(multipart_threshold=5 * 1024 * MB))
    assert (top / "large").stat().st_size == 9 * MB


@pytest.mark.parametrize("bucket", ["images", "native"])
def test_boto3_s_own_multipart_upload_arrives_whole(s3, tmp_path, bucket):
    s3.nas()
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * (20 * MB // 256) + b"tail")
    s3.client().upload_file(str(source), bucket, "large", ExtraArgs={"Metadata": {"who": "me"}})
    answer = s3.client().get_object(Bucket=bucket, Key="large")
    assert answer["Body"].read() == source.read_bytes()
    assert answer["ETag"].endswith('-3"') and answer["Metadata"] == {"who": "me"}
    assert not list((s3.root / "s3" / "uploads").iterdir())


def test_parts_are_not_seen_until_the_upload_is_complete(s3):
    top = s3.nas()
    c = s3.client()
    upload = start(c, "images")
    parts = [part(c, "images", upload, number, bytes([number]) * (5 * MB)) for number in (2, 1)]
    assert [p.name for p in top.iterdir()] == [".snapshot"]
    shown = c.list_parts(Bucket="images", Key="large", UploadId=upload)["Parts"]
    assert [(p["PartNumber"], p["Size"]) for p in shown] == [(1, 5 * MB), (2, 5 * MB)]
    assert [u["UploadId"] for u in c.list_multipart_uploads(Bucket="images")["Uploads"]] == [upload]
    complete(c, "images", upload, sorted(parts, key=lambda p: p["PartNumber"]))
    assert (top / "large").read_bytes() == b"\1" * (5 * MB) + b"\2" * (5 * MB)


def test_a_part_sent_again_replaces_the_first(s3):
    c = s3.client()
    upload = start(c, "native")
    part(c, "native", upload, 1, b"old")
    answer = complete(c, "native", upload, [part(c, "native", upload, 1, b"new")])
    inner = hashlib.md5(b"new").digest()
    assert answer["ETag"] == f'"{hashlib.md5(inner).hexdigest()}-1"'
    assert c.get_object(Bucket="native", Key="large")["Body"].read() == b"new"


def test_a_nas_bucket_takes_parts_of_whole_megabytes_only(s3):
    s3.nas()
    c = s3.client()
    for bucket in ("images", "native"):
        upload = start(c, bucket)
        parts = [part(c, bucket, upload, 1, b"x" * (5 * MB + 1)), part(c, bucket, upload, 2, b"tail")]
        if bucket == "native":
            complete(c, bucket, upload, parts)
            continue
        with pytest.raises(ClientError, match="InvalidRequest.*whole megabytes"):
            complete(c, bucket, upload, parts)
        volume = s3.world.store.find("volume", name="images")[0]
        s3.world.store.update("volume", volume["uuid"], options={"is_s3_arbitrary_part_size_enabled": True})
        complete(c, bucket, upload, parts)


def test_wrong_lists_of_parts_are_refused(s3):
    c = s3.client()
    upload = start(c, "native")
    one, two = (part(c, "native", upload, number, b"x" * MB) for number in (1, 2))
    for parts, code in [
        ([two, one], "InvalidPartOrder"),
        ([one | {"ETag": '"0"'}], "InvalidPart"),
        ([one, {"PartNumber": 3, "ETag": '"0"'}], "InvalidPart"),
        ([one, two], "EntityTooSmall"),
    ]:
        with pytest.raises(ClientError, match=code):
            complete(c, "native", upload, parts)
    complete(c, "native", upload, [one])


def test_an_aborted_or_unknown_upload_is_gone(s3):
    c = s3.client()
    upload = start(c, "native")
    part(c, "native", upload, 1, b"x")
    c.abort_multipart_upload(Bucket="native", Key="large", UploadId=upload)
    for unknown in (upload, "../../etc", "0" * 32):
        with pytest.raises(ClientError, match="NoSuchUpload"):
            part(c, "native", unknown, 1, b"x")
    assert not list((s3.root / "s3" / "uploads").iterdir())


def test_an_open_upload_survives_a_restart_and_goes_with_its_bucket(s3):
    c = s3.client()
    upload = start(c, "native")
    one = part(c, "native", upload, 1, b"before")
    s3.handle.stop()
    s3.handle = server.serve(s3.world, port=s3.handle.port)
    complete(s3.client(), "native", upload, [one])
    start(c, "native")
    uploads.forget_bucket(s3.world, s3.world.store.find("s3_bucket", name="native")[0]["uuid"])
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket="native")


def test_copying_is_refused_on_a_nas_bucket_and_works_on_its_own_kind(s3):
    s3.nas()
    c = s3.client()
    c.put_object(Bucket="images", Key="a b", Body=b"x", Metadata={"who": "me"})
    with pytest.raises(ClientError, match="NotImplemented.*CopyObject"):
        c.copy_object(Bucket="images", Key="copy", CopySource={"Bucket": "images", "Key": "a b"})
    c.copy_object(Bucket="native", Key="copy", CopySource={"Bucket": "images", "Key": "a b"})
    answer = c.get_object(Bucket="native", Key="copy")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"x", {"who": "me"})
    with pytest.raises(ClientError, match="NoSuchKey"):
        c.copy_object(Bucket="native", Key="copy", CopySource={"Bucket": "images", "Key": "none"})


@pytest.mark.parametrize(
    ("call", "given"),
    [
        ("get_bucket_versioning", {}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("list_object_versions", {}),
        ("get_bucket_lifecycle_configuration", {}),
        ("get_object_lock_configuration", {}),
        ("get_object_retention", {"Key": "a"}),
        ("put_object", {"Key": "a", "ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2030-01-01"}),
        ("put_object", {"Key": "a", "IfNoneMatch": "*"}),
        ("put_object", {"Key": "a", "ServerSideEncryption": "aws:kms"}),
        ("get_object", {"Key": "a", "VersionId": "1"}),
        ("get_object_tagging", {"Key": "a"}),
        ("delete_bucket", {}),
    ],
)
def test_what_a_nas_bucket_has_not_is_said_and_not_passed_over(s3, call, given):
    s3.nas()
    s3.client().put_object(Bucket="images", Key="a", Body=b"x")
    with pytest.raises(ClientError, match="NotImplemented"):
        getattr(s3.client(), call)(Bucket="images", **given)


def test_user_metadata_is_ignored_on_a_nas_bucket_before_9_16_1(old):
    old.nas()
    c = old.client()
    for bucket, kept in (("images", {}), ("native", {"who": "me"})):
        c.put_object(Bucket=bucket, Key="a", Body=b"x", Metadata={"who": "me"})
        assert c.head_object(Bucket=bucket, Key="a")["Metadata"] == kept


def test_too_much_metadata_is_refused(s3):
    with pytest.raises(ClientError, match="MetadataTooLarge"):
        s3.client().put_object(Bucket="native", Key="a", Body=b"x", Metadata={"k": "v" * 2048})


def test_a_full_volume_refuses_with_its_figures_and_keeps_nothing_of_the_object(s3):
    top = s3.nas(size=MB)
    c = s3.client()
    c.put_object(Bucket="images", Key="first", Body=b"x" * (MB - 1000))
    with pytest.raises(ClientError, match="QuotaExceeded.*'images' has 1048576 bytes, 1047576 of them used, and 2000"):
        c.put_object(Bucket="images", Key="second", Body=b"x" * 2000)
    assert sorted(p.name for p in top.iterdir()) == [".snapshot", "first"]
    assert list(s3.world.dataplane.staging.iterdir()) == []
    c.put_object(Bucket="images", Key="first", Body=b"x" * MB)  # takes the place of the old one
    (top / "first").unlink()  # room made by path is seen at once
    c.put_object(Bucket="images", Key="second", Body=b"x" * 2000)


def test_writers_together_do_not_overfill_a_volume(s3):
    top = s3.nas(size=MB)
    c = s3.client()

    def put(number: int) -> bool:
        try:
            c.put_object(Bucket="images", Key=str(number), Body=b"x" * 300_000)
        except ClientError as e:
            assert e.response["Error"]["Code"] == "QuotaExceeded"
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(put, range(6))) == 3
    assert sum(p.stat().st_size for p in top.iterdir() if p.is_file()) <= MB


def test_a_bucket_of_its_own_objects_is_bounded_by_its_size(s3):
    s3.bucket("small", size=1000)
    with pytest.raises(ClientError, match="QuotaExceeded.*'small'"):
        s3.client().put_object(Bucket="small", Key="a", Body=b"x" * 1001)
