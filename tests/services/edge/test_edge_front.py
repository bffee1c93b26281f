"""The front of an edge server answers pictures with what the server says, and keeps them; trouble changes no answer."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from services.edge.app import Front, make
from services.edge.archive import Archive
from tasks.edge import workloads

SIDE = 16


class Server:
    """An inference server of one model, which answers the mean of what it is sent."""

    def __init__(self) -> None:
        self.version, self.side = "3", SIDE
        self.asked: list[tuple[int, ...]] = []

    def answer(self, page: str, content: bytes, length: int) -> tuple[int, dict[str, Any]]:
        if not page.endswith("/infer"):
            shape = [-1, 1, self.side, self.side]
            return 200, {"name": "chest", "inputs": [{"name": "pictures", "shape": shape}]}
        told = json.loads(content[:length])["inputs"][0]
        values = np.frombuffer(content[length:], np.float32).reshape(told["shape"])
        self.asked.append(values.shape)
        if values.shape[-1] != self.side:
            return 400, {"error": f"unexpected shape {values.shape}"}
        outputs = [{"name": "logits", "datatype": "FP32", "shape": [1, 1], "data": [float(values.mean())]}]
        return 200, {"model_name": "chest", "model_version": self.version, "outputs": outputs}

    @contextlib.contextmanager
    def up(self, port: int = 0) -> Iterator[int]:
        """Answer at a port until left; what is kept open then is closed too."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.say(b"", 0)

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                self.say(content, int(self.headers["Inference-Header-Content-Length"]))

            def say(self, sent: bytes, length: int) -> None:
                status, told = server.answer(self.path, sent, length)
                content = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", port), Handler) as http:
            thread = threading.Thread(target=http.serve_forever)
            thread.start()
            try:
                yield http.server_port
            finally:
                http.shutdown()
                thread.join(60)


@pytest.fixture
def site(tmp_path):
    server = Server()
    archive = Archive(tmp_path, site="edge_1", model="chest", most=1_000_000)
    with contextlib.ExitStack() as running:
        port = running.enter_context(server.up())
        front = Front(f"http://127.0.0.1:{port}", "chest", workloads.find("chest"), archive)
        with TestClient(make(front)) as asking:
            yield SimpleNamespace(
                server=server, archive=archive, asking=asking, folder=tmp_path, port=port, stop=running.close
            )


def picture(grey: int = 90) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def rows(folder):
    return [json.loads(line) for path in folder.glob("closed/*/inputs.jsonl") for line in path.read_text().splitlines()]


def test_a_picture_is_answered_and_kept_with_its_answer_time_and_version(site):
    answer = site.asking.post("/pictures", content=picture(), headers={"X-Request-Id": "belt-7_12"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["request"] == "belt-7_12" and told["version"] == "3" and told["outputs"][0]["name"] == "logits"
    site.archive.close()
    (row,) = rows(site.folder)
    assert row["outputs"] == told["outputs"] and row["version"] == "3" and row["at"].startswith("20")
    (kept,) = site.folder.glob("closed/*/belt-7_12.png")
    assert kept.read_bytes() == picture()
    assert "edge_inputs_kept_total 1.0" in site.asking.get("/metrics").text


@pytest.mark.parametrize(
    ("content", "headers", "status", "says"),
    [
        (b"no picture", {}, 400, "cannot be read"),
        (b"x" * 128 + b"DICM", {}, 400, "is DICOM"),
        (picture(), {"X-Request-Id": "../up"}, 400, "X-Request-Id"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence_and_not_kept(site, content, headers, status, says):
    answer = site.asking.post("/pictures", content=content, headers=headers)
    assert answer.status_code == status and says in answer.json()["error"]
    site.archive.close()
    assert rows(site.folder) == []


def test_a_full_volume_changes_no_answer_and_is_in_health_and_metrics(site):
    site.archive._most = 10
    assert site.asking.post("/pictures", content=picture()).status_code == 200
    assert "is full" in site.asking.get("/health").json()["archive"]
    assert "edge_inputs_lost 1.0" in site.asking.get("/metrics").text


def test_a_server_that_is_down_is_said_and_the_next_version_may_take_another_size(site):
    assert site.asking.post("/pictures", content=picture()).status_code == 200
    site.stop()
    answer = site.asking.post("/pictures", content=picture())
    assert answer.status_code == 503 and "does not answer" in answer.json()["error"]
    assert site.asking.get("/health").status_code == 503
    site.server.side, site.server.version = 32, "4"
    with site.server.up(site.port):
        assert site.asking.post("/pictures", content=picture()).json()["version"] == "4"
    assert site.server.asked[-1] == (1, 1, 32, 32)
