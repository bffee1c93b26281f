"""Listen to a call while it goes on: every sentence is on the live page within a second of its end.

    python -m services.calls.listen --call c1 --agent Ada --recording call.wav \
        --calls http://127.0.0.1:8650 --endpoint http://127.0.0.1:8100 --models /srv/models
    ffmpeg ... -f s16le -ar 16000 -ac 2 - | python -m services.calls.listen --call c1 --agent Ada --pcm 2 ...

A recording is played in real time; ``--pcm`` hears 16-bit samples at 16 kHz, of so many channels, from standard input.
The agent is on the first channel, the caller on the second, unless ``--sides`` says otherwise. The environment's
``CALLS_TOKEN`` is the call service's. A server that is away is waited for, and what was said meanwhile is sent then.
SIGTERM ends the call: what was heard until then is stored. The last line says how long sentences took.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import aiohttp
import httpx
import numpy as np

from services.calls.records import CALL_ID
from services.served import Served, ServedError
from tasks.calls.sentiment import INPUT, MODEL, OUTPUT, Scores, numbers, scores
from tasks.common.audio import RATE_HZ, SIDES, Piece, decoded
from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.common.recogniser import Recogniser
from tasks.common.tokens import Tokens
from tasks.common.utterances import Pauses, Utterance, utterances

BAD_INPUT = 2
PAUSE_S = 0.3
"""Quiet for so long ends a sentence. Shorter is sooner on the page, and cuts those who pause to think."""
BLOCK = 512
"""Samples of each channel that are read at a time, 32 ms."""
TIME_LIMIT_S = 5.0
"""Of one request, after which it is sent again."""
AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0)
LAST_WORDS_S = 1.0
"""For what is being said when the call is told to end."""
FULL_SCALE = 32768
SHOWN = 100

T = TypeVar("T")
Judge = Callable[[Sequence[str]], Awaitable[tuple[list[Scores], str]]]

log = logging.getLogger(__name__)


class AwayError(Exception):
    """A server gives no answer, and may give one later."""


@dataclass(frozen=True)
class Heard:
    """One sentence as it was recognised. ``said_at`` is when it ended, by ``time.monotonic``."""

    side: str
    index: int
    start: float
    end: float
    text: str
    said_at: float


def played(pieces: Iterable[Piece], stop: threading.Event) -> Iterator[Piece]:
    """Give pieces of a recording when they would have been heard; none any more once ``stop`` is set."""
    began = time.monotonic()
    for piece in pieces:
        due = began + piece.start + len(piece.samples) / RATE_HZ
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        yield piece


def samples_of(stream: IO[bytes], channels: int, sides: Sequence[str], stop: threading.Event) -> Iterator[Piece]:
    """Give 16-bit little-endian samples at 16 kHz, the channels one beside the other, as they come."""
    size, start = BLOCK * channels * 2, 0
    while not stop.is_set() and (content := stream.read(size)):
        values = np.frombuffer(content[: len(content) // (2 * channels) * 2 * channels], "<i2")
        heard = values.reshape(-1, channels).T.astype(np.float32) / FULL_SCALE
        for side, one in zip(sides, heard, strict=False):
            yield Piece(side, start / RATE_HZ, one)
        start += heard.shape[1]


class CallService:
    """Writes to the call service at ``url``; waits while it is away."""

    def __init__(self, url: str, token: str, call: str, client: httpx.AsyncClient) -> None:
        self._call = f"{url.rstrip('/')}/api/calls/{call}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._client = client

    async def put(self, path: str, content: Any) -> None:
        """Raise BadInput with what the service says where it refuses."""

        async def put() -> None:
            try:
                answer = await self._client.put(self._call + path, json=content, headers=self._headers)
            except httpx.HTTPError as error:
                raise AwayError(f"The call service does not answer ({type(error).__name__}).") from None
            if answer.status_code >= 500:
                raise AwayError(f"The call service answers {answer.status_code}.")
            if not answer.is_success:
                raise BadInput(f"The call service refuses {self._call + path} ({answer.status_code}): {_said(answer)}")

        await waited_for(put)


async def waited_for(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer, and say once that there is none."""
    tries = 0
    while True:
        try:
            return await ask()
        except AwayError as error:
            if not tries:
                log.warning("%s It is waited for; nothing is lost.", error)
            await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1


