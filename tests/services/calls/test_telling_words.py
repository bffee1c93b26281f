"""Words that tell angry sentences from others, and none that are everywhere or rare."""

from __future__ import annotations

from services.calls.words import telling

ANGRY = [
    "The router broke again",
    "My router is dead",
    "Again the router",
    "The ROUTER, again?",
    "the router\u2019s light",
]
GLAD = ["Thank you for the help", "thank you", "The help was great, thank you", "Thank you again"]
PLAIN = ["The number is on the invoice", "It is the blue one", "The address is the same", "The invoice came"] * 3


def kinds() -> list[tuple[str, str]]:
    groups = (("negative", ANGRY), ("positive", GLAD), ("neutral", PLAIN))
    return [(kind, text) for kind, texts in groups for text in texts]


def test_the_words_of_a_kind_are_found_with_their_sentences():
    told = telling(kinds(), ("negative", "positive"))
    assert told["negative"][0] == {"word": "router", "sentences": 4}
    assert told["positive"] == [{"word": "thank", "sentences": 4}], "a short word is not what a sentence is about"


def test_what_is_everywhere_or_rare_tells_nothing():
    found = {one["word"] for words in telling(kinds(), ("negative", "positive")).values() for one in words}
    assert "the" not in found and "dead" not in found and "router's" not in found


def test_nothing_was_said():
    assert telling([], ("negative", "positive")) == {"negative": [], "positive": []}
    assert telling([("negative", "the router")] * 500, ("negative",)) == {"negative": []}, "nothing to tell it from"
