"""What a task says for people: why it was skipped, in log and note; why it failed, on lines that a page shows whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator
from tests.ontap_mlops.operators.running import Run

WHY = "Nothing changed in tyre_images since version v1 of yesterday; none is made."
LONG = (
    "Cannot make volume tyre_images of SVM svm1: ONTAP says that aggregate aggr1 has no room for another 20 GB "
    "(917534). Make room on it, or lower size of tyre_images in datasets.yaml."
)


class Airflow(BaseHTTPRequestHandler):
    """The runs of Airflow's REST API, as far as their notes go."""

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_call(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        server: Any = self.server
        path = unquote(urlsplit(self.path).path)
        if self.path == "/auth/token":
            return self.answer(201, {"access_token": "T"})
        if server.refuses or path not in server.notes:
            return self.answer(403 if server.refuses else 404, {"detail": "no"})
        if self.command == "PATCH" and "update_mask=note" in self.path:
            server.notes[path] = body["note"]
        return self.answer(200, {"note": server.notes[path]})

    do_GET = do_POST = do_PATCH = handle_call

    def log_message(self, *_: Any) -> None:
        pass


class Notes:
    def __init__(self, server: Any, run: Run) -> None:
        self.server, self.path = server, f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}"
        server.notes = {self.path: None}

    @property
    def note(self) -> Any:
        return self.server.notes[self.path]

    @note.setter
    def note(self, text: str) -> None:
        self.server.notes[self.path] = text


@pytest.fixture
def run() -> Run:
    return Run("scheduled__2026-11-20T00:00:00+00:00")


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, run: Run) -> Iterator[Notes]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Airflow)
    server.refuses = False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    facts = {"conn_type": "http", "host": "127.0.0.1", "port": server.server_port, "login": "a", "password": "b"}
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", json.dumps(facts))
    yield Notes(server, run)
    server.shutdown()
    server.server_close()


class Skipping(MlopsOperator):
    def execute(self, context: Any) -> None:
        self.skip_because(context, WHY)


class Failing(MlopsOperator):
    def __init__(self, *, error: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error = error

    def execute(self, context: Any) -> None:
        raise self.error


class FailingInItsBase(Failing):
    def execute(self, context: Any) -> None:
        super().execute(context)


def errors(said: str) -> list[str]:
    return [
        line.partition("[error    ] ")[2].rpartition(" [")[0].strip() for line in said.splitlines() if "[error" in line
    ]


def test_the_reason_of_a_skip_is_a_line_of_the_log_and_the_runs_note(run, airflow, capsys) -> None:
    with pytest.raises(AirflowSkipException, match="Nothing changed"):
        run.execute(Skipping)
    assert WHY in capsys.readouterr().out
    assert airflow.note == WHY


def test_a_note_that_somebody_has_written_stays_and_a_retry_adds_nothing(run, airflow) -> None:
    airflow.note = "Please look at this run."
    for _ in range(2):
        with pytest.raises(AirflowSkipException):
            run.execute(Skipping)
    assert airflow.note == f"Please look at this run.\n\n{WHY}"


def test_a_note_is_no_longer_than_airflow_takes(run, airflow) -> None:
    airflow.note = "x" * 990
    with pytest.raises(AirflowSkipException):
        run.execute(Skipping)
    assert len(airflow.note) == 1000


@pytest.mark.parametrize("away", ["refused", "no such run", "not running", "not defined"])
def test_a_note_that_cannot_be_written_changes_nothing_else(run, airflow, monkeypatch, capsys, away) -> None:
    if away == "refused":
        airflow.server.refuses = True
    elif away == "no such run":
        airflow.server.notes = {}
    elif away == "not running":
        monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", "http://127.0.0.1:1")
    else:
        monkeypatch.delenv("AIRFLOW_CONN_AIRFLOW_API")
    with pytest.raises(AirflowSkipException, match="Nothing changed"):
        run.execute(Skipping)
    assert WHY in capsys.readouterr().out


def test_a_failures_sentences_are_lines_that_end_with_what_to_do(run, capsys) -> None:
    with pytest.raises(AirflowFailException):
        run.execute(Failing, error=AirflowFailException(LONG))
    said = errors(capsys.readouterr().out)
    assert len(said) == 3
    assert said[-1] == "Make room on it, or lower size of tyre_images in datasets.yaml."
    assert max(map(len, said)) <= telling.WIDTH
    assert " ".join(said) == LONG


@pytest.mark.parametrize("error", [ServiceRefused(LONG), ValueError(LONG), RuntimeError(LONG)])
def test_any_kind_of_failure_is_told_once_and_goes_on_as_it_is(run, capsys, error) -> None:
    with pytest.raises(type(error)) as caught:
        run.execute(FailingInItsBase, error=error)
    assert caught.value is error
    assert " ".join(errors(capsys.readouterr().out)) == LONG


@pytest.mark.parametrize("error", [AirflowSkipException("because of that"), KeyError("volume")])
def test_a_skip_is_no_failure_and_a_mere_word_no_sentence(run, capsys, error) -> None:
    with pytest.raises(type(error)):
        run.execute(Failing, error=error)
    assert errors(capsys.readouterr().out) == []


def test_no_word_is_cut_however_long_it_is() -> None:
    address = "https://127.0.0.1:8443/api/storage/volumes/" + "0123456789" * 10
    assert telling.lines(f"ONTAP was asked {address} and said no.\nAsk again.") == [
        "ONTAP was asked",
        address,
        "and said no.",
        "Ask again.",
    ]
