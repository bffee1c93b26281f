"""Judge trained models on the same held-out questions, none of which any of them has been trained on.

    python -m tasks.retail.evaluate --data /data/questions --model challenger=/tmp/run
    python -m tasks.retail.evaluate --data /data/questions --model challenger=/tmp/run --model champion=/models/a

A model is a folder that training left: what is judged is what is deployed. Each figure has an interval by the bootstrap
over questions, and the gain over the champion is of the same draws. Models may know different labels; each answers with
its own, and one that it does not know it gets wrong.

``dialogs_ended`` is of whole conversations that are held out, and of whose first message none of the models has been
trained on. Each is played by the flows (``--flows``) with what the model understands, and beside it with the labels: it
ends where the same services are asked for the same. One whose labels ask no service is not counted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.comparison import METHOD
from tasks.common.data import open_source
from tasks.common.evaluation import add_evaluation
from tasks.common.judging import Incomparable, Model
from tasks.common.lineage import EVALUATION
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.tokens import Tokens
from tasks.common.tracking import Run
from tasks.retail import dataset, scoring
from tasks.retail.dataset import Question, Questions
from tasks.retail.dialog.flow_check import FLOWS, FaultyFlowsError, Flows, load
from tasks.retail.dialog.meaning import meaning
from tasks.retail.dialog.playing import Asked, played
from tasks.retail.export import QUESTIONS
from tasks.retail.labels import OUTSIDE
from tasks.retail.model import INPUT, OUTPUT
from tasks.retail.reading import Answer, answers
from tasks.retail.scoring import Counts, Scored

BATCH = 32
DRAWS = 1000
EDGES = ("gain", "low", "high")
_SEED = 1


@dataclass(frozen=True)
class Judged:
    """One model's answers to the questions that it has not been trained on, and which dialogs [N] came to their end."""

    questions: list[Question]
    answers: list[Answer]
    scored: Scored
    ended: Counts

    def figures(self, weights: Counts | None = None, of_dialogs: Counts | None = None) -> dict[str, float]:
        """Return the figures, each question and each dialog counting so many times."""
        figures = self.scored.figures(weights)
        if len(self.ended):
            figures[scoring.DIALOGS] = float(np.average(self.ended, weights=of_dialogs))
        return figures

    def drawn(self) -> list[dict[str, float]]:
        """Return the figures of each draw of the bootstrap, the same draws for every model."""
        of_dialogs = _draws(len(self.ended)) if len(self.ended) else [None] * DRAWS
        pairs = zip(_draws(len(self.questions)), of_dialogs, strict=True)
        return [self.figures(weights, dialogs) for weights, dialogs in pairs]


def main() -> dict[str, Any]:
    options = _options()
    models = [Model.parse(text) for text in options.model]
    questions = dataset.load(open_source(options.data), options.held_out_share)
    flows = _flows(options.flows)
    trained_in = models[0].description.get("mlflow") or {}
    if options.run is None:
        options.experiment = options.experiment or trained_in.get("mlflow_experiment")
    with mlflow_run(options, trained_in.get("mlflow_run_name", "evaluate")) as run:
        run.reads(dataset.lineage(options.run, questions), EVALUATION)
        judged, refused = judge(models, questions, options.threads, flows)
        first, *others = judged.values()
        comparison = compare(first, others[0], options.confidence) if others and not refused else {}
        result = _result(judged, comparison, refused, options)
        _record(run, result, comparison)
        pictures = _pictures(run, options.output, judged, questions)
        return {**result, "data_digest": questions.digest, "pictures": pictures, **run.identity}


def judge(
    models: list[Model], questions: Questions, threads: int, flows: Flows | None = None
) -> tuple[dict[str, Judged], str]:
    """Every model on held-out questions that none of them was trained on; and why there is no comparison, or "".

    Raises BadInput where the first cannot be judged.
    """
    flows = flows or load(FLOWS)
    first, *others = models
    refused = ""
    try:
        common = unseen(first, questions.held_out)
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    comparable = []
    for model in others:
        try:
            common_to_both = unseen(model, common)
        except Incomparable as error:
            refused = refused or f"{error}."
            continue
        comparable.append(model)
        common = common_to_both
    taking_part = (first, *comparable)
    dialogs = _dialogs(taking_part, questions, flows)
    judged = {model.name: _judged(model, common, dialogs, questions, flows, threads) for model in taking_part}
    return judged, refused


