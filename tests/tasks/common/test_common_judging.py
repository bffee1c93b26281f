"""A model is judged on rows that it has not trained on; two are compared on rows that neither has."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.common.judging import Incomparable, Model, judge_models
from tasks.common.program import BadInput

NAMES = {"accuracy": "accuracy"}


def model(name: str, seen: range | None) -> Model:
    return Model(name, Path("model.onnx"), {"data": {} if seen is None else {"seen": seen}})


class Numbers:
    """A hundred rows; the challenger is always right, every other model always wrong."""

    positives = np.arange(100) % 2 == 0

    def unseen(self, model: Model) -> np.ndarray:
        if "seen" not in model.data:
            raise Incomparable(f"Model {model.name} does not say what it has trained on")
        return np.array([place not in model.data["seen"] for place in range(100)])

    def scores(self, model: Model) -> np.ndarray:
        right = np.where(self.positives, 0.9, 0.1)
        return right if model.name == "challenger" else 1 - right


def judged(challenger: range | None, *champion: range | None):
    models = [model("challenger", challenger), *(model("champion", seen) for seen in champion)]
    return judge_models(models, Numbers(), NAMES)


def test_without_a_champion_there_is_no_comparison():
    found = judged(range(0))
    assert (list(found.verdicts), found.comparison, found.refused) == (["challenger"], {}, "")


def test_both_are_compared_on_the_rows_that_neither_has_trained_on():
    found = judged(range(0), range(60))
    assert (found.verdicts["challenger"].judged.sum(), found.verdicts["champion"].judged.sum()) == (100, 40)
    assert (found.compared, found.comparison["accuracy"]["gain"]) == (40, 1.0)


def test_a_champion_that_has_trained_on_all_of_them_is_not_compared():
    found = judged(range(0), range(100))
    assert (list(found.verdicts), found.comparison) == (["challenger"], {})
    assert found.refused == (
        "Model champion has trained on all 100 rows that model challenger held out, so there is no row to compare "
        "them on."
    )


def test_a_champion_that_does_not_say_what_it_has_trained_on_is_not_compared():
    assert judged(range(0), None).refused == "Model champion does not say what it has trained on."


@pytest.mark.parametrize(("seen", "sentence"), [(range(100), "has trained on all of these rows"), (None, "not say")])
def test_a_challenger_that_cannot_be_judged_is_bad_input(seen, sentence):
    with pytest.raises(BadInput, match=sentence):
        judged(seen)


@pytest.mark.parametrize(
    ("files", "text", "sentence"),
    [
        ({}, "a", "--model 'a' is not of the form name=path"),
        ({}, "=x", "--model '=x' is not of the form name=path"),
        ({}, "a={}", "Model a: {}/model.onnx does not exist"),
        ({"model.onnx": ""}, "a={}/model.onnx", "Model a: {}/model.json does not exist"),
        ({"model.onnx": "", "model.json": "["}, "a={}", "Model a: {}/model.json is not a description"),
    ],
)
def test_what_is_no_model_is_one_sentence(tmp_path: Path, files: dict[str, str], text: str, sentence: str):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as caught:
        Model.parse(text.format(tmp_path))
    assert sentence.format(tmp_path) in str(caught.value)


def test_a_model_is_its_folder_or_the_network_in_it(tmp_path: Path):
    (tmp_path / "model.onnx").touch()
    (tmp_path / "model.json").write_text(json.dumps({"data": {"held_out": 5}}))
    assert Model.parse(f"a={tmp_path}") == Model.parse(f"a={tmp_path}/model.onnx")
    assert Model.parse(f"a={tmp_path}").data == {"held_out": 5}
