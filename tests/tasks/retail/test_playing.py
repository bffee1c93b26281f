"""Whole conversations are played: they end where the same services are asked for the same."""

from __future__ import annotations

from tasks.retail.dialog.conversation import Understood
from tasks.retail.dialog.flow_check import FLOWS, load
from tasks.retail.dialog.playing import Asked, played

WORDS = load(FLOWS)
PASTA = Understood("store_location", {"item.type": "Pasta", "verb": "get", "interrogative.location": "where"})
BOSTON = Understood("nomatch.none", {"location": "Boston"})


def test_a_service_is_asked_in_the_turn_that_completes_the_wish():
    asked = played(WORDS, ["where can i get pasta", "in Boston"], [PASTA, BOSTON])
    assert asked == [Asked(1, "Retail", "find_the_store", {"item.type": "pasta", "location": "boston"})]


def test_words_of_grammar_do_not_matter_and_words_of_a_wish_do():
    right = played(WORDS, ["a", "b"], [PASTA, BOSTON])
    other = Understood("store_location", {"item.type": "pasta"})
    assert played(WORDS, ["a", "b"], [other, BOSTON]) == right
    assert played(WORDS, ["a", "b"], [Understood("store_location", {"item.type": "pizza"}), BOSTON]) != right
    assert played(WORDS, ["a", "b"], [Understood("weather.weather"), BOSTON]) != right


def test_a_conversation_that_wants_nothing_asks_nobody():
    assert played(WORDS, ["hello"], [Understood("nomatch.none")]) == []
