from __future__ import annotations

import hashlib
import io
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tasks.common.data import LocalStore, open_source, open_target
from tasks.common.program import BadInput
from tasks.common.split import Split
from tasks.data import check
from tasks.tyre import dataset, samples
from tasks.tyre.preprocessing import MEAN, SIDE, NotAnImage, decode, normalise


def png(colour: int | tuple[int, int, int], mode: str = "RGB", side: int = 40) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side), colour).save(file, "PNG")
    return file.getvalue()


def folder_of(root: Path, **counts: int) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.png").write_bytes(png((number, len(name), 0)))
    return root


def test_grey_becomes_three_equal_channels():
    pixels = decode(png(77, "L"))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert (pixels == 77).all()


@pytest.mark.parametrize(("mode", "colour"), [("P", 0), ("RGBA", (10, 20, 30, 255)), ("1", 1), ("CMYK", (0, 0, 0, 0))])
def test_images_of_any_colour_mode_are_read(mode: str, colour: object):
    file = io.BytesIO()
    Image.new(mode, (30, 50), colour).save(file, "TIFF")
    assert decode(file.getvalue()).shape == (SIDE, SIDE, 3)


def ramp(side: int = 256) -> np.ndarray:
    return np.broadcast_to(np.arange(side, dtype=np.uint8), (side, side))


def written(image: Image.Image, form: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("PNG", mode) for mode in ("L", "LA", "RGB", "RGBA")),
        *(("TIFF", mode) for mode in ("L", "RGB", "CMYK")),
        ("WEBP", "RGB"),
        ("BMP", "RGB"),
    ],
)
def test_the_same_picture_is_the_same_whatever_it_is_written_as(form: str, mode: str):
    plain = decode(written(Image.fromarray(ramp()), "PNG")).astype(int)
    other = decode(written(Image.fromarray(ramp()).convert(mode), form)).astype(int)
    assert np.abs(other - plain).mean() < 2


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_is_scaled_not_clipped_to_white(form: str):
    deep = decode(written(Image.fromarray(ramp().astype(np.uint16) * 257), form))
    assert np.abs(deep.astype(int) - decode(written(Image.fromarray(ramp()), form))).max() <= 1


def test_floating_point_says_no_white_and_is_refused():
    with pytest.raises(NotAnImage, match="colour mode F says not which value is white"):
        decode(written(Image.fromarray(ramp().astype(np.float32)), "TIFF"))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_on_its_side_is_read_upright(form: str):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees clockwise
    lying = written(Image.fromarray(np.rot90(ramp())).convert("RGB"), form, exif=exif)
    upright = decode(written(Image.fromarray(ramp()), "PNG")).astype(int)
    assert np.abs(decode(lying) - upright).mean() < 3


def test_a_large_jpeg_is_averaged_not_sampled():
    noise = np.random.default_rng(1).integers(0, 256, (1800, 1800), dtype=np.uint8)
    assert decode(written(Image.fromarray(noise), "JPEG", quality=95)).std() < 30


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_torn_jpeg_is_no_image(kept: float):
    whole = written(Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 300), dtype=np.uint8)), "JPEG")
    decode(whole)
    with pytest.raises(NotAnImage):
        decode(whole[: int(len(whole) * kept)])


def test_values_are_centred_as_for_imagenet():
    pixels = np.round(np.broadcast_to(np.array(MEAN) * 255, (1, SIDE, SIDE, 3))).astype(np.uint8)
    values = normalise(pixels)
    assert values.shape == (1, 3, SIDE, SIDE)
    assert values.dtype == np.float32
    assert np.abs(values).max() < 0.01


@pytest.mark.parametrize("content", [b"", b"no image", png(1)[:-30], png(1)[:40]])
def test_what_is_no_whole_image_is_told_as_such(content: bytes):
    with pytest.raises(NotAnImage):
        decode(content)


