"""What sentences are about: topics in the singular, names with their kind, and no name of a person."""

from __future__ import annotations

import pytest

from tasks.calls.mentions import HIDDEN, about


def found(text: str, *, allowed: bool = False) -> list[tuple[str, str]]:
    (mentions,) = about([text], allow_personal_data=allowed)
    return [tuple(mention) for mention in mentions]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("My routers stopped working again, the routers are old.", [("topic", "router")]),
        ("What is the customer number on the bill?", [("topic", "customer number"), ("topic", "bill")]),
        ("You promised me a new modem last Tuesday.", [("topic", "modem")]),
        ("I have been waiting for three hours, every day.", []),
        ("Is it available in Boston?", [("place", "Boston")]),
        ("", []),
    ],
)
def test_sentences_are_about_things_and_names(text: str, wanted: list[tuple[str, str]]):
    assert found(text) == wanted


def test_a_person_is_named_only_where_that_is_allowed():
    text = "I spoke to Mary Lovell about my invoice."
    assert found(text) == [("person", HIDDEN), ("topic", "invoice")]
    assert found(text, allowed=True) == [("person", "Mary Lovell"), ("topic", "invoice")]
