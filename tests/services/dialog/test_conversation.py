"""Conversations by the flows that are delivered, with a model and services that say what a test wants."""

from __future__ import annotations

import asyncio

import pytest
from talking import BOSTON, FLOWS, STORE, WEATHER, Model, Services

from tasks.retail.dialog.conversation import (
    LONGEST_TEXT,
    Conversation,
    Dialog,
    Turn,
    Understood,
    UnknownPlaceError,
)


class Talk:
    """A dialog held by a test, one line after the other."""

    def __init__(self, **knows: Understood) -> None:
        self.model = Model({key.replace("_", " "): value for key, value in knows.items()})
        self.services = Services()
        self.dialog = Dialog(FLOWS, self.model, self.services, choose=lambda texts: texts[0])
        self.turn = asyncio.run(self.dialog.begin())

    def __call__(self, text: str) -> list[str]:
        self.turn = asyncio.run(self.dialog.hear(self.turn.conversation, text))
        return says(self.turn)


def says(turn: Turn) -> list[str]:
    return [say.text for say in turn.says]


def test_a_conversation_begins_with_the_greeting():
    talk = Talk()
    assert says(talk.turn) == ["Hi, welcome to NARA retail and weather service. How can I help you?"]
    assert talk.turn.conversation == Conversation("main_flow", "input_intent")


def test_a_place_that_is_missing_is_asked_for():
    talk = Talk(best_pasta=STORE, in_Boston=BOSTON)
    assert talk("best pasta") == ["Near which city?"]
    assert talk("in Boston") == ["Retail about find_the_store in Boston"]
    assert talk.services.calls[0][1]["item.type"] == "pasta", "what was said first is still known"


def test_a_place_that_was_said_is_not_asked_for_again():
    talk = Talk(rain=WEATHER, best_pasta=STORE)
    assert talk("rain") == ["Weather about rainfall in Los Angeles"]
    assert talk("best pasta") == ["Retail about find_the_store in Los Angeles"]
    assert "time.period_of_time" not in talk.services.calls[1][1], "the week was about the weather only"


def test_an_article_is_whatever_is_said():
    talk = Talk(how_much=Understood("price_check"))
    assert talk("how much") == ["The price of what?"]
    assert talk("a frobnicator") == ["Retail about check_item_price in nowhere"]
    assert talk.services.calls[0][1]["item.name"] == "a frobnicator"


def test_after_three_answers_without_a_place_there_is_a_way_out():
    talk = Talk(best_pasta=STORE)
    talk("best pasta")
    again = ["I did not catch the place. Which city do you mean?"]
    assert talk("hm") == again and talk("dunno") == again
    assert talk("what") == ["Let us leave the store for now. What else can I do for you?"]
    assert talk.turn.conversation.tries == 0 and not talk.services.calls


def test_a_flow_without_a_way_out_begins_anew():
    talk = Talk(how_much=Understood("price_check"))
    talk.model.down = False
    talk("how much")
    talk.model.down = True
    assert talk("x")[0].startswith("Something is wrong on my side")
    talk("x")
    assert talk("x") == [
        "I still do not know the item name, so let us start over.",
        "Hi, welcome to NARA retail and weather service. How can I help you?",
    ]
    assert talk.turn.conversation.keys == {}


def test_a_service_that_does_not_answer_is_told_and_the_talk_goes_on():
    talk = Talk(rain=WEATHER)
    talk.services.down = True
    assert talk("rain") == ["The weather service does not answer."]
    talk.services.down = False
    assert talk("rain") == ["Weather about rainfall in Los Angeles"]


def test_a_model_that_does_not_answer_is_told_and_nothing_is_forgotten():
    talk = Talk(best_pasta=STORE, in_Boston=BOSTON)
    talk("best pasta")
    talk.model.down = True
    assert talk("in Boston") == ["Something is wrong on my side, so I did not understand that. Which city was it?"]
    talk.model.down = False
    assert talk("in Boston") == ["Retail about find_the_store in Boston"]


def test_what_nobody_handles_is_said_kindly():
    talk = Talk(odd=Understood("an.intent.of.another.model"))
    assert talk("odd")[0].startswith("I can find a store")
    assert talk("anything")[0].startswith("I can find a store")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "I did not get any words. Please say that again."),
        (" \n", "I did not get any words. Please say that again."),
        ("x" * 10_000, "That was 10,000 characters, and I can read up to 1,000. Please say it in fewer words."),
    ],
)
def test_what_is_no_text_changes_nothing(text: str, answer: str):
    talk = Talk()
    before = talk.turn.conversation
    assert talk(text) == [answer]
    assert talk.turn.conversation == before and not talk.model.asked
    talk("x" * LONGEST_TEXT)
    assert talk.model.asked == ["x" * LONGEST_TEXT]


def test_what_a_person_says_is_no_template():
    talk = Talk(how_much=Understood("price_check"))
    talk("how much")
    talk("{{intent}} <b>")
    assert talk.services.calls[0][1]["item.name"] == "{{intent}} <b>"


def test_a_conversation_of_other_flows_is_named():
    talk = Talk()
    with pytest.raises(UnknownPlaceError, match="no state 'gone' in 'main_flow'"):
        asyncio.run(talk.dialog.hear(Conversation("main_flow", "gone"), "hello"))
