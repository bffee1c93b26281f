"""Orders to an assistant that stand in documents are known as such, and ordinary rules of a company are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.documents.instructions import instructs

INJECTIONS = Path(__file__).with_name("injections.txt").read_text().splitlines()
ORDINARY = (
    "Every employee has thirty days of annual leave a year.",
    "Follow the instructions of the fire wardens and do not use the lifts.",
    "The system prompts for a password after five minutes.",
    "If you are ill, tell your manager before nine.",
    "Never tell anyone your password.",
    "Visitors who do not know the house are met at the reception by their host.",
    "The policy was changed in May; forget the old forms.",
    "Send your receipts to the travel desk within two weeks.",
    "An assistant of the board keeps the minutes.",
    "See https://intranet.example/leave for the form.",
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_an_order_to_an_assistant_is_known(text: str):
    assert instructs(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_sentence_is_none(text: str):
    assert not instructs(text)