def test_labels_come_from_the_sorted_folder_names(tyres: Path):
    images = dataset.load(open_source(str(tyres)))
    assert images.classes == ("defective", "good")
    assert all(images.classes[e.label] == e.key.split("/")[0] for e in images.training + images.held_out)
    assert images.positive == 0


def test_an_image_never_changes_sides_whatever_else_is_in_the_data(tmp_path: Path):
    sides = []
    for revision in (1, 5):
        store = open_target(str(tmp_path / str(revision)))
        samples.bring(store, list(samples.plan(60, seed=1, revision=revision)), processes=1)
        images = dataset.load(store)
        sides.append(({e.digest for e in images.training}, {e.digest for e in images.held_out}))
    (training, held_out), (later_training, later_held_out) = sides
    assert training != later_training
    assert not training & later_held_out
    assert not held_out & later_training


def test_a_limit_takes_the_same_images_of_both_classes(tyres: Path):
    store = open_source(str(tyres))
    some, again, more = (dataset.list_images(store, limit) for limit in (20, 20, 40))
    assert some == again
    assert set(some) < set(more)
    assert {entry.key.split("/")[0] for entry in some} == {"good", "defective"}


def test_batches_are_the_same_with_and_without_room_to_keep_pixels(tyres: Path):
    kept = dataset.load(open_source(str(tyres)))
    read_again = dataset.load(open_source(str(tyres)), cache_bytes=10 * SIDE * SIDE * 3)
    assert sum(e.pixels is None for e in read_again.training) == len(read_again.training) - 10 + sum(
        e.pixels is not None for e in read_again.held_out
    )
    pairs = zip(*(list(dataset.batches(i.store, i.training, 16)) for i in (kept, read_again)), strict=True)
    for (pixels, labels), (other_pixels, other_labels) in pairs:
        assert np.array_equal(pixels, other_pixels)
        assert np.array_equal(labels, other_labels)


def test_reading_ahead_keeps_the_order_and_is_bounded():
    class Counting(LocalStore):
        reading = most = begun = 0
        lock = threading.Lock()

        def read(self, key: str) -> bytes:
            with self.lock:
                self.begun += 1
            return key.encode()

    store = Counting("/")
    keys = [str(number) for number in range(100)]
    reader = dataset.read_ahead(store, keys, 4, bytes.decode)
    assert next(reader) == ("0", "0")
    assert store.begun <= 9
    assert [key for key, _ in reader] == keys[1:]


def test_an_error_in_reading_reaches_the_reader(tyres: Path):
    store = open_source(str(tyres))
    with pytest.raises(BadInput, match="nowhere.png does not exist"):
        list(dataset.read_ahead(store, ["nowhere.png"], 2, len))


def test_no_images_is_one_sentence(tmp_path: Path):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "readme.txt").write_text("none")
    with pytest.raises(BadInput, match="There are no images under .*: expected a folder per class"):
        dataset.load(open_source(str(tmp_path)))


def test_one_class_is_one_sentence(tmp_path: Path):
    with pytest.raises(BadInput, match="All 3 images under .* are of class good: a classifier needs two classes"):
        dataset.load(open_source(str(folder_of(tmp_path, good=3))))


def test_three_classes_are_refused_by_name(tmp_path: Path):
    with pytest.raises(BadInput, match=r"3 class folders .*\(bad, good, ugly\)"):
        dataset.load(open_source(str(folder_of(tmp_path, good=1, bad=1, ugly=1))))


def test_a_part_without_one_class_is_one_sentence(tmp_path: Path):
    with pytest.raises(BadInput, match=r"The held-out part .* \(0 images\) has none of class bad nor good"):
        dataset.load(open_source(str(folder_of(tmp_path, good=2, bad=2))), split=Split(0.0))


