"""Judge an index on questions, and against the one that serves, before it may serve.

    python -m tasks.documents.evaluate --data /tmp/documents --output /tmp/index --index /tmp/index/index

Questions are a user's own (``questions.jsonl``) and such as are made of the index's passages (``--made``). Of each:
``recall_at_5``, whether one of the first five passages answers it; ``mrr``, one through the rank of the first that
does; and of the answer, by the code that the service answers with: ``faithfulness``, the share of its sentences that
stand in the passage cited; ``answered_right``, whether it has the words that it must have (a user's own only); and
``told_none``, the share of questions without an answer that get none. How sure an answer has to be is calibrated on a
user's own questions, where three of each kind are there; the last two figures are then of these very questions. Both
indexes are asked the same questions, and the interval of the difference is by paired bootstrap.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.comparison import CONFIDENCE
from tasks.common.mean_comparison import compare_means
from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.run_file import RunFile
from tasks.common.tracking import Run
from tasks.documents import layout, serving
from tasks.documents.answer import THRESHOLD, Answer, answer, calibrated
from tasks.documents.embedding import Embedding
from tasks.documents.index import Hit, Index
from tasks.documents.questions import Question, made, own

K = 5
LOOKED_AT = 10
MADE = 60
COMPARED = {"recall_at_5": 1, "mrr": 1}
CHALLENGER, CHAMPION = "challenger", "champion"
FEWEST = 3
"""Of a user's own questions with an answer, and of those without, so that the threshold is calibrated on them."""
FOLDS = 10
"""Parts of a user's own questions, of which each is judged by a threshold that the others have calibrated."""
MISSED = 5  # questions named in the result


@dataclass(frozen=True)
class Judged:
    """Of each question with an answer [N]: recall and reciprocal rank; of answers and of the others what came of them.

    ``missed`` are questions that no passage found answers, or whose answer is wrong; ``threshold`` is how sure an
    answer had to be.
    """

    found: Mapping[str, Floats]
    right: Sequence[float]
    faithful: Sequence[float]
    none: Sequence[float]
    missed: Sequence[str]
    threshold: float

    def figures(self) -> dict[str, float]:
        means = {name: float(values.mean()) for name, values in self.found.items() if len(values)}
        others = {"answered_right": self.right, "faithfulness": self.faithful, "told_none": self.none}
        return means | {name: float(np.mean(values)) for name, values in others.items() if values}


def main() -> dict[str, Any]:
    options = _options()
    volume = Path(options.output)
    index = Index(options.index)
    if options.run and index.facts.get("run_key") != options.run.run_key:
        raise BadInput(
            f"The index in {options.index} was built by run {index.facts.get('run_key')}, which ran at the same time; "
            "clear this run from its task scan on, when no other goes on."
        )
    embedding = Embedding(options.encoder)
    asked = [*own(Path(options.data)), *made(index.sample(options.made))]
    if not any(question.has_answer for question in asked):
        raise BadInput(f"Nothing can be asked: {options.data} has no questions of its own, and none can be made.")
    served = serving.current(volume)
    judged = {CHALLENGER: judge(CHALLENGER, index, asked, embedding)}
    comparison: dict[str, Any] = {}
    if served:
        champion = Index(layout.frozen(volume, served.snapshot))
        judged[CHAMPION] = judge(CHAMPION, champion, asked, embedding, served.threshold)
        new, old = judged[CHALLENGER].found, judged[CHAMPION].found
        comparison = compare_means(new, old, COMPARED, options.confidence)
    result = _result(judged, asked, comparison)
    with mlflow_run(options, "evaluate") as run:
        _record(run, result)
        at = served.version_at.isoformat() if served else ""
        return {**result, "served": served.run_key if served else "", "served_at_version": at, **run.identity}


def judge(
    name: str, index: Index, asked: Sequence[Question], embedding: Embedding, threshold: float | None = None
) -> Judged:
    """Ask one index all questions.

    :param threshold: how sure an answer has to be; calibrated on the user's own questions if not given. Each is then
        judged by what the others give, so that none has a say in how it is judged itself.
    """
    vectors = embedding.of([question.text for question in asked])
    hits, told = list[list[Hit]](), list[Answer | None]()
    with Progress(len(asked), "questions", f"Asking {name}") as progress:
        for question, vector in zip(asked, vectors, strict=True):
            hits.append(index.search(question.text, vector, limit=LOOKED_AT))
            told.append(None if question.is_made else answer(question.text, vector, hits[-1], embedding.of, 0.0))
            progress.advance()
    limits = [threshold] * len(asked) if threshold is not None else _limits(asked, told)
    threshold = _calibrated(asked, told) if threshold is None else threshold
    judged = _judged(asked, hits, told, limits, threshold)
    say(f"{name} on {len(asked)} questions: " + ", ".join(f"{key} {v:.3f}" for key, v in judged.figures().items()))
    return judged


