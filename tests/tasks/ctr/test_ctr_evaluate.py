"""Two models on the same held-out rows, which neither has trained on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tasks.common.program import BadInput
from tasks.ctr import convert, evaluate, train
from tasks.ctr.blocks import count
from tasks.ctr.days import find_days, parts_of
from tasks.ctr.held_out import head_of, tails
from tests.tasks.run_files import write_run_file

FAST = ("--engine=pandas", "--depth=4", "--trees=1")


@pytest.fixture
def model(run, clicks, tmp_path):
    """Trains a model on the days named, all if none is, and returns its folder."""

    def call(name, *flags, data=clicks):
        code, _ = run(train.main, f"--data={data}", f"--output={tmp_path / name}", *FAST, *flags)
        assert code == 0
        return tmp_path / name

    return call


@pytest.fixture
def judged(run, clicks):
    def call(challenger, champion=None, *flags, data=clicks):
        models = [f"--model=challenger={challenger}"] + ([f"--model=champion={champion}"] if champion else [])
        code, result = run(evaluate.main, f"--data={data}", *models, *flags)
        assert code == 0
        return result

    return call


def reported(folder):
    return json.loads((folder / "report.json").read_text())


def test_a_model_gets_the_figures_its_training_reported(model, judged):
    one = model("one", "--day=day_0", "--test-rows=5000")
    result = judged(one, None, "--day=day_0")
    assert result["held_out"] == 5000
    assert result["metrics"]["challenger"] == pytest.approx(reported(one)["metrics"], abs=1e-6)
    assert "comparison" not in result and "refused" not in result


def test_models_that_held_out_the_same_rows_are_compared_on_all_of_them(model, judged):
    one = model("one", "--day=day_0", "--test-rows=5000", "--seed=1")
    other = model("other", "--day=day_0", "--test-rows=5000", "--seed=2", "--depth=2")
    result = judged(one, other, "--day=day_0")
    gain = result["comparison"]["auc"]
    assert result["compared"] == 5000
    assert gain["gain"] == pytest.approx(
        result["metrics"]["challenger"]["auc"] - result["metrics"]["champion"]["auc"], abs=1e-6
    )
    assert gain["low"] <= gain["gain"] <= gain["high"]


def test_a_champion_of_more_days_is_never_judged_on_rows_it_trained_on(model, judged):
    """As with "promote if better" in a backfill, with another "Days", or with an older version of the data."""
    champion = model("champion", "--test-rows=1000")  # of day_0 and day_1
    challenger = model("challenger", "--day=day_0", "--test-rows=2000")
    result = judged(challenger, champion, "--day=day_0")
    assert "Model champion has trained on all 2000 rows that model challenger held out" in result["refused"]
    assert list(result["metrics"]) == ["challenger"], "the champion has no figures that would be taken for its own"


def test_models_are_compared_on_those_rows_that_neither_has_trained_on(model, judged):
    champion = model("champion", "--day=day_0", "--test-rows=1500")
    challenger = model("challenger", "--day=day_0", "--test-rows=4000")
    result = judged(challenger, champion, "--day=day_0")
    assert (result["held_out"], result["compared"]) == (4000, 1500)
    assert result["metrics"]["champion"] == pytest.approx(reported(champion)["metrics"], abs=1e-6)
    assert result["metrics"]["challenger"] == pytest.approx(reported(challenger)["metrics"], abs=1e-6)


def test_a_champion_of_an_older_day_is_compared_on_all_rows_of_the_newer(model, judged):
    champion = model("champion", "--day=day_0", "--test-rows=1000")
    challenger = model("challenger", "--test-rows=2000")
    assert judged(challenger, champion)["compared"] == 2000


@pytest.fixture
def other_forms(run, clicks, tmp_path):
    """day_0 under another name, longer, and as Parquet."""
    grown = tmp_path / "grown"
    grown.mkdir()
    later = (clicks / "day_1").read_bytes()
    (grown / "day_7").write_bytes((clicks / "day_0").read_bytes() + later)
    assert run(convert.main, f"--data={clicks}", f"--output={tmp_path / 'parquet'}", "--day=day_0")[0] == 0
    return {"grown": grown, "parquet": tmp_path / "parquet"}


def test_a_day_is_known_again_under_another_name_and_after_rows_were_added(model, judged, other_forms):
    champion = model("champion", "--day=day_0", "--test-rows=1000")
    challenger = model("challenger", "--test-rows=8000", data=other_forms["grown"])
    result = judged(challenger, champion, data=other_forms["grown"])
    assert result["compared"] == 6000 + 1000, "the rows added, and those of day_0 that the champion held out"


def test_a_day_is_known_again_as_parquet(model, judged, other_forms):
    champion = model("champion", "--day=day_0", "--test-rows=1000")
    challenger = model("challenger", "--day=day_0", "--test-rows=2000", data=other_forms["parquet"])
    assert judged(challenger, champion, data=other_forms["parquet"])["compared"] == 1000


def test_a_champion_that_does_not_say_what_it_trained_on_is_not_compared(model, judged, tmp_path):
    challenger = model("challenger", "--day=day_0", "--test-rows=2000")
    old = tmp_path / "old"
    shutil.copytree(challenger, old)
    told = json.loads((old / "model.json").read_text())
    del told["data"]["trained_on"]
    (old / "model.json").write_text(json.dumps(told))
    assert (
        "Model champion does not say which rows it has trained on" in judged(challenger, old, "--day=day_0")["refused"]
    )


def test_the_version_that_was_judged_is_told(model, run, clicks, tmp_path, monkeypatch):
    one = model("one", "--day=day_0", "--test-rows=2000")
    champion = {"folder": str(one), "version": 7, "run_key": "r0"}
    monkeypatch.setenv("RUN_FILE", str(write_run_file(tmp_path / "run.json", {"confidence": 0.8}, champion=champion)))
    models = [f"--model={name}={one}" for name in ("challenger", "champion")]
    code, result = run(evaluate.main, f"--data={clicks}", "--day=day_0", *models)
    assert (code, result["champion_version"]) == (0, 7)
    assert result["comparison"]["auc"] == {
        "gain": 0,
        "low": 0,
        "high": 0,
        "confidence": 0.8,
        "method": "paired bootstrap",
    }


def test_the_last_rows_are_in_order_and_no_more_than_asked_for(clicks):
    days = find_days(str(clicks), ["day_0"])
    (some,), (more,) = tails(days, 100), tails(days, 150)
    assert some.values.shape == (100, 13)
    assert (more.values[50:] == some.values).all()
    assert (more.labels[50:] == some.labels).all()
    assert some.first == more.first + 50 == sum(count(part).rows for part in parts_of(days[0], 1 << 20)) - 100
    with pytest.raises(BadInput, match="give the same data"):
        tails(days, 10**6)


def test_rows_held_out_may_reach_back_into_the_days_before_the_last(model, judged):
    """day_1 has 6,000 rows."""
    one = model("one", "--day=day_1,day_0", "--test-rows=8000")
    result = judged(one)
    assert result["held_out"] == 8000
    assert result["metrics"]["challenger"] == pytest.approx(reported(one)["metrics"], abs=1e-6)


def test_the_first_rows_of_days_tell_them_apart(clicks):
    first, second = find_days(str(clicks))
    assert head_of(first, 1000) != head_of(second, 1000)
    assert head_of(first, 1000) != head_of(first, 999)
    assert head_of(second, 10**6) == "", "it has fewer"


def test_a_folder_without_a_model_is_explained(run, clicks, tmp_path, capsys):
    code, _ = run(evaluate.main, f"--data={clicks}", f"--model=challenger={tmp_path}")
    assert code == 2
    assert "Model challenger: " in capsys.readouterr().err


def test_days_may_be_joined_by_commas_or_left_out(clicks):
    assert [day.name for day in find_days(str(clicks), ["day_1,day_0"])] == ["day_0", "day_1"]
    assert [day.name for day in find_days(str(clicks), [""])] == ["day_0", "day_1"]
    assert np.all([day.kind == "text" for day in find_days(str(clicks))])
