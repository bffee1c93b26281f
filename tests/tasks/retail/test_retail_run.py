"""Training, judging and asking, as the commands that they are, on a small encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from tasks.common import int8
from tasks.common.data import open_source, open_target
from tasks.common.judging import Model
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput, Stopped
from tasks.common.tokens import Tokens
from tasks.retail import evaluate, generate, precision, predict, train
from tasks.retail.configs import CONFIGURATIONS, Configuration, configuration
from tasks.retail.dataset import load
from tasks.retail.export import QUESTIONS, graph_of
from tasks.retail.model import build
from tasks.retail.training import Training

FIGURES = {"intent_accuracy", "slot_f1", "exact_match"}


def called(program: Any, monkeypatch: pytest.MonkeyPatch, *flags: Any) -> dict[str, Any]:
    monkeypatch.setattr("sys.argv", ["program", *map(str, flags)])
    return program.main()


@pytest.fixture(scope="module")
def trained(encoder: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was trained for few epochs on a few questions."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        where = ("--data", questions, "--output", folder, "--encoder", encoder, "--threads", 1)
        told = called(train, monkeypatch, *where, "--epochs", 60, "--learning-rate", 0.02)
    assert set(told["metrics"]) == FIGURES and len(json.dumps(told)) < 4096
    return folder


def test_a_training_learns_and_describes_its_model(trained: Path, questions: Path):
    told = json.loads((trained / "model.json").read_text())
    assert told["metrics"]["intent_accuracy"] > 2 / len(told["intents"]), "chance is one of them"
    assert told["precision"]["served"] in ("int8", "fp32")
    assert len(told["slots"]) == 53 and told["data"]["training"] + told["data"]["held_out"] == 200
    assert set(told["files"]) >= {"model.onnx", "tokenizer.json", "weights.pt", QUESTIONS, "MLmodel"}
    known = json.loads((trained / QUESTIONS).read_text())
    assert known == sorted({question.digest[:16] for question in load(open_source(str(questions))).training})


def test_what_is_served_has_8_bits_where_it_keeps_the_figures(trained: Path, questions: Path, monkeypatch):
    tokens, told = Tokens.of(trained), load(open_source(str(questions)))
    ruined = onnx.load(trained / "model.onnx")
    weights = [each for each in ruined.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    for each in weights:
        each.CopyFrom(onnx.numpy_helper.from_array(np.zeros_like(onnx.numpy_helper.to_array(each)), each.name))
    served = (trained / "model.onnx").read_bytes()

    def chosen(wanted: str, made: bytes) -> precision.Served:
        monkeypatch.setattr(precision.int8, "dynamic", lambda _: made)
        return precision.chosen(wanted, served, tokens, told, threads=1)

    kept = chosen("int8", served)
    assert kept.told == {"served": "int8", "share": {"intent_accuracy": 1.0, "slot_f1": 1.0}}
    worse = chosen("int8", ruined.SerializeToString())
    assert worse.told["served"] == "fp32" and worse.told["share"]["slot_f1"] < 0.99
    assert (worse.onnx, worse.figures) == (served, kept.figures), "what is told is of what is served"
    assert chosen("fp32", ruined.SerializeToString()).told == {"served": "fp32"}


def test_8_bits_make_a_smaller_network_with_nearly_the_same_answers(encoder: Path):
    network, tokens = build(encoder, 53, 20, configuration("small")), Tokens.of(encoder)
    whole = graph_of(network, tokens)
    small = int8.dynamic(whole)
    numbers, _ = tokens.numbers([("is", "it", "raining"), ("how", "much", "is", "it")])
    one, other = (OnnxModel(each, "", inputs="tokens", outputs="logits", threads=1)(numbers) for each in (whole, small))
    assert len(small) < len(whole)
    assert 0 < np.abs(one - other).max() < 0.1 * np.abs(one).max()


def test_models_are_judged_with_intervals_and_compared(trained: Path, questions: Path, tmp_path: Path, monkeypatch):
    models = ("--model", f"challenger={trained}", "--model", f"champion={trained}")
    told = called(evaluate, monkeypatch, "--data", questions, *models, "--output", tmp_path)
    assert set(told["metrics"]) == {"challenger", "champion"}
    low, high = told["intervals"]["challenger"]["slot_f1"]
    assert low <= told["metrics"]["challenger"]["slot_f1"] <= high
    assert told["comparison"]["intent_accuracy"]["gain"] == 0 and told["compared"] == told["held_out"]
    assert told["held_out_dialogs"] > 5 and told["comparison"]["dialogs_ended"]["gain"] == 0
    low, high = told["intervals"]["champion"]["dialogs_ended"]
    assert 0 <= low <= told["metrics"]["champion"]["dialogs_ended"] <= high <= 1
    assert set(told["pictures"]) == {
        "intents_challenger.png", "mistakes_challenger.html", "intents_champion.png", "mistakes_champion.html",
    }  # fmt: skip
    assert len(json.dumps(told)) < 4096
    page = (tmp_path / "mistakes_challenger.html").read_text()
    assert "questions that challenger got wrong" in page and "<script" not in page


def test_a_model_that_does_not_say_what_it_learnt_from_is_not_compared(trained: Path, questions: Path, tmp_path: Path):
    for name in ("model.onnx", "model.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    models = [Model.parse(f"{name}={folder}") for name, folder in (("challenger", trained), ("champion", tmp_path))]
    judged, refused = evaluate.judge(models, load(open_source(str(questions))), threads=1)
    assert set(judged) == {"challenger"} and "champion does not say which questions it was trained on" in refused
    with pytest.raises(BadInput, match="does not say which questions"):
        evaluate.judge(models[1:], load(open_source(str(questions))), threads=1)


def test_a_model_of_other_labels_is_compared_by_what_it_says(trained: Path, questions: Path, tmp_path: Path):
    """Its labels stand in another order, and one of them the data does not have."""
    for file in trained.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    told = json.loads((tmp_path / "model.json").read_text())
    told["intents"][1] = "an_intent_of_old"
    (tmp_path / "model.json").write_text(json.dumps(told))
    models = [Model.parse(f"{name}={folder}") for name, folder in (("challenger", trained), ("champion", tmp_path))]
    held_out = load(open_source(str(questions)))
    judged, refused = evaluate.judge(models, held_out, threads=1)
    assert not refused
    old = [question.intent == 1 for question in judged["champion"].questions]
    right = judged["champion"].scored.counts[:, 0].astype(bool)
    assert not (right & np.array(old)).any(), "what it does not know it gets wrong"
    same = judged["challenger"].scored.counts[:, 0].astype(bool)
    assert (right == (same & ~np.array(old))).all()


@pytest.mark.parametrize("name", ["small", "published"])
def test_a_stopped_training_goes_on_to_the_same_weights(
    encoder: Path, questions: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    settings = CONFIGURATIONS[name]
    short = Configuration(**{**vars(settings), "epochs": 2, "batch_size": 48})
    folder = tmp_path / "few"
    generate.bring(open_target(str(folder)), list(generate.plan(1, 120)))
    told = load(open_source(str(folder)))

    def training(place: str) -> Training:
        checkpoint = tmp_path / place / "checkpoint.pt"
        checkpoint.parent.mkdir(exist_ok=True)
        return Training(told, Tokens.of(encoder), encoder, short, 1, "this one", checkpoint)

    whole = training("whole").run(lambda number, figures: None)
    steps = 0
    step = Training._step

    def stopped(self: Training, *arguments: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == 4:  # in the second epoch
            raise Stopped
        step(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Training, "_step", stopped)
        training("stopped").run(lambda number, figures: None)
    seen: list[int] = []
    again = training("stopped").run(lambda number, figures: seen.append(number))
    assert seen == [1, 2]
    for (one, a), (other, b) in zip(whole.state_dict().items(), again.state_dict().items(), strict=True):
        assert one == other and torch.equal(a, b), one
    other = Training(told, Tokens.of(encoder), encoder, short, 1, "another", tmp_path / "whole" / "checkpoint.pt")
    with pytest.raises(BadInput, match="is of another training"):
        other.run(lambda number, figures: None)


def test_a_training_may_start_from_the_weights_of_an_earlier_model(
    trained: Path, encoder: Path, questions: Path, tmp_path: Path, monkeypatch
):
    where = ("--data", questions, "--encoder", encoder, "--threads", 1, "--epochs", 1, "--learning-rate", 1e-4)
    anew = called(train, monkeypatch, *where, "--output", tmp_path / "anew")
    again = called(train, monkeypatch, *where, "--output", tmp_path / "again", "--start", trained)
    assert again["metrics"]["intent_accuracy"] > anew["metrics"]["intent_accuracy"], "it has learnt before"
    told = {name: json.loads((tmp_path / name / "model.json").read_text()).get("start") for name in ("anew", "again")}
    first = json.loads((trained / "model.json").read_text())
    assert told == {"anew": None, "again": first["files"]["weights.pt"]}
    other = tmp_path / "other"
    other.mkdir()
    (other / "weights.pt").write_bytes((trained / "weights.pt").read_bytes())
    (other / "model.json").write_text(json.dumps({**first, "intents": ["one"]}))
    with pytest.raises(BadInput, match="has other intents than this training; train anew"):
        called(train, monkeypatch, *where, "--output", tmp_path / "no", "--start", other)
    with pytest.raises(BadInput, match="holds no model to start from"):
        called(train, monkeypatch, *where, "--output", tmp_path / "no", "--start", tmp_path / "nowhere")


def test_a_question_is_asked_of_a_server(trained: Path, monkeypatch):
    """What the server gets is what the network takes, and its answer is read by the model's own labels."""
    from tasks.common.onnx_model import OnnxModel

    asked = {}

    def served(url: str, values: Any, *, inputs: str, outputs: str) -> Any:
        asked[url] = values
        return OnnxModel.load(trained / "model.onnx", inputs=inputs, outputs=outputs, threads=1)(values)

    monkeypatch.setattr(predict, "infer", served)
    told = called(predict, monkeypatch, "--endpoint", "http://server:8000", "--model", trained)
    ((url, tokens),) = asked.items()
    assert url == "http://server:8000/v2/models/retail_assistant/infer" and tokens.dtype == np.int64
    assert (
        told["text"] == "where can i get the best pasta"
        and told["intent"] in json.loads((trained / "model.json").read_text())["intents"]
    )
    with pytest.raises(BadInput, match="--text has 0 words"):
        called(predict, monkeypatch, "--endpoint", "http://server:8000", "--model", trained, "--text", " ")


def test_an_encoder_that_is_not_installed_is_named(questions: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tasks.common.encoder.PACKAGE", "no_such_package")
    with pytest.raises(BadInput, match="Package no-such-package, which carries the encoder, is not installed"):
        called(train, monkeypatch, "--data", questions, "--output", tmp_path)
    with pytest.raises(BadInput, match=r"holds no model\.safetensors|has no tokenizer"):
        called(train, monkeypatch, "--data", questions, "--output", tmp_path, "--encoder", tmp_path)