def _calibrated(asked: Sequence[Question], told: Sequence[Answer | None]) -> float:
    """Return the threshold that parts a user's own questions best; the usual one where a kind has too few of them.

    Those of which nothing is ``told`` do not count.
    """
    known = [(each.confidence, question.has_answer) for question, each in zip(asked, told, strict=True) if each]
    answerable = [has_answer for _, has_answer in known]
    if min(sum(answerable), len(answerable) - sum(answerable)) < FEWEST:
        return THRESHOLD
    return calibrated([confidence for confidence, _ in known], answerable)


def _limits(asked: Sequence[Question], told: Sequence[Answer | None]) -> list[float]:
    """Return for each question the threshold that those of other folds give; each kind is spread over all folds."""
    seen = {True: 0, False: 0}
    folds = [-1] * len(asked)
    for place, (question, each) in enumerate(zip(asked, told, strict=True)):
        if each:
            folds[place] = seen[question.has_answer] % FOLDS
            seen[question.has_answer] += 1
    without = {
        fold: _calibrated(asked, [None if of == fold else each for of, each in zip(folds, told, strict=True)])
        for fold in set(folds)
    }
    return [without[fold] for fold in folds]


def _judged(
    asked: Sequence[Question],
    hits: Sequence[Sequence[Hit]],
    told: Sequence[Answer | None],
    limits: Sequence[float],
    threshold: float,
) -> Judged:
    found: dict[str, list[float]] = {figure: [] for figure in COMPARED}
    right, faithful, none, missed = list[float](), list[float](), list[float](), list[str]()
    for question, near, each, limit in zip(asked, hits, told, limits, strict=True):
        sentences = each.sentences if each and each.confidence >= limit else ()
        if sentences:
            faithful.append(float(np.mean([said.text in said.passage.text for said in sentences])))
        if not question.has_answer:
            none.append(float(not sentences))
            missed += [question.text] if sentences else []
            continue
        ranks = [rank for rank, hit in enumerate(near, 1) if question.is_told_by(hit.passage)]
        found["recall_at_5"].append(float(bool(ranks) and ranks[0] <= K))
        found["mrr"].append(1 / ranks[0] if ranks else 0.0)
        if question.answer:
            right.append(float(question.answer.lower() in " ".join(said.text for said in sentences).lower()))
        if not ranks or (question.answer and not right[-1]):
            missed.append(question.text)
    arrays = {figure: np.array(values, np.float64) for figure, values in found.items()}
    return Judged(arrays, right, faithful, none, missed, threshold)


def _result(
    judged: Mapping[str, Judged], asked: Sequence[Question], comparison: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    figures = {name: {key: round(v, 6) for key, v in one.figures().items()} for name, one in judged.items()}
    result: dict[str, Any] = {
        "metrics": figures,
        "held_out": sum(question.has_answer for question in asked),
        "questions": {"own": sum(not q.is_made for q in asked), "made": sum(q.is_made for q in asked)},
        "missed": [text[:100] for text in judged[CHALLENGER].missed[:MISSED]],
        "threshold": round(judged[CHALLENGER].threshold, 4),
    }
    if comparison:
        rounded = {
            name: {key: round(value, 6) if isinstance(value, float) else value for key, value in told.items()}
            for name, told in comparison.items()
        }
        result |= {"comparison": rounded, "compared": result["held_out"]}
    return result


def _record(run: Run, result: Mapping[str, Any]) -> None:
    for name, figures in result["metrics"].items():
        run.metrics({f"{name}.{key}": value for key, value in figures.items()})
    for figure, told in result.get("comparison", {}).items():
        run.metrics({f"gain.{figure}.{edge}": told[edge] for edge in ("gain", "low", "high")})


def frozen_by(run: RunFile) -> str | None:
    """Return the folder of the run's own frozen index; None where RUN_FILE names no snapshot."""
    folder, snapshot = run.folders.get("index"), run.rest.get("index_snapshot")
    return str(layout.frozen(Path(folder), str(snapshot))) if folder and snapshot else None


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder with documents and, where there are any, questions.jsonl")
    flags.output("folder of the index's volume", from_run=lambda run: run.folders.get("index"))
    flags.add_argument("--index", type=Path, required=True, help="folder of the index to judge", from_run=frozen_by)
    flags.add_argument(
        "--encoder", type=Path, help="folder of a pretrained BERT; the one that is installed if not given"
    )
    flags.add_argument("--made", type=int, default=MADE, help="questions made of passages, at most")
    flags.add_argument("--confidence", type=float, default=CONFIDENCE, help="of the interval around the difference")
    flags.tracking(lambda run: "")
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
