"""Judge models on the same held-out calls, each alone and as a pipeline with its recogniser, and the base beside them.

    python -m tasks.calls.evaluate --data /data/calls --model challenger=/tmp/run
    python -m tasks.calls.evaluate --data /data/calls --model challenger=/tmp/run --model champion=/models/a

The published steps: the pipeline's metric of the base model, that of the tuned one, their difference for each sentence,
and the mean of it. The metric is the mean difference of the labelled sentiment and the one that the model finds in what
the recogniser heard; the interval is by the bootstrap over calls. The base model, which has seen general sentences
alone and whose recogniser has no hints, comes with the challenger: where the tuned one is not better than it beyond the
interval, the result says under ``unfit`` that it is not to be deployed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.calls import dataset, scoring, wording
from tasks.calls.dataset import Labelled, Sentence
from tasks.calls.export import TRAINED_ON, base_of
from tasks.calls.hearing import heard, spoken
from tasks.calls.scoring import Answered, Scored
from tasks.calls.sentiment import INPUT, LABELS, OUTPUT, numbers
from tasks.calls.training import predict
from tasks.common import encoder, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.evaluation import add_evaluation
from tasks.common.judging import Incomparable, Model
from tasks.common.lineage import EVALUATION
from tasks.common.metrics import Floats
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.recogniser import Recogniser
from tasks.common.tokens import Tokens
from tasks.common.tracking import Run

BASE = "base"
BATCH = 32
EDGES = ("gain", "low", "high")
Asked = Callable[[Sequence[str]], Floats]
"""Texts to logits [N, 3]."""


@dataclass(frozen=True)
class Judged:
    """One model on sentences that it has not been trained on: its answers, and what they are worth."""

    sentences: list[Sentence]
    heard: dict[Sentence, str]
    answers: list[Answered]
    scored: Scored


class Judge:
    """Judges models on sentences of held-out calls. What a recogniser hears with the same hints, it hears once."""

    def __init__(self, labelled: Labelled, recogniser: str | None, threads: int) -> None:
        self._labelled, self._recogniser, self._threads = labelled, recogniser, threads
        self._heard: dict[tuple[str, ...], dict[Sentence, str]] = {}

    def judged(self, name: str, ask: Asked, hints: Sequence[str], sentences: list[Sentence]) -> Judged:
        texts = self._texts(tuple(hints), sentences)
        read = self._found(ask, [sentence.text for sentence in sentences])
        listened = [sentence for sentence in sentences if sentence in texts]
        found = dict(zip(listened, self._found(ask, [texts[s] for s in listened]), strict=True))
        answers = []
        for sentence, label in zip(sentences, read, strict=True):
            wrong, said = wording.word_errors(sentence.text, texts[sentence]) if sentence in texts else (0, 0)
            answers.append(Answered(sentence.call, sentence.sentiment, label, found.get(sentence), wrong, said))
        scored = scoring.score(answers)
        say(f"{name} on {len(sentences)} sentences of {len(scored.calls)} calls: {scoring.told(scored.figures())}")
        return Judged(sentences, texts, answers, scored)

    def _texts(self, hints: tuple[str, ...], sentences: list[Sentence]) -> dict[Sentence, str]:
        known = self._heard.setdefault(hints, {})
        wanted = [sentence for sentence in spoken(self._labelled, sentences) if sentence not in known]
        if wanted:
            recogniser = Recogniser(self._recogniser, hints, threads=self._threads)
            with_hints = f"with {len(hints)} hints" if hints else "without hints"
            known |= zip(wanted, heard(self._labelled, wanted, recogniser, f"Listening {with_hints}"), strict=True)
        return {sentence: known[sentence] for sentence in sentences if sentence in known}

    def _found(self, ask: Asked, texts: Sequence[str]) -> list[int]:
        parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        return [int(label) for part in parts for label in ask(part).argmax(1)]


def main() -> dict[str, Any]:
    options = _options()
    models = [Model.parse(text) for text in options.model]
    share = models[0].data.get("held_out_share", dataset.HELD_OUT_SHARE)
    labelled = dataset.load(open_source(options.data), options.held_out_share or share)
    trained_in = models[0].description.get("mlflow") or {}
    if options.run is None:
        options.experiment = options.experiment or trained_in.get("mlflow_experiment")
    with mlflow_run(options, trained_in.get("mlflow_run_name", "evaluate")) as run:
        run.reads(dataset.lineage(options.run, labelled), EVALUATION)
        judged, refused = judge(models, labelled, options)
        first, base, *others = judged.values()
        against_base = scoring.compare(first.scored, base.scored, options.confidence)
        comparison = scoring.compare(first.scored, others[0].scored, options.confidence) if others else {}
        result = _result(judged, against_base, comparison, refused, options)
        _record(run, judged, against_base, comparison, options.confidence)
        pictures = _pictures(run, options.output, judged, options.confidence)
        return {**result, "data_digest": labelled.digest, "pictures": pictures, **run.identity}


def judge(models: list[Model], labelled: Labelled, options: argparse.Namespace) -> tuple[dict[str, Judged], str]:
    """The first model, its base and the second, on held-out sentences that none was trained on; why not the second.

    Raises BadInput where the first cannot be judged, or nothing that is held out has a recording.
    """
    first, *others = models
    refused = ""
    try:
        common = unseen(first, labelled.held_out)
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    comparable = []
    for model in others:
        try:
            common = unseen(model, common)
            comparable.append(model)
        except Incomparable as error:
            refused = refused or f"{error}."
    if not spoken(labelled, common):
        raise BadInput(
            f"None of the {len(common)} held-out sentences of {labelled.store.url} is of a call with a recording, so "
            "the models cannot be judged behind a recogniser; label more recorded calls."
        )
    at = Judge(labelled, options.recogniser, options.threads)
    judged = {first.name: at.judged(first.name, _asked(first, options.threads), _hints(first, options), common)}
    judged[BASE] = at.judged(BASE, _base(first, options.encoder), (), common)
    for model in comparable:
        judged[model.name] = at.judged(model.name, _asked(model, options.threads), _hints(model, options), common)
    return judged, refused


def unseen(model: Model, sentences: list[Sentence]) -> list[Sentence]:
    """Sentences that the model has not been trained on. Raises Incomparable where that cannot be told."""
    known = known_to(model)
    found = [sentence for sentence in sentences if sentence.digest[:16] not in known]
    if not found:
        raise Incomparable(f"Model {model.name} has been trained on all {len(sentences)} held-out sentences")
    return found


def known_to(model: Model) -> frozenset[str]:
    """What digests of sentences that the model was trained on begin with. Raises Incomparable where it does not say, or
    tells other sentiments."""
    try:
        known = frozenset(json.loads((model.onnx.parent / TRAINED_ON).read_text()))
    except (OSError, ValueError):
        raise Incomparable(
            f"Model {model.name} does not say which sentences it was trained on; train it again, or promote without a "
            "comparison"
        ) from None
    if tuple(model.description.get("labels", ())) != LABELS:
        raise Incomparable(f"Model {model.name} tells other sentiments than {', '.join(LABELS)}")
    return known


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with labelled calls")
    flags.add_argument("--encoder", help="folder of a pretrained BERT; else the one that an installed package carries")
    flags.add_argument("--recogniser", help="folder of a Whisper; else the one that an installed package carries")
    flags.add_argument("--held-out-share", type=float, help="of the calls; by default as the first model was trained")
    add_evaluation(flags)
    return flags.parse()


def _asked(model: Model, threads: int) -> Asked:
    network = OnnxModel.load(model.onnx, inputs=INPUT, outputs=OUTPUT, threads=threads)
    tokens = Tokens.of(model.onnx.parent)
    return lambda texts: network(numbers(tokens, texts))


def _base(model: Model, place: str | None) -> Asked:
    folder = Path(place) if place else encoder.pretrained()
    if encoder.digest_of(folder) != model.description.get("encoder"):
        raise BadInput(f"Model {model.name} was trained on another encoder than that of {folder}; name its own.")
    network = base_of(model.onnx.parent, dict(model.description), folder)
    tokens = Tokens.of(folder)
    return lambda texts: predict(network, tokens, texts)


def _hints(model: Model, options: argparse.Namespace) -> list[str]:
    return [str(hint) for hint in model.description.get("hints", ())]


def _result(
    judged: Mapping[str, Judged],
    against_base: dict[str, dict[str, Any]],
    comparison: dict[str, dict[str, Any]],
    refused: str,
    options: argparse.Namespace,
) -> dict[str, Any]:
    champion = options.run.champion if options.run else None
    first = next(iter(judged.values())).scored
    told = {name: scoring.intervals(each.scored, options.confidence) for name, each in judged.items()}
    result: dict[str, Any] = {
        "metrics": {name: _rounded(each.scored.figures()) for name, each in judged.items()},
        # The metric's alone: all are in MLflow, and a result is at most 4 KB.
        "intervals": {name: [round(edge, 6) for edge in edges[scoring.PIPELINE]] for name, edges in told.items()},
        "against_base": _rounded(against_base[scoring.PIPELINE]),
        "held_out": int(first.read.sum()),
        "held_out_spoken": first.spoken,
        "held_out_calls": len(first.calls),
        "champion_version": champion.version if champion else None,
    }
    if unfit := _unfit(against_base[scoring.PIPELINE]):
        say(unfit)
        result["unfit"] = unfit
    if refused:
        say(refused)
        result["refused"] = refused
    elif comparison:
        result |= {"comparison": {name: _rounded(each) for name, each in comparison.items()}, "compared": first.spoken}
    return result


def _unfit(gain: Mapping[str, Any]) -> str:
    """Why the tuned model is not to be deployed, or ""."""
    if gain["low"] > 0:
        return ""
    return (
        f"the tuned model is not surely better than the base: {scoring.PIPELINE} lower by {gain['gain']:.4f}, between "
        f"{gain['low']:.4f} and {gain['high']:.4f} at {gain['confidence']:.0%} confidence"
    )


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}


def _record(
    run: Run,
    judged: Mapping[str, Judged],
    against_base: Mapping[str, Mapping[str, Any]],
    comparison: Mapping[str, Mapping[str, Any]],
    confidence: float,
) -> None:
    for name, each in judged.items():
        run.metrics({f"{name}.{figure}": value for figure, value in each.scored.figures().items()})
        for figure, edges in scoring.intervals(each.scored, confidence).items():
            run.metrics({f"{name}.{figure}.{edge}": value for edge, value in zip(("low", "high"), edges, strict=True)})
    for what, gains in (("gain_over_base", against_base), ("gain", comparison)):
        run.metrics({f"{what}.{figure}.{edge}": told[edge] for figure, told in gains.items() for edge in EDGES})


def _pictures(run: Run, output: str | None, judged: Mapping[str, Judged], confidence: float) -> list[str]:
    def draw(folder: Path) -> list[Path]:
        from tasks.calls import pictures

        return pictures.draw_all(folder, judged, confidence)

    return run.drawn(output, draw)


if __name__ == "__main__":
    program.run(main)