def test_ours_and_ontaps_folders_are_no_data(tyres: Path, tmp_path: Path):
    shutil.copytree(tyres, tmp_path / "d")
    for hidden in (".snapshot/v1/good", ".mlops/good"):
        (tmp_path / "d" / hidden).mkdir(parents=True)
        (tmp_path / "d" / hidden / "x.png").write_bytes(b"no image")
    assert dataset.list_images(open_source(str(tmp_path / "d"))) == dataset.list_images(open_source(str(tyres)))


def test_few_corrupt_images_are_left_out_and_named(tyres: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(tyres, tmp_path / "d")
    (tmp_path / "d" / "good" / "torn.png").write_bytes(png(1)[:50])
    images = dataset.load(open_source(str(tmp_path / "d")), corrupt_share=0.02)
    assert images.corrupt == ["good/torn.png"]
    assert "Left out: 1 of 73 images" in capsys.readouterr().err
    assert images.digest == dataset.load(open_source(str(tyres))).digest


def test_more_corrupt_images_than_allowed_are_bad_input(tyres: Path, tmp_path: Path):
    shutil.copytree(tyres, tmp_path / "d")
    (tmp_path / "d" / "good" / "torn.png").write_bytes(b"torn")
    with pytest.raises(BadInput, match=r"1 of 73 images .* cannot be read as images: good/torn.png; mend or remove"):
        dataset.load(open_source(str(tmp_path / "d")), corrupt_share=0)


@pytest.fixture
def version(tyres: Path, tmp_path: Path) -> Path:
    """The folder ``data`` of a dataset volume that was checked."""
    shutil.copytree(tyres, tmp_path / "data")
    check.check(check.parse([f"--volume={tmp_path}"]))
    return tmp_path / "data"


def sides(images: dataset.Images) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return tuple([(e.key, e.digest) for e in part] for part in (images.training, images.held_out))  # type: ignore[return-value]


def test_by_the_manifest_the_split_and_the_digest_are_those_of_the_bytes(version: Path, tyres: Path):
    by_manifest, by_bytes = dataset.load(open_source(str(version))), dataset.load(open_source(str(tyres)))
    assert sides(by_manifest) == sides(by_bytes)
    assert by_manifest.digest == by_bytes.digest


def test_what_is_not_wanted_is_neither_read_nor_hashed(version: Path, monkeypatch: pytest.MonkeyPatch):
    read = []
    reading = LocalStore.read

    def counting(store: LocalStore, key: str) -> bytes:
        read.append(key)
        return reading(store, key)

    monkeypatch.setattr(LocalStore, "read", counting)
    monkeypatch.setattr(dataset.hashlib, "sha256", lambda content: pytest.fail("hashed again"))
    images = dataset.load(open_source(str(version)), parts=("held_out",))
    assert set(read) == {e.key for e in images.held_out} | {".mlops/manifest.json"}
    assert images.training, "known by the manifest alone"


def test_a_file_that_changed_since_the_manifest_is_hashed(version: Path):
    before = dataset.load(open_source(str(version)))
    key = before.training[0].key
    (version / key).write_bytes(png((1, 2, 3)))
    after = dataset.load(open_source(str(version)))
    digests = {e.key: e.digest for e in after.training + after.held_out}
    assert digests[key] == hashlib.sha256((version / key).read_bytes()).hexdigest()


def test_photographs_of_one_tyre_stay_on_one_side(tmp_path: Path):
    for kind in ("good", "defective"):
        (tmp_path / kind).mkdir()
        for tyre in range(40):
            for side in "ab":
                (tmp_path / kind / f"tyre{tyre:02}_{side}.png").write_bytes(png((tyre, len(kind), ord(side))))
    images = dataset.load(open_source(str(tmp_path)), split=Split(0.5, r"tyre\d+"))
    tyres_of = [{e.key.split("/")[1][:6] for e in part} for part in (images.training, images.held_out)]
    assert not tyres_of[0] & tyres_of[1]
    assert len(images.training) + len(images.held_out) == 160
