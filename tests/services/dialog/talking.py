"""A model and services that say what a test wants."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from services.dialog import app
from services.dialog.model import Suggestion
from services.dialog.store import Store
from tasks.retail.dialog.conversation import Dialog, ServiceError, UnderstandingError, Understood
from tasks.retail.dialog.flow_check import load

FLOWS = load(Path(__file__).resolve().parents[3] / "tasks" / "retail" / "dialog" / "flows")
STORE = Understood("store_location", {"item.type": "pasta", "rating.high": "best"})
WEATHER = Understood("weather.rainfall_yes_no", {"location": "Los Angeles", "time.period_of_time": "next week"})
BOSTON = Understood("nomatch.none", {"location": "Boston"})


@dataclass
class Model:
    knows: Mapping[str, Understood] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False

    async def understand(self, text: str) -> Understood:
        self.asked.append(text)
        if self.down:
            raise UnderstandingError("connection refused")
        return self.knows.get(text.rstrip(".?!"), Understood("nomatch.none"))

    async def suggest(self, words: list[str]) -> Suggestion:
        if self.down:
            raise UnderstandingError("connection refused")
        slots = {"pasta": "B-item.type", "best": "B-rating.high", "Boston": "B-location"}
        return Suggestion("find_the_store", tuple(slots.get(word, "O") for word in words), 0.5, "1")


@dataclass
class Services:
    calls: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    down: bool = False

    async def fulfil(self, service: str, keys: Mapping[str, str]) -> str:
        self.calls.append((service, dict(keys)))
        if self.down:
            raise ServiceError("The weather service does not answer.")
        return f"{service} about {keys['intent']} in {keys.get('location', 'nowhere')}"


TOKEN = "an-export-token"
ASKED = "Where can I get the best pasta?"
MODEL = Model({"best pasta": STORE, ASKED.rstrip("?"): STORE, "Boston": BOSTON, "how much": Understood("price_check")})


class Served:
    """The dialog service on a port of its own, which it keeps when it is started again."""

    def __init__(self, url: str) -> None:
        self.port = 0
        self._url = url
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        store = Store(self._url)
        self._stack.callback(store.close)
        dialog = Dialog(FLOWS, MODEL, Services(), choose=lambda texts: texts[0])
        config = uvicorn.Config(
            app.make(app.Service(dialog, store, MODEL, TOKEN)), host="127.0.0.1", port=self.port, log_level="warning"
        )
        server = uvicorn.Server(config)
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
        server.should_exit = server.force_exit = True
        thread.join(60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"
