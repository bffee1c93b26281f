"""The call service over HTTP: writing with a token, looking back, and following what happens."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from calling import MINE, TOKEN, Served, call, sentence
from starlette.testclient import TestClient

from services.calls import app, feed
from services.calls.store import Store
from tests.conftest import REPOSITORY
from tests.until import until


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'calls.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(app.make(app.Service(store, store, TOKEN))) as client:
        yield client


def put(client: TestClient | httpx.Client, name: str, *sentences: dict, **more: Any) -> None:
    """Send a call with its sentences."""
    sent = client.put(f"/api/calls/{name}", json=call(**more), headers=MINE)
    assert sent.status_code in (200, 201), sent.text
    sent = client.put(f"/api/calls/{name}/sentences", json={"sentences": list(sentences)}, headers=MINE)
    assert sent.status_code == 200, sent.text


def test_a_call_is_written_and_looked_at(client: TestClient):
    first = client.put("/api/calls/c1", json=call(), headers=MINE)
    again = client.put("/api/calls/c1", json=call(), headers=MINE)
    assert (first.status_code, again.status_code) == (201, 200) and first.json() == again.json()
    sent = {"sentences": [sentence(), sentence("agent", 0, "I see", "neutral")]}
    told = client.put("/api/calls/c1/sentences", json=sent, headers=MINE)
    assert told.json() == {"stored": 2, "replaced": 0, "same": 0}
    assert client.put("/api/calls/c1/sentences", json=sent, headers=MINE).json()["same"] == 2
    refused = client.put("/api/calls/c1/finished", json={"sentences": 3}, headers=MINE)
    assert refused.status_code == 409 and "2 sentences here, not 3" in refused.json()["error"]
    assert client.put("/api/calls/c1/finished", json={"sentences": 2}, headers=MINE).json()["finished"] == 2
    refused = client.put("/api/calls/c1", json=call(file="other.wav"), headers=MINE)
    assert refused.status_code == 409 and "comes from c1.wav of calls v1" in refused.json()["error"]
    told = client.get("/api/calls/c1").json()
    assert [one["text"] for one in told["sentences"]] == ["I see", "It broke"] and told["agent"] == "Ada"
    assert client.get("/api/calls").json()["calls"][0]["sides"]["caller"]["negative"] == 1
    assert client.get("/api/agents").json()["agents"][0]["agent"] == "Ada"
    assert client.get("/api/summary?by=day").json()["summary"][0]["day"] == "2026-11-27"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_programs_write_with_the_token_alone(client: TestClient, headers: dict[str, str]):
    put(client, "c1", sentence())
    for method, path, content in (
        ("PUT", "/api/calls/c1", call("Eve")),
        ("PUT", "/api/calls/c1/sentences", {"sentences": [sentence(text="I love it")]}),
        ("PUT", "/api/calls/c1/finished", {"sentences": 1}),
        ("DELETE", "/api/calls/c1", None),
        ("GET", "/api/corrections?since=2026-01-01", None),
    ):
        assert client.request(method, path, json=content, headers=headers).status_code == 401, path
    told = client.get("/api/calls/c1").json()
    assert (told["agent"], told["finished"], told["sentences"][0]["text"]) == ("Ada", None, "It broke")


def test_without_a_token_nothing_is_written(store: Store):
    with TestClient(app.make(app.Service(store, store, None))) as client:
        for bearer in ("Bearer None", "Bearer "):
            sent = client.put("/api/calls/c1", json=call(), headers={"Authorization": bearer})
            assert sent.status_code == 401


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("/api/calls/a b", call(), "The id of a call is up to 64 letters"),
        ("/api/calls/c1", b"no json", "Invalid JSON"),
        ("/api/calls/c1", b"[]", "Input should be an object."),
        ("/api/calls/c1", call(began="2026-11-27T08:00:00"), "began: Input should have timezone info."),
        ("/api/calls/c1", call(began="0001-01-01T00:00:00+05:00"), "began: there is no such day in UTC."),
        ("/api/calls/c1", call(seconds=-1), "seconds: Input should be greater than or equal to 0."),
        ("/api/calls/c1", call(agent=" "), "agent: String should have at least 1 character."),
        ("/api/calls/c1", call(colour="red"), "colour: Extra inputs are not permitted."),
        ("/api/calls/c1/sentences", {"sentences": [sentence("both")]}, "sentences.0.side: Input should be 'agent' or"),
        ("/api/calls/c1/sentences", {"sentences": [sentence(sentiment="sad")]}, "sentences.0.sentiment: Input should"),
        ("/api/calls/c1/sentences", {"sentences": [sentence(end=-1)]}, "sentences.0.end: Input should be greater than"),
        ("/api/calls/c1/sentences", {"sentences": [sentence(start=9)]}, "sentences.0: it ends at 1.5 s, before it"),
        ("/api/calls/c1/sentences", {"sentences": [sentence()] * 2}, "sentence 0 of the caller is there twice."),
        ("/api/calls/c1/sentences", b'{"sentences": "\\ud800"}', "Invalid JSON"),
        ("/api/calls/c1/sentences", {"sentences": [sentence(text="x" * 10_001)]}, "sentences.0.text: String should"),
        ("/api/calls/c1/finished", {"sentences": -1}, "sentences: Input should be greater than or equal to 0."),
    ],
)
def test_what_is_sent_wrong_is_said_with_its_place(client: TestClient, path: str, content: Any, says: str):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    client.put("/api/calls/c1", json=call(), headers=MINE)
    answer = client.put(path, content=raw, headers=MINE)
    assert answer.status_code == 400 and says.lower() in answer.json()["error"].lower(), answer.text
    told = client.get("/api/calls/c1").json()
    assert told["sentences"] == [] and told["finished"] is None


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/calls?page=0", 400, "A page is a number from 1 on, not '0'."),
        ("/api/calls?since=yesterday", 400, "since is a date or a time such as 2026-11-27T08:00:00Z, not 'yesterday'."),
        ("/api/calls?agent=a%00b", 200, None),
        ("/api/calls?until=2026-11-27T09:00:00+01:00", 200, None),
        ("/api/summary?by=moon", 400, "A summary is by agent or day, not 'moon'."),
        ("/api/calls/c9", 404, "There is no call 'c9'."),
        ("/api/live?after=x", 400, "Events have numbers; 'x' is none."),
    ],
)
def test_what_is_asked_wrong_is_said(client: TestClient, path: str, status: int, says: str | None):
    answer = client.get(path)
    assert (answer.status_code, answer.json().get("error")) == (status, says)


def test_a_request_of_more_than_a_mebibyte_is_refused(client: TestClient):
    answer = client.put("/api/calls/c1", content=b" " * (app.LARGEST_BODY + 1), headers=MINE)
    assert (answer.status_code, answer.json()) == (413, {"error": "That is more than 1024 KiB."})


def test_people_correct_and_the_corrections_are_exported(client: TestClient):
    put(client, "c1", sentence())
    told = client.put(
        "/api/calls/c1/sentences/caller/0/correction",
        json={"text": "It woke\x00", "sentiment": "positive", "by": "Grace"},
    )
    assert told.status_code == 200 and told.json()["corrected"]["text"] == "It woke"
    (kept,) = client.get("/api/calls/c1").json()["corrections"]
    assert (kept["recognised_text"], kept["text"], kept["by"]) == ("It broke", "It woke", "Grace")
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    lines = client.get("/api/corrections", params={"since": since}, headers=MINE).text.splitlines()
    (line,) = map(json.loads, lines)
    assert (line["recognised_sentiment"], line["sentiment"], line["source"]["file"]) == (
        "negative",
        "positive",
        "c1.wav",
    )
    assert client.get("/api/corrections", headers=MINE).status_code == 400


@pytest.mark.parametrize(
    ("path", "content", "status", "says"),
    [
        ("caller/0", {"by": "Grace"}, 400, "A correction has a text, a sentiment, or both."),
        ("caller/0", {"text": "x"}, 400, "by: Field required."),
        (
            "caller/0",
            {"sentiment": "sad", "by": "Grace"},
            400,
            "sentiment: Input should be 'negative'",
        ),
        ("nobody/0", {"text": "x", "by": "Grace"}, 400, "A side is agent or caller, not 'nobody'."),
        ("agent/7", {"text": "x", "by": "Grace"}, 404, "Call c1 has no sentence 7 of the agent."),
        (f"agent/{10**30}", {"text": "x", "by": "Grace"}, 400, "Sentences have numbers up to 1000000."),
    ],
)
def test_a_correction_of_nothing_is_refused(client: TestClient, path: str, content: dict, status: int, says: str):
    put(client, "c1", sentence())
    answer = client.put(f"/api/calls/c1/sentences/{path}/correction", json=content)
    assert answer.status_code == status and answer.json()["error"].startswith(says)
    assert client.get("/api/calls/c1").json()["corrections"] == []


def test_a_call_is_forgotten_for_good(client: TestClient):
    put(client, "c1", sentence())
    assert client.delete("/api/calls/c1", headers=MINE).status_code == 204
    assert client.get("/api/calls/c1").status_code == 404
    assert client.delete("/api/calls/c1", headers=MINE).status_code == 404


def test_a_database_that_is_gone_is_said_and_counted_but_no_words_of_people(
    client: TestClient, url: str, caplog: pytest.LogCaptureFixture
):
    put(client, "c1", sentence())
    assert client.get("/health").json() == {"status": "ok"}
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE call_sentences RENAME TO gone"))
    caplog.set_level(logging.DEBUG)
    sent = {"sentences": [sentence(index=1, text="my secret illness")]}
    answer = client.put("/api/calls/c1/sentences", json=sent, headers=MINE)
    assert answer.status_code == 503 and answer.json()["error"].startswith("The database does not answer; nothing was")
    assert "illness" not in caplog.text
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO call_sentences"))
    engine.dispose()
    assert client.put("/api/calls/c1/sentences", json=sent, headers=MINE).json()["stored"] == 1
    figures = client.get("/metrics").text
    assert "calls_faults_total 1.0" in figures and 'calls_sentences_total{as="stored"} 2.0' in figures


def test_pages_run_no_script_from_elsewhere(client: TestClient):
    for name in ("", "history.html", "call.html"):
        page = client.get(f"/{name}")
        assert page.status_code == 200 and "default-src 'self'" in page.headers["content-security-policy"]
        assert "http://" not in page.text and "https://" not in page.text and "<style" not in page.text
    for file in app.STATIC.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", file.read_text()), file


# Another database to read from


def closed(url: str) -> Store:
    """Return a store that fails whoever asks it anything."""
    store = Store(url)

    def refuse(*_: object) -> None:
        raise AssertionError("the writer's database was asked")

    for event in ("begin", "before_cursor_execute"):
        sa.event.listen(store._engine, event, refuse)
    return store


def test_history_is_read_from_the_clone_and_the_writer_is_never_asked(tmp_path: Path):
    writer, clone = tmp_path / "writer.db", tmp_path / "clone.db"
    store = Store(f"sqlite:///{writer}")
    with TestClient(app.make(app.Service(store, store, TOKEN))) as client:
        put(client, "c1", sentence())
    store.close()
    shutil.copy(writer, clone)
    writes, reads = closed(f"sqlite:///{writer}"), Store(f"sqlite:///{clone}", upgrade=False)
    # Without its life span nothing follows the live sentences, which alone come from the writer.
    client = TestClient(app.make(app.Service(writes, reads, TOKEN)))
    for path in ("calls", "calls/c1", "agents", "summary?by=day", "summary?by=agent", "words"):
        assert client.get(f"/api/{path}").status_code == 200, path
    assert client.get("/api/calls/c1").json()["sentences"][0]["text"] == "It broke"
    with pytest.raises(AssertionError, match="the writer's database was asked"):
        client.put("/api/calls/c2", json=call(), headers=MINE)
    writes.close()
    reads.close()


def test_what_is_written_does_not_show_in_the_clone(tmp_path: Path):
    Store(f"sqlite:///{tmp_path / 'clone.db'}").close()
    writes = Store(f"sqlite:///{tmp_path / 'writer.db'}")
    reads = Store(f"sqlite:///{tmp_path / 'clone.db'}", upgrade=False)
    with TestClient(app.make(app.Service(writes, reads, TOKEN))) as client:
        put(client, "c1", sentence())
        assert client.get("/api/calls").json()["calls"] == []
        assert client.get("/api/calls/c1").status_code == 404
    assert writes.call("c1")["sentences"][0]["text"] == "It broke"
    writes.close()
    reads.close()


def test_a_service_that_only_reads_says_so(store: Store):
    with TestClient(app.make(app.Service(None, store, TOKEN))) as client:
        answer = client.put("/api/calls/c1", json=call(), headers=MINE)
        assert answer.status_code == 405 and answer.json()["error"].startswith("This service only reads")
        assert client.get("/health").status_code == 200


# What happens, live


class Watcher(threading.Thread):
    """Reads server-sent events as a browser does: it comes back with the number of the last one."""

    def __init__(self, url: str, after: int | None = None) -> None:
        super().__init__(daemon=True)
        self._url, self.last = url, after
        self.seen: list[dict[str, Any]] = []
        self.done = False
        self.start()

    def run(self) -> None:
        while not self.done:
            headers = {"Last-Event-ID": str(self.last)} if self.last is not None else {}
            try:
                with httpx.stream("GET", f"{self._url}api/live", headers=headers, timeout=60, trust_env=False) as told:
                    for line in told.iter_lines():
                        if line.startswith("data: {"):
                            one = json.loads(line.removeprefix("data: "))
                            self.last = one["event"]
                            self.seen.append(one)
                        if self.done:
                            return
            except httpx.HTTPError:
                continue

    def keys(self) -> list[tuple[str, int]]:
        return [(one["call"], one["index"]) for one in self.seen]


@pytest.fixture
def served(url: str) -> Iterator[Served]:
    served = Served(url)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def writer(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
        yield client


def test_a_watcher_sees_each_sentence_as_it_is_stored_and_corrected(served: Served, writer: httpx.Client):
    put(writer, "c1", sentence(text="before\u2028<b>"))
    watcher = Watcher(served.url)
    until(lambda: watcher.seen)
    put(writer, "c1", sentence(index=1))
    until(lambda: watcher.keys() == [("c1", 0), ("c1", 1)], lambda: watcher.keys())
    writer.put("/api/calls/c1/sentences/caller/1/correction", json={"text": "It woke", "by": "Grace"})
    until(lambda: len(watcher.seen) == 3)
    assert watcher.seen[0]["text"] == "before\u2028<b>" and watcher.seen[2]["corrected"]["text"] == "It woke"
    until(lambda: "calls_watchers 1.0" in writer.get("/metrics").text)
    watcher.done = True


def test_a_watcher_loses_nothing_when_the_server_is_stopped_and_started(served: Served, writer: httpx.Client, url: str):
    put(writer, "c1", sentence())
    watcher = Watcher(served.url)
    until(lambda: watcher.seen)
    served.stop()
    meanwhile = Store(url)
    with TestClient(app.make(app.Service(meanwhile, meanwhile, TOKEN))) as other:
        put(other, "c1", *(sentence(index=index) for index in range(1, 6)))
    meanwhile.close()
    served.start()
    until(lambda: len(watcher.seen) >= 6)
    put(writer, "c2", sentence())
    until(lambda: len(watcher.seen) >= 7)
    assert watcher.keys() == [*(("c1", index) for index in range(6)), ("c2", 0)]
    watcher.done = True


def test_a_watcher_sees_what_another_process_stores(served: Served, writer: httpx.Client, url: str):
    watcher = Watcher(served.url)
    until(lambda: "calls_watchers 1.0" in writer.get("/metrics").text)
    other = Store(url)
    with TestClient(app.make(app.Service(other, other, TOKEN))) as elsewhere:
        put(elsewhere, "c1", sentence())
    other.close()
    until(lambda: watcher.keys() == [("c1", 0)])
    watcher.done = True


def test_more_than_is_kept_in_memory_is_caught_up_from_the_database(
    served: Served, writer: httpx.Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feed, "BATCH", 7)
    put(writer, "c1", *(sentence(index=index) for index in range(50)))
    watcher = Watcher(served.url, after=0)
    until(lambda: len(watcher.seen) >= 50)
    assert watcher.keys() == [("c1", index) for index in range(50)]
    watcher.done = True


def test_a_watcher_goes_on_after_the_last_events_were_deleted(served: Served, writer: httpx.Client):
    put(writer, "c1", sentence())
    put(writer, "c2", sentence())
    assert writer.delete("/api/calls/c2", headers=MINE).status_code == 204
    put(writer, "c3", sentence())
    watcher = Watcher(served.url, after=1)
    until(lambda: watcher.keys() == [("c3", 0)], lambda: watcher.keys(), 30)
    watcher.done = True


def test_a_database_taken_back_to_an_earlier_state_is_followed_on(served: Served, writer: httpx.Client, url: str):
    put(writer, "c1", *(sentence(index=index) for index in range(5)))
    watcher = Watcher(served.url)
    until(lambda: len(watcher.seen) == 5)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text('DELETE FROM call_sentences WHERE "index" > 1'))
        connection.execute(sa.text("UPDATE call_feed SET last = 2"))
    engine.dispose()
    put(writer, "c1", sentence(index=2, text="another time"))
    until(lambda: watcher.seen[-1]["text"] == "another time", lambda: watcher.keys())
    assert watcher.seen[-1]["event"] == 3
    late = Watcher(served.url, after=5)
    until(lambda: late.seen and late.seen[-1]["text"] == "another time")
    watcher.done = late.done = True


# The program


def serve(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.calls.serve", "--port", "0", *flags]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240)


def test_a_database_that_cannot_be_used_is_one_sentence_without_its_password(tmp_path: Path):
    secret = "its" + "-password"
    done = serve("--database", f"postgresql+psycopg2://me:{secret}@127.0.0.1:1/calls")
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(
        "The database postgresql+psycopg2://me:***@"
    )
    assert secret not in done.stderr and "Traceback" not in done.stderr


def test_a_newer_database_stops_the_program(tmp_path: Path):
    Store(f"sqlite:///{tmp_path / 'new.db'}").close()
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("UPDATE calls_version SET version_num = '9999'")
    connection.close()
    done = serve("--database", f"sqlite:///{tmp_path / 'new.db'}")
    assert done.returncode == 2 and "a newer program has upgraded it" in done.stderr


def test_it_stops_when_told_though_somebody_watches(tmp_path: Path):
    port_file = tmp_path / "port"
    code = (
        "import asyncio, sys\nfrom services.calls import app, serve\nfrom services.calls.store import Store\n"
        "store = Store(sys.argv[1])\nserver = serve.Server(app.Service(store, store, None), '127.0.0.1', 0)\n"
        "started = server.startup\n"
        "async def startup(sockets=None):\n    await started(sockets)\n"
        "    open(sys.argv[2], 'w').write(str(server.servers[0].sockets[0].getsockname()[1]))\n"
        "server.startup = startup\nasyncio.run(server.serve())\n"
    )
    arguments = [f"sqlite:///{tmp_path / 'calls.db'}", str(port_file)]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=REPOSITORY)
    try:
        port = until(lambda: port_file.exists() and port_file.read_text())
        with httpx.stream("GET", f"http://127.0.0.1:{port}/api/live", timeout=60, trust_env=False) as told:
            lines = told.iter_lines()
            assert next(lines) == "retry: 1000"
            os.kill(process.pid, signal.SIGTERM)
            list(lines)
        assert process.wait(60) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