def judge_of(server: str, name: str, models: Path, client: aiohttp.ClientSession) -> Judge:
    """Return what asks the served model for the sentiment of texts; it says by which version."""

    def read(folder: Path, number: str) -> tuple[Tokens, str]:
        return Tokens.of(folder), number

    def answer(version: tuple[Tokens, str], logits: Floats) -> tuple[list[Scores], str]:
        return scores(logits), version[1]

    served = Served(server, name, models, client, read, inputs=INPUT, outputs=OUTPUT, time_limit_s=TIME_LIMIT_S)

    async def judge(texts: Sequence[str]) -> tuple[list[Scores], str]:
        try:
            return await served.ask(lambda version: numbers(version[0], texts), answer)
        except ServedError as error:
            raise AwayError(str(error)) from None

    return judge


@dataclass
class Listener:
    """Takes one call from what is heard to what is stored: heard, recognised, judged and sent side by side.

    ``latencies`` are the seconds from the end of each sentence until it was stored.
    """

    service: CallService
    recogniser: Recogniser
    judge: Judge
    pauses: Pauses
    latencies: list[float] = field(default_factory=list)
    sentences: int = 0
    _counts: dict[str, int] = field(default_factory=dict)
    _began: float | None = None

    async def listen(self, pieces: Iterable[Piece], call: dict[str, Any], stop: threading.Event) -> None:
        """Raise BadInput for a recording that cannot be understood, or a call that the service refuses."""
        await self.service.put("", call)
        heard: asyncio.Queue[Utterance | Exception | None] = asyncio.Queue()
        recognised: asyncio.Queue[Heard | None] = asyncio.Queue()
        # A thread that is a daemon: one that waits for samples that do not come keeps nobody from ending.
        reading = (pieces, heard, asyncio.get_running_loop())
        threading.Thread(target=self._read, args=reading, daemon=True).start()
        watching = asyncio.create_task(_stopped(stop, heard))
        sending = asyncio.create_task(self._send(recognised))
        # Where the service refuses, nobody needs to hear the rest.
        sending.add_done_callback(lambda _: heard.put_nowait(None))
        try:
            seconds, fault = await self._recognise(heard, recognised)
            recognised.put_nowait(None)
            await sending
        finally:
            stop.set()
            sending.cancel()
            watching.cancel()
        if fault is not None:
            raise fault
        await self.service.put("", {**call, "seconds": seconds})
        await self.service.put("/finished", {"sentences": self.sentences})

    def _read(self, pieces: Iterable[Piece], heard: Any, loop: asyncio.AbstractEventLoop) -> None:
        last: Exception | None = None
        # The loop is closed where nobody waits for the rest any more.
        with contextlib.suppress(RuntimeError):
            try:
                for utterance in utterances(self._timed(pieces), self.pauses):
                    loop.call_soon_threadsafe(heard.put_nowait, utterance)
            except Exception as error:
                last = error
            loop.call_soon_threadsafe(heard.put_nowait, last)

    def _timed(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if self._began is None:
                self._began = time.monotonic() - len(piece.samples) / RATE_HZ
            yield piece

    async def _recognise(self, heard: Any, recognised: Any) -> tuple[float, Exception | None]:
        """Return where the last sentence ended, and the fault that ended it all where there was one."""
        seconds = 0.0
        while isinstance(utterance := await heard.get(), Utterance):
            found = await asyncio.to_thread(self.recogniser.text, utterance.samples)
            seconds = max(seconds, utterance.end)
            if not found.text:
                continue
            index = self._counts.get(utterance.side, 0)
            self._counts[utterance.side] = index + 1
            said_at = (self._began or 0.0) + utterance.end - self.pauses.margin
            one = Heard(utterance.side, index, utterance.start, utterance.end, found.text, said_at)
            recognised.put_nowait(one)
        return seconds, utterance

    async def _send(self, recognised: asyncio.Queue[Heard | None]) -> None:
        """Judge and send what is there, all that has gathered in one request."""
        ended = False
        while not ended:
            batch = [await recognised.get()]
            while not recognised.empty():
                batch.append(recognised.get_nowait())
            ended = batch[-1] is None
            said = [one for one in batch if one is not None]
            if not said:
                continue
            found, model = await waited_for(lambda: self.judge([one.text for one in said]))  # noqa: B023
            sent = [self._row(one, judged, model) for one, judged in zip(said, found, strict=True)]
            await self.service.put("/sentences", {"sentences": sent})
            self.sentences += len(said)
            now = time.monotonic()
            for one in said:
                self.latencies.append(now - one.said_at)
                log.info(
                    "Sentence %d of the %s is stored %.2f s after its end", one.index, one.side, self.latencies[-1]
                )

    def _row(self, one: Heard, judged: Scores, model: str) -> dict[str, Any]:
        told = {"side": one.side, "index": one.index, "start": one.start, "end": one.end, "text": one.text}
        by = {"recogniser": self.recogniser.identity, "model": model}
        return {**told, "sentiment": judged.label, "scores": judged.to_json(), **by}


async def _stopped(stop: threading.Event, heard: asyncio.Queue[Any]) -> None:
    """Let the call end though the thread that reads waits for samples that do not come."""
    while not stop.is_set():
        await asyncio.sleep(0.1)
    await asyncio.sleep(LAST_WORDS_S)
    heard.put_nowait(None)


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:SHOWN]