def _dialogs(models: Sequence[Model], questions: Questions, flows: Flows) -> list[list[Question]]:
    """Conversations that ask a service by their labels, and of whose first message no model has been trained on."""
    known: set[str] = set().union(*map(known_to, models))
    found = [
        dialog
        for dialog in questions.dialogs
        if dialog[0].digest[:16] not in known
        and _played(flows, dialog, _true_answers(dialog), questions.intents, questions.slots)
    ]
    if not found:
        say("No held-out conversation asks a service, so none is played.")
    return found


def _played(
    flows: Flows, dialog: Sequence[Question], found: Sequence[Answer], intents: Sequence[str], slots: Sequence[str]
) -> list[Asked]:
    labels = flows.vocabulary.intent_of_label()
    understood = [
        meaning(question.words, answer, intents, slots, labels) for question, answer in zip(dialog, found, strict=True)
    ]
    return played(flows, [question.text for question in dialog], understood)


def _true_answers(dialog: Sequence[Question]) -> list[Answer]:
    return [Answer(question.intent, 1.0, question.slots) for question in dialog]


def known_to(model: Model) -> frozenset[str]:
    """Digests of what the model has been trained on."""
    return frozenset(json.loads((model.onnx.parent / QUESTIONS).read_text()))


def unseen(model: Model, questions: list[Question]) -> list[Question]:
    """Questions that the model has not been trained on. Raises Incomparable where that cannot be told."""
    try:
        known = known_to(model)
        _ = model.description["intents"], model.description["slots"]
    except (OSError, ValueError, KeyError):
        raise Incomparable(
            f"Model {model.name} does not say which questions it was trained on, or what its labels are; train it "
            "again, or promote without a comparison"
        ) from None
    found = [question for question in questions if question.digest[:16] not in known]
    if not found:
        raise Incomparable(f"Model {model.name} has been trained on all {len(questions)} held-out questions")
    return found


def compare(one: Judged, other: Judged, confidence: float) -> dict[str, dict[str, Any]]:
    """``gain`` of the first by figure, with ``low`` and ``high``: both models on the same draws of questions."""
    if not 0 < confidence < 1:
        raise BadInput(f"--confidence is {confidence}; it must be between 0 and 1, such as 0.95.")
    first, second = [one.figures(), *one.drawn()], [other.figures(), *other.drawn()]
    gains = [{name: a[name] - b[name] for name in a} for a, b in zip(first, second, strict=True)]
    found = {}
    for name in gains[0]:
        low, high = np.quantile([gain[name] for gain in gains[1:]], _edges(confidence))
        values = {"gain": gains[0][name], "low": float(low), "high": float(high)}
        found[name] = {**values, "confidence": confidence, "method": METHOD}
    return found


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with questions in the published form")
    flags.add_argument("--held-out-share", type=float, default=dataset.HELD_OUT_SHARE, help="where no file holds out")
    flags.add_argument("--flows", type=Path, default=FLOWS, help="folder of *_flow.yml and vocabulary.yml")
    add_evaluation(flags)
    return flags.parse()


def _flows(folder: Path) -> Flows:
    try:
        return load(folder)
    except FaultyFlowsError as error:
        first, count = error.findings[0], len(error.findings)
        raise BadInput(f"The flows in {folder} have faults, {count} in all, the first: {first}") from None


