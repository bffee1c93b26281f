"""What a judgement looks like: which intents are taken for which, and a page of the questions that went wrong."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.common.pictures import save
from tasks.common.result import write_whole
from tasks.retail.dataset import Question, Questions
from tasks.retail.labels import spans
from tasks.retail.reading import Answer

if TYPE_CHECKING:
    from tasks.retail.evaluate import Judged

MOST_SHOWN = 100
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:24px;color-scheme:light dark}table{border-collapse:collapse}"
    "th,td{text-align:left;vertical-align:top;padding:6px 12px;border-bottom:1px solid #8886}"
)


def draw_all(folder: Path, judged: Mapping[str, Judged], questions: Questions) -> list[Path]:
    """Make every picture and page in the folder, and return their files."""
    files = []
    for name, each in judged.items():
        files += [folder / f"intents_{name}.png", folder / f"mistakes_{name}.html"]
        _confusion(files[-2], each, questions.intents, name)
        write_whole(files[-1], _page(name, each, questions).encode())
    return files


def _confusion(path: Path, judged: Judged, intents: Sequence[str], title: str) -> None:
    from matplotlib.figure import Figure

    # The last column is for intents that only the model knows.
    counts = np.zeros((len(intents), len(intents) + 1), int)
    for question, answer in zip(judged.questions, judged.answers, strict=True):
        counts[question.intent, answer.intent] += 1
    side = max(4.0, 0.34 * len(intents) + 2)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for (true, found), count in np.ndenumerate(counts):
        if count:
            dark = count > counts[true].sum() / 2
            axes.text(found, true, str(count), ha="center", va="center", fontsize=7, color="white" if dark else "black")
    axes.set_xticks(range(len(intents) + 1), [*intents, "another"], rotation=90, fontsize=8)
    axes.set_yticks(range(len(intents)), intents, fontsize=8)
    axes.set_xlabel("intent found")
    axes.set_ylabel("true intent")
    axes.set_title(title, fontsize=10)
    save(figure, path)


def _page(name: str, judged: Judged, questions: Questions) -> str:
    wrong = [pair for pair in zip(judged.questions, judged.answers, strict=True) if _is_wrong(*pair, questions)]
    title = f"{len(wrong)} of {len(judged.questions)} questions that {html.escape(name)} got wrong"
    rows = "".join(_row(question, answer, questions) for question, answer in wrong[:MOST_SHOWN])
    rest = f"<p>The first {MOST_SHOWN} are shown.</p>" if len(wrong) > MOST_SHOWN else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1>{rest}<table><thead><tr><th>question<th>true intent<th>found<th>slots missed<th>slots made up"
        f"</thead><tbody>{rows}</tbody></table></html>"
    )


def _is_wrong(question: Question, answer: Answer, questions: Questions) -> bool:
    return answer.intent != question.intent or _slots(question.slots, questions) != _slots(answer.slots, questions)


def _slots(numbers: Sequence[int], questions: Questions) -> set[tuple[str, int, int]]:
    return set(spans([questions.slots[number] for number in numbers]))


def _row(question: Question, answer: Answer, questions: Questions) -> str:
    true, found = _slots(question.slots, questions), _slots(answer.slots, questions)
    intents = questions.intents
    told = intents[answer.intent] if answer.intent >= 0 else "another"
    cells = [question.text, intents[question.intent], told]
    cells += [
        ", ".join(f"{name}: {' '.join(question.words[begin:end])}" for name, begin, end in sorted(slots))
        for slots in (true - found, found - true)
    ]
    return "<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells)