def figures(listener: Listener) -> dict[str, Any]:
    """Return how many sentences there were, and the median and 95th percentile of how long they took, in seconds."""
    told: dict[str, Any] = {"sentences": listener.sentences}
    if listener.latencies:
        told["median_s"] = round(statistics.median(listener.latencies), 3)
        told["p95_s"] = round(float(np.percentile(listener.latencies, 95)), 3)
    return told


async def _listen(options: argparse.Namespace, token: str) -> dict[str, Any]:
    stop, loop = threading.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sides = options.sides.split(",")
    pieces: Iterable[Piece]
    if options.recording:
        recording = decoded(options.recording, sides)
        pieces, rate, channels = played(recording, stop), recording.rate_hz, recording.channels
    else:
        pieces, rate, channels = samples_of(sys.stdin.buffer, options.pcm, sides, stop), RATE_HZ, options.pcm
    source = {"dataset": "live", "version": "live", "file": Path(options.recording or "stdin").name}
    call = {"agent": options.agent, "began": datetime.now(UTC).isoformat(), "seconds": 0, "rate_hz": rate}
    recogniser = Recogniser(options.recogniser, tuple(filter(None, options.hints.split(","))))
    async with httpx.AsyncClient(timeout=TIME_LIMIT_S, trust_env=False) as client, aiohttp.ClientSession() as served:
        service = CallService(options.calls, token, options.call, client)
        judge = judge_of(options.endpoint, options.name, options.models, served)
        listener = Listener(service, recogniser, judge, Pauses(ends_after=options.pause))
        await listener.listen(pieces, {**call, "channels": channels, "source": source}, stop)
    return {"call": options.call, **figures(listener)}


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "faster_whisper"):  # a line for each request and each sentence
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        told = asyncio.run(_listen(options, os.environ.get("CALLS_TOKEN", "")))
    except BadInput as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    print(json.dumps(told))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--call", required=True, help="its id")
    parser.add_argument("--agent", required=True, help="who answers it")
    heard = parser.add_mutually_exclusive_group(required=True)
    heard.add_argument("--recording", help="file to play in real time")
    heard.add_argument("--pcm", type=int, choices=(1, 2), help="channels of 16-bit samples at 16 kHz on standard input")
    parser.add_argument("--sides", default=",".join(SIDES), help="who is on which channel")
    parser.add_argument("--calls", required=True, help="address of the call service")
    parser.add_argument("--endpoint", required=True, help="address of the inference server")
    parser.add_argument("--name", default=MODEL, help="of the model there")
    parser.add_argument("--models", type=Path, required=True, help="where the model volume is mounted")
    parser.add_argument("--recogniser", help="folder of a Whisper; by default the one that a package carries")
    parser.add_argument("--hints", default="", help="names and words to expect, with commas between them")
    parser.add_argument("--pause", type=float, default=PAUSE_S, help=f"seconds that end a sentence ({PAUSE_S})")
    options = parser.parse_args()
    if not re.fullmatch(CALL_ID, options.call):
        parser.error("the id of a call is up to 64 letters, digits, dots, - and _")
    if not 0 < options.pause <= 5:
        parser.error("--pause is a number of seconds up to 5")
    sides = options.sides.split(",")
    if not set(sides) <= set(SIDES) or len(set(sides)) < len(sides) or len(sides) < (options.pcm or 1):
        parser.error(f"--sides names {' and '.join(SIDES)}, one for each channel")
    return options


if __name__ == "__main__":
    sys.exit(main())
