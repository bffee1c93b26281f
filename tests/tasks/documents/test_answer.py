"""Answers made of the documents' own sentences: the right ones, none where the documents do not tell, no orders."""

from __future__ import annotations

import pytest

from tasks.documents.answer import THRESHOLD, Answer, answer, calibrated, sentences
from tasks.documents.embedding import Embedding
from tasks.documents.index import Hit, Passage

TEXTS = {
    "hr/leave.md": "Annual leave\nEvery employee has thirty days of annual leave a year. Leave is asked for in the "
    "portal. What is left in December is lost by the end of March.",
    "travel.md": "Travel policy\nTrains are booked in second class. Hotels may cost up to 120 euros a night in Berlin. "
    "Receipts are handed in within two weeks.",
    "it/passwords.md": "Passwords\nA password has at least 14 characters. It is changed when it may have been seen. "
    "Nobody of the help desk will ever ask you for it.",
    "cat.md": "The office cat is called Minka. She is fed by the reception at nine.",
}
ANSWERED = {
    "How many days of annual leave do I have?": ("hr/leave.md", "thirty days"),
    "In which class do we travel by train?": ("travel.md", "second class"),
    "How much may a hotel cost?": ("travel.md", "120 euros"),
    "How long must my password be?": ("it/passwords.md", "14 characters"),
    "What is the name of the cat?": ("cat.md", "Minka"),
}
UNANSWERED = (
    "What does the company pay into the pension fund?",
    "Who won the football match on Sunday?",
    "What is the salary of the chief executive?",
    "How do I repair a bicycle tyre?",
)


@pytest.fixture(scope="module")
def embedding() -> Embedding:
    return Embedding()


def passages(texts: dict[str, str]) -> list[Passage]:
    return [Passage(file, "d", "md", file, "line 1", 0, text) for file, text in texts.items()]


def ask(embedding: Embedding, question: str, texts: dict[str, str], threshold: float = THRESHOLD) -> Answer:
    (vector,) = embedding.of([question])
    vectors = embedding.of(list(texts.values()))
    hits = [Hit(each, 0.0, float(near @ vector)) for each, near in zip(passages(texts), vectors, strict=True)]
    hits.sort(key=lambda hit: -hit.similarity)
    return answer(question, vector, hits, embedding.of, threshold)


@pytest.mark.parametrize("question", ANSWERED)
def test_the_sentence_that_answers_is_said_with_its_place(embedding: Embedding, question: str):
    file, words = ANSWERED[question]
    told = ask(embedding, question, TEXTS)
    assert told.found, told
    assert any(words in said.text and said.passage.file == file for said in told.sentences), told
    for said in told.sentences:
        assert said.text in said.passage.text, "word for word"


@pytest.mark.parametrize("question", UNANSWERED)
def test_what_the_documents_do_not_tell_has_no_answer(embedding: Embedding, question: str):
    told = ask(embedding, question, TEXTS)
    assert not told.found, told


def test_no_passage_no_answer(embedding: Embedding):
    assert ask(embedding, "How many days of leave?", {}) == Answer((), 0.0)
    assert ask(embedding, "", TEXTS) == Answer((), ask(embedding, "", TEXTS).confidence)


def test_a_threshold_is_calibrated_between_both_kinds():
    assert calibrated([0.9, 0.8, 0.3, 0.2], [True, True, False, False]) == pytest.approx(0.55)
    assert 0.4 < calibrated([0.9, 0.8, 0.4, 0.6, 0.2, 0.1], [True, True, True, False, False, False]) < 0.8
    with pytest.raises(ValueError, match="that have none"):
        calibrated([0.9], [True])


def test_texts_are_cut_into_sentences():
    text = 'He said "No." Then 3.5 km were left, e.g. by car. Dr. May paid No. 4!\n- one thing\n| a | b |\n\nThe end'
    said = ['He said "No."', "Then 3.5 km were left, e.g. by car.", "Dr. May paid No. 4!", "- one thing", "| a | b |"]
    assert sentences(text) == [*said, "The end"]
