"""The programs of New System, one after another on a small sample."""

from __future__ import annotations

import json

import pytest

from tasks.common import program
from tasks.newsystem import data, evaluate, samples, train


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))

    def run(main, *flags):
        monkeypatch.setattr("sys.argv", ["program", *map(str, flags)])
        code = program.exit_code(main)
        return code, json.loads((tmp_path / "result.json").read_text()) if code == 0 else {}

    return run


@pytest.fixture
def sample(call, tmp_path):
    call(samples.main, "--output", tmp_path / "data", "--revision", 2)
    return tmp_path / "data"


def test_a_model_learns_what_the_sample_has_to_teach(call, sample, tmp_path):
    code, trained = call(train.main, "--data", sample, "--output", tmp_path / "run")
    assert code == 0
    assert trained["data"]["training"] + trained["data"]["held_out"] == 2 * samples.ROWS
    assert trained["metrics"]["roc_auc"] > 0.8


def test_the_same_seed_gives_the_same_model(call, sample, tmp_path):
    files = [call(train.main, "--data", sample, "--output", tmp_path / name)[1]["files"] for name in ("a", "b")]
    assert files[0]["model.onnx"] == files[1]["model.onnx"]


def test_two_models_are_judged_on_the_same_rows(call, sample, tmp_path):
    call(train.main, "--data", sample, "--output", tmp_path / "good")
    call(train.main, "--data", sample, "--output", tmp_path / "poor", "--steps", 1)
    models = ["--model", f"challenger={tmp_path / 'good'}", "--model", f"champion={tmp_path / 'poor'}"]
    judged = call(evaluate.main, "--data", sample, *models)[1]
    assert judged["metrics"]["challenger"]["roc_auc"] >= judged["metrics"]["champion"]["roc_auc"]
    assert judged["comparison"]["accuracy"]["low"] <= judged["comparison"]["accuracy"]["high"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("temperature,vibration\n1,2\n", "has no column pressure, failed"),
        ("temperature,vibration,pressure,failed\n1,2,3,maybe\n", "bad.csv:2 is not 4 numbers"),
        ("temperature,vibration,pressure,failed\n1,2,nan,1\n", "bad.csv:2 has a value that is not finite"),
    ],
)
def test_a_file_that_is_no_such_table_is_named_with_its_line(call, tmp_path, capsys, text, sentence):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bad.csv").write_text(text)
    assert call(train.main, "--data", tmp_path / "data", "--output", tmp_path / "run")[0] == program.BAD_INPUT
    assert sentence in capsys.readouterr().err


def test_a_row_is_on_the_same_side_in_every_version():
    row = [0.5, -1.25, 2.0, 1.0]
    assert data.is_held_out(row) is data.is_held_out(list(row))
