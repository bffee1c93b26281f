"""What people say of themselves is found by the sentence it stands in, and what they ask for stays."""

from __future__ import annotations

import pytest

from tasks.retail.masking import find, mask
from tasks.retail.masking_check import measure


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("Is it raining in Boston", "Is it raining in Boston"),
        ("I live in Boston. Is it raining in Boston", "I live in <place> Is it raining in Boston"),
        ("i live in salt lake city where can i get pasta", "i live in <place> where can i get pasta"),
        ("my name is anna and i want jeans", "my name is <name> and i want jeans"),
        ("My name is Anna Maria Rossi, where is Walmart", "My name is <name> where is Walmart"),
        ("my name is on the list", "my name is on the list"),
        ("I am John", "I am <name>"),
        ("i am looking for a decent bakery", "i am looking for a decent bakery"),
        ("i'm hungry", "i'm hungry"),
        ("is Trader Joes open until nine thirty", "is Trader Joes open until nine thirty"),
        ("call me at (617) 555-0199 please", "call me at <number> please"),
        ("charge 4111 1111 1111 1111", "charge <number>"),
        ("my pin is 1234", "my pin is <number>"),
        ("the weather of 2026-11-27 in Paris", "the weather of 2026-11-27 in Paris"),
        ("one two three four five six seven", "<number>"),
        ("write to anna.rossi@example.org thanks", "write to <mail> thanks"),
        ("it is john dot smith at example dot com", "it is <mail>"),
        (
            "send it to 12 Baker Street, Springfield 12345 and tell me the price",
            "send it to <place> and tell me the price",
        ),
        ("do you carry jeans in size ten", "do you carry jeans in size ten"),
        ("mrs o'neill sent me", "mrs <name> sent me"),
        ("", ""),
    ],
)
def test_only_what_is_personal_is_masked(said: str, masked: str):
    words = said.split()
    assert " ".join(mask(words, find(words))[0]) == masked


def test_a_mask_says_where_the_other_words_stood():
    words = ["my", "name", "is", "Anna", "Rossi", "and", "i", "want", "jeans"]
    assert mask(words, find(words))[1] == [0, 1, 2, -1, 5, 6, 7, 8]


def test_the_figures_of_the_docs_hold():
    told = measure(500)
    assert told["recall"]["all"] > 0.88 and told["precision"] > 0.95 and told["kept"] > 0.99
    assert min(told["recall"].values()) < 1, "the sentences hold what the masking does not know"
