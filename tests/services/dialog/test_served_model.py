"""The model of a dialog: asked over real HTTP, of a server that answers as a test wants."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from services.dialog import model as dialog_model
from services.dialog.model import ServedModel
from tasks.retail.dialog.conversation import UnderstandingError, Understood

INTENTS, SLOTS = ["unknown", "find_the_store"], ["B-location", "I-location", "O"]
LABELS = {"unknown": "nomatch.none", "find_the_store": "store_location"}


@dataclass
class Server:
    """One served version, whose logits are those of ``slots`` for each piece and of ``intents``."""

    folder: str = "run1"
    version: int = 1
    slots: list[int] = field(default_factory=list)
    intents: list[float] = field(default_factory=lambda: [0.0, 5.0])
    asked: list[Any] = field(default_factory=list)
    answer: Callable[[str], tuple[int, Any]] | None = None
    binary: bool = False
    url: str = ""

    def say(self, path: str, sent: Any) -> tuple[int, Any]:
        if self.answer:
            return self.answer(path)
        if path.endswith("/config"):
            return 200, {
                "parameters": {"folder": {"string_value": self.folder}},
                "version_policy": {"specific": {"versions": [self.version]}},
            }
        self.asked.append(sent)
        length = sent["inputs"][0]["shape"][1]
        logits = np.zeros((1, length, 5))
        for piece, slot in enumerate(self.slots):
            logits[0, piece, slot] = 5
        logits[0, :, 3:] = self.intents
        output = {"name": "logits", "shape": list(logits.shape), "datatype": "FP32", "data": logits.ravel().tolist()}
        return 200, {"model_version": str(self.version), "outputs": [output]}


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, sent: Any) -> None:
            status, body = told.say(self.path, sent)
            tensor = b""
            if told.binary and sent and sent["outputs"][0]["parameters"]["binary_data"]:
                (output,) = body["outputs"]
                tensor = np.array(output.pop("data"), "<f4").tobytes()
                output["parameters"] = {"binary_data_size": len(tensor)}
            content = json.dumps(body).encode()
            self.send_response(status)
            if tensor:
                self.send_header("Inference-Header-Content-Length", str(len(content)))
            content += tensor
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        told.url = f"http://127.0.0.1:{http.server_port}"
        yield told
        http.shutdown()
        thread.join(60)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    for run, intents in (("run1", INTENTS), ("run2", [*reversed(INTENTS)])):
        words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "in", "New", "York?"])}
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        (tmp_path / run).mkdir()
        tokenizer.save(str(tmp_path / run / "tokenizer.json"))
        (tmp_path / run / "model.json").write_text(json.dumps({"intents": intents, "slots": SLOTS}))
    return tmp_path


def asked(server: Server, models: Path, *texts: str, between: Callable[[], None] = lambda: None) -> list[Understood]:
    async def all_of() -> list[Understood]:
        async with aiohttp.ClientSession() as client:
            model = ServedModel(server.url, "retail", models, LABELS, client, time_limit_s=60)
            found = []
            for number, text in enumerate(texts):
                if number:
                    between()
                found.append(await model.understand(text))
            return found

    return asyncio.run(all_of())


@pytest.mark.parametrize("binary", [True, False])
def test_intent_and_slots_are_read_of_binary_tensors_and_of_json(server: Server, models: Path, binary: bool):
    server.binary = binary
    server.slots = [2, 2, 0, 1, 2]
    assert asked(server, models, "in New York?") == [Understood("store_location", {"location": "New York"})]
    tensor = server.asked[0]["inputs"][0]
    filled = [2, 4, 5, 6, 3] + [0] * 11  # to a length that others have too
    assert tensor == {"name": "tokens", "shape": [1, 16], "datatype": "INT64", "data": filled}


def test_what_the_model_doubts_is_not_guessed(server: Server, models: Path):
    server.slots, server.intents = [2, 0], [0.0, -0.1]
    assert asked(server, models, "in")[0] == Understood("nomatch.none", {"location": "in"})
    server.intents = [0.0, 0.1]
    assert asked(server, models, "in")[0].intent == "store_location"


def test_another_version_is_read_by_its_own_labels_without_a_restart(server: Server, models: Path):
    def deploy() -> None:
        server.folder, server.version = "run2", 2

    first, second = asked(server, models, "in", "in", between=deploy)
    assert (first.intent, second.intent) == ("store_location", "nomatch.none")
    assert len(server.asked) == 3, "asked again with what the new version reads"


def test_many_who_ask_at_once_read_a_version_once(server: Server, models: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[Path] = []
    of_folder = dialog_model._read
    monkeypatch.setattr(dialog_model, "_read", lambda folder, number: read.append(folder) or of_folder(folder, number))

    async def at_once() -> list[Understood]:
        async with aiohttp.ClientSession() as client:
            model = ServedModel(server.url, "retail", models, LABELS, client, time_limit_s=60)
            first = await asyncio.gather(*(model.understand("in") for _ in range(20)))
            server.folder, server.version = "run2", 2
            return [*first, *await asyncio.gather(*(model.understand("in") for _ in range(20)))]

    intents = [understood.intent for understood in asyncio.run(at_once())]
    assert intents == ["store_location"] * 20 + ["nomatch.none"] * 20
    assert [folder.name for folder in read] == ["run1", "run2"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((503, {}), "does not answer: ClientResponseError"),
        ((200, {}), "answers something else than it should: KeyError"),
        ((200, []), "answers something else than it should: TypeError"),
        (
            (
                200,
                {"parameters": {"folder": {"string_value": "gone"}}, "version_policy": {"specific": {"versions": [1]}}},
            ),
            "answers something else than it should: FileNotFoundError",
        ),
    ],
)
def test_what_cannot_be_used_is_said(server: Server, models: Path, answer: tuple[int, Any], says: str):
    server.answer = lambda path: answer
    with pytest.raises(UnderstandingError, match=says):
        asked(server, models, "in")


def test_a_server_that_is_not_there_or_hangs_is_said(server: Server, models: Path):
    end = threading.Event()

    def hang(path: str) -> tuple[int, Any]:
        end.wait(120)
        return 503, {}

    async def ask(url: str, limit_s: float) -> Understood:
        async with aiohttp.ClientSession() as client:
            return await ServedModel(url, "retail", models, LABELS, client, time_limit_s=limit_s).understand("in")

    server.answer = hang
    with pytest.raises(UnderstandingError, match=r"took more than 0\.3 s"):
        asyncio.run(ask(server.url, 0.3))
    end.set()
    with pytest.raises(UnderstandingError, match="does not answer: ClientConnectorError"):
        asyncio.run(ask("http://127.0.0.1:9", 60))