def _judged(
    model: Model,
    questions: list[Question],
    dialogs: list[list[Question]],
    told: Questions,
    flows: Flows,
    threads: int,
) -> Judged:
    network = OnnxModel.load(model.onnx, inputs=INPUT, outputs=OUTPUT, threads=threads)
    tokens = Tokens.of(model.onnx.parent)
    slots: list[str] = model.description["slots"]
    said = [question for dialog in dialogs for question in dialog]
    found: list[Answer] = []
    with Progress(len(questions) + len(said), "questions", f"Judging {model.name}") as progress:
        for start in range(0, len(questions) + len(said), BATCH):
            part = [*questions, *said][start : start + BATCH]
            numbers, first = tokens.numbers([question.words for question in part])
            found += answers(network(numbers), first, len(slots), slots.index(OUTSIDE))
            progress.advance(len(part))
    found, in_dialogs = found[: len(questions)], iter(found[len(questions) :])
    ended = np.zeros(len(dialogs))
    for row, dialog in enumerate(dialogs):
        understood = [next(in_dialogs) for _ in dialog]
        wanted = _played(flows, dialog, _true_answers(dialog), told.intents, told.slots)
        ended[row] = _played(flows, dialog, understood, model.description["intents"], slots) == wanted
    translated = [_in_labels_of(told, answer, model) for answer in found]
    scored = scoring.score(questions, translated, told.slots)
    judged = Judged(questions, translated, scored, ended)
    figures = ", ".join(f"{name} {value:.3f}" for name, value in judged.figures().items())
    say(f"{model.name} on {len(questions)} questions and {len(dialogs)} dialogs: {figures}")
    return judged


def _in_labels_of(told: Questions, answer: Answer, model: Model) -> Answer:
    """Return the answer by the numbers of the data's labels; -1, which nothing is, for an intent the data has not."""
    intent = model.description["intents"][answer.intent]
    slots = [model.description["slots"][slot] for slot in answer.slots]
    number = told.intents.index(intent) if intent in told.intents else -1
    outside = told.slots.index(OUTSIDE)
    numbers = tuple(told.slots.index(slot) if slot in told.slots else outside for slot in slots)
    return Answer(number, answer.confidence, numbers)


def _draws(rows: int) -> list[Any]:
    random = np.random.default_rng(_SEED)
    return [np.bincount(random.integers(0, rows, rows), minlength=rows).astype(np.float64) for _ in range(DRAWS)]


def _edges(confidence: float) -> list[float]:
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def _result(
    judged: Mapping[str, Judged], comparison: dict[str, dict[str, Any]], refused: str, options: argparse.Namespace
) -> dict[str, Any]:
    champion = options.run.champion if options.run else None
    first = next(iter(judged.values()))
    intervals = {}
    for name, each in judged.items():
        drawn = each.drawn()
        edges = {figure: np.quantile([d[figure] for d in drawn], _edges(options.confidence)) for figure in drawn[0]}
        intervals[name] = {figure: [round(float(edge), 6) for edge in found] for figure, found in edges.items()}
    result: dict[str, Any] = {
        "metrics": {name: each.figures() for name, each in judged.items()},
        "intervals": intervals,
        "held_out": len(first.questions),
        "held_out_dialogs": len(first.ended),
        "champion_version": champion.version if champion else None,
    }
    if refused:
        say(refused)
        return {**result, "refused": refused}
    if comparison:
        rounded = {
            figure: {key: round(value, 6) if isinstance(value, float) else value for key, value in told.items()}
            for figure, told in comparison.items()
        }
        result |= {"comparison": rounded, "compared": len(first.questions)}
    return result


def _record(run: Run, result: Mapping[str, Any], comparison: Mapping[str, Mapping[str, Any]]) -> None:
    for name, figures in result["metrics"].items():
        run.metrics({f"{name}.{figure}": value for figure, value in figures.items()})
        for place, edge in enumerate(("low", "high")):
            edges = result["intervals"][name]
            run.metrics({f"{name}.{figure}.{edge}": values[place] for figure, values in edges.items()})
    run.metrics({f"gain.{figure}.{edge}": told[edge] for figure, told in comparison.items() for edge in EDGES})


def _pictures(run: Run, output: str | None, judged: Mapping[str, Judged], questions: Questions) -> list[str]:
    def draw(folder: Path) -> list[Path]:
        from tasks.retail import pictures

        return pictures.draw_all(folder, judged, questions)

    return run.drawn(output, draw)


if __name__ == "__main__":
    program.run(main)
