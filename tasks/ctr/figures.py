"""What is told of a model, and how its answers are called."""

from __future__ import annotations

CLASSES = ("no click", "click")
# By name in the results, the name in metrics.Judgement.
FIGURES = {
    "accuracy": "accuracy",
    "auc": "roc_auc",
    "log_loss": "log_loss",
    "calibration_error": "calibration_error",
    "click_rate": "positive_share",
    "majority": "majority",
}
