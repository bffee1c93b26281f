"""Somebody listens between the client and the server: neither the picture nor the clean activation goes by."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput, TryAgain
from tasks.faces import client as clients
from tasks.faces.client import Client
from tasks.faces.noise import GAUSSIAN, LEARNED, NOISE, Noise, alone
from tasks.faces.preprocessing import INPUT, OUTPUT, decode, normalise

PATH = "/v2/models/private_inference/infer"
CLOSE = 0.1  # residual beside the noise's own deviation below which something was sent as good as clear


@dataclass
class Server:
    """An inference server that runs the tail; ``failures`` are answers it gives before it works."""

    tail: OnnxModel
    shape: list[int]
    failures: list[int] = field(default_factory=list)
    port: int = 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "GET":
            tensors = [{"name": INPUT, "datatype": "FP32", "shape": [-1, *self.shape]}]
            return say(handler, 200, {"name": "private_inference", "versions": ["1"], "inputs": tensors})
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.failures:
            # As servers do that put what they were asked into what they say of a failure.
            return say(handler, self.failures.pop(0), {"error": f"cannot answer {body.decode()}"})
        tensor = json.loads(body)["inputs"][0]
        made = self.tail(np.array(tensor["data"], np.float32).reshape(tensor["shape"]))
        output = {"name": OUTPUT, "shape": list(made.shape), "datatype": "FP32", "data": made.ravel().tolist()}
        return say(handler, 200, {"outputs": [output]})


def say(handler: BaseHTTPRequestHandler, code: int, body: dict) -> None:
    content = json.dumps(body).encode()
    handler.send_response(code)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


class Wire:
    """A proxy that passes everything on and keeps what the client said."""

    def __init__(self, port: int) -> None:
        self.port, self.said = port, []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.own_port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        # A thread in accept() is not woken by closing its socket.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    @property
    def whole(self) -> bytes:
        return b"".join(self.said)

    def tensors(self) -> list[np.ndarray]:
        """Every tensor that was sent."""
        found = []
        for part in self.whole.split(b"POST ")[1:]:
            _, _, body = part.partition(b"\r\n\r\n")
            sent, _ = json.JSONDecoder().raw_decode(body.decode())
            found += [np.array(t["data"], np.float32).reshape(t["shape"]) for t in sent["inputs"]]
        return found

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self.port))
                back = threading.Thread(target=self._pass, args=(far, near, None))
                back.start()
                self._pass(near, far, self.said)
                back.join()
                near.close()
                far.close()

    def _pass(self, one: socket.socket, other: socket.socket, kept: list | None) -> None:
        with contextlib.suppress(OSError):
            while content := one.recv(1 << 16):
                if kept is not None:
                    kept.append(content)
                other.sendall(content)
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def server(model) -> Iterator[Server]:
    tail = OnnxModel.load(model / "model.onnx", inputs=INPUT, outputs=OUTPUT, threads=1)
    told = json.loads((model / "model.json").read_text())
    made = Server(tail, list(clients.configuration_of(told).activation))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = listening.server_port
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield made
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def wire(server) -> Iterator[Wire]:
    made = Wire(server.port)
    yield made
    made.close()


@pytest.fixture
def ask(model, wire, monkeypatch) -> Client:
    monkeypatch.setattr(clients, "PAUSE_S", 0)
    return Client.of(str(model), f"http://127.0.0.1:{wire.own_port}{PATH}")


@pytest.fixture
def picture(faces) -> bytes:
    return sorted(faces.rglob("*.jpg"))[7].read_bytes()


def check_nothing_clear(ask: Client, wire: Wire, picture: bytes, *, logged: str = "", requests: int = 1) -> None:
    """Raise AssertionError where the picture, its activation, or what is as good as that, went by or was logged."""
    pixels = decode(picture, ask.chosen).pixels
    clean = ask._head(normalise(pixels[None]))[0]
    sent = wire.tensors()
    assert len(sent) == requests
    for tensor in sent:
        assert tensor.shape == (1, *ask.chosen.activation), "nothing but activations is sent"
        residual = (tensor[0] - clean).std(axis=(1, 2)) / ask._noise.deviation
        assert (residual > CLOSE).all(), "channels were sent as good as clear"
        assert 0.5 < np.median(residual) < 2, "the noise is as strong as it was learned"
    raw = Image.open(io.BytesIO(picture)).convert("L").tobytes()
    shapes = [picture, raw, pixels.tobytes(), normalise(pixels).tobytes(), clean.tobytes()]
    for content in shapes:
        assert not any(content[start : start + 64] in wire.whole for start in range(0, len(content) - 64, 64))
    for row in (clean.ravel(), normalise(pixels).ravel(), pixels.ravel()):
        moving = [place for place in range(0, row.size - 8, 8) if len(set(row[place : place + 8].tolist())) > 4]
        written = [json.dumps(row[place : place + 8].tolist())[1:-1] for place in moving]
        heard = wire.whole.decode(errors="replace") + logged
        assert written and not any(text in heard for text in written), "values of it were written"


def test_a_listener_hears_neither_the_picture_nor_its_activation(ask, wire, picture, capfd, caplog):
    answer = ask.look(picture)
    assert answer.answers.shape[1] == 5 and set(answer.milliseconds) == {"head", "noise", "server"}
    check_nothing_clear(ask, wire, picture, logged="".join(capfd.readouterr()) + caplog.text)


def test_without_the_noise_the_same_check_fails(ask, wire, picture, monkeypatch):
    monkeypatch.setattr(Noise, "add", lambda self, activations, random: activations)
    ask.look(picture)
    with pytest.raises(AssertionError, match="as good as clear"):
        check_nothing_clear(ask, wire, picture)


def test_a_server_that_fails_gets_the_same_again_and_the_log_has_none_of_it(ask, wire, server, picture, capfd, caplog):
    server.failures = [500, 503]
    ask.look(picture)
    check_nothing_clear(ask, wire, picture, logged="".join(capfd.readouterr()) + caplog.text, requests=3)
    first, *others = wire.tensors()
    assert all((other == first).all() for other in others), "with other noise the mean of the tries would be clearer"


@pytest.mark.parametrize(("codes", "kind"), [([500] * 3, TryAgain), ([400], BadInput)])
def test_an_error_that_stays_is_said_without_anything_clear(ask, wire, server, picture, codes, kind, capfd, caplog):
    server.failures = list(codes)
    with pytest.raises(kind) as raised:
        ask.look(picture)
    logged = str(raised.value) + "".join(capfd.readouterr()) + caplog.text
    check_nothing_clear(ask, wire, picture, logged=logged, requests=len(codes))


def test_the_noise_of_every_picture_is_its_own(ask, wire, picture):
    ask.look(picture)
    ask.look(picture)
    one, other = wire.tensors()
    apart = (one - other).std(axis=(0, 2, 3)) / ask._noise.deviation
    assert np.median(apart) == pytest.approx(np.sqrt(2), rel=0.3), "two draws, not one"


def test_a_server_with_a_model_of_other_shapes_gets_nothing(ask, wire, server, picture):
    server.shape = [64, 4, 4]
    with pytest.raises(BadInput, match="takes 64 x 4 x 4, and this client's head makes 32 x 8 x 8: it is another"):
        ask.look(picture)
    assert b"POST" not in wire.whole


def test_a_client_without_the_noise_refuses(model, tmp_path):
    for name in ("model.json", "head.onnx"):
        (tmp_path / name).write_bytes((model / name).read_bytes())
    with pytest.raises(BadInput, match=r"Nothing is sent without noise: .*noise.npz does not exist"):
        Client.of(str(tmp_path), "http://127.0.0.1:9/infer")
    (tmp_path / NOISE).write_bytes(b"nothing of the kind")
    with pytest.raises(BadInput, match="Nothing is sent without noise: .* holds no noise"):
        Client.of(str(tmp_path), "http://127.0.0.1:9/infer")


@pytest.mark.parametrize("kind", [LEARNED, GAUSSIAN])
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_noise_that_adds_nothing_to_a_channel_is_refused(ask, kind, strength):
    channels = ask.chosen.activation[0]
    mixing = strength * np.eye(channels, dtype=np.float32)
    mixing[3] = 0
    description = {"configuration": vars(ask.chosen), "preprocessing": clients.preprocessing.description(ask.chosen)}
    with pytest.raises(BadInput, match="so nothing is sent"):
        Client(description, ask._head, Noise(kind, 0.8, mixing, alone(channels)), ask.address)
    with pytest.raises(BadInput, match="The noise is for 5 channels and the head makes 32"):
        Client(description, ask._head, Noise(kind, 0.8, np.eye(5, dtype=np.float32), alone(5)), ask.address)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused_and_nothing_is_sent(ask, wire, content):
    with pytest.raises(BadInput, match=r"party\.jpg cannot be read as a picture"):
        ask.look(content, "party.jpg")
    assert wire.whole == b""


def test_a_picture_without_a_face_has_an_answer_without_one(ask):
    file = io.BytesIO()
    Image.new("L", (80, 60), 128).save(file, "PNG")
    answer = ask.look(file.getvalue(), least=0.999)
    assert len(answer.boxes) == 0 and (answer.width, answer.height) == (80, 60)
