"""Pictures and calls with a drift planted: found as what it is by each reader, and a day like the others is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.calls import dataset as calls_dataset
from tasks.calls import sentiment
from tasks.calls.export import TRAINED_ON
from tasks.chest import export as chest_export
from tasks.chest import preprocessing as chest_preprocessing
from tasks.chest.findings import FINDINGS
from tasks.common import encoder as bert
from tasks.common.data import open_source, open_target
from tasks.common.judging import Model
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.drift import plant, streams
from tasks.drift.sample import NothingNew, Pair, Source
from tasks.drift.streams import INPUTS, KINDS, NOTHING, RELATION, Day
from tasks.drift.systems import calls, chest, faces, lane, retail, tyre
from tasks.drift.verdict import Limits, judge
from tasks.faces.anchors import targets
from tasks.faces.configs import CONFIGURATIONS
from tasks.faces.dataset import Example
from tasks.faces.detector import Detector
from tasks.lane import dataset as lane_dataset
from tasks.lane.configs import SLOTS
from tasks.lane.slots import assigned

LIMITS = Limits(rows=20)
EXPECTED = {NOTHING: ("none",), INPUTS: ("data", "data and concept"), RELATION: ("concept",)}
OLD, NEW = 1, 2  # numbers of days


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """Give a function that makes a baseline and a day of each kind of a system, once."""
    made: dict[str, Path] = {}

    def make(system: str, count: int) -> Path:
        if system not in made:
            made[system] = folder = tmp_path_factory.mktemp(system)
            for name, day in {
                "baseline": Day(NOTHING, OLD, count),
                **{kind: Day(kind, NEW, count) for kind in KINDS},
            }.items():
                plant.make(system, open_target(str(folder / name)), day)
        return made[system]

    return make


def source(folder: Path, data: str, description: dict[str, Any], model: Path) -> Source:
    champion = Model("champion", model / "model.onnx", description)
    baseline = str(folder / "baseline")
    return Source(baseline=baseline, since=baseline, data=str(folder / data), model=champion, limit=300)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Any], Any]) -> None:
    """Let a function be the champion's network."""
    monkeypatch.setattr(OnnxModel, "load", classmethod(lambda cls, path, **kwargs: answer))


def check(pair: Pair, kind: str) -> None:
    found = judge(pair, LIMITS)
    assert found.drift in EXPECTED[kind] and found.alarm == (kind != NOTHING), found.reason
    assert found.concept is not None and not found.not_judged


