"""The front of an edge server answers pictures with what the server says, and keeps them; trouble changes no answer."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import httpx
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
        self.version, self.side, self.down = "3", SIDE, False
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        if not request.url.path.endswith("/infer"):
            shape = [-1, 1, self.side, self.side]
            return httpx.Response(200, json={"name": "chest", "inputs": [{"name": "pictures", "shape": shape}]})
        length = int(request.headers["Inference-Header-Content-Length"])
        told = json.loads(request.content[:length])["inputs"][0]
        values = np.frombuffer(request.content[length:], np.float32).reshape(told["shape"])
        self.asked.append(values.shape)
        if values.shape[-1] != self.side:
            return httpx.Response(400, json={"error": f"unexpected shape {values.shape}"})
        outputs = [{"name": "logits", "datatype": "FP32", "shape": [1, 1], "data": [float(values.mean())]}]
        return httpx.Response(200, json={"model_name": "chest", "model_version": self.version, "outputs": outputs})


@pytest.fixture
def site(tmp_path):
    server = Server()
    archive = Archive(tmp_path, site="edge_1", model="chest", most=1_000_000)
    client = httpx.AsyncClient(transport=httpx.MockTransport(server))
    front = Front("http://server", "chest", workloads.find("chest"), archive, client)
    with TestClient(make(front)) as asking:
        yield SimpleNamespace(server=server, archive=archive, asking=asking, folder=tmp_path)


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
    site.server.down = True
    answer = site.asking.post("/pictures", content=picture())
    assert answer.status_code == 503 and "does not answer" in answer.json()["error"]
    assert site.asking.get("/health").status_code == 503
    site.server.down, site.server.side, site.server.version = False, 32, "4"
    assert site.asking.post("/pictures", content=picture()).json()["version"] == "4"
    assert site.server.asked[-1] == (1, 1, 32, 32)
