"""Questions over HTTP: answers with sources, of a date, to each what they may read, and what is refused."""

from __future__ import annotations

import hashlib
import json
import sqlite3

import pytest
from reading_room import MAY, NEW, TOKENS, Room
from starlette.testclient import TestClient

from services.documents import app
from services.documents.store import Store
from tasks.documents.layout import frozen

LEAVE = "How many days of annual leave a year?"
BOARD = "Which company does the board want to buy?"


def ask(client: TestClient, question: str, who: str = "", **more: object) -> dict:
    headers = {"Authorization": f"Bearer {TOKENS[who]}"} if who else {}
    answer = client.post("/api/questions", json={"question": question, **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def said(told: dict) -> str:
    return " ".join(line["text"] for line in told["answer"])


def test_an_answer_names_file_place_and_version_of_each_sentence_and_opens_it(client: TestClient):
    told = ask(client, "What may a hotel cost a night?")
    assert told["found"] and told["outcome"] == "answered"
    (line,) = told["answer"]
    assert line == {"text": "Hotels cost up to 120 euros a night.", "sources": [1]}
    (source,) = told["sources"]
    assert (source["file"], source["place"], source["dataset_version"]) == ("travel.md", "line 2", "documents-r2")
    opened = client.get(f"/api/passages/{source['passage']}", params={"version": source["dataset_version"]}).json()
    assert [(each["text"], each["cited"]) for each in opened["around"]] == [
        ("Trains are booked in second class.", False),
        ("Hotels cost up to 120 euros a night.", True),
    ]


def test_what_no_document_tells_is_said_so(client: TestClient):
    told = ask(client, "Who won the football match on Sunday?")
    assert (told["found"], told["answer"], told["sources"]) == (False, [], [])
    assert told["says"] == "That is not in these documents."


def test_the_documents_answer_as_they_were_at_a_date(client: TestClient):
    assert "thirty days" in said(ask(client, LEAVE))
    for moment in ("2026-05-01", "2026-10-31T23:59:59Z", "2026-10-31"):
        told = ask(client, LEAVE, as_of=moment)
        assert "twenty-five days" in said(told)
        assert told["dataset_version"] == "documents-r1"
    source = ask(client, LEAVE, as_of="2026-06-01")["sources"][0]
    address = f"/api/passages/{source['passage']}"
    assert client.get(address, params={"version": "documents-r1"}).status_code == 200
    assert client.get(address, params={"version": "documents-r2"}).status_code == 404, "it says something else there"
    early = client.post("/api/questions", json={"question": LEAVE, "as_of": "2026-04-30"})
    assert (early.status_code, early.json()) == (503, {"error": "No index of the documents serves for that date."})


def test_a_person_finds_only_what_they_may_read(client: TestClient):
    assert "Northwind" in said(ask(client, BOARD, "anna"))
    for who in ("", "ben"):
        assert "Northwind" not in json.dumps(ask(client, BOARD, who))
    source = ask(client, BOARD, "anna")["sources"][0]
    address = f"/api/passages/{source['passage']}?version=documents-r2"
    refused, unknown = client.get(address), client.get("/api/passages/none?version=documents-r2")
    assert refused.status_code == unknown.status_code == 404
    assert refused.json() == unknown.json(), "one cannot tell what is there"
    assert client.get(address, headers={"Authorization": f"Bearer {TOKENS['anna']}"}).status_code == 200


def test_a_right_that_is_taken_away_counts_at_once_and_for_past_dates_too(room: Room, client: TestClient):
    assert "Northwind" in said(ask(client, BOARD, "anna"))
    source = ask(client, BOARD, "anna", as_of="2026-06-01")["sources"][0]
    room.rules("- files: board/*\n  groups: [owners]\n- files: '*'\n  groups: [everybody]\n")
    assert "Northwind" not in json.dumps(ask(client, BOARD, "anna"))
    assert "Northwind" not in json.dumps(ask(client, BOARD, "anna", as_of="2026-06-01"))
    opened = client.get(
        f"/api/passages/{source['passage']}?version=documents-r1", headers={"Authorization": f"Bearer {TOKENS['anna']}"}
    )
    assert opened.status_code == 404


def test_rights_that_cannot_be_told_show_nothing(room: Room, client: TestClient):
    room.rules("board: everybody")
    answer = client.post("/api/questions", json={"question": LEAVE})
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("Who may read what cannot be told, so nothing is shown: access.yaml")


def test_who_one_is_and_who_nobody_is(room: Room, client: TestClient):
    assert client.get("/api/me").json() == {"name": "", "groups": []}
    anna = {"Authorization": f"Bearer {TOKENS['anna']}"}
    assert client.get("/api/me", headers=anna).json() == {"name": "anna", "groups": ["board"]}
    answer = client.get("/api/me", headers={"Authorization": "Bearer guess"})
    assert (answer.status_code, "Nobody has this token" in answer.json()["error"]) == (401, True)
    room.people.write_text("[]\n")
    assert client.get("/api/me", headers=anna).status_code == 401, "who is taken out is nobody at once"
    room.people.write_text("- name: x\n")
    assert client.get("/api/me", headers=anna).status_code == 503


def test_an_index_that_takes_over_answers_from_its_first_moment(room: Room, client: TestClient):
    ask(client, LEAVE)
    room.index("r3", MAY.replace(month=12), {**NEW, "hr/leave.md": "Everybody has forty days of annual leave a year."})
    told = ask(client, LEAVE)
    assert "forty days" in said(told)
    assert told["dataset_version"] == "documents-r3"


def test_refused_topics_by_words_and_by_meaning(client: TestClient):
    for question in ("Can I  SUE the company about annual leave?", "the trial at court"):
        told = ask(client, question)
        assert (told["outcome"], told["says"]) == ("refused", "I give no legal advice.")
        found = client.post("/api/search", json={"question": question})
        assert (found.status_code, found.json()["error"]) == (403, "I give no legal advice.")


def test_personal_data_is_hidden_in_what_is_shown_and_kept_and_secrets_too(room: Room, client: TestClient):
    told = ask(client, "How is the help desk reached? my password: Hunter2! and mail me at me@example.org", "ben")
    assert "[communication data]" in said(told)
    opened = client.get(f"/api/passages/{told['sources'][0]['passage']}?version=documents-r2").text
    passages = client.post("/api/search", json={"question": "help desk"}).text
    store = Store(room.url)
    kept = store.newest(9)
    store.close()
    shown = json.dumps(told) + opened + passages + json.dumps(kept, default=str)
    assert "example." not in shown and "Hunter2" not in shown
    asked = next(row for row in kept if row["outcome"] == "answered")
    assert asked["person"] == "ben"
    assert asked["question"].startswith("How is the help desk reached? my password: [secret] and mail me at [comm")
    assert asked["shown"] == [{"file": "it/help.md", "passage": told["sources"][0]["passage"]}]
    assert {row["outcome"] for row in kept} == {"answered", "opened", "searched"}


def test_nothing_is_shown_that_cannot_be_recorded(room: Room, client: TestClient):
    with sqlite3.connect(room.folder / "questions.db") as database:
        database.execute("DROP TABLE questions")
    answer = client.post("/api/questions", json={"question": LEAVE})
    assert (answer.status_code, "nothing is answered" in answer.json()["error"]) == (503, True)


def test_a_search_gives_passages_without_an_answer(client: TestClient):
    found = client.post("/api/search", json={"question": "second class trains", "limit": 1}).json()["passages"]
    assert [each["text"] for each in found] == ["Trains are booked in second class."]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "A question is JSON"),
        (b"[]", 400, "A question: Input should be"),
        (b'{"question": ""}', 400, "Ask something."),
        (b'{"question": "\\u0000 "}', 400, "Ask something."),
        (b'{"question": 7}', 400, "question: Input should be a valid string"),
        (b'{"question": "x", "as_of": "yesterday"}', 400, "as_of is a day or a time"),
        (b'{"question": "x", "as_of": "0000-00-00"}', 400, "as_of is a day or a time"),
        (b'{"question": "x", "limit": 0}', 400, "limit: Input should be greater"),
        (b'{"question": "x", "groups": ["board"]}', 400, "groups: Extra inputs"),
        (json.dumps({"question": "x" * 1001}).encode(), 413, "up to 1000 characters"),
        (b"x" * 20_000, 413, "more than 16 KiB"),
    ],
)
def test_what_is_no_question_is_refused_with_a_sentence(client: TestClient, body: bytes, status: int, says: str):
    answer = client.post("/api/questions", content=body)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text


