"""The sentiment of a text: how it is asked, and how the answer is read."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.calls.sentiment import LABELS, MOST_CHARACTERS, numbers, scores
from tasks.common.encoder import pretrained
from tasks.common.tokens import MOST_PIECES, Tokens


def test_the_likeliest_label_is_the_sentiment():
    found = scores(np.array([[0, 0, 2], [5, 1, 1], [0, 1000, 0]], np.float32))
    assert [each.label for each in found] == ["positive", "negative", "neutral"]
    assert found[0].positive == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert sum(found[1].to_json().values()) == pytest.approx(1) and tuple(found[1].to_json()) == LABELS


def test_texts_of_any_length_and_none_at_all_are_asked():
    tokens = Tokens.of(pretrained())
    asked = numbers(tokens, ["", "Thank you.", "no " * 10 * MOST_CHARACTERS])
    assert asked.shape == (3, MOST_PIECES)
    assert (asked[0, 2:] == 0).all() and (asked[1] != 0).sum() == 5, "between a beginning and an end"
