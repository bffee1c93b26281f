"""What is read of a data set in NIH's layout, and what each mistake in one gets: one sentence."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.chest import dataset, findings, generate, preprocessing
from tasks.chest.dataset import Asked
from tasks.chest.drawing import DRAWN, draw
from tasks.chest.table import TEST_LIST, TRAIN_LIST
from tasks.common.data import open_source, open_target
from tasks.common.program import BadInput

ASKED = Asked(side=32)


@pytest.fixture
def own(chests: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(chests, tmp_path / "own"))


def load(folder: Path, asked: Asked = ASKED) -> dataset.XRays:
    return dataset.load(open_source(str(folder)), asked)


def table(folder: Path) -> Path:
    return folder / generate.TABLE


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"))


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def with_significant_bits(content: bytes, bits: int) -> bytes:
    chunk = b"sBIT" + bytes([bits])
    whole = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    place = content.index(b"IDAT") - 4
    return content[:place] + whole + content[place:]


def test_no_patient_is_on_both_sides_and_every_picture_has_what_the_table_says(chests: Path):
    found = load(chests)
    assert not dataset.patients(found.training) & dataset.patients(found.held_out)
    assert len(found.training) + len(found.held_out) == len(pictures(chests))
    assert found.official and not found.inverted and not found.corrupt
    assert found.bytes == sum(path.stat().st_size for path in pictures(chests))
    shown = dataset.truth(found.training)
    assert shown.shape == (len(found.training), len(findings.FINDINGS)) and shown.any(axis=0).all()


def test_the_same_seed_gives_the_same_bytes_and_a_later_day_only_adds(chests: Path, tmp_path: Path):
    again = open_target(str(tmp_path))
    samples = list(generate.plan(1, 99))
    told = generate.bring(again, samples, 1, 64)
    assert told["written"] == 99 and {name for sample in samples for name in sample.findings} <= set(DRAWN)
    for path in pictures(chests):
        assert (tmp_path / path.relative_to(chests)).read_bytes() == path.read_bytes()
    for name in (TRAIN_LIST, TEST_LIST):
        assert set((chests / name).read_text().split()) <= set((tmp_path / name).read_text().split())
    assert generate.bring(again, samples, 1, 64)["written"] == 0


def test_without_an_official_split_patients_are_parted_by_their_number(own: Path):
    for name in (TRAIN_LIST, TEST_LIST):
        (own / name).unlink()
    found = load(own)
    assert not found.official and found.held_out
    assert not dataset.patients(found.training) & dataset.patients(found.held_out)


def test_one_list_alone_decides(own: Path):
    before = [example.key for example in load(own).held_out]
    (own / TRAIN_LIST).unlink()
    assert [example.key for example in load(own).held_out] == before


def test_a_limit_takes_whole_patients(chests: Path):
    every, few = load(chests), load(chests, Asked(side=32, limit=40))
    taken = dataset.patients(few.training + few.held_out)
    of_them = [e for e in every.training + every.held_out if e.patient in taken]
    assert len(few.training) + len(few.held_out) == len(of_them) >= 40


def test_a_finding_that_is_not_in_the_list_is_named_with_its_line(own: Path):
    lines = table(own).read_text().splitlines()
    cells = lines[3].split(",")
    lines[3] = ",".join([cells[0], "Effusion|Pneumonai", *cells[2:]])
    table(own).write_text("\n".join(lines))
    with pytest.raises(BadInput, match=rf"line 4 \({cells[0]}\), names the finding 'Pneumonai', which is none of"):
        load(own)


def test_no_finding_beside_a_finding_is_no_label():
    with pytest.raises(ValueError, match="says 'No Finding' beside a finding"):
        findings.read("No Finding|Mass")
    assert findings.read("No Finding") == frozenset() and findings.read("Mass|Edema") == {"Mass", "Edema"}


def test_a_patient_on_both_sides_is_named(own: Path):
    moved = (own / TEST_LIST).read_text().split()[0]
    with (own / TRAIN_LIST).open("a") as file:
        file.write(f"{moved}\n")
    patient = str(int(moved[:8]))
    said = rf"Patient {patient} is on both sides: .* is in {TRAIN_LIST}, .* in {TEST_LIST}"
    with pytest.raises(BadInput, match=said):
        load(own)


def test_a_row_without_a_picture_is_refused_unless_the_rest_will_do(own: Path):
    gone = pictures(own)[0]
    gone.unlink()
    with pytest.raises(BadInput, match=rf"line \d+, names {gone.name}, of which there is no file under .*\(1 of 90"):
        load(own)
    found = load(own, Asked(side=32, partial=True))
    assert len(found.training) + len(found.held_out) == 89


@pytest.mark.parametrize("name", ["00000001_000.png", "another.dcm"])
def test_dicom_is_told_by_what_it_is_and_by_its_name(own: Path, name: str):
    found = next(path for path in pictures(own) if path.name == "00000001_000.png")
    (found.parent / name).write_bytes(bytes(128) + b"DICM" + bytes(200))
    with pytest.raises(BadInput, match=rf"{name} is DICOM where PNG is expected: convert it"):
        load(own)


def test_a_broken_picture_is_left_out_and_many_are_refused(own: Path):
    for path in pictures(own)[:3]:
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(BadInput, match="3 of 90 pictures under .* cannot be read"):
        load(own)
    assert len(load(own, Asked(side=32, corrupt_share=0.1)).corrupt) == 3


def test_a_table_that_is_not_there_or_lacks_a_column_or_names_a_picture_twice(own: Path):
    text = table(own).read_text()
    table(own).write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(BadInput, match=r"names 00000001_000.png in lines 2 and 92"):
        load(own)
    table(own).write_text(text.replace("Finding Labels", "Labels"))
    with pytest.raises(BadInput, match="has no column 'Finding Labels'; it has Image Index"):
        load(own)
    table(own).unlink()
    with pytest.raises(BadInput, match=r"There is no Data_Entry_2017\.csv under"):
        load(own)


@pytest.mark.parametrize(("bits", "said"), [(12, None), (16, None), (12, 12), (14, 14)])
def test_sixteen_bits_are_read_by_the_range_that_their_values_have(bits: int, said: int | None):
    """A detector of 12 bits in a file of 16 would otherwise be night all over."""
    eight = np.asarray(Image.open(io.BytesIO(draw(1, 5, 0, ("Mass",), 64))))
    wide = (eight.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    content = png(wide)
    content = with_significant_bits(content, said) if said else content
    seen = preprocessing.decode(content, 64).pixels.astype(int)
    assert np.abs(seen - eight.astype(int)).max() <= 1


def test_what_a_file_says_of_its_bits_counts_more_than_its_brightest_value():
    dark = with_significant_bits(png(np.full((64, 64), 1000, np.uint16)), 12)
    assert int(preprocessing.decode(dark, 32).pixels.max()) == round(1000 * 255 / 4095)


def test_a_picture_with_bone_dark_is_turned_back_and_named(own: Path, capsys: pytest.CaptureFixture[str]):
    path = pictures(own)[0]
    eight = np.asarray(Image.open(path))
    path.write_bytes(png(255 - eight))
    found = load(own)
    assert [key.rpartition("/")[2] for key in found.inverted] == [path.name]
    assert f"were turned back: {found.inverted[0]}" in capsys.readouterr().err
    turned = next(e.pixels for e in found.training + found.held_out if e.key == found.inverted[0])
    straight = preprocessing.decode(png(eight), 32).pixels
    assert turned is not None and np.abs(turned.astype(int) - straight.astype(int)).max() <= 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_which_it_cannot_be_told_stays_as_it_is(value: int):
    assert not preprocessing.decode(png(np.full((64, 64), value, np.uint8)), 32).inverted
