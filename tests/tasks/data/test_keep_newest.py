"""Results of old runs make room for new ones, and nothing half removed looks whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tasks.common.program import BadInput
from tasks.data import keep_newest as program
from tasks.data.keep_newest import keep_newest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folders r0 to r5, the one with the highest number being the newest; a file; and one that is hidden."""
    for number in range(6):
        made = tmp_path / f"r{number}"
        made.mkdir()
        (made / "scores.parquet").write_bytes(b"scores")
        os.utime(made, (1000 + number, 1000 + number))
    (tmp_path / "README").write_text("a user's")
    (tmp_path / ".mlops").mkdir()
    os.utime(tmp_path / ".mlops", (1, 1))
    return tmp_path


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_the_newest_folders_stay_and_so_does_everything_that_is_no_result(folder: Path):
    assert sorted(keep_newest(folder, 2, [])) == ["r0", "r1", "r2", "r3"]
    assert names(folder) == {"r4", "r5", "README", ".mlops"}
    assert keep_newest(folder, 2, []) == []


def test_a_folder_that_is_named_stays_however_old(folder: Path):
    keep_newest(folder, 2, ["r0"])
    assert names(folder) == {"r0", "r4", "r5", "README", ".mlops"}


def test_a_removal_that_was_stopped_is_finished_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def stopped(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", stopped)
        with pytest.raises(KeyboardInterrupt):
            keep_newest(folder, 5, [])
    assert "r0" not in names(folder), "what is left of it could be taken for a whole one"
    keep_newest(folder, 5, [])
    assert names(folder) == {"r1", "r2", "r3", "r4", "r5", "README", ".mlops"}


def test_a_folder_that_is_not_there_yet_has_nothing_to_remove(tmp_path: Path):
    assert keep_newest(tmp_path / "scores", 1, []) == []


def test_to_keep_none_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["keep_newest", "--newest=0", str(folder)])
    with pytest.raises(BadInput, match="--newest is 0"):
        program.main()
    assert len(names(folder)) == 8


def test_a_link_to_a_folder_is_no_result(folder: Path):
    (folder / "latest").symlink_to(folder / "r5")
    (folder / "oldest").symlink_to(folder / "r0")
    assert sorted(keep_newest(folder, 5, [])) == ["r0"]
    assert names(folder) == {"r1", "r2", "r3", "r4", "r5", "README", ".mlops", "latest", "oldest"}
