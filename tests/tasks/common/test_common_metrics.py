"""Figures are scikit-learn's; a comparison knows chance from skill."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.common import comparison
from tasks.common.comparison import compare
from tasks.common.metrics import Ranking, judge, softmax
from tasks.common.program import BadInput

NAMES = {name: name for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss")}


def predictions(rows: int, skill: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Chances, rounded so that some are tied, and what is so."""
    rng = np.random.default_rng(seed)
    positives = np.random.default_rng(9).integers(0, 2, rows).astype(bool)
    scores = np.clip(rng.normal(0.5 + skill * (positives - 0.5), 0.2), 0.01, 0.99).round(2)
    return scores, positives


def test_figures_equal_scikit_learns():
    from sklearn import metrics

    scores, positives = predictions(200, 0.25)
    predicted = scores > 0.5
    judgement = judge(scores, positives)
    assert judgement.figures(NAMES) == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(positives, predicted),
            "precision": metrics.precision_score(positives, predicted),
            "recall": metrics.recall_score(positives, predicted),
            "f1": metrics.f1_score(positives, predicted),
            "roc_auc": metrics.roc_auc_score(positives, scores),
            "log_loss": metrics.log_loss(positives, scores),
        }
    )
    assert judgement.confusion == metrics.confusion_matrix(positives, predicted).tolist()
    expected = metrics.roc_curve(positives, scores, drop_intermediate=False)[:2]
    np.testing.assert_allclose(Ranking.of(scores, positives).curve(), expected)


def test_what_is_undefined_has_a_value():
    judgement = judge(np.array([0.1, 0.2]), np.array([True, False]))
    assert (judgement.precision, judgement.recall, judgement.f1) == (0.0, 0.0, 0.0)
    assert judge(np.array([0.1, 0.2]), np.array([False, False])).roc_auc == 0.5


def test_bands_tell_what_was_predicted_and_what_was_so():
    scores = np.linspace(0, 1, 1000)
    judgement = judge(scores, np.random.default_rng(3).random(1000) < scores)
    assert [band.rows for band in judgement.bands] == [100] * 10
    assert judgement.calibration_error < 0.05
    assert judgement.majority == max(judgement.positive_share, 1 - judgement.positive_share)


def test_probabilities_of_large_logits_are_finite():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0]], np.float32)), [[1, 0]])


def test_a_model_is_not_better_than_itself():
    scores, positives = predictions(150, 0.3)
    for told in compare(scores, scores, positives, NAMES).values():
        assert (told["gain"], told["low"], told["high"]) == (0, 0, 0)


def test_a_better_model_is_better_beyond_chance_and_an_equal_one_is_not():
    (good, positives), (bad, _), (other, _) = (predictions(800, *which) for which in ((0.5, 1), (0.1, 2), (0.5, 3)))
    told = compare(good, bad, positives, NAMES)
    for name in NAMES:
        assert told[name]["low"] > 0, f"{name}: more is better in every figure, also less loss"
    equal = compare(good, other, positives, NAMES)
    assert equal["accuracy"]["low"] < 0 < equal["accuracy"]["high"]


def test_the_gain_is_that_of_the_rows_themselves_and_more_confidence_is_a_wider_interval():
    (one, positives), (other, _) = predictions(400, 0.3, 1), predictions(400, 0.2, 2)
    told, wider = (compare(one, other, positives, NAMES, c)["accuracy"] for c in (0.8, 0.99))
    assert told["gain"] == pytest.approx(judge(one, positives).accuracy - judge(other, positives).accuracy)
    assert wider["low"] < told["low"] < told["gain"] < told["high"] < wider["high"]
    assert (told["confidence"], told["method"]) == (0.8, "paired bootstrap")


def test_the_interval_is_as_wide_as_theory_says():
    (one, positives), (other, _) = predictions(1000, 0.3, 1), predictions(1000, 0.3, 2)
    right = [(scores > 0.5) == positives for scores in (one, other)]
    error = np.std(right[0].astype(float) - right[1]) / np.sqrt(1000)
    told = compare(one, other, positives, NAMES)["accuracy"]
    assert told["high"] - told["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_the_interval_is_that_of_scikit_learns_figures_of_the_same_draws():
    from sklearn import metrics

    (one, positives), (other, _) = predictions(300, 0.3, 1), predictions(300, 0.2, 2)
    random, gains = np.random.default_rng(1), []
    for _ in range(1000):
        rows = random.integers(0, 300, 300)
        aucs = [metrics.roc_auc_score(positives[rows], scores[rows]) for scores in (one, other)]
        gains.append(aucs[0] - aucs[1])
    told = compare(one, other, positives, NAMES)["roc_auc"]
    assert [told["low"], told["high"]] == pytest.approx(np.quantile(gains, [0.025, 0.975]).tolist())


def test_more_scores_than_bins_give_nearly_the_same_interval(monkeypatch):
    rng = np.random.default_rng(4)
    positives = rng.random(3000) < 0.3
    one, other = (positives * skill + rng.random(3000) for skill in (0.3, 0.2))
    exact = compare(one / 2, other / 2, positives, NAMES)["roc_auc"]
    monkeypatch.setattr(comparison, "_BINS", 500)
    binned = compare(one / 2, other / 2, positives, NAMES)["roc_auc"]
    assert binned["gain"] == exact["gain"]
    assert [binned["low"], binned["high"]] == pytest.approx([exact["low"], exact["high"]], abs=2e-4)


def test_the_same_rows_always_decide_the_same():
    (one, positives), (other, _) = predictions(200, 0.3, 1), predictions(200, 0.2, 2)
    assert compare(one, other, positives, NAMES) == compare(one, other, positives, NAMES)


def test_figures_that_only_describe_are_not_compared():
    scores, positives = predictions(50, 0.3)
    assert set(compare(scores, scores, positives, {"auc": "roc_auc", "click_rate": "positive_share"})) == {"auc"}


def test_a_confidence_that_is_none_is_one_sentence():
    scores, positives = predictions(50, 0.3)
    with pytest.raises(BadInput, match="--confidence is 95; it must be between 0 and 1"):
        compare(scores, scores, positives, NAMES, 95)
