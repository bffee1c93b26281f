"""Images and questions as rows for drift: which are new, which the champion has not seen, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.common import encoder as bert
from tasks.common.data import open_target
from tasks.common.judging import Model
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.drift.sample import NothingNew, Pair, Source
from tasks.drift.systems import names, retail, tyre
from tasks.drift.verdict import Limits, judge
from tasks.retail import dataset, generate
from tasks.retail.labels import INTENTS, SLOTS
from tasks.tyre import preprocessing


def source(folder: Path, data: str, description: dict[str, Any], since: str = "baseline", limit: int = 400) -> Source:
    model = Model("champion", folder / "model" / "model.onnx", description)
    return Source(
        baseline=str(folder / "baseline"), since=str(folder / since), data=str(folder / data), model=model, limit=limit
    )


def picture(seed: int, light: int) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(light, 20, (48, 48, 3)), 0, 255).astype(np.uint8)


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions of photographs, the second with darker ones and one that is none; bright ones are good."""
    from PIL import Image

    def put(version: str, kind: str, seed: int, light: int) -> None:
        path = tmp_path / version / kind / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed, light)).save(path)

    for version in ("baseline", "alike", "darker"):
        for seed in range(60):
            put(version, ("defective", "good")[seed % 2], seed, (100, 140)[seed % 2])
    for seed in range(60, 100):
        put("alike", ("defective", "good")[seed % 2], seed, (100, 140)[seed % 2])
        put("darker", ("defective", "good")[seed % 2], seed, (60, 90)[seed % 2])
    (tmp_path / "darker" / "good" / "broken.png").write_bytes(b"none")

    def answer(values: Any) -> Any:
        bright = values.mean((1, 2, 3))
        return np.column_stack([-bright, bright]) * 8

    monkeypatch.setattr(OnnxModel, "load", classmethod(lambda cls, path, **kwargs: answer))
    return tmp_path


CHAMPION = {
    "classes": ["defective", "good"],
    "preprocessing": preprocessing.description(),
    "data": {"held_out_share": 0.5, "group": ""},
}


def test_every_system_with_a_reader_is_listed() -> None:
    assert names() == ["calls", "chest", "ctr", "faces", "lane", "retail", "tyre"]


def test_new_photographs_are_those_of_new_content_and_darker_ones_are_drift(photographs: Path) -> None:
    pair = tyre.read(source(photographs, "darker", CHAMPION))
    assert (pair.before.rows, pair.after.rows) == (60, 40)
    assert pair.left_out == ["good/broken.png"]
    assert 0 < len(pair.before.chances) < 60, "of the baseline, those that training held out"
    assert len(pair.after.chances) == 40
    found = judge(pair, Limits(rows=20))
    assert "brightness" in {column.name for column in found.columns if column.drifted} and found.alarm
    assert found.separation is not None and found.separation.low > 0.9
    alike = judge(tyre.read(source(photographs, "alike", CHAMPION)), Limits(rows=20))
    assert not alike.alarm, alike.reason


def test_photographs_that_cannot_be_asked_about_are_refused(photographs: Path) -> None:
    with pytest.raises(NothingNew, match="there is no new one"):
        tyre.read(source(photographs, "baseline", CHAMPION))
    with pytest.raises(NothingNew):
        tyre.read(source(photographs, "darker", CHAMPION, since="darker"))
    other = {**CHAMPION, "classes": ["cracked", "good"]}
    with pytest.raises(BadInput, match="has images of class defective, which model champion does not know"):
        tyre.read(source(photographs, "alike", other))
    with pytest.raises(BadInput, match="prepared in another way"):
        tyre.read(source(photographs, "alike", {**CHAMPION, "preprocessing": {}}))
    with pytest.raises(BadInput, match="does not say which images it held out"):
        tyre.read(source(photographs, "alike", {**CHAMPION, "data": {}}))


@pytest.fixture
def asked(tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Questions of a first day and of two, and a champion that was trained on half of the first day."""
    for version, revision in (("baseline", 1), ("later", 3)):
        generate.bring(open_target(str(tmp_path / version)), list(generate.plan(revision, 120)))
    model = tmp_path / "model"
    model.mkdir()
    (model / "tokenizer.json").write_bytes((encoder / "tokenizer.json").read_bytes())
    questions = [question for question, _ in generate.plan(1, 120)]
    (model / "questions.json").write_text(json.dumps([question.digest[:16] for question in questions[:60]]))
    monkeypatch.setattr(bert, "pretrained", lambda: encoder)

    def answer(numbers: Any) -> Any:
        return np.zeros((*numbers.shape, len(SLOTS) + len(INTENTS)), np.float32)

    monkeypatch.setattr(OnnxModel, "load", classmethod(lambda cls, path, **kwargs: answer))
    return tmp_path


LABELS = {"slots": list(SLOTS), "intents": list(INTENTS)}


def test_new_questions_are_those_never_asked_before(asked: Path) -> None:
    pair: Pair = retail.read(source(asked, "later", LABELS))
    first = {question.digest for question, _ in generate.plan(1, 120)}
    later = {question.digest for question, _ in generate.plan(3, 120)}
    assert (pair.before.rows, pair.after.rows) == (len(first), len(later - first))
    assert pair.before.embedding is not None and pair.before.embedding.shape == (len(first), 32)
    assert len(pair.before.chances) < len(first) and len(pair.after.chances) == len(later - first)
    assert np.allclose(pair.after.chances, 1 / len(INTENTS)), "this champion knows nothing"
    assert 0 <= pair.after.figures.mean() < 0.5
    judged = judge(pair, Limits(rows=200))
    assert judged.drift == "not known" and not judged.alarm


def test_what_nobody_but_the_model_has_labelled_is_left_out(asked: Path) -> None:
    questions = [question for question, _ in generate.plan(6, 120)][-30:]
    day = asked / "later" / "days" / "2026-11-20"
    day.mkdir(parents=True)
    for name, content in dataset.written(questions, dataset.SUGGESTED).items():
        (day / name).write_bytes(content)
    first, later = (len({q.digest for q, _ in generate.plan(revision, 120)}) for revision in (1, 3))
    assert retail.read(source(asked, "later", LABELS)).after.rows == later - first


def test_a_champion_that_does_not_say_what_it_was_trained_on_is_refused(asked: Path) -> None:
    (asked / "model" / "questions.json").unlink()
    with pytest.raises(BadInput, match=r"has no questions\.json, which says what it was trained on"):
        retail.read(source(asked, "later", LABELS))
