"""Questions by which an index is judged: a user's own, and such as are made of the passages themselves.

``questions.jsonl`` at the top of the documents has an object a line: ``question``; ``files``, each of which answers it,
none where no document does; and ``answer``, words that a right answer has in it, or "".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.common.program import BadInput
from tasks.documents.answer import sentences
from tasks.documents.index import Passage
from tasks.documents.instructions import instructs

NAME = "questions.jsonl"
FEWEST_WORDS = 8
"""Of a sentence that a question is made of."""
LEFT_OUT = 3
"""Every third word of it is left out, so that it is not found word for word."""
_MASKED = re.compile(r"\[\w+ data\]")


@dataclass(frozen=True)
class Question:
    """``files`` answer it; of one that is made, every passage with this ``passage``'s text does."""

    text: str
    files: frozenset[str] = frozenset()
    answer: str = ""
    passage: str = ""

    @property
    def is_made(self) -> bool:
        return bool(self.passage)

    @property
    def has_answer(self) -> bool:
        return bool(self.files) or self.is_made

    def is_told_by(self, passage: Passage) -> bool:
        return passage.file in self.files or (self.is_made and passage.text == self.passage)


def own(data: Path) -> list[Question]:
    """Return a user's own questions; none where there is no file. Raises BadInput with the line of a fault."""
    file = data / NAME
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read as text ({type(error).__name__}).") from None
    return [_question(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _question(line: str, where: str) -> Question:
    try:
        told = json.loads(line)
        question, files, answer = told["question"], told.get("files", []), told.get("answer", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(
            f'{where} is not of the form {{"question": "...", "files": ["..."], "answer": "..."}}.'
        ) from None
    texts = isinstance(question, str) and isinstance(answer, str) and question.strip()
    if not texts or not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise BadInput(f"{where}: question and answer are texts, files a list of paths.")
    return Question(question.strip(), frozenset(files), answer)


def made(passages: Sequence[Passage]) -> list[Question]:
    """Make a question of each passage that has a sentence long enough: the same of the same passage."""
    found = {passage.text: max(askable(passage.text), key=len, default="") for passage in passages}
    return [Question(_asked(sentence), passage=text) for text, sentence in found.items() if sentence]


def askable(text: str) -> list[str]:
    """Return the sentences of a text that a question can be made of."""
    fit = [each for each in sentences(text) if len(each.split()) >= FEWEST_WORDS]
    return [each for each in fit if not _MASKED.search(each) and not instructs(each)]


def _asked(sentence: str) -> str:
    words = sentence.rstrip(".!?").split()
    return " ".join(word for number, word in enumerate(words) if (number + 1) % LEFT_OUT)
