"""The network that finds intent and slots: what goes in, what comes out, and how it is read and scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.common.program import BadInput
from tasks.common.tokens import MOST_PIECES, Tokens
from tasks.retail import model, reading, scoring
from tasks.retail.configs import CONFIGURATIONS, configuration
from tasks.retail.dataset import Question
from tasks.retail.labels import INTENTS, SLOTS
from tasks.retail.reading import Answer

SMALL = CONFIGURATIONS["small"]
OUTSIDE = SLOTS.index("O")


def test_each_word_begins_at_a_piece(encoder: Path):
    numbers, first = Tokens.of(encoder).numbers([("Where", "is", "qi?"), ("pasta",), ("best", "", "pasta")])
    # [CLS] where is q ##i ? [SEP]: a sign begins a piece of its own, and its word began before it.
    assert numbers.shape == (3, 7) and first == [[1, 2, 3], [1], [1, -1, 2]]
    assert (numbers[1, 3:] == 0).all()


def test_what_is_beyond_the_longest_sentence_has_no_piece(encoder: Path):
    numbers, first = Tokens.of(encoder).numbers([("pasta",) * (MOST_PIECES + 10)])
    assert numbers.shape == (1, MOST_PIECES)
    assert first[0][MOST_PIECES - 3] == MOST_PIECES - 2 and first[0][-1] == -1


def test_padding_changes_no_answer(encoder: Path):
    torch.manual_seed(1)
    network = model.build(encoder, len(SLOTS), len(INTENTS), SMALL).eval()
    alone, _ = Tokens.of(encoder).numbers([("best", "pasta")])
    beside, _ = Tokens.of(encoder).numbers([("best", "pasta"), ("where", "is", "the", "best", "pasta", "in", "boston")])
    with torch.no_grad():
        one, two = (network(torch.from_numpy(tokens)).numpy() for tokens in (alone, beside))
    assert one.shape == (1, 4, 53 + len(INTENTS))
    assert np.allclose(one[0], two[0, :4], atol=1e-5)
    assert np.allclose(one[0, 0, 53:], one[0, 3, 53:]), "the intent is the same at every piece"


def test_a_request_of_nothing_has_an_answer_of_numbers(encoder: Path):
    network = model.build(encoder, len(SLOTS), len(INTENTS), SMALL).eval()
    with torch.no_grad():
        assert torch.isfinite(network(torch.zeros(1, 1, dtype=torch.int64))).all()


def test_what_is_no_encoder_is_named(encoder: Path, tmp_path: Path):
    with pytest.raises(BadInput, match="holds no encoder"):
        model.build(tmp_path, 3, 2, SMALL)
    with pytest.raises(BadInput, match=r"has no tokenizer\.json"):
        Tokens.of(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(BadInput, match="of type 'gpt2'; only a BERT"):
        model.build(tmp_path, 3, 2, SMALL)


def test_a_configuration_is_changed_by_single_values():
    assert configuration("small", epochs=2, batch_size=None).epochs == 2
    with pytest.raises(BadInput, match="epochs is 0"):
        configuration("small", epochs=0)
    with pytest.raises(BadInput, match="no configuration 'tiny'"):
        configuration("tiny")


def test_logits_are_read_at_each_words_first_piece():
    logits = np.zeros((1, 4, 5))  # three slots, two intents
    logits[0, 1, 0], logits[0, 2, 1], logits[0, 0, 4] = 5, 5, 3
    (found,) = reading.answers(logits, [[1, -1, 2]], slots=3, outside=2)
    assert found == Answer(1, pytest.approx(1 / (1 + np.exp(-3))), (0, 2, 1))


def test_answers_are_scored_by_whole_slots():
    labels = ["B-a", "I-a", "B-b", "I-b", "O"]
    questions = [
        Question(("x", "y", "z"), 0, (0, 1, 2)),
        Question(("x", "y"), 1, (4, 4)),
        Question(("x", "y", "z"), 1, (0, 1, 1)),
    ]
    answers = [Answer(0, 1, (0, 1, 2)), Answer(1, 1, (4, 4)), Answer(0, 1, (0, 1, 2))]
    scored = scoring.score(questions, answers, labels)
    figures = scored.figures()
    # Of three slots that are there and four that were found, two are both.
    assert figures == {scoring.INTENT: 2 / 3, scoring.SLOTS: 4 / 7, scoring.WHOLE: 2 / 3}
    assert scored.figures(np.array([0.0, 1.0, 0.0])) == {scoring.INTENT: 1, scoring.SLOTS: 1, scoring.WHOLE: 1}
