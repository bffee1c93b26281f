"""A bucket of type s3 has no directories: any text is a key, beside any other, and lists are in the order of bytes."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator

import httpx
import pytest
from botocore.exceptions import ClientError
from s3_raw import Raw
from s3_support import SVM, S3World

from emulator.s3 import facts, flat

MB = 1024**2
ODD = [
    "foo",
    "foo/bar",
    "foo/bar/baz",
    "foo/",
    "foo.txt",
    "foo!",
    "//",
    "/x",
    "x//y",
    "./",
    ".",
    "..",
    "../../etc/passwd",
    "./a/../b",
    "a/./b",
    ".snapshot",
    ".snapshot/x",
    "%2F",
    "a%2Fb",
    "=",
    "+",
    "+a/=b",
    " ",
    "a\tb",
    "ümlaut/日本/😀",
    "p" * 256,
    "p" * 199,
    "p" * 200,
    "p" * 201,
    "p" * 200 + "/",
    "d/" * 512,
    "é" * 512,
    "/" * 1024,
    "." * 1024,
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3World]:
    world = S3World(tmp_path_factory.mktemp("s3"))
    world.nas()
    for name in ("native", "odd", "listed", "parts"):
        world.bucket(name)
    yield world
    world.stop()


@pytest.fixture
def c(s3):
    return s3.client()


@pytest.mark.parametrize("key", ODD)
def test_the_file_of_a_key_tells_the_key_and_no_two_have_one(key):
    path = flat.path_of("/root", key)
    relative = os.path.relpath(path, "/root")
    assert path == f"/root/{relative}" and flat.key_of(relative) == key
    assert max(len(part) for part in path.split("/")) <= 255 and ".." not in relative.split("/")
    assert len({flat.path_of("/root", other) for other in ODD}) == len(ODD)


def test_keys_that_no_file_system_would_have_side_by_side_are_objects_of_their_own(s3, c):
    for key in ODD:
        c.put_object(Bucket="odd", Key=key, Body=key.encode())
    for key in ODD:
        assert c.get_object(Bucket="odd", Key=key)["Body"].read() == key.encode()
    found = [entry["Key"] for entry in c.list_objects_v2(Bucket="odd")["Contents"]]
    assert found == sorted(ODD, key=str.encode)
    assert not (s3.root / "etc").exists() and len(list((s3.root / "s3" / "objects").iterdir())) == 4
    c.delete_object(Bucket="odd", Key="foo")
    c.delete_object(Bucket="odd", Key="foo/")
    assert c.get_object(Bucket="odd", Key="foo/bar")["Body"].read() == b"foo/bar"
    for key in ODD:
        c.delete_object(Bucket="odd", Key=key)
    assert c.list_objects_v2(Bucket="odd")["KeyCount"] == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_key_over_1024_bytes_is_too_long(s3, method):
    answer = Raw(s3.url, s3.user()).request(method, "/native/" + "k" * 1025)
    assert (answer.status, "KeyTooLongError" in answer.text) == (400, True)


def test_a_nas_bucket_says_what_files_cannot_be(s3, c):
    c.put_object(Bucket="images", Key="foo", Body=b"x")
    for key, code in (
        ("foo/bar", "InvalidRequest"),
        ("a//b", "InvalidArgument"),
        ("/x", "InvalidArgument"),
        ("./x", "InvalidArgument"),
        ("n" * 256, "KeyTooLongError"),
    ):
        with pytest.raises(ClientError, match=code):
            c.put_object(Bucket="images", Key=key, Body=b"x")
    with pytest.raises(ClientError, match="InvalidRequest.*no content"):
        c.put_object(Bucket="images", Key="folder/", Body=b"x")


def reference(keys: list[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """What a list has, worked out from S3's own words."""
    shown: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            common = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            if common not in shown and common != after:
                shown.append(common)
        else:
            shown.append(key)
    return shown


