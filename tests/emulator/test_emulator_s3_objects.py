"""Objects are files: what boto3 writes is there by path at once, and the other way round."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError
from s3_support import S3World

from tests.until import until

MB = 1024**2


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3World]:
    world = S3World(tmp_path_factory.mktemp("s3"))
    yield world
    world.stop()


@pytest.fixture
def name(request) -> str:
    return hashlib.sha256(request.node.name.encode()).hexdigest()[:20]


@pytest.fixture
def files(s3, name) -> Path:
    """The volume by path; the bucket `name` shows it."""
    return s3.nas(name)


def read(client, bucket: str, key: str, **given) -> bytes:
    return client.get_object(Bucket=bucket, Key=key, **given)["Body"].read()


def keys(client, bucket: str, **given) -> list[str]:
    return [found["Key"] for found in client.list_objects_v2(Bucket=bucket, **given).get("Contents", [])]


def test_a_file_written_by_path_is_an_object_at_once(s3, files, name):
    (files / "data/good").mkdir(parents=True)
    (files / "data/good/1.png").write_bytes(b"image")
    c = s3.client()
    assert read(c, name, "data/good/1.png") == b"image"
    head = c.head_object(Bucket=name, Key="data/good/1.png")
    assert (head["ETag"], head["ContentLength"]) == (f'"{hashlib.md5(b"image").hexdigest()}"', 5)
    assert keys(c, name) == ["data/good/1.png"]


def test_an_object_is_a_file_at_once(s3, files, name):
    s3.client().put_object(Bucket=name, Key="data/good/2.png", Body=b"image 2")
    assert (files / "data/good/2.png").read_bytes() == b"image 2"
    s3.client().delete_object(Bucket=name, Key="data/good/2.png")
    assert not (files / "data/good/2.png").exists()


def test_a_file_changed_by_path_gets_a_new_etag_and_loses_its_metadata(s3, files, name):
    c = s3.client()
    c.put_object(Bucket=name, Key="a", Body=b"one", Metadata={"who": "me"}, ContentType="text/plain")
    before = c.head_object(Bucket=name, Key="a")
    assert (before["Metadata"], before["ContentType"]) == ({"who": "me"}, "text/plain")
    (files / "a").write_bytes(b"two")
    after = c.head_object(Bucket=name, Key="a")
    assert after["ETag"] == f'"{hashlib.md5(b"two").hexdigest()}"'
    assert (after["Metadata"], after["ContentType"]) == ({}, "binary/octet-stream")


def test_metadata_follows_a_rename_by_path(s3, files, name):
    s3.client().put_object(Bucket=name, Key="a", Body=b"x", Metadata={"who": "me"})
    (files / "a").rename(files / "b")
    assert s3.client().head_object(Bucket=name, Key="b")["Metadata"] == {"who": "me"}


def test_a_listing_does_not_hash_a_known_file_again(s3, files, name, monkeypatch):
    from emulator.s3 import facts

    for number in range(3):
        (files / f"{number}").write_bytes(b"x" * number)
    hashed = []
    monkeypatch.setattr(facts, "md5_of", lambda path: hashed.append(path) or "0" * 32)
    for _ in range(2):
        s3.client().list_objects_v2(Bucket=name)
    assert len(hashed) == 3


def test_an_object_replaces_the_old_one_as_a_whole(s3, files, name):
    c = s3.client()
    c.put_object(Bucket=name, Key="a", Body=b"old" * 100)
    with (files / "a").open("rb") as reader:
        c.put_object(Bucket=name, Key="a", Body=b"new")
        assert reader.read() == b"old" * 100  # who has the old one open goes on reading it
    assert read(c, name, "a") == b"new"


@pytest.mark.parametrize(
    ("asked", "content", "shown"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_a_part_of_an_object_can_be_read(s3, files, name, asked, content, shown):
    (files / "digits").write_bytes(b"0123456789")
    answer = s3.client().get_object(Bucket=name, Key="digits", Range=asked)
    assert (answer["Body"].read(), answer["ContentRange"]) == (content, shown)


def test_a_range_beyond_the_end_is_refused(s3, files, name):
    (files / "digits").write_bytes(b"0123456789")
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.client().get_object(Bucket=name, Key="digits", Range="bytes=10-20")


def test_conditions_are_kept(s3, files, name):
    c = s3.client()
    put = c.put_object(Bucket=name, Key="a", Body=b"x")
    modified = c.head_object(Bucket=name, Key="a")["LastModified"]
    assert read(c, name, "a", IfMatch=put["ETag"]) == b"x"
    for condition, answer in [
        ({"IfMatch": '"0"'}, "PreconditionFailed"),
        ({"IfNoneMatch": put["ETag"]}, "304"),
        ({"IfModifiedSince": modified}, "304"),
    ]:
        with pytest.raises(ClientError, match=answer):
            c.get_object(Bucket=name, Key="a", **condition)


def test_a_large_object_goes_in_and_out_unchanged(s3, files, name):
    content = os.urandom(9 * MB + 17)
    s3.client().put_object(Bucket=name, Key="large", Body=content)
    assert (files / "large").read_bytes() == content
    assert read(s3.client(), name, "large") == content
    assert read(s3.client(), name, "large", Range=f"bytes={5 * MB}-{7 * MB}") == content[5 * MB : 7 * MB + 1]


def test_an_empty_object_and_an_empty_file_are_objects(s3, files, name):
    s3.client().put_object(Bucket=name, Key="object", Body=b"")
    (files / "file").touch()
    assert read(s3.client(), name, "object") == read(s3.client(), name, "file") == b""


def test_a_key_with_a_slash_at_its_end_is_a_folder(s3, files, name):
    c = s3.client()
    c.put_object(Bucket=name, Key="new/", Body=b"")
    assert (files / "new").is_dir()
    assert c.head_object(Bucket=name, Key="new/")["ContentLength"] == 0
    c.delete_object(Bucket=name, Key="new/")
    assert not (files / "new").exists()


def test_an_object_cannot_lie_below_an_object_nor_replace_a_folder(s3, files, name):
    c = s3.client()
    c.put_object(Bucket=name, Key="part1/part2", Body=b"x")
    for key in ("part1/part2/part3", "part1"):
        with pytest.raises(ClientError, match="InvalidRequest"):
            c.put_object(Bucket=name, Key=key, Body=b"y")
    with pytest.raises(ClientError, match="InvalidRequest"):
        c.delete_object(Bucket=name, Key="part1/")
    assert read(c, name, "part1/part2") == b"x"


def test_several_keys_are_deleted_at_once_each_with_its_own_answer(s3, files, name):
    c = s3.client()
    for key in ("a", "b", "d/c"):
        c.put_object(Bucket=name, Key=key, Body=b"x")
    answer = c.delete_objects(
        Bucket=name, Delete={"Objects": [{"Key": k} for k in ("a", "gone", "d/c", ".snapshot/x")]}
    )
    assert [deleted["Key"] for deleted in answer["Deleted"]] == ["a", "gone", "d/c"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [(".snapshot/x", "AccessDenied")]
    assert keys(c, name) == ["b"]


def test_listings_come_in_the_order_of_keys_page_by_page(s3, files, name):
    wanted = ["a", "a b/x", "a-b", "a.txt", "a/1", "a/b/2", "a/b.c", "a0", "b/ü", "z"]
    wanted.remove("a")  # "a" is a folder here
    for key in wanted:
        (files / key).parent.mkdir(parents=True, exist_ok=True)
        (files / key).write_text(key)
    c = s3.client()
    wanted.sort(key=str.encode)
    assert keys(c, name) == wanted
    pages = c.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 2})
    assert [found["Key"] for page in pages for found in page["Contents"]] == wanted
    pages = c.get_paginator("list_objects").paginate(Bucket=name, PaginationConfig={"PageSize": 2})
    assert [found["Key"] for page in pages for found in page["Contents"]] == wanted
    for number, key in enumerate(wanted):
        assert keys(c, name, StartAfter=key) == wanted[number + 1 :]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_delimiter_rolls_keys_up_and_pages_agree(s3, files, name, size):
    for key in ("top", "d1/a", "d1/b", "d1/deep/c", "d2/a", "d1x/a", "e"):
        (files / key).parent.mkdir(parents=True, exist_ok=True)
        (files / key).touch()
    (files / "empty").mkdir()
    c = s3.client()

    def listed(prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
        paged = {"PaginationConfig": {"PageSize": size}}
        pages = list(
            c.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix, Delimiter=delimiter, **paged)
        )
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return found, [rolled["Prefix"] for page in pages for rolled in page.get("CommonPrefixes", [])]

    assert listed("", "/") == (["e", "top"], ["d1/", "d1x/", "d2/"])
    assert listed("d1/", "/") == (["d1/a", "d1/b"], ["d1/deep/"])
    assert listed("d1", "/") == ([], ["d1/", "d1x/"])
    assert listed("", "1") == (["d2/a", "e", "top"], ["d1"])
    assert listed("d1/d", "/") == ([], ["d1/deep/"])
    assert listed("none/", "/") == ([], [])


def test_a_listing_matches_a_sorted_walk_of_any_tree(s3, files, name):
    import random

    chance = random.Random(7)
    made = set()
    for _ in range(300):
        parts = [chance.choice(["a", "b", "a-", "a.", "a0", "ä", " "]) for _ in range(chance.randint(1, 4))]
        target = files / "/".join(parts[:-1]) / f"{parts[-1]}.f"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        made.add(str(target.relative_to(files)))
    wanted = sorted(made, key=str.encode)
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 7})
    assert [found["Key"] for page in pages for found in page["Contents"]] == wanted


def test_control_characters_in_keys_come_back_as_they_are(s3, files, name):
    s3.client().put_object(Bucket=name, Key="bell\x07 & <tag>", Body=b"x")
    assert keys(s3.client(), name) == ["bell\x07 & <tag>"]  # boto3 asks for encoding-type=url
    assert keys(s3.client(), name, EncodingType="url") == ["bell%07%20%26%20%3Ctag%3E"]


def test_max_keys_of_nothing_and_bad_numbers(s3, files, name):
    (files / "a").touch()
    assert s3.client().list_objects_v2(Bucket=name, MaxKeys=0)["KeyCount"] == 0
    c = s3.client(parameter_validation=False)
    with pytest.raises(ClientError, match="InvalidArgument"):
        c.list_objects_v2(Bucket=name, MaxKeys=-1)
    with pytest.raises(ClientError, match="InvalidArgument.*continuation"):
        c.list_objects_v2(Bucket=name, ContinuationToken="ä!")


def test_snapshots_are_hidden_and_not_writable(s3, files, name):
    frozen = files / ".snapshot" / "first"
    frozen.mkdir()
    (frozen / "old").write_text("x")
    (files / "link").symlink_to(".snapshot/first/old")
    c = s3.client()
    assert keys(c, name) == [] and "CommonPrefixes" not in c.list_objects_v2(Bucket=name, Delimiter="/")
    for key in (".snapshot/first/old", "link"):
        with pytest.raises(ClientError, match="NoSuchKey"):
            c.get_object(Bucket=name, Key=key)
    with pytest.raises(ClientError, match="AccessDenied.*read-only"):
        c.put_object(Bucket=name, Key=".snapshot/first/new", Body=b"x")
    assert keys(c, name, Prefix=".snapshot/") == []


def test_our_own_folder_is_visible_like_any_other(s3, files, name):
    s3.client().put_object(Bucket=name, Key=".mlops/manifest.json", Body=b"{}")
    assert keys(s3.client(), name) == [".mlops/manifest.json"]


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "a//b", "./a", "/a", ".."])
def test_keys_that_are_no_paths_are_refused(s3, files, name, key):
    url = f"{s3.url}/{name}/" + key.replace(".", "%2E").replace("/", "%2F")
    s3.statement(name, effect="allow", actions=["*"], principals=["*"], resources=["*"])
    assert "InvalidArgument" in httpx.put(url, content=b"x").text
    assert httpx.get(url).status_code == 404
    assert not (files.parent / "outside").exists()


def test_links_do_not_lead_out_of_the_volume(s3, files, name, tmp_path):
    (tmp_path / "secret").write_text("not yours")
    (files / "file").symlink_to(tmp_path / "secret")
    (files / "folder").symlink_to(tmp_path)
    (files / "here").write_text("inside")
    (files / "inside").symlink_to("here")
    c = s3.client()
    assert keys(c, name) == ["here", "inside"]
    assert read(c, name, "inside") == b"inside"
    for key in ("file", "folder/secret"):
        with pytest.raises(ClientError, match="NoSuchKey"):
            c.get_object(Bucket=name, Key=key)
    with pytest.raises(ClientError, match="AccessDenied.*link"):
        c.put_object(Bucket=name, Key="folder/new", Body=b"x")
    c.put_object(Bucket=name, Key="file", Body=b"replaces the link")
    assert (tmp_path / "secret").read_text() == "not yours"


def test_a_pipe_in_the_volume_holds_nobody_up(s3, files, name):
    os.mkfifo(files / "pipe")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.client().get_object(Bucket=name, Key="pipe")
    assert keys(s3.client(), name) == []


@pytest.mark.parametrize("key", ["x" * 256, "a/" * 513])
def test_long_keys_are_refused_with_the_limits(s3, files, name, key):
    with pytest.raises(ClientError, match="KeyTooLongError.*255"):
        s3.client().put_object(Bucket=name, Key=key, Body=b"x")


def test_a_bucket_over_a_folder_shows_that_folder_only(s3, files, name):
    (files / "data").mkdir()
    (files / "data/in").write_text("in")
    (files / "out").write_text("out")
    s3.bucket(f"{name}-data", nas_path=f"/{name}/data")
    assert keys(s3.client(), f"{name}-data") == ["in"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.client().get_object(Bucket=f"{name}-data", Key="out")


def test_an_unmounted_volume_s_bucket_says_so(s3, files, name):
    volume = s3.world.store.find("volume", name=name)[0]
    s3.world.store.update("volume", volume["uuid"], junction=None)
    with pytest.raises(ClientError, match="NoSuchBucket.*no volume is mounted"):
        s3.client().get_object(Bucket=name, Key="a")


def test_many_writers_of_one_key_leave_one_whole_object(s3, files, name):
    contents = [bytes([number]) * 200_000 for number in range(8)]
    c = s3.client()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: c.put_object(Bucket=name, Key="same", Body=content), contents))
    assert (files / "same").read_bytes() in contents
    assert list(s3.world.dataplane.staging.iterdir()) == []


def test_unfinished_puts_are_not_seen_and_leave_nothing(s3, files, name):
    import socket
    from urllib.parse import urlsplit

    s3.statement(name, effect="allow", actions=["*"], principals=["*"], resources=["*"])
    address = urlsplit(s3.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"PUT /{name}/half HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-length: {4 * MB}\r\n\r\n"
        connection.sendall(head.encode() + b"x" * MB)
        until(lambda: any(f.stat().st_size for f in s3.world.dataplane.staging.iterdir()))
        assert keys(s3.client(), name) == [] and not (files / "half").exists()
    until(lambda: not list(s3.world.dataplane.staging.iterdir()))
    assert keys(s3.client(), name) == []


def test_errors_are_xml_with_code_sentence_resource_and_request(s3, files, name):
    s3.statement(name, effect="allow", actions=["*"], principals=["*"], resources=["*"])
    answer = httpx.get(f"{s3.url}/{name}/none")
    assert answer.headers["content-type"] == "application/xml"
    for part in ("<Code>NoSuchKey</Code>", "<Message>", f"<Resource>/{name}/none</Resource>"):
        assert part in answer.text
    assert f"<RequestId>{answer.headers['x-amz-request-id']}</RequestId>" in answer.text


def test_a_connection_is_usable_after_a_refused_upload(s3, files, name):
    """The refused body must not be taken for the next request."""
    c = s3.client(max_pool_connections=1)
    s3.statement(name, effect="deny", actions=["PutObject"], resources=["*"])
    for _ in range(3):
        with pytest.raises(ClientError, match="AccessDenied"):
            c.put_object(Bucket=name, Key="a", Body=io.BytesIO(b"x" * 300_000))
    with httpx.Client() as plain:
        for _ in range(3):
            assert plain.put(f"{s3.url}/{name}/a", content=b"x" * 5000).status_code == 403


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ({"kind": "error", "status": 503, "code": "SlowDown", "message": "Slow down."}, "SlowDown"),
        ({"kind": "space_full"}, "QuotaExceeded"),
        ({"kind": "refuse"}, "Connection was closed|Could not connect"),
        ({"kind": "lost_answer"}, "Connection was closed|Could not connect"),
    ],
)
def test_faults_meet_the_request_they_are_asked_for(s3, files, name, kind, answer):
    from emulator.faults import Fault

    s3.world.faults.add(Fault(method="PUT", path=f"/{name}/a", **kind))
    with pytest.raises(Exception, match=answer):
        s3.client().put_object(Bucket=name, Key="a", Body=b"x")
    assert (files / "a").exists() == (kind["kind"] == "lost_answer")
    s3.client().put_object(Bucket=name, Key="a", Body=b"x")
