from __future__ import annotations

import numpy as np
import pytest

from tasks.tyre.metrics import judge, roc_curve, softmax


@pytest.fixture(scope="module")
def predictions() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    of_first = np.clip(rng.normal(0.6 - 0.25 * labels, 0.2), 0.01, 0.99).round(2)  # rounded, so that scores are tied
    return np.stack([of_first, 1 - of_first], axis=1), labels


@pytest.mark.parametrize("positive", [0, 1])
def test_figures_equal_scikit_learns(predictions, positive: int):
    from sklearn import metrics

    probabilities, labels = predictions
    predicted = probabilities.argmax(axis=1)
    truth, scores = labels == positive, probabilities[:, positive]
    judgement = judge(probabilities, labels, positive)
    assert judgement.figures == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(labels, predicted),
            "precision": metrics.precision_score(labels, predicted, pos_label=positive),
            "recall": metrics.recall_score(labels, predicted, pos_label=positive),
            "f1": metrics.f1_score(labels, predicted, pos_label=positive),
            "roc_auc": metrics.roc_auc_score(truth, scores),
            "log_loss": metrics.log_loss(labels, probabilities),
        }
    )
    assert judgement.confusion == metrics.confusion_matrix(labels, predicted).tolist()
    expected = metrics.roc_curve(truth, scores, drop_intermediate=False)[:2]
    np.testing.assert_allclose(roc_curve(scores, truth), expected)


def test_precision_is_0_where_nothing_is_called_positive():
    judgement = judge(np.array([[0.1, 0.9], [0.2, 0.8]]), np.array([0, 1]), positive=0)
    assert (judgement.precision, judgement.recall, judgement.f1) == (0.0, 0.0, 0.0)


def test_probabilities_of_large_logits_are_finite():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0]], np.float32)), [[1, 0]])