def test_lists_of_any_prefix_and_delimiter_are_s3_s_page_by_page(c):
    chance = random.Random(8)
    keys = {"".join(chance.choices("ab/.é", k=chance.randint(1, 6))) for _ in range(250)}
    for key in keys:
        c.put_object(Bucket="listed", Key=key, Body=b"")
    for prefix in ("", "a", "/", "a/", "ab/", "é", "zz"):
        for delimiter in ("", "/", "b", "/a", "é"):
            found: list[str] = []
            asked = {"Bucket": "listed", "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": 7}
            while True:
                page = c.list_objects_v2(**asked)
                shown = [e["Key"] for e in page.get("Contents", [])]
                shown += [e["Prefix"] for e in page.get("CommonPrefixes", [])]
                assert len(shown) == page["KeyCount"] <= 7
                found += sorted(shown, key=str.encode)
                if not page["IsTruncated"]:
                    break
                asked["ContinuationToken"] = page["NextContinuationToken"]
            assert found == reference(list(keys), prefix, delimiter, ""), (prefix, delimiter)
    for after in ("a", "a/", "b", "é", "/"):
        page = c.list_objects_v2(Bucket="listed", StartAfter=after, Delimiter="/")
        shown = [e["Key"] for e in page.get("Contents", [])] + [e["Prefix"] for e in page.get("CommonPrefixes", [])]
        assert sorted(shown, key=str.encode) == reference(list(keys), "", "/", after)


def test_a_list_is_the_same_after_a_restart(tmp_path):
    world = S3World(tmp_path)
    world.bucket("kept")
    keys = ["foo", "foo/bar", "x" * 600, "a//b", "é/"]
    for key in keys:
        world.client().put_object(Bucket="kept", Key=key, Body=key.encode(), Metadata={"k": "v"})
    world.stop()
    again = S3World.__new__(S3World)
    again.root, again.version, again.certificate, again.keys = tmp_path, "9.16.1", None, dict(world.keys)
    restarted(again)
    try:
        found = again.client().list_objects_v2(Bucket="kept")["Contents"]
        assert [entry["Key"] for entry in found] == sorted(keys, key=str.encode)
        assert again.client().head_object(Bucket="kept", Key="foo/bar")["Metadata"] == {"k": "v"}
    finally:
        again.stop()


def restarted(world: S3World) -> None:
    from emulator.s3 import server
    from emulator.world import Config, World

    world.world = World(world.root, Config(ontap_version=world.version))
    world.handle = server.serve(world.world, port=0)
    world.url = f"http://127.0.0.1:{world.handle.port}"


@pytest.mark.parametrize("half_done", [False, True])
def test_objects_that_an_earlier_release_kept_as_a_tree_are_there(tmp_path, half_done):
    world = S3World(tmp_path)
    world.bucket("old")
    world.user()
    world.stop()
    uuid = os.listdir(tmp_path / "s3" / "objects")[0]
    tree = tmp_path / "s3" / "buckets" / uuid
    for key in ("foo/bar", "foo/%2F", "a.txt", "deep/er/é"):
        path = tree / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(key)
        stat = path.stat()
        known = [stat.st_size, stat.st_mtime_ns, "e" * 32, "text/x", {"a": "b"}]
        os.setxattr(path, facts.ATTRIBUTE, json.dumps(known).encode())
    (tree / "empty").mkdir()
    (tmp_path / "s3" / "buckets" / "of-nobody").mkdir()
    if half_done:
        (tree / "a.txt").rename(flat.path_of(str(tmp_path / "s3" / "objects" / uuid), "a.txt"))
    restarted(world)
    try:
        found = world.client().list_objects_v2(Bucket="old")["Contents"]
        assert [e["Key"] for e in found] == ["a.txt", "deep/er/é", "foo/%2F", "foo/bar"]
        answer = world.client().get_object(Bucket="old", Key="foo/bar")
        assert (answer["Body"].read(), answer["Metadata"], answer["ETag"]) == (b"foo/bar", {"a": "b"}, f'"{"e" * 32}"')
        assert os.listdir(tmp_path / "s3" / "buckets") == []
    finally:
        world.stop()


