"""Nothing is deleted that the other side still names, and what cannot be copied is named before anything is."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest

from tasks.common.program import BadInput
from tasks.data import sync
from tasks.data.folder import checked_keys


@pytest.fixture
def prefix(lake, request: pytest.FixtureRequest) -> str:
    return f"odd/{zlib.crc32(request.node.name.encode()):x}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "up").mkdir()
    (tmp_path / "up/a.txt").write_bytes(b"a")
    return tmp_path / "up"


def up(root: Path, prefix: str) -> dict[str, Any]:
    return sync.sync(sync.parse(["--source", str(root), "--destination", f"s3://lake/{prefix}/", "--delete"]))


def down(prefix: str, root: Path, *more: str) -> dict[str, Any]:
    return sync.sync(sync.parse(["--source", f"s3://lake/{prefix}/", "--destination", str(root), *more]))


def test_when_the_target_of_a_link_vanishes_its_object_stays(lake, root: Path, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"b")
    (root / "b.txt").symlink_to(tmp_path / "b")
    up(root, prefix)
    (tmp_path / "b").unlink()
    (root / "a.txt").unlink()
    (root / "c.txt").write_bytes(b"c")
    with pytest.raises(BadInput, match=r"b\.txt is a link to nothing"):
        up(root, prefix)
    assert lake.contents(prefix) == {"a.txt": b"a", "b.txt": b"b"}


def test_what_lies_behind_a_link_to_a_folder_is_sent_and_kept(lake, root: Path, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "far/deep").mkdir(parents=True)
    (tmp_path / "far/deep/x.txt").write_bytes(b"x")
    (root / "near").symlink_to(tmp_path / "far")
    assert up(root, prefix)["copied"] == 2
    assert up(root, prefix)["unchanged"] == 2
    assert lake.contents(prefix) == {"a.txt": b"a", "near/deep/x.txt": b"x"}


def test_a_pipe_is_named_and_nobody_waits_for_it(lake, root: Path, prefix: str) -> None:
    os.mkfifo(root / "b.txt")
    with pytest.raises(BadInput, match=r"b\.txt is a named pipe"):
        up(root, prefix)
    assert lake.contents(prefix) == {}


@pytest.mark.parametrize(("closed", "sentence"), [("b.txt", "b.txt cannot be read"), ("c", "/c cannot be listed")])
def test_what_must_not_be_read_is_named_and_its_objects_stay(
    lake, root: Path, prefix: str, closed: str, sentence: str
) -> None:
    (root / "c").mkdir()
    for name in ("b.txt", "c/1.txt"):
        (root / name).write_bytes(b"x")
    up(root, prefix)
    before, user = lake.contents(prefix), os.geteuid()
    if closed == "b.txt":
        (root / closed).write_bytes(b"changed")
    (root / closed).chmod(0)
    if user == 0:  # to whom nothing is forbidden
        for folder in (root, *root.parents[:-2]):
            folder.chmod(0o755)
        os.seteuid(65534)
    try:
        with pytest.raises(BadInput, match=f"{sentence}: Permission denied"):
            up(root, prefix)
    finally:
        os.seteuid(user)
    assert lake.contents(prefix) == before


def test_a_name_that_is_no_utf8_is_told_before_anything_is_sent(lake, root: Path, prefix: str) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_bytes(b"x")
    with pytest.raises(BadInput, match=r"caf\\xe9\.txt is no UTF-8"):
        up(root, prefix)
    assert lake.contents(prefix) == {}


@pytest.mark.parametrize("name", ["tab\t.png", "line\n.png", "bell\a.png", "del\x7f.png"])
def test_a_name_that_no_key_can_have_is_told_before_anything_is_sent(lake, root: Path, prefix: str, name: str) -> None:
    (root / name).write_bytes(b"x")
    with pytest.raises(BadInput, match="has a control character, which cannot be sent to s3://lake/"):
        up(root, prefix)
    assert lake.contents(prefix) == {}


@pytest.mark.parametrize("name", ["plus+sign&%20.png", "a%2Fb", "%c3%a4.png"])
def test_a_name_that_this_server_cannot_take_is_told_before_anything_is_sent(
    lake, root: Path, prefix: str, name: str
) -> None:
    (root / name).write_bytes(b"x")
    with pytest.raises(BadInput, match="this S3 server takes no name with '%..', .* rename the file") as caught:
        up(root, prefix)
    assert name in str(caught.value)
    assert lake.contents(prefix) == {}


def test_odd_names_travel_there_and_back(lake, root: Path, prefix: str, tmp_path: Path) -> None:
    names = (
        "photo #3.jpg", "q?x", "100%", "%zz", " lead", "trail ", "a+b&c=d", "tilde~", "it's", 'dq"x', "star*", "b\\s",
        "[x]{y}<z>", "a|b^c`d", "ümlaut", "e\u0301", "\u00e9", "日本", "😀", "a;b:c@d,e$f!", "(c)", "x..", "..x",
    )  # fmt: skip
    for name in names:
        (root / name).write_bytes(name.encode())
    assert up(root, prefix)["copied"] == len(names) + 1
    assert down(prefix, tmp_path / "down")["copied"] == len(names) + 1
    assert {path.name for path in (tmp_path / "down").iterdir()} == {*names, "a.txt", ".mlops"}
    assert up(root, prefix)["unchanged"] == len(names) + 1


@pytest.mark.parametrize(
    "odd", ["draft#2", "a?x=1", "50%", "a+b", "a b", " lead", "trail ", "it's (1)", "*", "~", "ä[1]"]
)
def test_a_prefix_is_taken_letter_by_letter(lake, root: Path, prefix: str, odd: str, tmp_path: Path) -> None:
    for cut in {re.split(r"[#?%+ ~*'(\[]", odd)[0], odd + "x", odd.replace("+", " "), odd.strip()} - {odd, ""}:
        lake.put({"keep.txt": b"k"}, f"{prefix}/{cut}")
    lake.put({"old.txt": b"o"}, f"{prefix}/{odd}")
    others = {key: content for key, content in lake.contents(prefix).items() if not key.startswith(f"{odd}/")}
    assert down(f"{prefix}/{odd}", tmp_path / "down")["files"] == 1
    assert (tmp_path / "down/old.txt").read_bytes() == b"o"
    result = up(root, f"{prefix}/{odd}")
    assert (result["copied"], result["deleted"]) == (1, 1)
    assert lake.contents(prefix) == {**others, f"{odd}/a.txt": b"a"}


def test_hidden_files_are_copied_as_they_are(lake, root: Path, prefix: str, tmp_path: Path) -> None:
    (root / ".keep").write_bytes(b"k")
    up(root, prefix)
    assert lake.contents(prefix) == {".keep": b"k", "a.txt": b"a"}
    assert down(prefix, tmp_path / "down")["copied"] == 2


def test_links_and_pipes_at_the_destination_are_replaced_and_removed_never_followed(
    lake, root: Path, prefix: str, tmp_path: Path
) -> None:
    for name in ("1.txt", "2.txt"):
        (root / name).write_bytes(b"new")
    up(root, prefix)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x.txt").write_bytes(b"old")
    there = tmp_path / "down"
    there.mkdir()
    (there / "1.txt").symlink_to(tmp_path / "outside/x.txt")
    (there / "2.txt").symlink_to("/nowhere")
    (there / "3.txt").symlink_to(tmp_path / "outside/x.txt")
    (there / "4").symlink_to(tmp_path / "outside")
    (there / "5").symlink_to("/nowhere")
    os.mkfifo(there / "a.txt")
    os.mkfifo(there / "6")
    result = down(prefix, there, "--delete")
    assert (result["copied"], result["deleted"]) == (3, 4)
    assert sorted(path.name for path in there.iterdir()) == [".mlops", "1.txt", "2.txt", "a.txt"]
    assert not any(path.is_symlink() for path in there.iterdir())
    assert (tmp_path / "outside/x.txt").read_bytes() == b"old"


def test_nothing_is_written_through_a_link_inside_the_folder_either(lake, root: Path, prefix: str, tmp_path) -> None:
    (root / "good").mkdir()
    (root / "good/1.txt").write_bytes(b"1")
    up(root, prefix)
    (tmp_path / "down/real").mkdir(parents=True)
    (tmp_path / "down/good").symlink_to(tmp_path / "down/real")
    with pytest.raises(BadInput, match=r"'good/1\.txt' would be written outside its place .* through a link"):
        down(prefix, tmp_path / "down")


@pytest.mark.parametrize(
    ("keys", "file", "below"),
    [
        (["foo", "foo/a"], "foo", "foo/a"),
        (["a/b/c/d", "a", "z"], "a", "a/b/c/d"),
        (["x/y", "foo/bar", "foo/bar/baz/q", "foo/bar.txt"], "foo/bar", "foo/bar/baz/q"),
    ],
)
def test_a_key_that_is_also_a_folder_is_found_in_the_listing_and_both_are_named(
    keys: list[str], file: str, below: str
) -> None:
    with pytest.raises(BadInput) as caught:
        checked_keys(keys, "s3://b/p/")
    assert f"s3://b/p/ holds both {file!r} and {below!r}" in str(caught.value)


def test_names_that_only_begin_alike_go_together() -> None:
    checked_keys(["foo", "foo.txt", "foo-1/a", "foo bar/b", "fo/o"], "s3://b/p/")


@pytest.mark.parametrize("way", ["up", "down"])
def test_an_edit_in_place_is_seen_although_the_old_time_is_put_back(lake, root: Path, prefix: str, way: str, tmp_path):
    up(root, prefix)
    there = root if way == "up" else tmp_path / "down"
    if way == "down":
        down(prefix, there)
    before = (there / "a.txt").stat()
    with (there / "a.txt").open("r+b") as file:
        file.write(b"!")
    os.utime(there / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    result = up(there, prefix) if way == "up" else down(prefix, there)
    assert result["copied"] == 1
    assert lake.contents(prefix) == {"a.txt": b"!" if way == "up" else b"a"}
    assert (there / "a.txt").read_bytes() == (b"!" if way == "up" else b"a")


def test_a_clone_whose_files_are_new_ones_copies_nothing(lake, root: Path, prefix: str, tmp_path: Path) -> None:
    up(root, prefix)
    down(prefix, tmp_path / "volume/data")
    shutil.copytree(tmp_path / "volume", tmp_path / "clone")  # with times of modification, as any copy has new inodes
    assert down(prefix, tmp_path / "clone/data")["unchanged"] == 1


@pytest.mark.parametrize("make", [lambda p: p.symlink_to("/nowhere/x"), lambda p: p.write_bytes(b"x")])
@pytest.mark.parametrize("below", ["", "data"])
def test_a_destination_that_cannot_be_a_folder_is_named(lake, root: Path, prefix: str, tmp_path: Path, make, below):
    up(root, prefix)
    make(tmp_path / "down")
    with pytest.raises(BadInput, match="down.* cannot be a folder: a file or a link to nothing is in its place"):
        down(prefix, tmp_path / "down" / below)
