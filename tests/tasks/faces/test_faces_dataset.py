"""Pictures in FDDB's layout: made, read, and refused with one sentence."""

from __future__ import annotations

import io
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tasks.common.data import open_source, open_target
from tasks.common.program import BadInput
from tasks.faces import anchors, dataset, ellipses, generate
from tasks.faces.configs import CONFIGURATIONS, configuration
from tasks.faces.preprocessing import NotAPicture, decode

SMALL = configuration("small")


@pytest.fixture
def copy(faces, tmp_path):
    return shutil.copytree(faces, tmp_path / "faces")


def load(folder, *folds, **options):
    return dataset.load(open_source(str(folder)), SMALL, folds or range(1, 11), **options)


def test_composites_have_ten_folds_with_persons_of_their_own(faces):
    read = load(faces)
    persons = [{person for e in read.of([fold]) for person in e.persons} for fold in range(1, 11)]
    assert all(persons) and all(one.isdisjoint(other) for i, one in enumerate(persons) for other in persons[:i])
    assert all(-1 not in each for each in persons)


def test_an_ellipse_is_where_the_face_is():
    patches, ground = [np.full((25, 25), 255, np.float32)] * 100, [np.zeros((200, 200), np.float32)]
    made = generate.compose(np.random.default_rng(3), 1, 96, patches, ground)
    light = made.pixels > 128
    for face in made.faces:
        assert light[face.mask(96, 96)].mean() > 0.99, "all of it is face"
    wider = [ellipses.Ellipse(f.major * 1.3, f.minor * 1.5, f.angle, f.x, f.y).mask(96, 96) for f in made.faces]
    assert not light[~np.any(wider, axis=0)].any(), "and nothing else is"


def test_the_same_seed_makes_the_same_bytes_and_a_later_day_adds_to_them(tmp_path):
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        generate.bring(open_target(str(folder)), 7, 12, 64)
    before = {path.relative_to(folders[0]): path.read_bytes() for path in folders[0].rglob("*.jpg")}
    assert before == {path.relative_to(folders[1]): path.read_bytes() for path in folders[1].rglob("*.jpg")}
    assert generate.bring(open_target(str(folders[0])), 7, 14, 64)["written"] == 2
    assert all((folders[0] / path).read_bytes() == content for path, content in before.items())


def test_a_corrupt_picture_is_named_and_many_are_refused(copy):
    victims = sorted(copy.rglob("*.jpg"))
    victims[0].write_bytes(b"no picture at all")
    with pytest.raises(BadInput, match="1 of 60 pictures .* cannot be used: .*img_00000.jpg cannot be read"):
        load(copy)
    assert len(load(copy, corrupt_share=0.05).examples) == 59


@pytest.mark.parametrize(("width", "said"), [(20_000, "20000 x 6000 pixels, and 100"), (60_000, "more than 100")])
def test_a_huge_picture_is_refused_before_it_is_unpacked(width, said):
    """A header alone: whoever unpacked it would find nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, 6000, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    empty = b"IDAT"
    content += struct.pack(">I", 0) + empty + struct.pack(">I", zlib.crc32(empty))
    with pytest.raises(NotAPicture, match=said):
        decode(content, SMALL)


def test_a_picture_cut_off_and_one_of_16_bits_are_refused(faces):
    content = next(faces.rglob("*.jpg")).read_bytes()
    with pytest.raises(NotAPicture, match="cannot be read as a picture"):
        decode(content[: len(content) // 3], SMALL)
    file = io.BytesIO()
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(file, "PNG")
    with pytest.raises(NotAPicture, match="8 bits are expected"):
        decode(file.getvalue(), SMALL)


def test_colour_and_size_do_not_matter_to_what_the_network_takes():
    file = io.BytesIO()
    Image.new("RGB", (200, 80), "red").save(file, "JPEG")
    small, published = decode(file.getvalue(), SMALL), decode(file.getvalue(), CONFIGURATIONS["published"])
    assert small.pixels.shape == (1, 64, 64) and published.pixels.shape == (3, 1024, 1024)
    assert (small.width, small.height) == (200, 80)


def test_data_that_cannot_be_meant_is_refused(copy):
    (copy / "FDDB-folds" / "FDDB-fold-04-ellipseList.txt").unlink()
    with pytest.raises(BadInput, match="no FDDB-folds/FDDB-fold-04-ellipseList.txt .1 of 10 lists"):
        load(copy)


def test_a_picture_that_is_not_there_is_named(copy):
    (copy / "originalPics" / "composites" / "big" / "img_00003.jpg").unlink()
    with pytest.raises(BadInput, match=r"Fold 4 names composites/big/img_00003, .*1 of 60 are missing"):
        load(copy)


def test_pictures_without_any_face_are_refused(copy):
    for fold in range(1, 11):
        _, outlined = ellipses.names(fold)
        listed = ellipses.read((copy / outlined).read_text(), fold, outlined)
        bare = [ellipses.Annotated(each.name, fold, ()) for each in listed]
        (copy / outlined).write_text(ellipses.write(bare))
    with pytest.raises(BadInput, match="None of the 60 pictures .* has a face"):
        load(copy)


@pytest.mark.parametrize("text", ["", "0", "11", "one", "1,2,3,4,5,6,7,8,9,10"])
def test_folds_that_cannot_be_held_out(text):
    with pytest.raises(BadInput, match="numbers of folds from 1 to 10"):
        dataset.held_out(text)


def test_anchors_lie_as_densely_as_published():
    published = CONFIGURATIONS["published"]
    assert published.activation == (128, 32, 32), "what crosses the published wire"
    assert len(anchors.anchors(published)) == 32 * 32 * 21 + 16 * 16 + 8 * 8


def test_what_the_network_is_asked_for_decodes_to_the_faces():
    faces = np.array([[0.1, 0.1, 0.4, 0.5], [0.55, 0.5, 0.9, 0.95]], np.float32)
    offsets, whose = anchors.targets(SMALL, faces)
    assert whose.any()
    boxes = anchors.decode(SMALL, offsets)[whose]
    assert (anchors.overlaps(boxes, faces).max(axis=1) > 0.999).all()
