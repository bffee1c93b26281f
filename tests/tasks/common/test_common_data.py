from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tasks.common.data import S3Store, open_source, open_target, read_url
from tasks.common.program import BadInput
from tests.lake import Lake

FILES = {"good/a b.png": b"1", "good/ä+~.png": b"22", "top.txt": b"", ".mlops/manifest.json": b"{}"}
DATA = sorted(key for key in FILES if not key.startswith("."))


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where FILES are: the same rules hold for a folder and for a bucket's prefix."""
    if request.param == "folder":
        place = str(tmp_path / "d")
    else:
        request.getfixturevalue("lake")
        place = f"s3://lake/{request.node.name}"
    store = open_target(place)
    for key, content in FILES.items():
        store.write(key, content)
    store.write(".snapshot/v1/good/a b.png", b"1")
    return place


def test_files_are_listed_by_key_without_ours_and_ontaps(url: str):
    entries = open_source(url).entries()
    assert [entry.key for entry in entries] == DATA
    assert [entry.size for entry in entries] == [len(FILES[key]) for key in DATA]
    assert all(entry.modified > 1.6e9 for entry in entries)


def test_files_are_read_back(url: str):
    store = open_source(url)
    assert {key: store.read(key) for key in DATA} == {key: FILES[key] for key in DATA}
    assert read_url(f"{url}/good/ä+~.png") == b"22"


def test_deleting_is_safe_to_repeat(url: str):
    store = open_source(url)
    store.delete("top.txt")
    store.delete("top.txt")
    assert "top.txt" not in [entry.key for entry in store.entries()]


def test_a_missing_file_is_one_sentence(url: str):
    with pytest.raises(BadInput, match="nowhere.png.* does not exist"):
        open_source(url).read("nowhere.png")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("/nowhere/at/all", "The data folder /nowhere/at/all does not exist"),
        ("http://x/y", "neither a path nor an s3://"),
        ("s3:///x", "names no bucket"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(url: str, sentence: str):
    with pytest.raises(BadInput, match=sentence):
        open_source(url)


def test_a_bucket_that_is_not_there_is_one_sentence(lake: Lake):
    with pytest.raises(BadInput, match=r"Cannot list s3://none: S3 says it does not exist \(NoSuchBucket\)"):
        open_source("s3://none").entries()


def test_wrong_keys_are_one_sentence_without_the_secret(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    for attempt in (lambda: open_source("s3://lake").entries(), lambda: open_source("s3://lake").read("x")):
        with pytest.raises(BadInput, match="S3 refuses these keys") as caught:
            attempt()
        assert "wrong-secret" not in str(caught.value)


def test_no_keys_are_one_sentence(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BadInput, match="no S3 keys; set AWS_ACCESS_KEY_ID"):
        open_source("s3://lake").read("x")


def test_objects_are_read_without_boto3_and_with_it_where_only_it_knows_the_way(lake: Lake, monkeypatch):
    store = open_target("s3://lake/both")
    store.write("k ä.bin", b"content")
    assert isinstance(store, S3Store)
    asked = []
    monkeypatch.setattr(store.client, "get_object", lambda **request: asked.append(request))
    assert store.read("k ä.bin") == b"content"
    assert asked == []
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert open_source("s3://lake/both")._reader is None


def test_a_connection_closed_meanwhile_is_opened_again(lake: Lake):
    store = open_target("s3://lake/kept")
    store.write("key", b"content")
    assert store.read("key") == b"content"
    store._reader._local.connection.sock.shutdown(socket.SHUT_RDWR)
    assert store.read("key") == b"content"
