"""Two models on the same held-out rows, which are those that the new one was judged on by its training."""

from __future__ import annotations

import pytest

from tasks.common.program import BadInput
from tasks.ctr import evaluate
from tasks.ctr.days import find_days

FAST = ("--engine=pandas", "--test-rows=5000", "--depth=4")


def test_a_model_gets_the_figures_its_training_reported(trained, run, clicks, tmp_path):
    code, reported = trained(clicks, tmp_path / "one", *FAST, "--trees=3")
    assert code == 0
    trained(clicks, tmp_path / "other", *FAST, "--trees=1")
    models = [f"--model=challenger={tmp_path / 'one'}", f"--model=champion={tmp_path / 'other'}"]
    code, result = run(evaluate.main, f"--data={clicks}", "--day=day_0", *models)
    assert (code, result["rows"]) == (0, 5000)
    assert result["metrics"]["challenger"] == pytest.approx(reported["metrics"], abs=1e-6)
    assert result["challenger"] == result["metrics"]["challenger"]
    assert result["champion"]["auc"] != result["challenger"]["auc"]


def test_the_last_rows_are_in_order_and_no_more_than_asked_for(clicks):
    days = find_days(str(clicks), ["day_0"])
    values, labels = evaluate.last_rows(days, 100)
    more, more_labels = evaluate.last_rows(days, 150)
    assert values.shape == (100, 13)
    assert (more[50:] == values).all()
    assert (more_labels[50:] == labels).all()
    with pytest.raises(BadInput, match="give the same data"):
        evaluate.last_rows(days, 10**6)


def test_rows_held_out_may_reach_back_into_the_days_before_the_last(trained, run, clicks, tmp_path):
    """day_1 has 6,000 rows."""
    flags = ("--day=day_1", "--engine=pandas", "--test-rows=8000", "--depth=4", "--trees=1")
    code, reported = trained(clicks, tmp_path / "one", *flags)
    assert code == 0
    code, result = run(evaluate.main, f"--data={clicks}", f"--model=challenger={tmp_path / 'one'}")
    assert (code, result["rows"]) == (0, 8000)
    assert result["challenger"] == pytest.approx(reported["metrics"], abs=1e-6)


def test_a_folder_without_a_model_is_explained(run, clicks, tmp_path, capsys):
    code, _ = run(evaluate.main, f"--data={clicks}", f"--model=challenger={tmp_path}")
    assert code == 2
    assert "holds no report.json" in capsys.readouterr().err


def test_days_may_be_joined_by_commas_or_left_out(clicks):
    assert [day.name for day in find_days(str(clicks), ["day_1,day_0"])] == ["day_0", "day_1"]
    assert [day.name for day in find_days(str(clicks), [""])] == ["day_0", "day_1"]
