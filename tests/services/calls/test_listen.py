"""A call that goes on is stored sentence by sentence, through whatever happens to the servers meanwhile."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from calling import TOKEN, Served, call

from services.calls import listen
from services.calls.listen import AwayError, CallService, Listener, figures, played, samples_of
from tasks.calls.sentiment import Scores
from tasks.common.audio import RATE_HZ, Piece
from tasks.common.program import BadInput
from tasks.common.recogniser import Recognised
from tasks.common.utterances import Pauses, Utterance
from tests.until import until

WORDS = ["", "It broke", "I see", "Thank you", "Goodbye"]
CALL = call()


class Words:
    """Recognises utterance ``n``, of n samples, as the n-th of WORDS."""

    identity = "words@1"

    def text(self, samples: Any) -> Recognised:
        return Recognised(WORDS[len(samples)], 0.9)


async def judge(texts: Sequence[str]) -> tuple[list[Scores], str]:
    return [Scores(0.8, 0.1, 0.1) if "broke" in text else Scores(0.1, 0.1, 0.8) for text in texts], "7"


def said(number: int, side: str = "caller") -> Utterance:
    return Utterance(side, float(number), number + 0.5, np.zeros(number, np.float32))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(f"sqlite:///{tmp_path / 'calls.db'}")
    served.start()
    yield served
    served.stop()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterable[Any]], None]:
    """Say what is cut out of the pieces, which the test's are none of; a function among them is called."""

    def hear(those: Iterable[Any]) -> None:
        def utterances(pieces: Any, pauses: Any) -> Iterator[Utterance]:
            for one in those:
                if callable(one):
                    one()
                else:
                    yield one

        monkeypatch.setattr(listen, "utterances", utterances)

    return hear


def run(served: Served, stop: threading.Event | None = None, token: str = TOKEN, asks: Any = judge) -> Listener:
    async def listened() -> Listener:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            service = CallService(served.url, token, "c1", client)
            listener = Listener(service, Words(), asks, Pauses())  # type: ignore[arg-type]
            await listener.listen([], CALL, stop or threading.Event())
            return listener

    return asyncio.run(listened())


def told(served: Served) -> dict[str, Any]:
    return httpx.get(f"{served.url}api/calls/c1", timeout=60, trust_env=False).json()


def test_what_both_sides_say_is_stored_and_the_call_finished(served: Served, heard: Callable[..., None]):
    heard([said(1), said(2, "agent"), Utterance("caller", 2, 2, np.zeros(0, np.float32)), said(3)])
    listener = run(served)
    one, two, three = told(served)["sentences"]
    assert [one["text"], two["text"], three["text"]] == ["It broke", "I see", "Thank you"]
    assert (one["side"], one["index"], one["start"], one["end"]) == ("caller", 0, 1.0, 1.5)
    assert (one["sentiment"], one["model"], one["recogniser"]) == ("negative", "7", "words@1")
    assert (two["side"], two["index"], three["index"]) == ("agent", 0, 1), "where no word was heard is no sentence"
    assert told(served)["finished"] == 3 and told(served)["seconds"] == 3.5
    assert figures(listener)["sentences"] == 3 and set(figures(listener)) == {"sentences", "median_s", "p95_s"}


def test_a_call_service_that_is_away_in_the_middle_loses_nothing(served: Served, heard: Callable[..., None]):
    heard([said(1), lambda: until(lambda: told(served)["sentences"]), served.stop, said(2), said(3), served.start])
    run(served)
    assert [one["text"] for one in told(served)["sentences"]] == ["It broke", "I see", "Thank you"]
    assert told(served)["finished"] == 3


