from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image

from tasks.common.data import open_source, open_target
from tasks.tyre import samples
from tasks.tyre.drawing import SIDES, draw


def contents(folder: Path) -> dict[str, bytes]:
    store = open_source(str(folder))
    return {entry.key: store.read(entry.key) for entry in store.entries()}


def bring(folder: Path, count: int, revision: int) -> dict[str, object]:
    plan = list(samples.plan(count, seed=1, revision=revision))
    return samples.bring(open_target(str(folder)), plan, processes=1)


def test_the_same_arguments_give_the_same_bytes_and_others_do_not():
    assert draw(1, 5, 1, defective=True) == draw(1, 5, 1, defective=True)
    different = {draw(1, 5, 1, defective=True), draw(2, 5, 1, defective=True), draw(1, 6, 1, defective=True)}
    assert len(different | {draw(1, 5, 2, defective=True), draw(1, 5, 1, defective=False)}) == 5


def test_images_are_grey_or_colour_of_mixed_sizes_and_kinds():
    images = [Image.open(io.BytesIO(draw(1, index, 1, defective=False))) for index in range(30)]
    assert {image.mode for image in images} == {"L", "RGB"}
    assert {image.format for image in images} == {"PNG", "JPEG"}
    assert all(set(image.size) <= set(SIDES) for image in images)


def test_the_full_set_is_as_large_as_the_walkthroughs_and_nearly_as_balanced():
    plan = list(samples.plan(samples.COUNT, seed=1, revision=1))
    assert len(plan) == 1856
    assert abs(sum(sample.defective for sample in plan) - 1028) < 60


def test_a_later_revision_replaces_adds_and_removes_some_images():
    before = {s.stem: s for s in samples.plan(1000, seed=1, revision=1)}
    after = {s.stem: s for s in samples.plan(1000, seed=1, revision=2)}
    replaced = [stem for stem in before.keys() & after.keys() if before[stem] != after[stem]]
    assert 20 <= len(replaced) <= 60
    assert len(after.keys() - before.keys()) == 30
    assert 3 <= len(before.keys() - after.keys()) <= 25


def test_what_one_revision_removed_or_replaced_stays_so_in_the_next():
    second = {s.stem: s for s in samples.plan(500, seed=1, revision=2)}
    first = {s.stem: s for s in samples.plan(500, seed=1, revision=1)}
    third = {s.stem: s for s in samples.plan(500, seed=1, revision=3)}
    assert not (first.keys() - second.keys()) & third.keys()
    assert all(third[stem].generation >= s.generation for stem, s in second.items() if stem in third)


def test_a_second_run_writes_nothing(tyres: Path, tmp_path: Path):
    bring(tmp_path, 12, revision=1)
    assert bring(tmp_path, 12, revision=1)["written"] == 0


def test_an_updated_folder_equals_one_made_afresh(tmp_path: Path):
    bring(tmp_path / "updated", 40, revision=1)
    update = bring(tmp_path / "updated", 40, revision=4)
    bring(tmp_path / "fresh", 40, revision=4)
    assert contents(tmp_path / "updated") == contents(tmp_path / "fresh")
    assert 0 < update["written"] < 20


def test_a_broken_run_is_mended_and_other_peoples_files_are_left_alone(tmp_path: Path):
    bring(tmp_path, 12, revision=1)
    whole = contents(tmp_path)
    first, second, *_ = sorted(whole)
    (tmp_path / first).unlink()
    record = tmp_path / samples.RECORD
    known = json.loads(record.read_text())
    record.write_text(json.dumps({k: v for k, v in known.items() if v != second}))
    (tmp_path / second).write_bytes(b"half")
    (tmp_path / "good" / "mine.png").write_bytes(b"mine")
    assert bring(tmp_path, 12, revision=1)["written"] == 2
    assert contents(tmp_path) == {**whole, "good/mine.png": b"mine"}
