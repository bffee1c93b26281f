"""What sentences are about: kept with them, counted by the sentiment that people say it has, and looked for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from calling import MINE, TOKEN, call, sentence
from starlette.testclient import TestClient

from services.calls import app, schema
from services.calls.records import Call, Correction, Sentence
from services.calls.store import Store


def of(index: int, sentiment: str, *mentions: tuple[str, str]) -> Sentence:
    told = [{"kind": kind, "name": name} for kind, name in mentions]
    return Sentence.model_validate(sentence("caller", index, "It broke", sentiment, mentions=told))


ROUTER, BOSTON = ("topic", "router"), ("place", "Boston")


@pytest.fixture
def talked(store: Store) -> Store:
    store.put_call("c1", Call.model_validate(call()))
    store.put_sentences("c1", [of(0, "negative", ROUTER, BOSTON), of(1, "positive", ROUTER), of(2, "neutral")])
    store.put_call("c2", Call.model_validate(call("Grace", "2026-11-28T08:00:00+00:00", "c2.wav")))
    store.put_sentences("c2", [of(0, "negative", ROUTER, ROUTER)])
    return store


def counted(store: Store, **asked: Any) -> dict[str, tuple[int, int, float]]:
    return {one["name"]: (one["calls"], one["sentences"], one["sentiment"]["mean"]) for one in store.about(**asked)}


def test_topics_and_names_are_counted_with_the_sentiment_of_their_sentences(talked: Store):
    assert counted(talked) == {"router": (2, 3, -0.3333), "Boston": (1, 1, -1.0)}
    assert counted(talked, agent="Grace") == {"router": (1, 1, -1.0)}
    assert counted(talked, until=datetime(2026, 11, 28, tzinfo=UTC)) == {"router": (1, 2, 0.0), "Boston": (1, 1, -1.0)}
    assert talked.about()[0]["kind"] == "topic" and talked.call("c1")["about"][0]["sentences"] == 2
    talked.correct("c2", "caller", 0, Correction(sentiment="positive", by="Ada"))
    assert counted(talked)["router"] == (2, 3, 0.3333), "what people say counts"


def test_calls_and_days_are_looked_at_by_what_they_are_about(talked: Store):
    assert [one["call"] for one in talked.calls(about="Boston")[0]] == ["c1"]
    days = talked.summary("day", about="router")
    assert [(one["day"], one["sides"]["caller"]["mean"]) for one in days] == [("2026-11-27", 0.0), ("2026-11-28", -1.0)]
    assert [one["calls"] for one in talked.summary("day", about="Boston")] == [1]
    assert talked.summary("day", since=date(2026, 11, 28), about="Boston") == []


def test_the_same_again_changes_nothing_and_other_words_are_about_something_else(talked: Store):
    before = counted(talked)
    talked.put_sentences("c1", [of(0, "negative", ROUTER, BOSTON)])
    assert counted(talked) == before
    nobody_looked = Sentence.model_validate(sentence("caller", 1, "It broke", "positive"))
    assert talked.put_sentences("c1", [nobody_looked])["same"] == 1
    assert counted(talked) == before
    talked.put_sentences("c1", [Sentence.model_validate(sentence("caller", 1, "Never mind", "positive"))])
    assert counted(talked)["router"] == (2, 2, -1.0)


def test_a_call_that_is_forgotten_was_about_nothing(talked: Store):
    talked.delete("c1")
    assert counted(talked) == {"router": (1, 1, -1.0)}


def test_a_database_of_before_keeps_its_calls(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            sa.text(
                "INSERT INTO calls VALUES ('c1', 'Ada', '2026-11-27 08:00:00', '2026-11-27', 1, 16000, 2, '{}', NULL)"
            )
        )
    engine.dispose()
    store = Store(url)
    assert store.call("c1")["about"] == [] and store.about() == []
    store.put_sentences("c1", [of(0, "negative", ROUTER)])
    assert counted(store) == {"router": (1, 1, -1.0)}
    store.close()


def test_it_is_asked_over_http_and_what_is_wrong_is_said(store: Store):
    with TestClient(app.make(app.Service(store, store, TOKEN)), headers=MINE) as client:
        client.put("/api/calls/c1", json=call())
        sent = sentence(mentions=[{"kind": "topic", "name": "<b>router</b>"}])
        assert client.put("/api/calls/c1/sentences", json={"sentences": [sent]}).json()["stored"] == 1
        (found,) = client.get("/api/about", params={"agent": "Ada"}).json()["about"]
        assert (found["name"], found["sentiment"]["negative"]) == ("<b>router</b>", 1)
        assert client.get("/api/calls", params={"about": found["name"]}).json()["calls"][0]["call"] == "c1"
        assert client.get("/api/calls", params={"about": "modem"}).json()["calls"] == []
        assert client.get("/api/summary", params={"by": "day", "about": "modem"}).json()["summary"] == []
        sent["mentions"][0]["kind"] = "mood"
        answer = client.put("/api/calls/c1/sentences", json={"sentences": [sent]})
        assert answer.status_code == 400 and answer.json()["error"].startswith("sentences.0.mentions.0.kind: ")
