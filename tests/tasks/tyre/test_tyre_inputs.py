"""What a folder of images may hold, and what is said of it: every kind of picture, copies, other files, odd names."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image

from tasks.common.data import open_source
from tasks.common.program import BadInput
from tasks.common.split import Split
from tasks.tyre import dataset
from tasks.tyre.preprocessing import SIDE, NotAnImage, decode
from tests.lake import Lake

RAMP = np.broadcast_to(np.arange(256, dtype=np.uint8), (256, 256))
DEEP = RAMP.astype(np.uint16) * 257


def written(image: Image.Image, form: str = "PNG", **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def by_opencv(pixels: npt.NDArray[np.generic], suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1])


def tiff(bits: int, data: bytes, *, photometric: int = 1, sample_format: int = 1, side: int = 256) -> bytes:
    """One grey picture as cameras and scanners write it: more than Pillow itself can write."""
    tags = [(256, side), (257, side), (258, bits), (259, 1), (262, photometric), (277, 1), (278, side)]
    entries = [struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags]
    entries.insert(5, struct.pack("<HHII", 273, 4, 1, 8))
    entries += [struct.pack("<HHII", 279, 4, 1, len(data)), struct.pack("<HHIHH", 339, 3, 1, sample_format, 0)]
    head = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    return head + struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"


def twelve_bit() -> bytes:
    pairs = (RAMP.astype(np.uint32) * 4095 // 255).reshape(-1, 2)
    packed = [pairs[:, 0] >> 4, ((pairs[:, 0] & 15) << 4) | (pairs[:, 1] >> 8), pairs[:, 1] & 255]
    return np.stack(packed, 1).astype(np.uint8).tobytes()


SEVERAL = {"save_all": True, "append_images": [Image.new("RGB", (256, 256))]}
RGB = Image.fromarray(RAMP).convert("RGB")
SAME_PICTURE: dict[str, Callable[[], bytes]] = {
    "16 bit PNG": lambda: written(Image.fromarray(DEEP)),
    "16 bit TIFF": lambda: written(Image.fromarray(DEEP), "TIFF"),
    "16 bit TIFF, high byte first": lambda: written(
        Image.frombytes("I;16B", (256, 256), DEEP.astype(">u2").tobytes()), "TIFF"
    ),
    "16 bit colour PNG": lambda: by_opencv(np.dstack([DEEP] * 3), ".png"),
    "16 bit colour PNG with alpha": lambda: by_opencv(np.dstack([DEEP] * 3 + [np.full_like(DEEP, 65535)]), ".png"),
    "16 bit colour TIFF": lambda: by_opencv(np.dstack([DEEP] * 3), ".tiff"),
    "16 bit negative TIFF": lambda: tiff(16, (65535 - DEEP).astype("<u2").tobytes(), photometric=0),
    "8 bit negative TIFF": lambda: tiff(8, (255 - RAMP).tobytes(), photometric=0),
    "12 bit TIFF": lambda: tiff(12, twelve_bit()),
    "grey with alpha": lambda: written(Image.fromarray(RAMP).convert("LA")),
    "palette": lambda: written(Image.fromarray(RAMP).convert("P")),
    "palette, one colour transparent": lambda: written(Image.fromarray(RAMP).convert("P"), transparency=0),
    "palette, transparency by colour": lambda: written(
        Image.fromarray(RAMP).convert("P"), transparency=bytes(range(256))
    ),
    "grey, one value transparent": lambda: written(Image.fromarray(RAMP), transparency=7),
    "CMYK JPEG": lambda: written(RGB.convert("CMYK"), "JPEG", quality=95),
    "CMYK TIFF": lambda: written(RGB.convert("CMYK"), "TIFF"),
    "YCbCr TIFF": lambda: written(RGB.convert("YCbCr"), "TIFF"),
    "Lab TIFF": lambda: tiff_of_lab(),
    "several pages": lambda: written(RGB, "TIFF", **SEVERAL),
    "animated GIF": lambda: written(RGB, "GIF", **SEVERAL),
    "animated PNG": lambda: written(RGB, "PNG", **SEVERAL),
    "animated WebP": lambda: written(RGB, "WEBP", lossless=True, **SEVERAL),
}


def tiff_of_lab() -> bytes:
    from PIL import ImageCms

    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return written(ImageCms.profileToProfile(RGB, *profiles, outputMode="LAB"), "TIFF")


@pytest.mark.parametrize("kind", SAME_PICTURE)
def test_every_kind_of_file_decodes_to_the_picture_it_shows(kind: str) -> None:
    plain = decode(written(Image.fromarray(RAMP))).astype(int)
    found = decode(SAME_PICTURE[kind]())
    assert found.shape == (SIDE, SIDE, 3)
    assert np.abs(found - plain).mean() < 2


def test_one_bit_is_black_and_white() -> None:
    assert set(np.unique(decode(written(Image.fromarray(RAMP > 127))))) <= {0, 255, *range(100, 156)}


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "32 bit integers": (lambda: written(Image.fromarray(DEEP.astype(np.int32)), "TIFF"), "colour mode I says not"),
    "signed 16 bit": (lambda: tiff(16, DEEP.astype("<u2").tobytes(), sample_format=2), "colour mode I says not"),
    "floating point": (lambda: written(Image.fromarray(RAMP.astype(np.float32)), "TIFF"), "colour mode F says not"),
    "floating-point colour": (
        lambda: by_opencv(np.dstack([RAMP.astype(np.float32)] * 3), ".tiff"),
        "format is not known",
    ),
    "all in its alpha": (lambda: transparent("RGBA"), "all that it shows is in its transparency"),
    "all in its alpha, grey": (lambda: transparent("LA"), "all that it shows is in its transparency"),
    "12 bit, negative": (lambda: tiff(12, twelve_bit(), photometric=0), "format is not known"),
    "no picture": (lambda: b"%PDF-1.7", "format is not known"),
    "nothing": (lambda: b"", "format is not known"),
}


def transparent(mode: str) -> bytes:
    image = Image.new(mode, (256, 256))
    image.putalpha(Image.fromarray(RAMP))
    return written(image)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_shown_in_8_bit_is_refused_with_its_reason(kind: str) -> None:
    make, reason = REFUSED[kind]
    with pytest.raises(NotAnImage, match=reason) as caught:
        decode(make())
    assert "0x" not in str(caught.value), "no place in memory"


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged tags
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP", "BMP", "GIF"])
def test_damaged_bytes_are_a_picture_or_none_and_nothing_else(form: str) -> None:
    noise = np.random.default_rng(3)
    whole = written(Image.fromarray(noise.integers(0, 256, (40, 40, 3), dtype=np.uint8)), form)
    for _ in range(150):
        torn = bytearray(whole)
        for place in noise.integers(0, min(len(torn), 400), 4):
            torn[place] = noise.integers(0, 256)
        with contextlib.suppress(NotAnImage):
            assert decode(bytes(torn)).shape == (SIDE, SIDE, 3)


def test_a_picture_lies_on_its_side_wherever_its_file_says_so() -> None:
    """Behind a colour profile of 100 KB, for example."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    lying = written(Image.fromarray(np.rot90(RAMP)).convert("RGB"), "JPEG", exif=exif, quality=95)
    parts = b"".join(b"\xff\xec" + struct.pack(">H", 60_002) + bytes(60_000) for _ in range(2))
    plain = decode(written(Image.fromarray(RAMP))).astype(int)
    assert np.abs(decode(lying[:2] + parts + lying[2:]) - plain).mean() < 3


