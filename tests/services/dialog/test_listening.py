"""What people say aloud: recognised, answered and kept like a text; and what each bad recording is told."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient
from talking import ASKED, FLOWS, MODEL, TOKEN, Services

from services.dialog import app, hearing, serve
from services.dialog.hearing import BUSY, DEAF, NOTHING, TOO_LONG, UNSURE, Ears, NotHeardError
from services.dialog.store import Store
from tasks.common.audio import RATE_HZ
from tasks.common.program import BadInput
from tests.speech import Say, quiet, tone, write_encoded, write_wav

AGAIN = "Please say it again, or type it: the recording"


@pytest.fixture(scope="module")
def ears() -> Ears:
    """The recogniser of the package, loaded once for all tests here."""
    return Ears(threads=1)


@pytest.fixture
def client(ears: Ears, tmp_path: Path) -> Iterator[TestClient]:
    store = Store(f"sqlite:///{tmp_path / 'talk.db'}")
    dialog = app.Dialog(FLOWS, MODEL, Services(), choose=lambda texts: texts[0])
    with TestClient(app.make(app.Service(dialog, store, MODEL, TOKEN, ears))) as client:
        yield client
    store.close()


@pytest.fixture
def talk(client: TestClient) -> str:
    return f"/api/conversations/{client.post('/api/conversations').json()['conversation']}"


@pytest.fixture
def asked(say: Say, tmp_path: Path) -> bytes:
    return write_wav(tmp_path / "asked.wav", say(ASKED)).read_bytes()


def says(answer: dict) -> list[str]:
    return [said["text"] for said in answer["says"]]


def test_what_is_said_is_answered_and_kept_like_a_text(client: TestClient, talk: str, asked: bytes):
    told = client.post(f"{talk}/recordings", params={"message": "m-1"}, content=asked).json()
    assert (told["heard"], told["channel"], says(told)) == (ASKED, "speech", ["Near which city?"])
    assert client.get(talk).json()["turns"][1] == told
    day = client.get(f"/api/days/{datetime.now(UTC).date()}", headers={"Authorization": f"Bearer {TOKEN}"}).text
    line = json.loads(day.splitlines()[1])
    assert line["words"] == ASKED.split() and line["suggested"]["intent"] == "find_the_store"
    assert "dialog_listening_seconds_count 1.0" in client.get("/metrics").text


def test_a_recording_that_is_sent_again_is_answered_the_same_and_not_heard_again(
    client: TestClient, talk: str, asked: bytes, monkeypatch: pytest.MonkeyPatch
):
    sent = {"params": {"message": "m-1"}, "content": asked}
    first = client.post(f"{talk}/recordings", **sent).json()
    monkeypatch.setattr(Ears, "words", None)
    assert client.post(f"{talk}/recordings", **sent).json() == first
    assert len(client.get(talk).json()["turns"]) == 2


def test_a_binary_frame_is_a_recording(client: TestClient, talk: str, asked: bytes):
    with client.websocket_connect(f"{talk}/live") as socket:
        socket.send_bytes(asked)
        assert says(socket.receive_json()) == ["Near which city?"]
        socket.send_bytes(b"no sound")
        assert socket.receive_json()["error"].startswith(f"{AGAIN} is no")
        socket.send_json({"text": "Boston"})
        assert says(socket.receive_json()) == ["Retail about find_the_store in Boston"]


def test_what_browsers_record_is_heard(client: TestClient, talk: str, say: Say, tmp_path: Path):
    samples = say(ASKED)
    webm = write_encoded(tmp_path / "a.webm", "libopus", samples).read_bytes()
    telephone = write_wav(tmp_path / "a.wav", samples[::2], RATE_HZ // 2).read_bytes()
    both = write_wav(tmp_path / "b.wav", np.stack([samples, samples])).read_bytes()
    for content in (webm, telephone, both):
        assert "best pasta" in client.post(f"{talk}/recordings", content=content).json()["heard"]


def of_no_codec(content: bytes) -> bytes:
    """A WAV file in a form that nobody has a decoder of."""
    return content[:20] + struct.pack("<H", 0x1234) + content[22:]


@pytest.mark.parametrize(
    ("make", "status", "told"),
    [
        (lambda f, _: write_wav(f, 0 * tone(1)).read_bytes(), 422, NOTHING),
        (lambda f, _: write_wav(f, 200 * quiet(2)).read_bytes(), 422, NOTHING),
        (lambda f, _: b"", 422, f"{AGAIN} is no recording"),
        (lambda f, _: b"<html>no sound</html>", 422, f"{AGAIN} is no recording"),
        (lambda f, say: write_wav(f, say(ASKED)).read_bytes()[:9000], 422, f"{AGAIN} is cut off"),
        (
            lambda f, say: of_no_codec(write_wav(f, say(ASKED)).read_bytes()),
            422,
            f"{AGAIN} is of a codec that is not there",
        ),
        (lambda f, _: write_wav(f, tone(61, 8000), 8000).read_bytes(), 413, TOO_LONG),
        (lambda f, _: bytes(hearing.LARGEST + 1), 413, TOO_LONG),
        (lambda f, say: write_wav(f, say("Guten Tag, wo bekomme ich die besten Nudeln")).read_bytes(), 422, UNSURE),
    ],
    ids=["silence", "noise", "empty", "text", "cut off", "no codec", "two hours", "large", "German"],
)
def test_a_bad_recording_gets_one_kind_sentence_and_changes_nothing(
    client: TestClient, talk: str, say: Say, tmp_path: Path, make: Callable[..., bytes], status: int, told: str
):
    answer = client.post(f"{talk}/recordings", content=make(tmp_path / "a.wav", say))
    assert answer.status_code == status and answer.json()["error"].startswith(told)
    assert "type it" in answer.json()["error"] and "\n" not in answer.json()["error"]
    assert len(client.get(talk).json()["turns"]) == 1
    assert "dialog_unheard_total 1.0" in client.get("/metrics").text or status == 413


def test_a_conversation_that_is_not_there_hears_nothing(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Ears, "words", None)
    answer = client.post("/api/conversations/nobody/recordings", content=b"x")
    assert (answer.status_code, answer.json()["error"]) == (404, "There is no conversation 'nobody'.")


def test_a_machine_without_a_recogniser_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr("tasks.common.recogniser.PACKAGE", "no_such_package")
    with pytest.raises(NotHeardError) as refused:
        asyncio.run(Ears().words(b"x"))
    assert (str(refused.value), refused.value.status) == (DEAF, 501)
    assert "Package no-such-package, which carries the recogniser tiny.en, is not installed" in caplog.text


def test_nothing_is_loaded_before_somebody_speaks(monkeypatch: pytest.MonkeyPatch):
    loaded: list[object] = []
    monkeypatch.setattr(hearing, "Recogniser", lambda *_, **__: loaded.append(1))
    ears = Ears()
    assert loaded == []
    ears.load()
    assert loaded == [1]


def test_more_than_can_wait_are_asked_to_speak_later(monkeypatch: pytest.MonkeyPatch):
    go_on = threading.Event()
    monkeypatch.setattr(Ears, "_words", lambda *_: go_on.wait(60) and "hello")
    ears = Ears()

    async def speak() -> list[str]:
        waiting = [asyncio.create_task(ears.words(b"x")) for _ in range(hearing.MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(NotHeardError) as refused:
            await ears.words(b"x")
        assert (str(refused.value), refused.value.status) == (BUSY, 429)
        go_on.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(speak()) == ["hello"] * hearing.MOST_WAITING
    assert asyncio.run(ears.words(b"x")) == "hello"


def test_a_faulty_recogniser_that_is_named_ends_the_start(tmp_path: Path, monkeypatch, capsys):
    asked = ["--port=0", "--database=sqlite://", "--endpoint=http://127.0.0.1:1", f"--models={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["serve", *asked, f"--recogniser={tmp_path}"])
    assert serve.main() == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path} holds no model.bin")
    with pytest.raises(BadInput, match="There are 41 vocabulary hints"):
        Ears(hints=["word"] * 41)
