"""Every program sees the same files in a folder, passes over hidden ones, and names what cannot be read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.common.data import Entry, LocalStore
from tasks.common.listing import is_data, only_data, shown
from tasks.common.program import BadInput


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data/good").mkdir(parents=True)
    (tmp_path / "data/good/1.png").write_bytes(b"1")
    return tmp_path / "data"


def keys(root: Path) -> list[str]:
    return [entry.key for entry in LocalStore(str(root)).entries()]


@pytest.mark.parametrize("key", ["a", "a/b.c", "a.b/c..d", "macosx/x", "__MACOSX.txt", "__macosx/x", "a/_b", "…/a"])
def test_ordinary_names_are_data(key: str) -> None:
    assert is_data(key)


OTHERS = ["a/Thumbs.db", "desktop.ini", "a/@eaDir/b.jpg/c.jpg", "$RECYCLE.BIN/a", "a.txt~", "~$a.txt", "~snapshot/a"]


@pytest.mark.parametrize(
    "key", [".DS_Store", ".ipynb_checkpoints/a", "a/.b/c", "a/._b", "__MACOSX/a", "a/__MACOSX/b", *OTHERS]
)
def test_hidden_names_are_no_data(key: str) -> None:
    assert not is_data(key)


def test_what_is_passed_over_is_counted_and_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    entries = [Entry(key, 1, 0.0) for key in ("a.txt", "b/.x", ".ipynb_checkpoints/a.txt")]
    assert [entry.key for entry in only_data(entries, "/days")] == ["a.txt"]
    assert "2 hidden files under /days passed over, such as .ipynb_checkpoints/a.txt" in capsys.readouterr().err
    only_data(entries[:1], "/days")
    assert capsys.readouterr().err == ""


def test_links_to_files_and_folders_are_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/2.png").write_bytes(b"22")
    (root / "defective").symlink_to(tmp_path / "elsewhere")
    (root / "good/3.png").symlink_to(tmp_path / "elsewhere/2.png")
    assert keys(root) == ["defective/2.png", "good/1.png", "good/3.png"]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


PROBLEMS: dict[str, tuple[Callable[[Path], None], str]] = {
    "link to nothing": (lambda path: path.symlink_to("/nowhere/x.png"), "is a link to nothing, /nowhere/x.png"),
    "relative link to nothing": (lambda path: path.symlink_to("gone.png"), "is a link to nothing, gone.png"),
    "link below a file": (lambda path: path.symlink_to("1.png/x"), "is a link that cannot be followed"),
    "link to itself": (lambda path: path.symlink_to(path), "is a link that leads back to itself"),
    "link to the folder above": (lambda path: path.symlink_to(".."), "is a link to a folder that it lies in itself"),
    "link to its own folder": (lambda path: path.symlink_to(path.parent), "is a link to a folder that it lies in"),
    "pipe": (pipe, "is a named pipe, not a file"),
    "socket": (bound_socket, "is a socket, not a file"),
    "link to a device": (lambda path: path.symlink_to("/dev/null"), "is a device, not a file"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_name_that_is_no_file_to_read_is_told(root: Path, problem: str) -> None:
    make, sentence = PROBLEMS[problem]
    make(root / "good/b.png")
    with pytest.raises(BadInput) as caught:
        keys(root)
    assert f"{root}/good/b.png {sentence}" in str(caught.value)
    assert str(caught.value).endswith("; mend, rename or remove it.")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_hidden_name_that_is_no_file_troubles_nobody(root: Path, problem: str) -> None:
    PROBLEMS[problem][0](root / "good/.#1.png")
    assert [entry.key for entry in only_data(LocalStore(str(root)).entries(), str(root))] == ["good/1.png"]


def test_two_links_that_lead_to_each_other_end(root: Path, tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (root / name).mkdir()
        (root / name / "to").symlink_to(root / other)
    with pytest.raises(BadInput, match=r"to is a link to a folder that it lies in itself"):
        keys(root)


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"\xff", b"d\xfcnn/1.png"])
def test_a_name_that_is_no_utf8_is_one_sentence_that_can_be_printed(root: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    with pytest.raises(BadInput, match="The name of .* is no UTF-8; mend, rename or remove it") as caught:
        keys(root)
    str(caught.value).encode()
    assert shown(os.fsdecode(name)) in str(caught.value)


@pytest.fixture
def somebody_else(root: Path) -> Iterator[None]:
    """Nothing is forbidden to root: the test goes on as another user, who may reach the folder."""
    user = os.geteuid()
    if user == 0:
        for folder in (root, *root.parents[:-2]):
            folder.chmod(0o755)
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def closed_folder(root: Path) -> None:
    (root / "good").chmod(0)


@pytest.fixture
def closed_file(root: Path) -> None:
    (root / "good/1.png").chmod(0)


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(closed_folder, somebody_else, root: Path) -> None:
    with pytest.raises(BadInput, match=r"The folder .*/good cannot be listed: Permission denied"):
        keys(root)


def test_a_file_that_must_not_be_read_is_named(closed_file, somebody_else, root: Path) -> None:
    with pytest.raises(BadInput, match=r"good/1\.png cannot be read: Permission denied"):
        LocalStore(str(root)).read("good/1.png")
