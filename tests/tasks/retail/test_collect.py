"""A day's conversations become training data: masked, labelled by people or by the model, each day once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tasks.common.data import open_source, open_target
from tasks.common.program import BadInput, TryAgain
from tasks.retail import collect, generate
from tasks.retail.dataset import load

DAY = date(2026, 11, 27)


def line(conversation: str, turn: int, text: str, **labels: Any) -> dict[str, Any]:
    return {"conversation": conversation, "turn": turn, "heard": text, "words": text.split(), **labels}


def labelled(intent: str, slots: str) -> dict[str, Any]:
    return {"labels": {"intent": intent, "slots": slots.split(), "by": "Ada", "at": "2026-11-27T12:00:00+00:00"}}


def suggested(intent: str, slots: str, confidence: float) -> dict[str, Any]:
    return {"suggested": {"intent": intent, "slots": slots.split(), "confidence": confidence, "version": "1"}}


LINES = [
    {"conversation": "c1", "turn": 0, "says": []},
    line("c1", 1, "i live in Paris where is pasta", **labelled("find_the_store", "O O O O B-verb O B-item.type")),
    line("c1", 2, "in Boston", **labelled("unknown", "O B-location")),
    line("c2", 1, "how much is it", **suggested("price_check", "O O O O", 0.95)),
    line("c2", 2, "well hm", **suggested("price_check", "O O", 0.3)),
    line("c3", 1, "hello", suggested=None),
]


def test_people_win_over_the_model_and_what_nobody_is_sure_of_is_left_out():
    day = collect.of_day(LINES, least_confidence=0.9)
    assert [question.text for question, _ in day.labelled] == ["i live in <place> where is pasta", "in Boston"]
    assert len({dialog for _, dialog in day.labelled}) == 1, "all of it was labelled"
    assert [question.text for question, _ in day.suggested] == ["how much is it"]
    assert day.counts == {
        "conversations": 3, "messages": 5, "labelled_by_people": 2, "suggested": 1, "left_out": 2, "masked": 1,
    }  # fmt: skip


def test_nothing_is_masked_where_that_is_allowed():
    day = collect.of_day(LINES, least_confidence=0.9, allow_personal_data=True)
    assert day.labelled[0][0].text.startswith("i live in Paris") and day.counts["masked"] == 0


def test_a_label_that_continued_what_is_masked_begins_anew():
    lines = [line("c", 1, "i live in New York City now", **labelled("unknown", "O O O B-location I-location O O"))]
    ((question, _),) = collect.of_day(lines, 1).labelled
    assert question.text == "i live in <place> now"
    assert {generate.SLOTS[slot] for slot in question.slots} == {"O"}


def test_a_day_that_is_brought_again_is_there_once_and_joins_the_questions(tmp_path: Path):
    store = open_target(str(tmp_path))
    generate.bring(store, list(generate.plan(1, 60)))
    day = collect.of_day(LINES, 0.9)
    assert collect.bring(store, DAY, day) and not collect.bring(store, DAY, day)
    before, both = load(open_source(str(tmp_path)), people_only=True), load(open_source(str(tmp_path)))
    assert len(both.training) - len(before.training) <= 1, "of what the model labelled"
    assert any(question.text == "in Boston" for question in before.training + before.held_out)
    assert collect.bring(store, DAY, collect.of_day([], 0.9)), "nothing is left of it"
    assert not list((tmp_path / "days").rglob("*.tsv"))


def test_what_the_model_labelled_judges_nobody(tmp_path: Path):
    store = open_target(str(tmp_path))
    generate.bring(store, list(generate.plan(1, 60)))
    many = [line(f"c{n}", 1, f"how much is {n}", **suggested("price_check", "O O O O", 1)) for n in range(100)]
    before = load(open_source(str(tmp_path)))
    collect.bring(store, DAY, collect.of_day(many, 0.9))
    after = load(open_source(str(tmp_path)))
    assert after.held_out == before.held_out and 60 < len(after.training) - len(before.training) < 100


class Service:
    status, body = 200, b""
    asked: list[str]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    told = Service()
    told.asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(f"{self.path} {self.headers['Authorization']}")
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        monkeypatch.setenv("DIALOG_URL", f"http://127.0.0.1:{http.server_port}")
        monkeypatch.setenv("DIALOG_TOKEN", "t")
        monkeypatch.setenv("DIALOG_CONNECTION", "dialog_default")
        yield told
        http.shutdown()
        thread.join(60)


def called(monkeypatch: pytest.MonkeyPatch, *flags: str) -> dict[str, Any]:
    monkeypatch.setattr("sys.argv", ["collect", "--day=2026-11-27", *flags])
    return collect.main()


def test_a_day_and_those_before_it_are_asked_for(service: Service, tmp_path: Path, monkeypatch):
    service.body = "".join(json.dumps(each) + "\n" for each in LINES).encode()
    told = called(monkeypatch, "--days-back=1", f"--output={tmp_path}")
    assert service.asked == ["/api/days/2026-11-26 Bearer t", "/api/days/2026-11-27 Bearer t"]
    assert told["changed"] == ["2026-11-26", "2026-11-27"] and told["messages"] == 10
    assert called(monkeypatch, "--days-back=1", f"--output={tmp_path}")["changed"] == []


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, BadInput, r"connection dialog_default\) does not take the token"),
        (503, TryAgain, r"connection dialog_default\) answers 503"),
        (404, BadInput, "answers 404 to /api/days/2026-11-27"),
    ],
)
def test_a_service_that_refuses_is_named(service: Service, tmp_path, monkeypatch, status: int, error: Any, says: str):
    service.status = status
    with pytest.raises(error, match=says):
        called(monkeypatch, "--days-back=0", f"--output={tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DIALOG_URL", "http://127.0.0.1:9")
    with pytest.raises(TryAgain, match=r"at http://127\.0\.0\.1:9 \(connection dialog_default\) does not answer"):
        called(monkeypatch, f"--output={tmp_path}")
    with pytest.raises(BadInput, match="--day is 'yesterday'"):
        called(monkeypatch, "--day=yesterday", f"--output={tmp_path}")
