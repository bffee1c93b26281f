"""Labelled questions in the published form: two lists of labels, a file of questions with intents, one of their slots.

| File | Holds |
| --- | --- |
| ``dict.intents.csv``, ``dict.slots.csv`` | a label a line; its number is its line's, from 0 |
| ``train.tsv`` | the heading ``sentence``, ``label``; then a question and the number of its intent a line |
| ``train_slots.tsv`` | for each question, the number of each of its words' slots |
| ``test.tsv``, ``test_slots.tsv`` | the same, held out; where they are missing, a question's content decides |
| ``train_dialogs.tsv`` | for each question, the name of the conversation it was said in; may be missing |
| ``days/YYYY-MM-DD/train.tsv``, ... | the same three files of a day of conversations, as people labelled them |
| ``days/YYYY-MM-DD/suggested.tsv``, ... | what the champion alone labelled: trained on, never judged by |

A conversation is held out by the content of its first message, in every version on the same side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tasks.common import manifest
from tasks.common.data import Store
from tasks.common.lineage import Dataset, dataset, tensor_schema
from tasks.common.listing import only_data
from tasks.common.model_folder import Tensor
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.run_file import RunFile
from tasks.common.split import is_held_out
from tasks.retail.labels import BEGIN, INSIDE, OUTSIDE

INTENT_LABELS, SLOT_LABELS = "dict.intents.csv", "dict.slots.csv"
TRAIN, TEST, SUGGESTED = "train", "test", "suggested"
DAYS = "days"
HEADING = "sentence\tlabel"
HELD_OUT_SHARE = 0.2
MOST_WORDS = 60
MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class Question:
    """One question: ``words`` as they stand, the number of its intent, and the number of each word's slot."""

    words: tuple[str, ...]
    intent: int
    slots: tuple[int, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def digest(self) -> str:
        """Of what is asked, however it is capitalised: the same question is on the same side in every version."""
        return hashlib.sha256(self.text.lower().encode()).hexdigest()


@dataclass(frozen=True)
class Questions:
    """``intents`` and ``slots`` are the labels, by number; ``dialogs`` are whole conversations that are held out."""

    store: Store
    intents: tuple[str, ...]
    slots: tuple[str, ...]
    training: list[Question]
    held_out: list[Question]
    digest: str
    split: str
    dialogs: list[list[Question]] = field(default_factory=list)


def load(store: Store, held_out_share: float = HELD_OUT_SHARE, people_only: bool = False) -> Questions:
    """Read everything. Raises BadInput with file and line for the first thing that cannot be meant.

    :param people_only: leave out what the champion labelled and nobody has looked at.
    """
    keys = {entry.key: entry for entry in only_data(store.entries(), store.url)}
    intents, slots = _labels(store, INTENT_LABELS, keys), _labels(store, SLOT_LABELS, keys)
    _check_slots(store, slots)

    def read(name: str) -> list[list[Question]]:
        return _dialogs(store, name, keys, _questions(store, name, keys, len(intents), slots))

    def is_out(question: Question) -> bool:
        return is_held_out(question.digest, held_out_share)

    by_content = [dialog for name in _of_days(keys, TRAIN) for dialog in read(name)]
    split = f"by content, {held_out_share:g} held out"
    if f"{TEST}.tsv" in keys:
        training, dialogs = _flat(read(TRAIN)), read(TEST)
        split = f"{TEST}.tsv, and of days {split}" if by_content else f"{TEST}.tsv"
    else:
        training, dialogs, by_content = [], [], read(TRAIN) + by_content
    training += _flat(dialog for dialog in by_content if not is_out(dialog[0]))
    dialogs += [dialog for dialog in by_content if is_out(dialog[0])]
    if not people_only:
        suggested = _flat(dialog for name in _of_days(keys, SUGGESTED) for dialog in read(name))
        training += [question for question in suggested if not is_out(question)]
    told = {question.digest for question in training}
    whole = _flat(dialogs)
    held_out = [question for question in whole if question.digest not in told]
    if len(held_out) < len(whole):
        say(f"{len(whole) - len(held_out)} of {len(whole)} questions held out are trained on too, and do not judge.")
    for part, name in ((training, "to train on"), (held_out, "held out to judge by")):
        if not part:
            raise BadInput(f"{store.url} has no question {name}; there have to be more questions.")
    listed = manifest.of(store.url)
    digest = listed.digest or _digest(store, sorted(keys))
    return Questions(store, intents, slots, training, held_out, digest, split, dialogs)


def lineage(run: RunFile | None, questions: Questions) -> Dataset:
    """The questions as MLflow's Dataset tab shows them."""
    counts = {
        "training": len(questions.training),
        "held_out": len(questions.held_out),
        "dialogs": len(questions.dialogs),
    }
    schema = tensor_schema(Tensor("words", "str", (-1,)))
    return dataset(run, questions.store.url, questions.digest, profile=counts, schema=schema)


def written(questions: Iterable[Question], name: str = TRAIN, dialogs: Sequence[str] | None = None) -> dict[str, bytes]:
    """Return the two files of ``questions``, by their names; three with ``dialogs``, the conversation of each."""
    found = list(questions)
    lines = [HEADING, *(f"{question.text}\t{question.intent}" for question in found)]
    slots = [" ".join(map(str, question.slots)) for question in found]
    files = {f"{name}.tsv": lines, f"{name}_slots.tsv": slots}
    if dialogs is not None:
        files[f"{name}_dialogs.tsv"] = list(dialogs)
    return {key: "".join(f"{line}\n" for line in told).encode() for key, told in files.items()}


def written_labels(intents: Sequence[str], slots: Sequence[str]) -> dict[str, bytes]:
    """Return the two lists of labels, by their names."""
    files = {INTENT_LABELS: intents, SLOT_LABELS: slots}
    return {key: "".join(f"{label}\n" for label in labels).encode() for key, labels in files.items()}


def _lines(store: Store, key: str, keys: Iterable[str]) -> list[str]:
    if key not in keys:
        raise BadInput(
            f"{store.url} has no {key}; questions are {TRAIN}.tsv, {TRAIN}_slots.tsv and two lists of labels."
        )
    try:
        return store.read(key).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{store.url}/{key} is no text in UTF-8 ({error.reason} at byte {error.start}).") from error


def _labels(store: Store, key: str, keys: Iterable[str]) -> tuple[str, ...]:
    labels = [line.strip() for line in _lines(store, key, keys) if line.strip()]
    if not labels:
        raise BadInput(f"{store.url}/{key} names no label.")
    for number, label in enumerate(labels, 1):
        if label in labels[: number - 1]:
            raise BadInput(f"{store.url}/{key}, line {number}: the label {label!r} stands there twice.")
    return tuple(labels)


def _check_slots(store: Store, slots: Sequence[str]) -> None:
    """A label that continues a slot needs the one that begins it, or it can never be found."""
    for number, label in enumerate(slots, 1):
        where = f"{store.url}/{SLOT_LABELS}, line {number}"
        if label != OUTSIDE and label[:2] not in (BEGIN, INSIDE):
            raise BadInput(f"{where}: {label!r} is neither {OUTSIDE} nor begins with {BEGIN} or {INSIDE}.")
        if label.startswith(INSIDE) and BEGIN + label[2:] not in slots:
            raise BadInput(f"{where}: {label!r} continues a slot that no label begins.")
    if OUTSIDE not in slots:
        raise BadInput(f"{store.url}/{SLOT_LABELS} has no label {OUTSIDE} for words that are no slot.")


def _questions(store: Store, name: str, keys: Iterable[str], intents: int, slots: Sequence[str]) -> list[Question]:
    file, beside = f"{name}.tsv", f"{name}_slots.tsv"
    lines, told = _lines(store, file, keys), _lines(store, beside, keys)
    if not lines or lines[0].strip().lower().split() != HEADING.split():
        raise BadInput(f"{store.url}/{file}, line 1: the heading is not {HEADING!r}.")
    if len(lines) - 1 != len(told):
        raise BadInput(f"{store.url}/{file} has {len(lines) - 1} questions, and {beside} slots for {len(told)}.")
    found = []
    for number, (line, labelled) in enumerate(zip(lines[1:], told, strict=True), 1):
        where = f"{store.url}/{file}, line {number + 1}"
        text, _, label = line.rpartition("\t")
        words = tuple(text.split())
        if not words:
            raise BadInput(f"{where}: there is no question before the intent.")
        if len(words) > MOST_WORDS or len(text) > MOST_CHARACTERS:
            raise BadInput(
                f"{where}: a question has up to {MOST_WORDS} words and {MOST_CHARACTERS} characters, this one "
                f"{len(words)} and {len(text)}."
            )
        intent = _number(label, intents, f"{where}: the intent", INTENT_LABELS)
        place = f"{store.url}/{beside}, line {number}"
        numbers = tuple(_number(each, len(slots), f"{place}: the slot", SLOT_LABELS) for each in labelled.split())
        if len(numbers) != len(words):
            raise BadInput(f"{place}: there are {len(numbers)} slots for the {len(words)} words of {text!r}.")
        found.append(Question(words, intent, numbers))
    return found


def _dialogs(store: Store, name: str, keys: Iterable[str], questions: list[Question]) -> list[list[Question]]:
    """Return the questions by conversation; each is one of its own where no file says otherwise."""
    file = f"{name}_dialogs.tsv"
    if file not in keys:
        return [[question] for question in questions]
    names = [line.strip() for line in _lines(store, file, keys)]
    if len(names) != len(questions):
        raise BadInput(f"{store.url}/{file} names {len(names)} conversations for the {len(questions)} questions.")
    found: dict[str, list[Question]] = {}
    for number, (dialog, question) in enumerate(zip(names, questions, strict=True), 1):
        if not dialog:
            raise BadInput(f"{store.url}/{file}, line {number}: there is no name of a conversation.")
        found.setdefault(dialog, []).append(question)
    return list(found.values())


def _of_days(keys: Iterable[str], name: str) -> list[str]:
    """Return what the files of this name are called in each day's folder, the first day first."""
    return sorted(
        key.removesuffix(".tsv") for key in keys if key.startswith(f"{DAYS}/") and key.endswith(f"/{name}.tsv")
    )


def _flat(dialogs: Iterable[list[Question]]) -> list[Question]:
    return [question for dialog in dialogs for question in dialog]


def _number(text: str, count: int, what: str, labels: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise BadInput(f"{what} is {text!r}, which is no number of a line of {labels}.") from None
    if not 0 <= number < count:
        raise BadInput(f"{what} is {number}, and {labels} has the labels 0 to {count - 1}.")
    return number


def _digest(store: Store, keys: Sequence[str]) -> str:
    whole = hashlib.sha256()
    for key in keys:
        whole.update(f"{key}\0{hashlib.sha256(store.read(key)).hexdigest()}\n".encode())
    return whole.hexdigest()
