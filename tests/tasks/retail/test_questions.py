"""Labelled questions: the published form, its faults, and the questions made here."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tasks.common.data import open_source, open_target
from tasks.common.program import BadInput
from tasks.retail import generate
from tasks.retail.dataset import Question, load, written, written_labels
from tasks.retail.labels import INTENTS, SLOTS, spans
from tasks.retail.phrases import PHRASES, VALUES


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    generate.bring(open_target(str(folder)), list(generate.plan(1, 400)))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    questions = [Question(("where", "is", "pasta"), 1, (19, 24, 6)), Question(("best", "pasta"), 1, (16, 6))]
    for name, content in (written_labels(INTENTS, SLOTS) | written(questions) | written(questions[:1], "test")).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "test.tsv").write_text("sentence\tlabel\nhello\t2\n")
    (tmp_path / "test_slots.tsv").write_text("52\n")
    return tmp_path


def test_the_labels_are_the_published_ones():
    assert len(SLOTS) == 53 and SLOTS[52] == "O" and len(set(SLOTS)) == 53
    assert [SLOTS[number] for number in (20, 46, 24, 25, 6, 32, 6)] == [
        "B-interrogative.manner", "I-interrogative.manner", "B-verb", "B-article", "B-item.type", "I-item.type",
        "B-item.type",
    ]  # fmt: skip
    assert INTENTS[1] == "find_the_store"


def test_slots_are_read_from_labels():
    labels = [SLOTS[number] for number in (23, 52, 14, 40, 52, 25, 6, 32, 6)]
    assert spans(labels) == [
        ("interrogative", 0, 1), ("cost.low", 2, 4), ("article", 5, 6), ("item.type", 6, 8), ("item.type", 8, 9),
    ]  # fmt: skip
    assert spans(["I-location", "I-location", "O", "I-verb"]) == [("location", 0, 2), ("verb", 3, 4)]


def test_a_test_file_holds_out(folder: Path):
    found = load(open_source(str(folder)))
    assert [question.text for question in found.training] == ["where is pasta", "best pasta"]
    assert [question.text for question in found.held_out] == ["hello"] and found.split == "test.tsv"


def test_a_question_of_both_files_does_not_judge(folder: Path, capfd):
    (folder / "test.tsv").write_text("sentence\tlabel\nBest Pasta\t1\nhello\t2\n")
    (folder / "test_slots.tsv").write_text("16 6\n52\n")
    assert [question.text for question in load(open_source(str(folder))).held_out] == ["hello"]
    assert "1 of 2 questions held out are trained on too" in capfd.readouterr().err


def test_a_conversation_is_held_out_by_its_first_message_and_whole(made: Path):
    found = load(open_source(str(made)))
    assert any(len(dialog) > 1 for dialog in found.dialogs)
    assert sum(len(dialog) for dialog in found.dialogs) >= len(found.held_out)
    seen = {question.digest for question in found.training}
    assert not [dialog for dialog in found.dialogs if dialog[0].digest in seen]


def test_conversations_without_a_name_or_too_few_of_them_are_said(folder: Path):
    (folder / "train_dialogs.tsv").write_text("a\n")
    with pytest.raises(BadInput, match=r"train_dialogs\.tsv names 1 conversations for the 2 questions"):
        load(open_source(str(folder)))
    (folder / "train_dialogs.tsv").write_text("a\n\n")
    with pytest.raises(BadInput, match=r"train_dialogs\.tsv, line 2: there is no name of a conversation"):
        load(open_source(str(folder)))


def test_without_a_test_file_content_decides(made: Path):
    found = load(open_source(str(made)))
    assert 0.1 < len(found.held_out) / 400 < 0.3
    assert not {question.digest for question in found.training} & {question.digest for question in found.held_out}


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (
            "train.tsv",
            "where is pasta\t1\nbest pasta\t1\n",
            "train.tsv, line 1: the heading is not",
        ),
        (
            "train.tsv",
            "sentence\tlabel\nwhere is pasta\t1\n",
            "train.tsv has 1 questions, and train_slots.tsv slots for 2",
        ),
        (
            "train.tsv",
            "sentence\tlabel\nwhere is pasta\t1\nbest pasta\t99\n",
            "line 3: the intent is 99, and dict.intents",
        ),
        (
            "train.tsv",
            "sentence\tlabel\nwhere is pasta\t1\nbest pasta\tx\n",
            "line 3: the intent is 'x', which is no number",
        ),
        (
            "train.tsv",
            "sentence\tlabel\nwhere is pasta\t1\n\t1\n",
            "line 3: there is no question before the intent",
        ),
        (
            "train.tsv",
            f"sentence\tlabel\nwhere is pasta\t1\n{'x ' * 61}\t1\n",
            "up to 60 words and 1000 characters, this one 61",
        ),
        (
            "train_slots.tsv",
            "19 24 6\n16\n",
            "train_slots.tsv, line 2: there are 1 slots for the 2 words of 'best pasta'",
        ),
        (
            "train_slots.tsv",
            "19 24 6\n16 53\n",
            "line 2: the slot is 53, and dict.slots.csv has the labels 0 to 52",
        ),
        (
            "train_slots.tsv",
            "19 24 6\n16 -1\n",
            "line 2: the slot is -1",
        ),
        (
            "dict.slots.csv",
            "B-verb\nI-item\nO\n",
            "line 2: 'I-item' continues a slot that no label begins",
        ),
        (
            "dict.slots.csv",
            "B-verb\nverb\nO\n",
            "line 2: 'verb' is neither O nor begins with B- or I-",
        ),
        (
            "dict.slots.csv",
            "B-verb\n",
            "has no label O",
        ),
        (
            "dict.intents.csv",
            "a\na\n",
            "line 2: the label 'a' stands there twice",
        ),
        (
            "dict.intents.csv",
            "\n",
            "dict.intents.csv names no label",
        ),
    ],
)
def test_a_fault_is_said_with_its_line(folder: Path, file: str, content: str, says: str):
    (folder / file).write_text(content)
    with pytest.raises(BadInput) as error:
        load(open_source(str(folder)))
    assert says in str(error.value)


def test_what_is_missing_or_no_text_is_named(folder: Path):
    (folder / "train_slots.tsv").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="train_slots.tsv is no text in UTF-8"):
        load(open_source(str(folder)))
    (folder / "train_slots.tsv").unlink()
    with pytest.raises(BadInput, match="has no train_slots.tsv"):
        load(open_source(str(folder)))


def test_the_same_seed_gives_the_same_questions_and_a_day_adds():
    first, second = list(generate.plan(1, 200)), list(generate.plan(2, 200))
    assert first == list(generate.plan(1, 200)) and second[:200] == first and len(second) == 220
    assert first != list(generate.plan(1, 200, seed=2))
    known = {word for question, _ in first for word in question.words}
    later = {word for question, _ in generate.plan(4, 200) for word in question.words}
    assert known < later


def test_every_phrase_has_labels_that_exist():
    chance = random.Random(1)
    assert set(PHRASES) == set(INTENTS)
    used = set()
    for phrases in PHRASES.values():
        for phrase in phrases:
            words, labels = generate.labelled(phrase, chance)
            assert len(words) == len(labels) and set(labels) <= set(SLOTS), phrase
            used |= {name for name, _, _ in spans(labels)}
    assert used == {label[2:] for label in SLOTS if label != "O"}, "every slot of the published list is asked for"
    assert set(VALUES) <= used
