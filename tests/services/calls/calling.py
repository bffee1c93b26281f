"""Calls, sentences and a call service to test with."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import uvicorn

from services.calls import app
from services.calls.serve import Server
from services.calls.store import Store

TOKEN = "a-token-of-programs"
MINE = {"Authorization": f"Bearer {TOKEN}"}


def call(agent: str = "Ada", began: str = "2026-11-27T08:00:00+00:00", file: str = "c1.wav", **more: Any) -> dict:
    source = {"dataset": "calls", "version": "v1", "file": file}
    return {"agent": agent, "began": began, "seconds": 61.5, "rate_hz": 16000, "channels": 2, "source": source, **more}


def sentence(side: str = "caller", index: int = 0, text: str = "It broke", sentiment: str = "negative", **more: Any):
    scores = {name: 0.8 if name == sentiment else 0.1 for name in ("negative", "neutral", "positive")}
    told = {"side": side, "index": index, "start": 2.0 * index, "end": 2.0 * index + 1.5, "text": text}
    return {**told, "sentiment": sentiment, "scores": scores, "recogniser": "tiny.en", "model": "3", **more}


class Served:
    """The call service on a port of its own, which it keeps when it is started again."""

    def __init__(self, url: str) -> None:
        self.port = 0
        self._url = url
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        store = Store(self._url)
        self._stack.callback(store.close)
        server = Server(app.Service(store, store, TOKEN), "127.0.0.1", self.port)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        self._stack.callback(self._end, server, thread)
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.01)
        self.port = server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._stack.close()

    @staticmethod
    def _end(server: uvicorn.Server, thread: threading.Thread) -> None:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"
