"""Which DAG a past run belongs to, as MLflow says; that it is repeated is shown by tests/journey."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from scripts import rerun
from scripts.follow import RunFailed

KEY, OTHER = "r20261121t120000z0123abcd", "r20261121t120000zffffffff"


@pytest.fixture
def mlflow():
    """MLflow's answers: two pages of experiments, and in the second one the runs of a training of click_through."""
    tags = {"run_key": KEY, "airflow_run": "click_through/manual__2026-11-21"}
    run = {"data": {"tags": [{"key": key, "value": value} for key, value in tags.items()]}}
    pages: dict[str | None, dict[str, Any]] = {
        None: {"experiments": [{"experiment_id": "1"}], "next_page_token": "more"},
        "more": {"experiments": [{"experiment_id": "2"}]},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("experiments/search"):
                answer = pages[asked.get("page_token")]
            else:
                found = asked["experiment_ids"] == ["2"] and KEY in asked["filter"]
                answer = {"runs": [run]} if found else {}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_run_of_any_system_is_found_whatever_page_its_experiment_is_on(mlflow: str):
    assert rerun.dag_of(mlflow, KEY) == "click_through"


def test_a_run_that_mlflow_does_not_know_is_refused(mlflow: str):
    with pytest.raises(RunFailed, match=f"knows no training of run {OTHER}; give the run key of a past training"):
        rerun.dag_of(mlflow, OTHER)


@pytest.mark.parametrize("given", ["", "manual__2026-11-21", "r' OR '1"])
def test_what_is_no_run_key_is_refused_before_anything_starts(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.argv", ["rerun", given])
    assert rerun.main() == 2
    said = capsys.readouterr().err
    assert "make rerun RUN=r2026" in said and (repr(given) in said or not given)
