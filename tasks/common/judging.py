"""Which rows may judge which model, and the verdict on the same rows.

A model is judged on rows that it has not trained on, and two models are compared on rows that neither has trained on.
What a model has trained on stands in its ``model.json``; a model that does not say is not compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tasks.common.comparison import CONFIDENCE, compare
from tasks.common.metrics import Booleans, Floats, Judgement, judge
from tasks.common.model_folder import DESCRIPTION, ONNX
from tasks.common.program import BadInput


class Incomparable(Exception):
    """A model cannot be judged on these rows; the text is the sentence that says why, without its final stop."""


@dataclass(frozen=True)
class Model:
    """A trained model's network as ONNX, with the description that training left beside it."""

    name: str
    onnx: Path
    description: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Model:
        """From NAME=FOLDER or NAME=FOLDER/model.onnx. Raises BadInput."""
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise BadInput(f"--model {text!r} is not of the form name=path.")
        onnx = Path(path) if path.endswith(".onnx") else Path(path) / ONNX
        description = onnx.parent / DESCRIPTION
        for file in (onnx, description):
            if not file.is_file():
                raise BadInput(f"Model {name}: {file} does not exist.")
        try:
            return cls(name, onnx, dict(json.loads(description.read_text())))
        except (ValueError, TypeError):
            raise BadInput(f"Model {name}: {description} is not a description; train it again.") from None

    @property
    def data(self) -> Mapping[str, Any]:
        """What the description says about the data; {} where it says nothing."""
        found = self.description.get("data")
        return found if isinstance(found, dict) else {}


class Rows(Protocol):
    """Labelled rows that the first model's training held out: ``positives`` [N]."""

    @property
    def positives(self) -> Booleans: ...

    def unseen(self, model: Model) -> Booleans:
        """Which of them the model has not trained on [N]. Raises Incomparable where that cannot be told."""

    def scores(self, model: Model) -> Floats:
        """Return the model's chance of each being positive [N]."""


@dataclass(frozen=True)
class Verdict:
    """Of one model: on which of the rows it was judged, its chances for all rows, and how good they are."""

    judged: Booleans
    scores: Floats
    judgement: Judgement


@dataclass(frozen=True)
class Judged:
    """``compared`` rows are those that neither of the first two models has trained on; ``refused`` says why none."""

    verdicts: dict[str, Verdict]
    comparison: dict[str, dict[str, Any]] = field(default_factory=dict)
    compared: int = 0
    refused: str = ""


def judge_models(
    models: Sequence[Model], rows: Rows, names: Mapping[str, str], confidence: float = CONFIDENCE
) -> Judged:
    """Judge the first model on all rows it has not trained on, each other one on those of them that it has not either.

    The first is compared with the second. ``names`` are the figures to compare (see ``comparison.compare``). Raises
    BadInput where the first cannot be judged at all.
    """
    challenger, *others = models
    try:
        own = rows.unseen(challenger)
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    if not own.any():
        raise BadInput(f"Model {challenger.name} has trained on all of these rows: give the data that it held out.")
    verdicts = {challenger.name: _verdict(challenger, own, rows)}
    refused = {}
    for model in others:
        try:
            common = own & rows.unseen(model)
            if not common.any():
                raise Incomparable(
                    f"Model {model.name} has trained on all {own.sum()} rows that model {challenger.name} held out, "
                    "so there is no row to compare them on"
                )
            verdicts[model.name] = _verdict(model, common, rows)
        except Incomparable as error:
            refused[model.name] = f"{error}."
    if not others:
        return Judged(verdicts)
    second = others[0].name
    if second in refused:
        return Judged(verdicts, refused=refused[second])
    common, positives = verdicts[second].judged, rows.positives
    one, other = (verdicts[name].scores[common] for name in (challenger.name, second))
    return Judged(verdicts, compare(one, other, positives[common], names, confidence), int(common.sum()))


def _verdict(model: Model, judged: Booleans, rows: Rows) -> Verdict:
    scores = np.asarray(rows.scores(model))
    return Verdict(judged, scores, judge(scores[judged], rows.positives[judged]))
