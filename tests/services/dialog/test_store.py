"""Conversations are kept turn by turn, each whole, once, and by whoever saw the one before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.dialog.store import CONVERSATIONS, NoSuchConversationError, OvertakenError, Store
from tasks.retail.dialog.conversation import Conversation, Say, Turn, Understood
from tests import databases

FIRST = Turn([Say("Hello"), Say("there", 1.5)], Conversation("main_flow", "input_intent"))
NEXT = Turn(
    [Say("Which city? 🍝")],
    Conversation("retail_flow", "input_location", {"item.type": "pasta"}, 2),
    Understood("store_location", {"item.type": "pasta"}),
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of an empty database: on PostgreSQL where the suite runs on it, else a file."""
    there = databases.settings("dialog")
    return there["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] if there else f"sqlite:///{tmp_path / 'talk.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


def test_what_is_kept_is_read_again_by_another_process(store: Store, url: str):
    name = store.begin(FIRST)
    store.append(name, 0, "best pasta", NEXT, channel="speech", message="m1")
    other = Store(url)
    assert other.read(name) == (NEXT.conversation, 1)
    first, second = other.turns(name)
    assert (first.heard, first.intent, [say.delay for say in first.says]) == (None, None, [0, 1.5])
    assert (second.heard, second.channel, second.intent) == ("best pasta", "speech", "store_location")
    assert second.slots == {"item.type": "pasta"} and second.says == [Say("Which city? 🍝")]
    assert datetime.now(UTC) - second.at < timedelta(hours=1)
    other.close()


def test_a_turn_is_kept_by_whoever_saw_the_last_one(store: Store):
    name = store.begin(FIRST)
    store.append(name, 0, "one", NEXT)
    with pytest.raises(OvertakenError):
        store.append(name, 0, "two", NEXT)
    assert [turn.heard for turn in store.turns(name)] == [None, "one"]


def test_of_many_at_once_each_turn_is_one_ones(url: str, store: Store):
    name = store.begin(FIRST)
    overtaken = []

    def speak(who: int) -> None:
        mine = Store(url)
        said = 0
        while said < 5:
            try:
                mine.append(name, mine.read(name)[1], f"{who}-{said}", NEXT)
                said += 1
            except OvertakenError:
                overtaken.append(who)
        mine.close()

    threads = [threading.Thread(target=speak, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    heard = [turn.heard for turn in store.turns(name)[1:]]
    assert sorted(heard) == sorted(f"{who}-{said}" for who in range(4) for said in range(5))
    assert [turn.turn for turn in store.turns(name)] == list(range(21))


def test_a_message_is_kept_once_and_found_again(store: Store):
    name = store.begin(FIRST)
    kept = store.append(name, 0, "one", NEXT, message="m1")
    assert store.answered(name, "m1") == kept and store.answered(name, "m2") is None
    with pytest.raises(sa.exc.IntegrityError):
        store.append(name, 1, "one", NEXT, message="m1")
    assert store.read(name)[1] == 1, "a turn that could not be kept has not moved the conversation"


def test_a_day_is_the_conversations_that_began_on_it(store: Store, url: str):
    names = [store.begin(FIRST) for _ in range(3)]
    for name in names:
        store.append(name, 0, f"of {name}", replace(NEXT, understood=None))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        midnight = datetime(2026, 11, 26, tzinfo=UTC)
        for name, at in zip(
            names, (midnight, midnight + timedelta(hours=23.9), midnight + timedelta(days=1)), strict=True
        ):
            connection.execute(CONVERSATIONS.update().where(CONVERSATIONS.c.id == name).values(begun_at=at))
    engine.dispose()
    found = [(name, turn.heard) for name, turn, _ in store.of_day(midnight.date())]
    assert found == [(names[0], None), (names[0], f"of {names[0]}"), (names[1], None), (names[1], f"of {names[1]}")]


def test_a_conversation_that_is_not_there_is_named(store: Store):
    with pytest.raises(NoSuchConversationError, match="There is no conversation 'nobody'"):
        store.read("nobody")
