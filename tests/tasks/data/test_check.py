"""Check says what a dataset is, by a digest of names and contents only, and refuses what may not be used."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tasks.common.program import BadInput
from tasks.common.result import LIMIT_BYTES
from tasks.data import check, inspection, persons


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    for folder, shade in (("good", 90), ("defective", 30)):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for number in range(3):
            image = Image.new("L" if number else "RGB", (16 + number, 8), shade + number if number else (shade, 0, 0))
            image.save(tmp_path / "data" / folder / f"{number}.png")
    return tmp_path


def checked(volume: Path, *more: str) -> dict[str, Any]:
    return check.check(check.parse(["--volume", str(volume), *more]))


def manifest(volume: Path) -> dict[str, Any]:
    return json.loads((volume / ".mlops/manifest.json").read_text())


def test_result_and_manifest_tell_what_the_dataset_is(volume: Path) -> None:
    result = checked(volume, "--folders=good,defective", "--minimum-files=3")
    paths = sorted(path for path in (volume / "data").rglob("*") if path.is_file())
    lines = [
        f"{p.relative_to(volume / 'data')}\0{p.stat().st_size}\0{hashlib.sha256(p.read_bytes()).hexdigest()}\n"
        for p in paths
    ]
    assert result["digest"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (result["files"], result["bytes"]) == (6, sum(path.stat().st_size for path in paths))
    assert result["folders"] == {"good": 3, "defective": 3}
    assert result["types"] == {".png": 6}
    assert result["images"] == {
        "count": 6,
        "formats": {"PNG": 6},
        "modes": {"RGB": 2, "L": 4},
        "width": [16, 18],
        "height": [8, 8],
    }
    assert (result["corrupt"], result["personal_data"], result["duplicates"]) == (0, {}, 0)
    written = manifest(volume)
    assert [entry["path"] for entry in written["files"]] == [str(p.relative_to(volume / "data")) for p in paths]
    assert (written["count"], written["digest"]) == (6, result["digest"])


def test_the_digest_depends_on_names_and_contents_only(volume: Path) -> None:
    before = checked(volume)["digest"]
    for path in (volume / "data").rglob("*.png"):
        os.utime(path, (1, 1))
    assert checked(volume)["digest"] == before
    (volume / "data/good/0.png").rename(volume / "data/good/9.png")
    assert checked(volume)["digest"] != before


def test_an_unchanged_file_is_not_read_again(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = checked(volume)
    written = (volume / ".mlops/manifest.json").stat().st_mtime_ns
    read: list[str] = []

    def counting(path: Path) -> dict[str, Any]:
        read.append(path.name)
        return inspection.inspect(path)

    monkeypatch.setattr(check, "inspect", counting)
    assert checked(volume) == first
    assert read == []
    assert (volume / ".mlops/manifest.json").stat().st_mtime_ns == written
    Image.new("L", (9, 9), 7).save(volume / "data/good/1.png")
    assert checked(volume)["digest"] != first["digest"]
    assert read == ["1.png"]
    (volume / ".mlops/check.json").write_text("{")
    checked(volume)
    assert len(read) == 7


def test_a_change_that_keeps_size_and_time_is_seen_by_the_inode(volume: Path) -> None:
    path = volume / "data/good/note.bin"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    before = checked(volume)["digest"]
    other = volume / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(1, 1))
    other.rename(path)
    assert checked(volume)["digest"] != before


def test_too_few_files_in_a_folder_are_named(volume: Path) -> None:
    with pytest.raises(BadInput, match="Folder defective holds 3 files, but at least 4 are needed"):
        Image.new("L", (9, 9)).save(volume / "data/good/more.png")
        checked(volume, "--folders=good,defective", "--minimum-files=4")
    with pytest.raises(BadInput, match="Folder unsure holds 0 files"):
        checked(volume, "--folders=good,unsure")


def test_no_data_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no folder data"):
        checked(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(BadInput, match="The dataset holds 0 files"):
        checked(tmp_path)


def test_broken_images_are_counted_and_refused_when_they_are_too_many(volume: Path) -> None:
    whole = (volume / "data/good/1.png").read_bytes()
    (volume / "data/good/cut.png").write_bytes(whole[: len(whole) // 2])
    (volume / "data/good/text.jpg").write_text("no picture")
    with pytest.raises(BadInput, match=r"2 of 8 files are broken \(good/cut.png, good/text.jpg\), more than the 1%"):
        checked(volume)
    assert checked(volume, "--corrupt-share=0.5")["corrupt"] == 2
    assert set(manifest(volume)["corrupt"]) == {"good/cut.png", "good/text.jpg"}


def exif_image(path: Path, tag: int, value: Any, ifd: int | None = None) -> None:
    exif = Image.Exif()
    if ifd is None:
        exif[tag] = value
    else:
        exif.get_ifd(ifd)[tag] = value
    Image.new("RGB", (8, 8)).save(path, exif=exif)


@pytest.mark.parametrize(
    ("name", "make", "kind"),
    [
        ("artist.jpg", lambda path: exif_image(path, 0x013B, "Ada L."), persons.OWNER),
        ("owner.jpg", lambda path: exif_image(path, 0xA430, "Ada L.", 0x8769), persons.OWNER),
        ("mail.txt", lambda path: path.write_text("ask ada.l@example.org for it"), persons.EMAIL),
        ("phone.csv", lambda path: path.write_text("a,b\n1,+49 30 1234567\n"), persons.PHONE),
        ("phone.txt", lambda path: path.write_text("call (0123) 456-7890"), persons.PHONE),
        ("phone2.txt", lambda path: path.write_text("call 555-123-4567 now"), persons.PHONE),
    ],
)
def test_personal_data_is_refused_by_kind_and_file_name_and_allowed_when_told(
    volume: Path, name: str, make: Any, kind: str
) -> None:
    make(volume / "data" / name)
    with pytest.raises(BadInput) as refused:
        checked(volume)
    assert f"{kind} in 1 files ({name})" in str(refused.value)
    assert "ada" not in str(refused.value).lower()
    assert "4567" not in (volume / ".mlops/manifest.json").read_text()
    assert checked(volume, "--allow-personal-data")["personal_data"] == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "0.123456789 12345678901 2026-07-01T10:00:00 10.0.0.1 v1.2.3-4",
        "1,2,3\n100,200,300\n1.5e+10,-3.25,+7.125",
        "a @ b, @decorator, user@host",
        "2026-07-01,1234-5678",
    ],
)
def test_numbers_dates_and_code_are_no_personal_data(volume: Path, text: str) -> None:
    (volume / "data/values.csv").write_text(text)
    assert checked(volume)["personal_data"] == {}


def test_tables_tell_their_columns(volume: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (volume / "data/a.csv").write_text("id;speed\n1;2\n")
    (volume / "data/b.csv").write_text("id;speed\n3;4\n")
    pyarrow.parquet.write_table(pyarrow.table({"id": [1], "name": ["x"]}), volume / "data/c.parquet")
    (volume / "data/d.parquet").write_bytes(b"no parquet")
    assert checked(volume, "--corrupt-share=1")["tables"] == 2
    assert manifest(volume)["tables"] == [
        {"columns": ["id", "speed"], "files": 2},
        {"columns": ["id:int64", "name:string"], "files": 1},
    ]
    assert set(manifest(volume)["corrupt"]) == {"d.parquet"}


def test_a_large_text_is_read_in_pieces_that_cut_no_address(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "IN_MEMORY", 10)
    monkeypatch.setattr(inspection, "CHUNK", 16)
    text = volume / "data/large.log"
    text.write_text("0123456789 ada@example.org\nmore\n")
    assert checked(volume, "--allow-personal-data")["personal_data"] == {persons.EMAIL: 1}
    entry = next(e for e in manifest(volume)["files"] if e["path"] == "large.log")
    assert entry["sha256"] == hashlib.sha256(text.read_bytes()).hexdigest()


def test_broken_files_within_the_tolerance_are_a_warning_with_their_names(
    volume: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        (volume / f"data/good/broken{number}.png").write_bytes(b"no image")
    assert checked(volume, "--corrupt-share=0.5")["corrupt"] == 4
    names = ", ".join(f"good/broken{number}.png" for number in range(4))
    assert f"WARNING: 4 of 10 files are broken: {names}\n" in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"more than the 12\.5% that is tolerated; .*broken_share in datasets\.yaml"):
        checked(volume, "--corrupt-share=0.125")


def test_links_and_names_that_cannot_be_listed_are_refused(volume: Path) -> None:
    (volume / "data/link").symlink_to("/etc/hostname")
    with pytest.raises(BadInput, match="link is a link; a version holds plain files only"):
        checked(volume)
    (volume / "data/link").unlink()
    (volume / "data/line\nbreak").write_text("x")
    with pytest.raises(BadInput, match="line break"):
        checked(volume)


@pytest.mark.parametrize("target", ["/nowhere", "/etc", "..", "good"])
def test_a_link_to_a_folder_or_to_nothing_is_refused_too(volume: Path, target: str) -> None:
    (volume / "data/good/link").symlink_to(target)
    with pytest.raises(BadInput, match="good/link is a link"):
        checked(volume)


def test_a_pipe_is_refused_and_nobody_waits_for_it(volume: Path) -> None:
    os.mkfifo(volume / "data/good/pipe.png")
    with pytest.raises(BadInput, match=r"good/pipe\.png is a named pipe"):
        checked(volume)


@pytest.mark.parametrize("name", [b"good/caf\xe9.png", b"d\xfcnn/1.png"])
def test_a_name_that_is_no_utf8_is_one_sentence(volume: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(volume) + b"/data/" + name))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    with pytest.raises(BadInput, match=r"The name of .*\\x.* is no UTF-8"):
        checked(volume)


def test_hidden_files_are_counted_and_are_no_part_of_the_version(
    volume: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = checked(volume)
    (volume / "data/.ipynb_checkpoints").mkdir()
    (volume / "data/.ipynb_checkpoints/a-checkpoint.csv").write_text("a@b.example.org")
    (volume / "data/good/.#0.png").symlink_to("user@host.1234")
    (volume / "data/__MACOSX").mkdir()
    (volume / "data/__MACOSX/._0.png").write_bytes(b"\0")
    assert checked(volume) == {**before, "hidden": 3}
    assert "3 hidden files under" in capsys.readouterr().err
    assert manifest(volume)["hidden"] == 3


def test_an_edit_in_place_is_seen_although_the_old_time_is_put_back(volume: Path) -> None:
    first, path = checked(volume)["digest"], volume / "data/good/note.txt"
    path.write_text("old")
    second, facts = checked(volume)["digest"], path.stat()
    with path.open("r+") as file:
        file.write("new")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert len({first, second, checked(volume)["digest"]}) == 3


def test_ours_and_ontaps_folders_are_not_data(volume: Path) -> None:
    before = checked(volume)
    for folder in (".mlops", ".snapshot"):
        (volume / "data" / folder).mkdir()
        (volume / "data" / folder / "x").write_text("x")
    assert checked(volume) == before


def test_the_result_stays_small_however_much_there_is(tmp_path: Path) -> None:
    for number in range(300):
        folder = tmp_path / "data" / f"{number:03}{'f' * 120}"
        folder.mkdir(parents=True)
        (folder / f"a.x{number}").write_text(str(number))
    assert len(json.dumps(checked(tmp_path))) < LIMIT_BYTES


def test_the_program_ends_as_the_contract_says(volume: Path, program_of) -> None:
    program = program_of("tasks.data.check")
    code, result, _ = program("--volume", str(volume), "--folders=good,defective")
    assert (code, result["files"]) == (0, 6)
    code, result, said = program("--volume", str(volume), "--minimum-files=100")
    assert (code, result, said) == (2, {}, "The dataset holds 6 files, but at least 100 are needed.")


ALIKE: dict[str, Callable[[int], Image.Image]] = {
    "all white": lambda number: Image.new("L" if number else "RGB", (9 + number, 9), "white"),
    "all black, 16 bit": lambda number: Image.new("I;16", (9 + number, 9)),
    "one file many times": lambda number: Image.linear_gradient("L"),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_a_folder_whose_images_are_all_alike_is_told(
    volume: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert checked(volume)["alike"] == {}
    for number in range(3):
        ALIKE[kind](number).save(volume / f"data/good/{number}.png")
    assert checked(volume)["alike"] == {"good": 3} == manifest(volume)["alike"]
    assert "All 3 images of good look alike" in capsys.readouterr().err
    Image.new("RGB", (9, 9), "red").save(volume / "data/good/1.png")
    assert checked(volume)["alike"] == {}, "one other is enough"