def test_a_model_that_is_away_is_waited_for_and_sentences_keep_their_order(
    served: Served, heard: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(listen, "AGAIN_S", (0.01,))
    asked: list[int] = []

    async def away(texts: Sequence[str]) -> tuple[list[Scores], str]:
        asked.append(len(texts))
        if len(asked) < 4:
            raise AwayError("The model does not answer.")
        return await judge(texts)

    heard([said(1), said(2), said(3)])
    run(served, asks=away)
    assert [one["text"] for one in told(served)["sentences"]] == ["It broke", "I see", "Thank you"]
    assert caplog.text.count("The model does not answer. It is waited for; nothing is lost.") == 1


def test_a_service_that_refuses_ends_the_listening_at_once(served: Served, heard: Callable[..., None]):
    forever = threading.Event()
    heard([said(1), lambda: forever.wait(60), said(2)])
    began = time.monotonic()
    with pytest.raises(BadInput, match=r"The call service refuses http.*/api/calls/c1 \(401\): This is done with the"):
        run(served, token="another")
    run_and_delete = {"n": 0}

    async def deleting(texts: Sequence[str]) -> tuple[list[Scores], str]:
        run_and_delete["n"] += 1
        headers = {"Authorization": f"Bearer {TOKEN}"}
        await asyncio.to_thread(httpx.delete, f"{served.url}api/calls/c1", headers=headers, trust_env=False)
        return await judge(texts)

    with pytest.raises(BadInput, match=r"sentences \(404\): There is no call 'c1'."):
        run(served, asks=deleting)
    assert run_and_delete["n"] == 1 and time.monotonic() - began < 50, "nobody waited for the rest"
    forever.set()


def test_a_fault_of_the_recording_is_said_and_what_was_heard_before_is_kept(served: Served, heard: Callable[..., None]):
    def damaged() -> None:
        raise BadInput("call.wav cannot be decoded after 3.0 s: it is damaged; bring it again.")

    heard([said(1), damaged])
    with pytest.raises(BadInput, match="it is damaged"):
        run(served)
    assert [one["text"] for one in told(served)["sentences"]] == ["It broke"] and told(served)["finished"] is None


def test_a_call_that_is_told_to_end_is_finished_though_no_sound_comes(
    served: Served, heard: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(listen, "LAST_WORDS_S", 0.05)
    stop, forever = threading.Event(), threading.Event()

    def ended() -> None:
        until(lambda: told(served)["sentences"])
        stop.set()
        forever.wait(120)

    heard([said(1), ended, said(2)])
    run(served, stop)
    forever.set()
    assert told(served)["finished"] == 1


def test_samples_are_read_as_both_sides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listen, "BLOCK", 2)
    sound = np.array([[16384, -16384], [0, 32767], [8192, -8192]], "<i2").tobytes() + b"\x01"  # and half a sample
    pieces = list(samples_of(io.BytesIO(sound), 2, ("caller", "agent"), threading.Event()))
    assert [(one.side, one.start) for one in pieces] == [
        *(("caller", 0), ("agent", 0), ("caller", 2 / RATE_HZ), ("agent", 2 / RATE_HZ))
    ]
    assert pieces[0].samples.tolist() == [0.5, 0.0] and pieces[3].samples.tolist() == [-0.25]
    stopped = threading.Event()
    stopped.set()
    assert list(samples_of(io.BytesIO(sound), 2, ("caller", "agent"), stopped)) == []


def test_a_recording_is_played_in_real_time_until_it_is_stopped():
    block = np.zeros(RATE_HZ // 10, np.float32)
    began = time.monotonic()
    assert len(list(played([Piece("caller", n / 10, block) for n in range(3)], threading.Event()))) == 3
    assert time.monotonic() - began >= 0.3
    stop = threading.Event()
    stop.set()
    assert list(played([Piece("caller", 3600, block)], stop)) == []


def test_what_is_asked_for_wrongly_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    usual = ["--agent", "Ada", "--calls", "http://x", "--endpoint", "http://x", "--models", "m"]
    for flags, says in (
        (["--call", "a b", "--pcm", "1"], "the id of a call is up to 64 letters"),
        (["--call", "c1", "--pcm", "2", "--sides", "agent"], "--sides names agent and caller, one for each channel"),
        (["--call", "c1", "--pcm", "1", "--sides", "nobody"], "--sides names agent and caller"),
        (["--call", "c1", "--pcm", "1", "--pause", "0"], "--pause is a number of seconds up to 5"),
        (["--call", "c1"], "one of the arguments --recording --pcm is required"),
    ):
        monkeypatch.setattr("sys.argv", ["listen", *usual, *flags])
        with pytest.raises(SystemExit):
            listen.main()
        assert says in capsys.readouterr().err
