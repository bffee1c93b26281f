"""What this system's data looks like and how its model is trained."""

from __future__ import annotations

FEATURES = ("temperature", "vibration", "pressure")  # columns of the CSV files, as numbers
LABEL = "failed"  # 0 or 1
CLASSES = ("sound", "failed")
HELD_OUT_SHARE = 0.25  # of all rows, chosen by their content, so that a row stays on its side in every version
INPUT, OUTPUT = "rows", "logits"  # names of the tensors on the inference server: [N, 3] and [N, 2], float32
STEPS, LEARNING_RATE = 300, 0.1
FIGURES = {name: name for name in ("accuracy", "precision", "recall", "f1", "roc_auc")}  # that evaluate reports
