"""Label files that are not what they should be: one sentence with file and line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tasks.common.data import open_source, open_target
from tasks.common.program import BadInput
from tasks.lane import dataset, samples

SIZE = (160, 96)


@pytest.fixture
def own(lanes: Path, tmp_path: Path) -> Path:
    shutil.copytree(lanes, tmp_path / "lanes")
    return tmp_path / "lanes"


def labels(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "label_data_day01.json").read_text().splitlines()]


def with_line(folder: Path, number: int, text: str) -> str:
    """Put a text in place of a line, counted from 1, and return what is said of it."""
    file = folder / "label_data_day01.json"
    lines = file.read_text().splitlines()
    lines[number - 1] = text
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(BadInput) as told:
        dataset.load(open_source(str(folder)), SIZE)
    assert f"{file}:{number}" in str(told.value)
    return str(told.value)


def changed(folder: Path, number: int, **facts) -> str:
    return with_line(folder, number, json.dumps({**labels(folder)[number - 1], **facts}))


def test_labels_and_pictures_of_a_whole_data_set(lanes: Path):
    scenes = dataset.load(open_source(str(lanes)), SIZE)
    assert len(scenes.training) + len(scenes.held_out) == 24
    picture = scenes.picture(scenes.training[0])
    assert (picture.pixels.shape, picture.size) == ((96, 160, 3), (160, 90))
    assert dataset.load(open_source(str(lanes)), SIZE).digest == scenes.digest
    few = dataset.load(open_source(str(lanes)), SIZE, limit=12)
    assert {e.label.key for e in few.held_out} <= {e.label.key for e in scenes.held_out}


def test_a_line_for_a_clip_that_is_missing(own: Path):
    shutil.rmtree(own / "clips" / "day01" / "00004")
    said = changed(own, 5)
    assert said.endswith(
        "labels clips/day01/00004/20.jpg, and there is no such picture; add the clip or remove the line."
    )


def test_a_lane_out_of_the_picture(own: Path):
    label = labels(own)[2]
    label["lanes"][0][3] = 160
    said = changed(own, 3, lanes=label["lanes"])
    assert f"is at x = 160, y = {label['h_samples'][3]}, outside the picture of 160 x 90" in said
    label["lanes"][0][3] = -7
    assert "at x = -7" in changed(own, 3, lanes=label["lanes"])
    heights = [*label["h_samples"][:-1], 90]
    assert "h_samples of clips/day01/00002/20.jpg go from 20 to 90" in changed(own, 3, h_samples=heights, lanes=[])


def test_a_lane_of_another_length_than_h_samples(own: Path):
    label = labels(own)[1]
    label["lanes"][1] = label["lanes"][1][:-1]
    length = len(label["h_samples"])
    assert f"lane 2 has {length - 1} values and h_samples {length};" in changed(own, 2, lanes=label["lanes"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"lanes": [[1, 2', "is not JSON (Expecting"),
        ("[1, 2]", "has list; a label has lanes, h_samples, raw_file."),
        ('{"lanes": [], "raw_file": "clips/day01/00000/20.jpg"}', "has lanes, raw_file; a label has"),
        ('{"lanes": [], "h_samples": [20, 10], "raw_file": "a"}', "h_samples are no rising heights: [20, 10]."),
        ('{"lanes": [["x"]], "h_samples": [20], "raw_file": "a"}', 'lane 1 is no list of numbers: ["x"].'),
        ('{"lanes": [[NaN]], "h_samples": [20], "raw_file": "a"}', "lane 1 is no list of numbers: [NaN]."),
        ('{"lanes": 3, "h_samples": [20], "raw_file": "a"}', "raw_file must be a text and lanes a list"),
    ],
)
def test_lines_that_are_no_labels(own: Path, text: str, said: str):
    assert said in with_line(own, 7, text)


def test_a_picture_labelled_twice(own: Path):
    assert "label_data_day01.json:1 does; remove one of the lines." in changed(
        own, 9, raw_file=labels(own)[0]["raw_file"]
    )


def test_a_picture_that_is_none(own: Path):
    (own / "clips" / "day01" / "00003" / "20.jpg").write_bytes(b"no picture")
    with pytest.raises(BadInput, match="00003/20.jpg cannot be read as a picture; replace or remove it"):
        dataset.load(open_source(str(own)), SIZE)


def test_no_labels_at_all_and_too_few(own: Path):
    (own / "label_data_day01.json").rename(own / "labels.json")
    with pytest.raises(BadInput, match="There is no label file under .*: expected label_data_....json beside"):
        dataset.load(open_source(str(own)), SIZE)
    (own / "labels.json").unlink()
    (own / "label_data_one.json").write_text(
        json.dumps({"lanes": [], "h_samples": [20], "raw_file": "clips/day01/00000/20.jpg"})
    )
    with pytest.raises(BadInput, match="has [01] labelled pictures to train on and [01] held out; add more"):
        dataset.load(open_source(str(own)), SIZE)


def test_train_and_test_sets_in_folders_of_their_own_as_tusimple_packs_them(lanes: Path, tmp_path: Path):
    for name in ("train_set", "test_set"):
        shutil.copytree(lanes, tmp_path / name)
    (tmp_path / "test_set" / "label_data_day01.json").rename(tmp_path / "test_set" / "test_label.json")
    scenes = dataset.load(open_source(str(tmp_path)), SIZE)
    assert len(scenes.training) + len(scenes.held_out) == 48


def test_the_same_numbers_give_the_same_bytes_and_another_day_adds_scenes(lanes: Path, tmp_path: Path):
    store = open_target(str(tmp_path))
    told = samples.bring(store, 24, 160)
    assert (told["scenes"], told["written"]) == (24, 24)
    files = {path.relative_to(lanes): path.read_bytes() for path in lanes.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
    told = samples.bring(store, 24, 160, revision=2)
    assert (told["scenes"], told["written"]) == (29, 5)
    assert all((tmp_path / path).read_bytes() == content for path, content in files.items())
    assert samples.bring(store, 24, 160, revision=2)["written"] == 0