def picture(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty pictures, all different."""
    for place, name in enumerate(("good", "defective")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(20):
            (tmp_path / "data" / name / f"{number:02}.png").write_bytes(written(picture(100 * place + number)))
    return tmp_path / "data"


HALF = Split(0.5)


def load(folder: Path, split: Split = HALF) -> dataset.Images:
    return dataset.load(open_source(str(folder)), split=split, connections=2)


def test_the_reason_of_a_refused_image_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "good/deep.tif").write_bytes(REFUSED["floating point"][0]())
    with pytest.raises(
        BadInput, match=r"1 of 41 images .* good/deep.tif; mend .* good/deep.tif: its colour mode F says"
    ):
        load(folder)
    dataset.load(open_source(str(folder)), split=HALF, corrupt_share=0.1)
    assert "good/deep.tif: its colour mode F says not which value is white" in capsys.readouterr().err


ALIKE: dict[str, Callable[[int], bytes]] = {
    "white, of any size": lambda number: written(Image.new("RGB", (10 + number, 10), "white")),
    "white, whatever else the file says": lambda number: written(
        Image.new("L", (10, 10), 255), "TIFF", description=str(number)
    ),
    "all black": lambda number: written(Image.new("I;16", (10 + number, 9), number % 100)),
    "one picture": lambda number: written(picture(1), "TIFF", description=str(number)),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_a_class_whose_images_are_all_alike_is_bad_input(folder: Path, kind: str) -> None:
    for number, path in enumerate(sorted((folder / "good").iterdir())):
        path.with_suffix(".tif").write_bytes(ALIKE[kind](number))
        path.unlink()
    with pytest.raises(BadInput, match="All 20 images of class good under .* look alike"):
        load(folder)
    next((folder / "good").iterdir()).with_name("other.png").write_bytes(written(picture(7)))
    assert len(load(folder).training) + len(load(folder).held_out) == 41, "one other is enough"


def test_copies_are_on_one_side_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(20):
        shutil.copy(folder / f"good/{number:02}.png", folder / f"good/copy of {number:02}.png")
    images = load(folder)
    assert not {e.digest for e in images.training} & {e.digest for e in images.held_out}
    said = capsys.readouterr().err
    told = f"20 images under {folder} are copies of others, byte by byte, such as good/copy of 00.png of good/00.png"
    assert told in said and "in both classes" not in said


def test_copies_in_both_classes_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "good/03.png", folder / "defective/x.png")
    images = load(folder)
    assert not {e.digest for e in images.training} & {e.digest for e in images.held_out}
    said = capsys.readouterr().err
    assert "1 of them are in both classes, so that one is wrong, such as good/03.png of defective/x.png" in said


def test_a_copy_that_a_group_puts_on_the_other_side_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Photographs of tyre 1 under the names of tyres 2 to 9: by their groups some are held out, some are not."""
    for number in range(2, 10):
        shutil.copy(folder / "good/01.png", folder / f"good/tyre{number}_1.png")
    images = load(folder, Split(0.5, r"tyre\d"))
    sides = [{e.digest for e in part} for part in (images.training, images.held_out)]
    assert not sides[0] & sides[1]
    assert len(images.training) + len(images.held_out) < 48
    said = capsys.readouterr().err
    assert "are copies of others that --group puts on the other side of the split, such as good/tyre" in said


@pytest.mark.parametrize(
    "name",
    [
        "good/.ipynb_checkpoints/00-checkpoint.png",
        ".ipynb_checkpoints/00.png",
        "__MACOSX/good/._00.png",
        "good/._00.png",
        "good/@eaDir/00.png/SYNOPHOTO_THUMB_M.jpg",
        "$RECYCLE.BIN/x.png",
        ".Trash-1000/files/x.png",
    ],
)
def test_hidden_images_are_neither_a_class_nor_read(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(written(picture(1)))
    images = load(folder)
    assert images.classes == ("defective", "good") and len(images.training) + len(images.held_out) == 40
    assert "1 hidden file" in capsys.readouterr().err


def test_files_that_are_no_images_are_counted_by_kind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("good/a.gif", "good/b.GIF", "good/c", "defective/labels.csv", "good/d.png.crdownload", "loose.png"):
        (folder / name).write_bytes(b"x")
    load(folder)
    said = capsys.readouterr().err
    assert (
        "Left out: 6 of 46 files are no images by name and place: .gif 2, .csv 1, no suffix 1, .crdownload 1, " in said
    )
    assert "in no class's folder 1." in said


def test_where_nothing_is_an_image_it_is_said_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good/a.gif").write_bytes(b"x")
    with pytest.raises(BadInput, match="There are no images under .*; 1 of 1 files are no images .*: .gif 1"):
        load(tmp_path)


def test_a_bucket_is_listed_by_the_same_rules(folder: Path, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.rglob("*.png"):
        lake.client.put_object(Bucket="lake", Key=f"t/{path.relative_to(folder)}", Body=path.read_bytes())
    for key in ("good/.ipynb_checkpoints/1.png", "__MACOSX/x.png", "good/x.gif"):
        lake.client.put_object(Bucket="lake", Key=f"t/{key}", Body=b"x")
    images = dataset.load(open_source("s3://lake/t"), split=HALF)
    assert images.digest == load(folder).digest
    said = capsys.readouterr().err
    assert "2 hidden files" in said and "1 of 41 files are no images by name and place: .gif 1" in said


def test_a_link_to_nothing_is_one_sentence(folder: Path) -> None:
    (folder / "good/x.png").symlink_to("/nowhere/x.png")
    with pytest.raises(BadInput, match=r"good/x.png is a link to nothing, /nowhere/x.png"):
        load(folder)


def test_a_name_that_is_no_utf8_is_one_sentence(folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder / "good") + b"/caf\xe9.png"))).write_bytes(written(picture(1)))
    with pytest.raises(BadInput, match=r"caf\\xe9.png is no UTF-8"):
        load(folder)