def test_too_many_questions_wait(room: Room):
    room.a_minute = 2
    service, store = room.service()
    with TestClient(app.make(service), base_url="http://127.0.0.1") as client:
        answers = [client.post("/api/questions", json={"question": LEAVE}).status_code for _ in range(3)]
        assert answers == [200, 200, 429]
        assert "ask again in" in client.post("/api/questions", json={"question": LEAVE}).json()["error"]
        ask(client, LEAVE, "anna")  # counted by herself
        guesses = [client.get("/api/me", headers={"Authorization": "Bearer guess"}).status_code for _ in range(3)]
        assert guesses == [429] * 3, "guesses of tokens are slow"
        assert 'documents_questions_total{outcome="too_many"}' in client.get("/metrics").text
    store.close()


def test_health_says_why_nothing_can_be_asked(room: Room, client: TestClient):
    assert client.get("/health").json() == {"status": "ok"}
    (room.volume / "serving.json").write_text("{")
    assert client.get("/health").status_code == 503
    assert "does not tell which index serves" in client.get("/health").json()["error"]
    (room.volume / "serving.json").unlink()
    assert "run the DAG documents" in client.get("/health").json()["error"]


def test_a_snapshot_that_is_gone_is_a_sentence(room: Room, client: TestClient):
    folder = frozen(room.volume, "mlops_r2")
    folder.rename(folder.with_name("elsewhere"))
    answer = client.post("/api/questions", json={"question": LEAVE})
    assert (answer.status_code, "holds no finished index" in answer.json()["error"]) == (503, True)
    assert "twenty-five" in said(ask(client, LEAVE, as_of="2026-06-01"))


def test_tokens_stand_nowhere(room: Room):
    assert TOKENS["anna"] not in room.people.read_text()
    assert hashlib.sha256(TOKENS["anna"].encode()).hexdigest() in room.people.read_text()
