"""Trees: copied with everything that belongs to a file, frozen, thawed, exchanged."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from emulator import trees
from emulator.dataplane import DataPlane

UUID = "11111111-1111-1111-1111-111111111111"


def modes(top: Path) -> dict[str, int]:
    found = {path: stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode) for path, entry in trees.walk(top)}
    return {path: mode for path, mode in found.items() if not (top / path).is_symlink()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "folder" / "deep").mkdir(parents=True)
    (top / "folder" / "run.sh").write_text("#!/bin/sh\n")
    (top / "folder" / "run.sh").chmod(0o750)
    (top / "folder" / "deep" / "read-only").write_text("x")
    (top / "folder" / "deep" / "read-only").chmod(0o444)
    (top / "folder" / "deep").chmod(0o770)
    (top / "link").symlink_to("folder/run.sh")
    (top / "empty").touch()
    os.utime(top / "folder" / "run.sh", (1_000_000_000, 1_000_000_000))
    os.utime(top / "folder", (1_100_000_000, 1_100_000_000))
    return top


def test_a_copy_keeps_contents_modes_times_and_links(tree, tmp_path):
    size = trees.copy_tree(tree, tmp_path / "copy").size
    assert size == 11 + trees_link_size(tree)
    assert modes(tmp_path / "copy") == modes(tree)
    assert (tmp_path / "copy" / "link").readlink() == Path("folder/run.sh")
    assert (tmp_path / "copy" / "folder" / "run.sh").stat().st_mtime == 1_000_000_000
    assert (tmp_path / "copy" / "folder").stat().st_mtime == 1_100_000_000


def trees_link_size(tree: Path) -> int:
    return (tree / "link").lstat().st_size


def test_a_copy_keeps_user_attributes(tree, tmp_path):
    try:
        os.setxattr(tree / "empty", "user.type", b"image/png")
    except OSError:
        pytest.skip("this file system keeps no user attributes; run with TMPDIR on one that does")
    trees.copy_tree(tree, tmp_path / "copy")
    assert os.getxattr(tmp_path / "copy" / "empty", "user.type") == b"image/png"


def test_writing_to_the_original_does_not_show_in_the_copy(tree, tmp_path):
    trees.copy_tree(tree, tmp_path / "copy")
    with (tree / "folder" / "run.sh").open("r+") as file:
        file.write("changed in place")
    assert (tmp_path / "copy" / "folder" / "run.sh").read_text() == "#!/bin/sh\n"


def test_a_frozen_tree_has_no_write_bits_and_thaws_to_its_old_modes(tree, tmp_path):
    before = modes(tree)
    kept = trees.copy_tree(tree, tmp_path / "frozen").modes
    trees.freeze(tmp_path / "frozen", kept)
    assert not any(mode & 0o222 for mode in modes(tmp_path / "frozen").values())
    trees.copy_tree(tmp_path / "frozen", tmp_path / "thawed", modes=kept)
    assert modes(tmp_path / "thawed") == before


def test_exchange_swaps_two_directories(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    trees.exchange(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "other").exists() and (tmp_path / "other" / "one").exists()


def test_a_frozen_tree_can_be_removed(tree):
    trees.freeze(tree, {path: 0o777 for path, _ in trees.walk(tree) if path != "link"})
    trees.remove_tree(tree)
    assert not tree.exists()


def test_what_has_no_record_is_removed_at_the_start(tmp_path):
    plane = DataPlane(tmp_path)
    plane.create_volume(UUID, mode=0o755, uid=0, gid=0)
    for snapshot in ("kept", "orphan"):
        plane.create_snapshot(UUID, f"uuid-{snapshot}", snapshot)
    plane.create_volume("orphan", mode=0o755, uid=0, gid=0)
    (plane.stage() / "half").mkdir(parents=True)
    plane.clean({UUID: {"kept": "uuid-kept"}})
    assert [path.name for path in plane.volumes.iterdir()] == [UUID]
    assert [path.name for path in (plane.volumes / UUID / "snapshots").iterdir()] == ["kept"]
    assert {path.name for path in (plane.volumes / UUID / "modes").iterdir()} == {"uuid-kept.json", "uuid-kept.times"}
    assert list(plane.staging.iterdir()) == []


def test_the_snapshot_folder_is_no_part_of_a_snapshot(tmp_path):
    plane = DataPlane(tmp_path)
    plane.create_volume(UUID, mode=0o755, uid=0, gid=0)
    plane.create_snapshot(UUID, "a", "first")
    plane.create_snapshot(UUID, "b", "second")
    assert list(plane.snapshot_dir(UUID, "second").iterdir()) == []
    assert (plane.data_dir(UUID) / ".snapshot" / "first").is_dir()
    assert plane.used(UUID) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can be somebody else for a while.")
def test_frozen_folders_are_exchanged_by_their_owner_too_and_stay_frozen() -> None:
    """A mirror shows each snapshot in place of the one before, as whatever user the emulator runs."""
    with tempfile.TemporaryDirectory() as folder:  # below one that everybody may enter
        top, nobody = Path(folder), 65534
        for name, mode in (("staging/new", 0o555), ("volume/data", 0o550)):
            (top / name).mkdir(parents=True)
            (top / name / name.replace("/", "-")).touch()
            (top / name).chmod(mode)
        for path in (top, *top.rglob("*")):
            os.chown(path, nobody, nobody)
        os.seteuid(nobody)
        try:
            trees.exchange(top / "staging/new", top / "volume/data")
        finally:
            os.seteuid(0)
        assert [path.name for path in (top / "volume/data").iterdir()] == ["staging-new"]
        assert stat.S_IMODE((top / "volume/data").stat().st_mode) == 0o555
        assert stat.S_IMODE((top / "staging/new").stat().st_mode) == 0o550
