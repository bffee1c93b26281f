"""Sync to and from ONTAP's S3, whose buckets show the files of a volume and know less than Amazon's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.ontap import s3, volumes
from ontap_mlops.ontap.client import Client
from tasks.common import manifest
from tasks.common.data import open_source
from tasks.common.program import BadInput, TryAgain
from tasks.data import check, sync, transfer
from tests.conftest import Emulator


class Bucket:
    """``archive`` over the volume of that name, on an ONTAP that takes no multipart upload."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.files = emulator.namespace / "archive"

    def make(self, monkeypatch: pytest.MonkeyPatch) -> None:
        e = self.emulator
        client = Client(host=e.host, port=e.port, username=e.user, password=e.password, verify=e.ca)
        volumes.ensure(
            client,
            svm="svm1",
            name="archive",
            size_bytes=64 << 20,
            junction_path="/archive",
            unix_permissions="777",
            comment="test",
        )
        s3.ensure_service(client, svm="svm1")
        keys = s3.ensure_user(client, svm="svm1", name="mlops")
        assert keys
        s3.ensure_policy(client, svm="svm1", name="full")
        s3.ensure_group(client, svm="svm1", name="g", users=["mlops"], policies=["full"])
        s3.ensure_nas_bucket(client, svm="svm1", name="archive", nas_path="/archive")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint_url(client, svm="svm1"))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
        client.close()


@pytest.fixture(scope="module")
def emulator_before_multipart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = Emulator(tmp_path_factory.mktemp("old") / "ontap", "--ontap-version", "9.15.1").start()
    yield running
    running.close()


@pytest.fixture
def bucket(emulator_before_multipart: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    emulator_before_multipart.control("POST", "/reset")
    made = Bucket(emulator_before_multipart)
    made.make(monkeypatch)
    yield made
    made.emulator.control("DELETE", "/faults")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine" / "good").mkdir(parents=True)
    for number in range(20):
        (tmp_path / "mine" / "good" / f"{number}.png").write_bytes(os.urandom(500))
    (tmp_path / "mine" / "large.bin").write_bytes(os.urandom(9 << 20))
    return tmp_path / "mine"


def run(source: Any, destination: Any, *more: str) -> tuple[int, int, int]:
    result = sync.sync(sync.parse(["--source", str(source), "--destination", str(destination), *more]))
    return result["copied"], result["unchanged"], result["deleted"]


def contents(folder: Path) -> dict[str, bytes]:
    hidden = (".mlops", ".snapshot")
    files = (p for p in folder.rglob("*") if p.is_file() and not set(hidden) & set(p.relative_to(folder).parts))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_bucket_that_takes_no_parts_gets_whole_files(
    bucket: Bucket, mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transfer, "MULTIPART_FROM", 8 << 20)
    assert run(mine, "s3://archive/tyre") == (21, 0, 0)
    assert "takes no multipart uploads" in capsys.readouterr().err
    assert contents(bucket.files / "tyre") == contents(mine)
    assert run(mine, "s3://archive/tyre", "--no-multipart") == (0, 21, 0)


def test_files_written_on_the_volume_come_back_through_s3_once(bucket: Bucket, mine: Path, tmp_path: Path) -> None:
    run(mine, "s3://archive/tyre", "--no-multipart")
    (bucket.files / "tyre" / "by_nfs.txt").write_text("written beside S3")
    (bucket.files / "tyre" / "good" / "0.png").write_bytes(b"changed")
    assert run("s3://archive/tyre", tmp_path / "back") == (22, 0, 0)
    assert run("s3://archive/tyre", tmp_path / "back") == (0, 22, 0)
    assert contents(tmp_path / "back") == contents(bucket.files / "tyre")


def test_a_volume_full_in_the_middle_is_told_and_the_next_sync_goes_on(bucket: Bucket, mine: Path) -> None:
    full = {"method": "PUT", "path": "/archive/tyre/good/1[0-9].png", "kind": "space_full", "times": 1000}
    bucket.emulator.control("POST", "/faults", full)
    with pytest.raises(TryAgain, match=r"s3://archive/tyre is full after \d+ of 21 files, which are kept"):
        run(mine, "s3://archive/tyre", "--no-multipart")
    bucket.emulator.control("DELETE", "/faults")
    arrived = contents(bucket.files)
    assert {f"tyre/{key}": content for key, content in contents(mine).items()}.items() >= arrived.items()
    assert run(mine, "s3://archive/tyre", "--no-multipart") == (21 - len(arrived), len(arrived), 0)


def test_keys_that_may_not_write_are_told_so(bucket: Bucket, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(BadInput, match="S3 refuses these keys"):
        run(mine, "s3://archive/tyre", "--no-multipart")


def test_the_manifest_that_check_wrote_on_the_volume_is_read_through_its_bucket(bucket: Bucket, mine: Path) -> None:
    """As training does: the workspace's bucket shows the volume as it was when the version was checked."""
    run(mine, "s3://archive/data", "--no-multipart")
    told = check.check(check.parse([f"--volume={bucket.files}", "--source=s3://lake/tyre", "--corrupt-share=1"]))
    found = manifest.of("s3://archive/data")
    entries = open_source("s3://archive/data").entries()
    assert (found.digest, found.source, len(entries)) == (told["digest"], "s3://lake/tyre", 21)
    for entry in entries:
        assert found.sha256(entry) == hashlib.sha256((mine / entry.key).read_bytes()).hexdigest()


@pytest.fixture
def keys(bucket: Bucket) -> Any:
    """A boto3 client and a bucket of type s3, which takes any key."""
    import boto3
    from botocore.config import Config

    e = bucket.emulator
    with Client(host=e.host, port=e.port, username=e.user, password=e.password, verify=e.ca) as client:
        body = {"name": "keys", "type": "s3", "svm": {"name": "svm1"}, "size": 100 << 30}
        client.create("S3Bucket", body, asked="create bucket 'keys'")
    return boto3.session.Session().client("s3", region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))


@pytest.mark.parametrize("prefix", ["odd", "odd #1"])
@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("foo", "foo/a", "b"), "holds both 'foo' and 'foo/a'"),
        (("foo/", "b"), "Object 'foo/' of s3://keys/.* has the name of a folder, and content"),
        (("/a", "b"), "a key there would not stay inside a folder as a file"),
        (("../a", "b"), "a key there would not stay inside a folder as a file"),
        (("a\tb", "b"), "a key there would not stay inside a folder as a file"),
    ],
)
def test_a_key_that_can_be_no_file_is_named(keys: Any, tmp_path: Path, prefix: str, names: Any, sentence: str) -> None:
    for name in names:
        keys.put_object(Bucket="keys", Key=f"{prefix}/{name}", Body=b"content")
    with pytest.raises(BadInput, match=sentence):
        sync.sync(sync.parse(["--source", f"s3://keys/{prefix}", "--destination", str(tmp_path / "data")]))
    assert not (tmp_path / "data/foo").exists()


def test_markers_of_folders_are_passed_over_and_a_file_of_their_name_is_not(keys: Any, tmp_path: Path) -> None:
    for name, content in (("", b""), ("a/", b""), ("a/1", b"1"), ("b/", b""), ("b", b"file")):
        keys.put_object(Bucket="keys", Key=f"odd/{name}", Body=content)
    sync.sync(sync.parse(["--source", "s3://keys/odd", "--destination", str(tmp_path / "data")]))
    assert (tmp_path / "data/a/1").read_bytes() == b"1"
    assert (tmp_path / "data/b").read_bytes() == b"file"
