"""Sync moves what changed, verified, and goes on where it was interrupted; against a real S3 server."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from obstore.exceptions import GenericError

from tasks.common import data
from tasks.common.data import Entry, S3Store
from tasks.common.program import BadInput, TryAgain
from tasks.data import folder, sync, transfer
from tasks.data.folder import Folder, checked_key

FILES = {
    "good/1.png": b"one",
    "good/2.png": b"two",
    "defective/3.png": b"three" * 1000,
    "top.txt": b"",
    "ä ö+&.txt": b"x",
}


@pytest.fixture
def prefix(lake, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("[", "_").replace("]", "")
    lake.put(FILES, name)
    return name


@pytest.fixture
def program(program_of):
    return program_of("tasks.data.sync")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


def down(prefix: str, volume: Path, *more: str) -> dict[str, Any]:
    return sync.sync(sync.parse(["--source", f"s3://lake/{prefix}/", "--destination", f"{volume}/data", *more]))


def up(volume: Path, prefix: str, *more: str) -> dict[str, Any]:
    return sync.sync(sync.parse(["--source", f"{volume}/data", "--destination", f"s3://lake/{prefix}/", *more]))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def counts(result: dict[str, Any]) -> tuple[int, int, int]:
    return result["copied"], result["unchanged"], result["deleted"]


def test_the_first_sync_copies_everything_and_the_second_nothing(prefix: str, volume: Path) -> None:
    first = down(prefix, volume)
    assert contents(volume / "data") == FILES
    assert counts(first) == (5, 0, 0)
    assert first["bytes"] == sum(map(len, FILES.values()))
    before = {path: path.stat().st_mtime_ns for path in (volume / "data").rglob("*")}
    assert counts(down(prefix, volume)) == (0, 5, 0)
    assert before == {path: path.stat().st_mtime_ns for path in (volume / "data").rglob("*")}


def test_a_change_of_the_same_size_is_seen(lake, prefix: str, volume: Path) -> None:
    down(prefix, volume)
    lake.put({"good/1.png": b"eno"}, prefix)
    assert counts(down(prefix, volume)) == (1, 4, 0)
    assert (volume / "data/good/1.png").read_bytes() == b"eno"


def test_a_file_damaged_or_lost_on_the_volume_is_copied_again(prefix: str, volume: Path) -> None:
    down(prefix, volume)
    (volume / "data/good/1.png").write_bytes(b"xxx")
    (volume / "data/good/2.png").unlink()
    assert counts(down(prefix, volume)) == (2, 3, 0)
    assert contents(volume / "data") == FILES


def test_without_its_state_it_compares_contents_instead_of_copying(prefix: str, volume: Path) -> None:
    down(prefix, volume)
    (volume / ".mlops/sync.json").unlink()
    assert counts(down(prefix, volume)) == (0, 5, 0)
    (volume / ".mlops/sync.json").write_text("{")
    assert counts(down(prefix, volume)) == (0, 5, 0)


def test_what_vanished_in_the_source_is_deleted_only_when_told(lake, prefix: str, volume: Path) -> None:
    down(prefix, volume)
    lake.client.delete_object(Bucket="lake", Key=f"{prefix}/defective/3.png")
    assert counts(down(prefix, volume)) == (0, 4, 0)
    assert counts(down(prefix, volume, "--delete")) == (0, 4, 1)
    assert not (volume / "data/defective").exists()
    assert contents(volume / "data") == {k: v for k, v in FILES.items() if k != "defective/3.png"}


def test_an_empty_source_deletes_nothing(lake, volume: Path) -> None:
    lake.put(FILES, "full")
    down("full", volume)
    with pytest.raises(BadInput, match="s3://lake/empty/ holds no files"):
        down("empty", volume, "--delete")
    assert contents(volume / "data") == FILES


@pytest.mark.parametrize("size", [(3 << 20) + 1, 4 << 20, 12_345])
def test_large_files_arrive_in_ranges(lake, volume: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(transfer, "SMALL", 1000)
    monkeypatch.setattr(transfer, "RANGE", 300_000)
    large = os.urandom(size)
    lake.put({"large.bin": large}, f"ranges{size}")
    assert down(f"ranges{size}", volume)["bytes"] == len(large)
    assert contents(volume / "data") == {"large.bin": large}


def test_a_large_file_that_arrives_spoilt_is_fetched_again(lake, volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "SMALL", 1000)
    monkeypatch.setattr(transfer, "PAUSE_S", 0.01)
    large, read, spoilt = os.urandom(3 << 20), S3Store.read_ranges, []

    def once(store: Any, key: str, spans: Any) -> list[Any]:
        pieces = read(store, key, spans)
        if spoilt:
            return pieces
        spoilt.append(key)
        return [bytes(len(pieces[0])), *pieces[1:]]

    monkeypatch.setattr(S3Store, "read_ranges", once)
    lake.put({"large.bin": large}, "spoilt-ranges")
    down("spoilt-ranges", volume)
    assert spoilt == ["large.bin"]
    assert contents(volume / "data") == {"large.bin": large}


def test_what_the_disk_does_not_keep_is_an_error_and_not_remembered(
    prefix: str, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(volume))

    monkeypatch.setattr(folder, "flush", lost)
    with pytest.raises(TryAgain, match="is full"):
        down(prefix, volume)
    assert json.loads((volume / ".mlops/sync.json").read_text()) == {"files": {}}


def test_an_unchanged_folder_is_left_untouched(prefix: str, volume: Path) -> None:
    down(prefix, volume)
    before = (volume / ".mlops/sync.json").stat()
    down(prefix, volume)
    after = (volume / ".mlops/sync.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_server_whose_etags_are_no_md5_is_believed_after_a_second_reading(
    prefix: str, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = S3Store.entries

    def opaque(store: Any) -> list[Entry]:
        return [Entry(e.key, e.size, e.modified, f"{i:032x}") for i, e in enumerate(entries(store))]

    monkeypatch.setattr(S3Store, "entries", opaque)
    assert counts(down(prefix, volume)) == (5, 0, 0)
    assert counts(down(prefix, volume)) == (0, 5, 0)
    assert contents(volume / "data") == FILES


def test_what_arrives_spoilt_is_fetched_again(prefix: str, volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSE_S", 0.01)
    read, seen = S3Store.read, set()

    def spoilt_once(store: Any, key: str) -> bytes:
        content = read(store, key)
        if key in seen or not content:
            return content
        seen.add(key)
        return b"?" * len(content)

    monkeypatch.setattr(S3Store, "read", spoilt_once)
    down(prefix, volume)
    assert contents(volume / "data") == FILES


def test_the_volumes_own_folders_are_not_data(lake, volume: Path) -> None:
    lake.put({"a.txt": b"a", ".mlops/sync.json": b"evil", ".snapshot/x/y": b"evil"}, "own")
    down("own", volume)
    assert contents(volume / "data") == {"a.txt": b"a"}


@pytest.mark.parametrize("key", ["../x", "/etc/x", "a//b", "a/../../b", ".", "", "a/./b", "x\0y", "n" * 256])
def test_a_key_that_would_leave_the_folder_is_refused(key: str) -> None:
    with pytest.raises(BadInput, match="s3://lake"):
        checked_key(key, "s3://lake")


def test_nothing_is_copied_when_one_key_is_refused(prefix: str, volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries, escaped = S3Store.entries, Entry("../../escaped.txt", 1, 0.0, "etag")
    monkeypatch.setattr(S3Store, "entries", lambda store: [*entries(store), escaped])
    with pytest.raises(BadInput, match=r"Object '\.\./\.\./escaped\.txt' .* would not stay inside the folder"):
        down(prefix, volume)
    assert contents(volume / "data") == {}


def test_a_link_in_the_destination_leads_nobody_outside(prefix: str, volume: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (volume / "data").mkdir()
    (volume / "data/good").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="outside .*through a link"):
        down(prefix, volume)
    assert contents(tmp_path / "outside") == {}


def test_a_folder_in_the_place_of_a_file_is_named(prefix: str, volume: Path) -> None:
    (volume / "data/top.txt/inside").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"'top\.txt' is a file in the source but a folder"):
        down(prefix, volume)


def test_too_little_room_is_said_before_anything_is_copied(prefix: str, volume: Path) -> None:
    with pytest.raises(
        BadInput, match=r"has room for 100 bytes, but 5 files of 5007 bytes .* at least 4907 bytes larger"
    ):
        down(prefix, volume, "--capacity-bytes", "100")
    with pytest.raises(
        BadInput, match=r"at least 4907 bytes larger: raise size in datasets\.yaml\. Nothing was changed"
    ):
        down(prefix, volume, "--capacity-bytes", "100", "--when-full", "raise size in datasets.yaml")
    assert contents(volume / "data") == {}


def test_a_volume_that_fills_up_in_the_middle_keeps_what_it_has_and_goes_on_later(lake, tmp_path: Path) -> None:
    volume = tmp_path / "small"
    volume.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", volume], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs (run as root)")
    try:
        files = {f"{i:03}.txt": b"x" for i in range(60)}  # little by their sizes, 4 KiB each on the file system
        lake.put(files, "filling")
        with pytest.raises(TryAgain, match=r"is full after \d+ of 60 files, which are kept; make room"):
            down("filling", volume)
        some = contents(volume / "data")
        assert 0 < len(some) < 60
        assert set(some.values()) == {b"x"}
        assert not (volume / ".mlops/incoming").exists()
        subprocess.run(["mount", "-o", "remount,size=1m", volume], check=True)
        assert counts(down("filling", volume)) == (60 - len(some), len(some), 0)
        assert contents(volume / "data") == files
    finally:
        subprocess.run(["umount", volume], check=True)


def test_a_folder_is_sent_to_the_bucket_and_only_what_changed_the_second_time(lake, prefix: str, volume: Path) -> None:
    down(prefix, volume)
    target = f"{prefix}-copy"
    assert counts(up(volume, target)) == (5, 0, 0)
    assert lake.contents(target) == FILES
    assert counts(up(volume, target, "--no-multipart")) == (0, 5, 0)
    (volume / "data/good/1.png").write_bytes(b"new")
    (volume / "data/good/2.png").unlink()
    assert counts(up(volume, target, "--delete")) == (1, 3, 1)
    assert lake.contents(target) == contents(volume / "data")


def test_large_files_go_in_parts_unless_that_is_forbidden(lake, volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MULTIPART_FROM", 1 << 20)
    monkeypatch.setattr(transfer, "LARGEST_PUT", 10 << 20)
    (volume / "data").mkdir()
    (volume / ".mlops").mkdir()
    (volume / "data/large.bin").write_bytes(os.urandom(9 << 20))
    for more, parted in (((), True), (("--no-multipart",), False)):
        up(volume, f"parts-{parted}", *more)
        etag = lake.client.head_object(Bucket="lake", Key=f"parts-{parted}/large.bin")["ETag"]
        assert ("-" in etag) is parted
        assert lake.contents(f"parts-{parted}") == contents(volume / "data")
        assert counts(up(volume, f"parts-{parted}", *more)) == (0, 1, 0)
    monkeypatch.setattr(transfer, "LARGEST_PUT", 1000)
    with pytest.raises(BadInput, match="without multipart upload S3 takes at most 1000"):
        up(volume, "too-large", "--no-multipart")


def test_sending_from_somebodys_plain_folder_leaves_nothing_in_it(lake, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.png").write_bytes(b"a")
    sync.sync(sync.parse(["--source", str(tmp_path / "mine"), "--destination", "s3://lake/mine"]))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["a.png"]
    assert lake.contents("mine") == {"a.png": b"a"}


def test_an_empty_or_missing_folder_deletes_nothing_in_the_bucket(lake, prefix: str, volume: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        up(volume, prefix, "--delete")
    (volume / "data").mkdir()
    with pytest.raises(BadInput, match="holds no files"):
        up(volume, prefix, "--delete")
    assert lake.contents(prefix) == FILES


@pytest.mark.parametrize(
    ("status", "code", "error", "sentence"),
    [
        (507, "InsufficientStorage", TryAgain, "s3://lake/.* is full after 0 of 1 files"),
        (403, "QuotaExceeded", TryAgain, "is full"),
        (403, "AccessDenied", BadInput, "S3 refuses these keys"),
        (500, "InternalError", TryAgain, "S3 failed to write s3://lake/refused/a.txt: .*InternalError.*Run it again"),
    ],
)
def test_what_a_bucket_refuses_is_told_apart(
    lake, volume: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: str, error: type, sentence: str
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise GenericError(f"Server returned non-2xx status code: {status}: <Error><Code>{code}</Code></Error>")

    monkeypatch.setattr(data.obstore, "put", refuse)
    (volume / "data").mkdir()
    (volume / "data/a.txt").write_bytes(b"a")
    with pytest.raises(error, match=sentence):
        up(volume, "refused")


def test_a_folder_that_must_not_be_written_is_said(prefix: str, volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(volume))

    monkeypatch.setattr(Folder, "put", read_only)
    with pytest.raises(BadInput, match="must not be written: .*Read-only file system.*export policy"):
        down(prefix, volume)


def test_two_folders_or_two_buckets_are_refused(volume: Path) -> None:
    for side in (str(volume), "s3://lake/x"):
        with pytest.raises(BadInput, match="One of --source and --destination"):
            sync.sync(sync.parse(["--source", side, "--destination", side]))


def test_two_syncs_into_one_folder_do_not_mix(prefix: str, volume: Path) -> None:
    with Folder(volume / "data").being_written(), pytest.raises(TryAgain, match="Another sync is writing"):
        down(prefix, volume)


MANY = {f"{i:04}.bin": bytes([i % 256]) * 20_000 for i in range(400)}


@pytest.fixture
def many(lake) -> str:
    if not lake.contents("many"):
        lake.put(MANY, "many")
    return "many"


def interrupted(program, volume: Path, signum: int) -> tuple[int, int]:
    """Exit code, and files in place, of a sync that got the signal in the middle."""
    process = program.start("--source", "s3://lake/many", "--destination", f"{volume}/data", "--connections", "4")
    deadline = time.monotonic() + 60
    while len(list((volume / "data").glob("*"))) < 40:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signum)
    process.communicate(timeout=90)
    arrived = contents(volume / "data")
    assert all(MANY[key] == content for key, content in arrived.items())
    return process.returncode, len(arrived)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_killed_sync_leaves_whole_files_only_and_the_next_goes_on(
    many: str, volume: Path, program, signum: int, code: int
) -> None:
    returned, arrived = interrupted(program, volume, signum)
    assert returned == code
    assert 40 <= arrived < 400
    assert counts(down(many, volume)) == (400 - arrived, arrived, 0)
    assert contents(volume / "data") == MANY
    assert sorted(path.name for path in (volume / ".mlops").iterdir()) == ["sync.json", "sync.lock"]


def test_a_source_that_goes_away_ends_in_a_sentence_and_the_next_sync_goes_on(
    lake, many: str, volume: Path, program
) -> None:
    process = program.start("--source", "s3://lake/many", "--destination", f"{volume}/data", "--connections", "2")
    while len(list((volume / "data").glob("*"))) < 20:
        time.sleep(0.005)
    lake.stop()
    try:
        _, said = process.communicate(timeout=100)
    finally:
        lake.start()
    assert process.returncode == 1
    last = said.strip().splitlines()[-1]
    assert re.search(r"S3 failed to read s3://lake/many/\d+\.bin: .*no connection to the endpoint.*Run it again", last)
    result = down(many, volume)
    assert result["unchanged"] >= 20
    assert contents(volume / "data") == MANY


@pytest.mark.parametrize(
    ("environment", "source", "sentence"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "s3://lake/x", "S3 refuses these keys"),
        ({}, "s3://nowhere/x", "does not exist (NoSuchBucket)"),
    ],
)
def test_bad_input_ends_with_code_2_and_a_sentence(
    lake, volume: Path, program, monkeypatch: pytest.MonkeyPatch, environment: dict, source: str, sentence: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, result, said = program("--source", source, "--destination", f"{volume}/data")
    assert (code, result) == (2, {})
    assert sentence in said


def test_the_result_is_written_for_the_runner(prefix: str, volume: Path, program) -> None:
    code, result, said = program("--source", f"s3://lake/{prefix}", "--destination", f"{volume}/data", "--delete")
    assert (code, result["copied"], result["bytes"], result["files"]) == (0, 5, 5007, 5)
    assert "Copying: done" in said
    state = json.loads((volume / ".mlops/sync.json").read_text())
    assert set(state["files"]) == set(FILES)