@pytest.mark.parametrize("kind", KINDS)
def test_x_rays(kind: str, days: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The champion knows how often each finding is, and no more; a reader who names more of them turns that."""
    folder = days("chest", 120)
    share = 0.7 * 2 / len(FINDINGS)
    logit = np.log(share / (1 - share))
    answering(monkeypatch, lambda pictures: logit + pictures.mean((1, 2, 3))[:, None] * np.full(len(FINDINGS), 0.1))
    (tmp_path / chest_export.PATIENTS).write_text("[]")
    told = {"findings": list(FINDINGS), "preprocessing": chest_preprocessing.description(64)}
    pair = chest.read(source(folder, kind, told, tmp_path))
    assert (pair.before.rows, pair.after.rows) == (120, 120) and set(pair.before.columns) == {*COLUMNS_OF_GREY}
    check(pair, kind)


COLUMNS_OF_GREY = ("brightness", "contrast", "sharpness", "dark", "bright")


def test_x_rays_of_patients_that_the_champion_was_trained_on_do_not_tell_how_right_it_is(
    days: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = days("chest", 120)
    answering(monkeypatch, lambda pictures: np.zeros((len(pictures), len(FINDINGS))))
    of_new = [chest_export.digest_of(f"{patient}") for patient in Day(NOTHING, NEW, 90).numbers]
    (tmp_path / chest_export.PATIENTS).write_text(json.dumps(of_new))
    told = {"findings": list(FINDINGS), "preprocessing": chest_preprocessing.description(64)}
    pair = chest.read(source(folder, NOTHING, told, tmp_path))
    assert (len(pair.before.chances), len(pair.after.chances)) == (120, 30)
    with pytest.raises(NothingNew, match="there is no new one"):
        chest.read(source(folder, "baseline", told, tmp_path))
    (tmp_path / chest_export.PATIENTS).unlink()
    with pytest.raises(BadInput, match="does not say which patients it was trained on"):
        chest.read(source(folder, NOTHING, told, tmp_path))


def lanes_by_picture(folder: Path, size: tuple[int, int]) -> Callable[[Any], Any]:
    """A network that knows where the lanes of every picture are, as days without drift label them."""
    known: dict[bytes, np.ndarray] = {}
    for name in ("baseline", NOTHING):
        store = open_source(str(folder / name))
        for example in lane_dataset.labelled(store)[0]:
            picture = lane_dataset.decoded(store.read(example.label.key), size, "")
            width, height = picture.size
            answer = np.zeros((SLOTS, 36, 3))
            ys = (np.arange(36) + 0.5) * height / 36
            for slot, lane_ in assigned(example.label, width, height).items():
                there = lane_ >= 0
                answer[slot, :, 0] = np.interp(ys, example.label.heights[there], lane_[there]) / width
                answer[slot, :, 1] = (ys > example.label.heights[there][0]) * 0.9
                answer[slot, :, 2] = 1
            known[lane_dataset.normalised([picture.pixels])[0].tobytes()] = answer
    unknown = next(iter(known.values()))
    return lambda pictures: np.stack([known.get(picture.tobytes(), unknown) for picture in pictures])


@pytest.mark.parametrize("kind", KINDS)
def test_frames(kind: str, days: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, size = days("lane", 60), (160, 96)
    answering(monkeypatch, lanes_by_picture(folder, size))
    told = {"preprocessing": lane_dataset.preprocessing(size), "data": {"held_out_share": 1.0, "group": ""}}
    pair = lane.read(source(folder, kind, told, tmp_path))
    assert (pair.before.rows, pair.after.rows) == (60, 60) and pair.before.figures.mean() > 0.8
    check(pair, kind)


def test_a_champion_of_lanes_that_does_not_say_what_it_held_out_is_refused(
    days: Callable[..., Path], tmp_path: Path
) -> None:
    told = {"preprocessing": lane_dataset.preprocessing((160, 96))}
    with pytest.raises(BadInput, match="does not say which pictures its training held out"):
        lane.read(source(days("lane", 60), NOTHING, told, tmp_path))


class Marks:
    """A detector that finds each face where days without drift have it marked."""

    chosen = CONFIGURATIONS["small"]
    held_out = (7, 8, 9, 10)

    def __init__(self, folder: Path) -> None:
        known = [each for name in ("baseline", NOTHING) for each in faces._listed(str(folder / name))]
        self.faces = {picture.label.name: picture.label.faces for picture in known}

    def answers(self, examples: list[Example], random: np.random.Generator) -> np.ndarray:
        found = []
        for example in examples:
            marked = Example(**{**vars(example), "faces": self.faces[example.name]})
            offsets, is_face = targets(self.chosen, marked.boxes)
            logits = np.where(is_face, 4.0 + random.normal(size=len(is_face)), -6.0)
            found.append(np.concatenate([offsets, logits[:, None]], axis=1))
        return np.array(found, np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_faces(kind: str, days: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = days("faces", 100)
    monkeypatch.setattr(Detector, "of", classmethod(lambda cls, path, threads: Marks(folder)))
    pair = faces.read(source(folder, kind, {}, tmp_path))
    assert (pair.before.rows, len(pair.before.chances)) == (100, 40), "asked about persons that it was not trained on"
    assert pair.before.figures.mean() > 0.8
    check(pair, kind)


@pytest.fixture
def heard(days: Callable[..., Path], encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Calls, and a champion that knows what is said on days without drift but for a tenth of it."""
    folder = days("calls", 60)
    monkeypatch.setattr(bert, "pretrained", lambda: encoder)
    (tmp_path / "tokenizer.json").write_bytes((encoder / "tokenizer.json").read_bytes())
    (tmp_path / TRAINED_ON).write_text("[]")
    tokens = calls.Tokens.of(encoder)
    known: dict[bytes, int] = {}
    for name in ("baseline", NOTHING):
        for sentence in calls_dataset.said(open_source(str(folder / name))).labelled:
            (numbers,) = sentiment.numbers(tokens, [sentence.text])
            known[numbers.tobytes()] = sentence.sentiment

    def answer(rows: Any) -> Any:
        found = [known.get(row[row != 0].tobytes(), 0) for row in rows]
        sure = np.array([2.0 if row.sum() % 10 else 0.5 for row in rows])
        return np.eye(3)[found] * sure[:, None]

    answering(monkeypatch, answer)
    return folder


CALLS = {"labels": list(sentiment.LABELS), "data": {"held_out_share": 0.3}}


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_of_calls(kind: str, heard: Path, tmp_path: Path) -> None:
    pair = calls.read(source(heard, kind, CALLS, tmp_path))
    assert pair.before.rows == pair.after.rows == 300 and pair.before.embedding is not None
    assert 50 < len(pair.before.chances) < 300, "of the calls that are held out"
    check(pair, kind)


def test_a_correction_in_a_labelled_call_counts_and_one_where_nothing_is_labelled_does_not(
    heard: Path, tmp_path: Path
) -> None:
    store = open_source(str(heard / NOTHING))
    labelled = calls_dataset.said(store).labelled
    first = labelled[0]
    told = {"call": first.call, "side": first.side, "text": "Something else was said.", "sentiment": "negative"}
    corrections = [{**told, "start": first.start, "end": first.end}, {**told, "start": 900.0, "end": 901.0}]
    folder = tmp_path / "corrected"
    for entry in store.entries():
        open_target(str(folder)).write(entry.key, store.read(entry.key))
    content = "".join(f"{json.dumps(row)}\n" for row in corrections)
    open_target(str(folder)).write(calls_dataset.CORRECTIONS, content.encode())
    said = calls_dataset.said(open_source(str(folder)))
    assert len(said.labelled) == len(labelled) and said.labelled[0].text == told["text"]
    assert [sentence.start for sentence in said.added] == [900.0] and said.corrected == 2
    with pytest.raises(NothingNew, match="there is no new one"):
        calls.read(source(heard, "baseline", CALLS, tmp_path))
    with pytest.raises(BadInput, match="does not say which calls it held out"):
        calls.read(source(heard, NOTHING, {**CALLS, "data": {}}, tmp_path))


@pytest.mark.parametrize("system", sorted(streams.DAYS))
def test_a_day_is_added_to_what_is_there(system: str, tmp_path: Path) -> None:
    """As a lake would hold it: the earlier day stays, and the reader of the system takes the whole."""
    store = open_target(str(tmp_path))
    plant.make(system, store, Day(NOTHING, OLD, 20))
    first = {entry.key for entry in store.entries()}
    plant.make(system, store, Day(INPUTS, NEW, 20))
    assert first < {entry.key for entry in store.entries()} or system == "calls"
    listed = {
        "calls": lambda: {s.call for s in calls._labelled(str(tmp_path))},
        "chest": lambda: chest._listed(str(tmp_path)),
        "faces": lambda: faces._listed(str(tmp_path)),
        "lane": lambda: lane._listed(str(tmp_path)),
        "retail": lambda: retail._all(retail._load(str(tmp_path))),
        "tyre": lambda: tyre._listed(str(tmp_path)),
    }
    assert len(listed[system]()) - 40 in (0, 1), "whole conversations are planted"
