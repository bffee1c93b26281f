"""A small library with a service over it: two versions of documents, people, and an embedding that needs no network."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import uvicorn
import yaml

from services.documents import app
from services.documents.asking import Assistant, Library
from services.documents.generator import Generator
from services.documents.guard import Guardrails
from services.documents.people import People
from services.documents.store import Store
from tasks.common.metrics import Floats
from tasks.documents.answer import words
from tasks.documents.index import Building, Passage
from tasks.documents.layout import frozen
from tasks.documents.serving import Served, current, serve

MAY, NOVEMBER = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
OLD = {
    "hr/leave.md": "Every employee has twenty-five days of annual leave a year.",
    "travel.md": "Trains are booked in second class.\nHotels cost up to 120 euros a night.",
    "board/plans.md": "The board wants to buy the company Northwind.",
    "it/help.md": "The help desk is reached at help@example.com.",
}
NEW = {**OLD, "hr/leave.md": "Every employee has thirty days of annual leave a year."}
RULES = "- files: board/*\n  groups: [board]\n- files: '*'\n  groups: [everybody]\n"
TOKENS = {"anna": "token-of-anna", "ben": "token-of-ben"}
GUARDRAILS = Guardrails.model_validate(
    {"topics": [{"name": "law", "says": "I give no legal advice.", "words": ["sue the"], "examples": ["court trial"]}]}
)


def embed(texts: Sequence[str]) -> Floats:
    """Texts of the same words are near each other."""
    table = np.zeros((len(texts), 256), np.float32)
    for row, text in zip(table, texts, strict=True):
        for word in words(text) or {"nothing"}:
            row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % 256] += 1
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def mask(text: str) -> str:
    return re.sub(r"\S+@\S+\.\w+", "[communication data]", text)


@dataclass
class Room:
    """Folders of a library below ``folder``, which a test changes while the service reads them."""

    folder: Path
    generator: Generator | None = None
    a_minute: int = 1000
    passages: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.volume, self.documents = self.folder / "index", self.folder / "documents"
        self.volume.mkdir()
        self.documents.mkdir()
        self.rules(RULES)
        people = [
            {"name": name, "token": hashlib.sha256(token.encode()).hexdigest(), "groups": groups}
            for (name, token), groups in zip(TOKENS.items(), (["board"], ["hr"]), strict=True)
        ]
        self.people = self.folder / "people.yaml"
        self.people.write_text(yaml.safe_dump(people))
        self.url = f"sqlite:///{self.folder / 'questions.db'}"

    def rules(self, text: str) -> None:
        (self.documents / "access.yaml").write_text(text)

    def index(self, run: str, version_at: datetime, texts: Mapping[str, str]) -> Served:
        """Freeze an index of these texts, a passage a line, and let it serve."""
        served = Served(run, f"mlops_{run}", f"documents-{run}", version_at, datetime.now(UTC), threshold=0.45)
        passages = [
            Passage(file, hashlib.sha256(text.encode()).hexdigest(), "md", file, f"line {number + 1}", number, line)
            for file, text in texts.items()
            for number, line in enumerate(text.splitlines())
        ]
        building = Building(frozen(self.volume, served.snapshot), "test")
        building.replace(passages, embed([passage.text for passage in passages]))
        building.finish({})
        now = current(self.volume)
        serve(self.volume, served, instead_of=now.run_key if now else None)
        return served

    def service(self) -> tuple[app.Service, Store]:
        store = Store(self.url)
        library = Library(self.volume, self.documents)
        assistant = Assistant(library, embed, store, GUARDRAILS, mask, self.generator)
        return app.Service(assistant, People(self.people), self.a_minute), store


@contextlib.contextmanager
def listening(make: Callable[[], object]):
    """An application on a port of its own; its address."""
    server = uvicorn.Server(uvicorn.Config(make(), host="127.0.0.1", port=0, log_level="warning"))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(60)