def test_parts_are_copied_from_other_objects(c):
    body = bytes(range(256)) * (6 * MB // 256)
    c.put_object(Bucket="native", Key="from/é", Body=body)
    at = {"Bucket": "parts", "Key": "joined"}
    upload = c.create_multipart_upload(**at)["UploadId"]
    source = {"CopySource": {"Bucket": "native", "Key": "from/é"}, "UploadId": upload}
    etags = [
        c.upload_part_copy(**at, **source, PartNumber=1)["CopyPartResult"]["ETag"],
        c.upload_part_copy(**at, **source, PartNumber=2, CopySourceRange="bytes=10-19")["CopyPartResult"]["ETag"],
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    c.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})
    assert c.get_object(**at)["Body"].read() == body + body[10:20]


@pytest.mark.parametrize(
    "asked", ["bytes=0-10", "bytes=5-4", "bytes=-5", "bytes=0-", "0-1", "bytes=0-²", "bytes=0-1,3-4"]
)
def test_a_part_copied_from_a_range_that_is_not_there_is_refused(s3, c, asked):
    c.put_object(Bucket="native", Key="ten", Body=b"0123456789")
    upload = c.create_multipart_upload(Bucket="parts", Key="k")["UploadId"]
    headers = {"x-amz-copy-source": "native/ten", "x-amz-copy-source-range": asked}
    query = {"uploadId": upload, "partNumber": "1"}
    answer = Raw(s3.url, s3.user()).request("PUT", "/parts/k", query=query, headers=headers)
    assert (answer.status, "InvalidArgument" in answer.text) == (400, True)


def test_a_part_is_not_copied_into_a_nas_bucket_nor_from_what_is_not_wanted(c):
    etag = c.put_object(Bucket="native", Key="source", Body=b"x")["ETag"]
    for bucket, more, code in (
        ("images", {}, "NotImplemented"),
        ("parts", {"CopySourceIfNoneMatch": etag}, "PreconditionFailed"),
    ):
        upload = c.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        with pytest.raises(ClientError, match=code):
            c.upload_part_copy(
                Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, CopySource="native/source", **more
            )


@pytest.fixture
def owner(s3):
    """A client whose group may make and remove buckets."""
    s3.user("owner")
    if not s3.world.store.find("s3_group", name="owners"):
        group = {"uuid": "g1", "svm": SVM, "name": "owners", "users": [{"name": "owner"}]}
        s3.world.store.insert("s3_group", group | {"policies": [{"name": "FullAccess"}]})
    return s3.client("owner")


def test_a_bucket_is_made_and_removed_over_s3(owner):
    owner.create_bucket(Bucket="made")
    owner.put_object(Bucket="made", Key="foo/", Body=b"")
    with pytest.raises(ClientError, match="BucketAlreadyOwnedByYou"):
        owner.create_bucket(Bucket="made")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        owner.delete_bucket(Bucket="made")
    owner.delete_object(Bucket="made", Key="foo/")
    owner.delete_bucket(Bucket="made")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        owner.delete_bucket(Bucket="made")
    owner.create_bucket(Bucket="made")
    assert owner.list_objects_v2(Bucket="made")["KeyCount"] == 0


def test_who_may_not_make_buckets_makes_none(s3, c, owner):
    with pytest.raises(ClientError, match="AccessDenied.*CreateBucket"):
        c.create_bucket(Bucket="mine")
    assert httpx.put(f"{s3.url}/mine").status_code == 403
    with pytest.raises(ClientError, match="InvalidLocationConstraint"):
        owner.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for more in ({"ACL": "public-read"}, {"ObjectLockEnabledForBucket": True}):
        with pytest.raises(ClientError, match="NotImplemented"):
            owner.create_bucket(Bucket="mine", **more)
    for name in ("UP", "a..b", "x" * 64):
        answer = Raw(s3.url, s3.user("owner")).request("PUT", f"/{name}")
        assert (answer.status, "InvalidBucketName" in answer.text) == (400, True)
    assert not s3.world.store.find("s3_bucket", name="mine")


def test_a_nas_bucket_is_not_removed_over_s3(s3, owner):
    with pytest.raises(ClientError, match="NotImplemented.*REST"):
        owner.delete_bucket(Bucket="images")
    assert s3.world.store.find("s3_bucket", name="images")
