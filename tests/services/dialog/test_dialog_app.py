"""The dialog service over HTTP and WebSocket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from talking import BOSTON, FLOWS, STORE, Model, Services

from services.dialog import app
from services.dialog.store import Store
from tasks.retail.dialog.conversation import Conversation, Dialog, Say, Turn, Understood

TOKEN = "an-export-token"
MODEL = Model({"best pasta": STORE, "Boston": BOSTON, "how much": Understood("price_check")})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'talk.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    dialog = Dialog(FLOWS, MODEL, Services(), choose=lambda texts: texts[0])
    with TestClient(app.make(app.Service(dialog, store, MODEL, TOKEN))) as client:
        yield client


@pytest.fixture
def talk(client: TestClient) -> str:
    return f"/api/conversations/{client.post('/api/conversations').json()['conversation']}"


def says(answer: dict) -> list[str]:
    return [said["text"] for said in answer["says"]]


def test_a_conversation_goes_on_by_requests(client: TestClient, talk: str):
    first = client.post(f"{talk}/messages", json={"text": "best pasta"})
    assert first.status_code == 200 and says(first.json()) == ["Near which city?"]
    assert first.json()["intent"] == "store_location" and first.json()["slots"]["item.type"] == "pasta"
    second = client.post(f"{talk}/messages", json={"text": "Boston", "channel": "speech"}).json()
    assert says(second) == ["Retail about find_the_store in Boston"] and second["turn"] == 2
    turns = client.get(talk).json()["turns"]
    assert [turn.get("heard") for turn in turns] == [None, "best pasta", "Boston"]
    assert turns[2]["channel"] == "speech"


def test_a_conversation_goes_on_over_one_connection(client: TestClient, talk: str):
    with client.websocket_connect(f"{talk}/live") as socket:
        socket.send_json({"text": "best pasta"})
        assert says(socket.receive_json()) == ["Near which city?"]
        socket.send_text("no JSON")
        assert "A message is a JSON object" in socket.receive_json()["error"]
        socket.send_text("x" * (app.LARGEST_BODY + 1))
        assert "A message is a JSON object" in socket.receive_json()["error"]
        socket.send_json({"text": "Boston"})
        assert says(socket.receive_json()) == ["Retail about find_the_store in Boston"]
    with client.websocket_connect("/api/conversations/nobody/live") as socket:
        socket.send_json({"text": "hello"})
        assert socket.receive_json() == {"error": "There is no conversation 'nobody'."}


def test_a_message_that_is_sent_again_is_answered_the_same(client: TestClient, talk: str):
    sent = {"text": "best pasta", "message": "m-1"}
    first = client.post(f"{talk}/messages", json=sent).json()
    assert client.post(f"{talk}/messages", json=sent).json() == first
    assert len(client.get(talk).json()["turns"]) == 2


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"no json", 400, "That is no JSON."),
        (b"[]", 400, "A message is a JSON object with a text"),
        (b'{"text": 7}', 400, "A message is a JSON object with a text"),
        (b'{"text": "x", "channel": "smoke"}', 400, "A channel is text or speech, not 'smoke'."),
        (b'{"text": "x", "message": "a b"}', 400, "The id of a message is up to 64"),
        (b'{"text": "' + b"x" * app.LARGEST_BODY + b'"}', 413, "That is more than 64 KiB."),
    ],
)
def test_what_is_no_message_is_refused(client: TestClient, talk: str, content: bytes, status: int, says: str):
    answer = client.post(f"{talk}/messages", content=content)
    assert answer.status_code == status and answer.json()["error"].startswith(says)
    assert len(client.get(talk).json()["turns"]) == 1


def test_ten_thousand_characters_and_html_are_text(client: TestClient, talk: str):
    told = client.post(f"{talk}/messages", json={"text": "x" * 10_000}).json()
    assert says(told) == ["That was 10,000 characters, and I can read up to 1,000. Please say it in fewer words."]
    client.post(f"{talk}/messages", json={"text": "how much"})
    told = client.post(f"{talk}/messages", json={"text": "<img src=x onerror=alert(1)>\x00"})
    assert told.headers["content-type"] == "application/json"
    assert told.json()["heard"] == "<img src=x onerror=alert(1)>"


def test_a_conversation_that_is_not_there_is_said(client: TestClient):
    assert client.get("/api/conversations/nobody").status_code == 404
    answer = client.post("/api/conversations/nobody/messages", json={"text": "hello"})
    assert (answer.status_code, answer.json()) == (404, {"error": "There is no conversation 'nobody'."})


def test_a_conversation_from_before_the_flows_changed_begins_anew(client: TestClient, store: Store):
    name = store.begin(Turn([Say("Hello")], Conversation("main_flow", "a_state_of_old")))
    told = client.post(f"/api/conversations/{name}/messages", json={"text": "best pasta"}).json()
    assert says(told) == ["Hi, welcome to NARA retail and weather service. How can I help you?"]


def test_a_day_is_exported_with_the_token_alone(client: TestClient, talk: str):
    client.post(f"{talk}/messages", json={"text": "best pasta"})
    path = f"/api/days/{datetime.now(UTC).date()}"
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer ü".encode()},
    ):
        assert client.get(path, headers=headers).status_code == 401
    mine = {"Authorization": f"Bearer {TOKEN}"}
    lines = [json.loads(line) for line in client.get(path, headers=mine).text.splitlines()]
    assert [line.get("heard") for line in lines] == [None, "best pasta"]
    assert {f"/api/conversations/{line['conversation']}" for line in lines} == {talk}
    assert lines[1]["words"] == ["best", "pasta"] and "words" not in lines[0]
    told = {"intent": "find_the_store", "slots": ["B-rating.high", "B-item.type"], "confidence": 0.5, "version": "1"}
    assert lines[1]["suggested"] == told
    assert client.get("/api/days/2020-01-01", headers=mine).text == ""
    assert client.get("/api/days/yesterday", headers=mine).status_code == 400


def test_what_a_person_says_of_a_message_is_kept_with_who_and_when_and_wins(client: TestClient, talk: str):
    client.post(f"{talk}/messages", json={"text": "best pasta"})
    mine = {"Authorization": f"Bearer {TOKEN}"}
    sent = {"intent": "price_check", "slots": ["O", "B-item.type"], "by": " Ada "}
    assert client.put(f"{talk}/turns/1/labels", json=sent).status_code == 401
    for by in ("Ada", "Grace"):
        kept = client.put(f"{talk}/turns/1/labels", json={**sent, "by": by}, headers=mine).json()
    (_, line) = client.get(f"/api/days/{datetime.now(UTC).date()}", headers=mine).text.splitlines()
    assert json.loads(line)["labels"] == kept and "suggested" not in json.loads(line)
    assert kept == {**sent, "by": "Grace", "at": kept["at"]} and datetime.fromisoformat(kept["at"]).tzinfo


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ([], "Labels are a JSON object"),
        ({"intent": "no_such"}, "There is no intent 'no_such'"),
        ({"intent": "unknown", "slots": ["O"], "by": "Ada"}, "The message has 2 words, and slots are a label for each"),
        ({"intent": "unknown", "slots": ["O", "B-soul"], "by": "Ada"}, "There is no slot 'B-soul'"),
        ({"intent": "unknown", "slots": ["I-location", "O"], "by": "Ada"}, "'I-location' at word 1 continues a slot"),
        ({"intent": "unknown", "slots": ["B-verb", "I-location"], "by": "Ada"}, "'I-location' at word 2 continues"),
        ({"intent": "unknown", "slots": ["O", "O"], "by": " "}, "by says who labels"),
    ],
)
def test_labels_that_cannot_be_meant_get_a_sentence(client: TestClient, talk: str, sent: Any, says: str):
    client.post(f"{talk}/messages", json={"text": "best pasta"})
    answer = client.put(f"{talk}/turns/1/labels", json=sent, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 400 and answer.json()["error"].startswith(says)


def test_only_messages_are_labelled_and_only_those_short_enough_to_train_on(client: TestClient, talk: str):
    client.post(f"{talk}/messages", json={"text": "so " * 61})
    mine = {"Authorization": f"Bearer {TOKEN}"}
    sent = {"intent": "unknown", "slots": [], "by": "Ada"}
    for turn in (0, 1, 2):
        answer = client.put(f"{talk}/turns/{turn}/labels", json=sent, headers=mine)
        assert answer.status_code == 404 and "is no message that can be labelled" in answer.json()["error"]


def test_without_an_answer_of_the_model_nothing_is_suggested(client: TestClient, talk: str, monkeypatch):
    client.post(f"{talk}/messages", json={"text": "best pasta"})
    monkeypatch.setattr(MODEL, "down", True)
    path, mine = f"/api/days/{datetime.now(UTC).date()}", {"Authorization": f"Bearer {TOKEN}"}
    assert json.loads(client.get(path, headers=mine).text.splitlines()[1])["suggested"] is None


def test_without_a_token_nothing_is_exported(store: Store):
    dialog = Dialog(FLOWS, MODEL, Services())
    with TestClient(app.make(app.Service(dialog, store, MODEL, None))) as client:
        assert client.get("/api/days/2026-01-01", headers={"Authorization": "Bearer None"}).status_code == 401
        assert client.get("/api/days/2026-01-01", headers={"Authorization": "Bearer "}).status_code == 401


def test_a_database_that_is_gone_is_said_and_counted(client: TestClient, talk: str, url: str):
    assert client.get("/health").json() == {"status": "ok"}
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE conversations RENAME TO gone"))
    answer = client.post(f"{talk}/messages", json={"text": "best pasta"})
    assert (answer.status_code, answer.json()["error"][:31]) == (503, "The database does not answer; n")
    assert client.get("/health").status_code == 503
    with client.websocket_connect(f"{talk}/live") as socket:
        socket.send_json({"text": "best pasta"})
        assert socket.receive_json()["error"].startswith("The database does not answer")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO conversations"))
    engine.dispose()
    assert says(client.post(f"{talk}/messages", json={"text": "best pasta"}).json()) == ["Near which city?"]
    figures = client.get("/metrics").text
    assert "dialog_faults_total 3.0" in figures and 'dialog_turns_total{intent="store_location"} 1.0' in figures


def test_the_page_runs_no_script_from_elsewhere(client: TestClient):
    page = client.get("/")
    assert page.status_code == 200 and "Retail assistant" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for file in ("chat.js", "chat.css", "icon.svg"):
        assert file in page.text and client.get(f"/{file}").status_code == 200
    assert "http://" not in page.text and "innerHTML" not in client.get("/chat.js").text
