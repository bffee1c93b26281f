"""What people say to the services of docker-compose.yaml, and what these know of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from scripts.composing import engines
from tests.compose.stack import LOOK_S, WAIT_S, World
from tests.until import until

SERVICES = ("dialog", "calls", "documents")
PAGES = {"dialog": ("/", "/label.html"), "calls": ("/", "/history.html"), "documents": ("/",)}
CALL, SENTENCE = "/api/calls/c1", "It broke again, and nobody calls back."
QUESTION, ANSWER = "How many days of annual leave are there?", "Every employee has thirty days of annual leave a year."
NAMESPACE = "/ontap/namespace/svm1"
# An index as the DAG documents would let it serve, of one document.
INDEX = f"""
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from tasks.documents.embedding import Embedding
from tasks.documents.index import Building, Passage
from tasks.documents.layout import frozen
from tasks.documents.serving import Served, serve
volume, file = Path("{NAMESPACE}/documents_index"), Path("{NAMESPACE}/documents/data/leave.md")
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text({ANSWER!r})
digest = hashlib.sha256(file.read_bytes()).hexdigest()
embedding = Embedding()
building = Building(frozen(volume, "mlops_r1"), embedding.digest)
passage = Passage("leave.md", digest, "md", "Leave", "line 1", 0, {ANSWER!r})
building.replace([passage], embedding.of([passage.text]))
building.finish({{}})
at = datetime(2026, 5, 1, tzinfo=UTC)
serve(volume, Served("r1", "mlops_r1", "documents-r1", at, datetime.now(UTC), threshold=0.3), instead_of=None)
"""
RECORD = (
    "PGPASSWORD=$(cat /run/secrets/documents) psql -h 127.0.0.1 -U documents -d documents "
    "-tAc 'SELECT question, outcome, answer FROM questions ORDER BY at'"
)
FORGET = f"cd {NAMESPACE} && rm -r documents_index documents/data/leave.md; rmdir documents/data documents"


@contextmanager
def client(world: World, service: str, token: str = "") -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=world.url(service.upper()), headers=headers, trust_env=False, timeout=60) as made:
        yield made


@contextmanager
def an_index(world: World) -> Iterator[None]:
    """An index of one document, made in a container of its own: the service may only read."""
    engine = world.engine
    image = engine.file.services["documents"]["image"]
    volume = f"{engine.file.project}_ontap:/ontap"
    engine.ask("run", "--rm", "--tmpfs", "/tmp", "--network", "none", "--volume", volume, image, "python", "-c", INDEX)
    try:
        yield
    finally:
        # What a DAG has made of the same volume meanwhile stays.
        engine.asked("exec", engine.container("ontap"), "sh", "-c", FORGET)


class Talks:
    """A conversation, a call and a question, and what is known of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        with client(world, "dialog") as dialog:
            begun = dialog.post("/api/conversations").raise_for_status().json()
        self.talk = f"/api/conversations/{begun['conversation']}"
        self.answer = self.say("Is it raining in Boston?", "m1")
        self.call_in()
        self.told = self.ask().raise_for_status().json()

    def say(self, text: str, message: str) -> dict[str, Any]:
        with client(self.world, "dialog") as dialog:
            sent = {"text": text, "message": message}
            return dialog.post(f"{self.talk}/messages", json=sent).raise_for_status().json()

    def call_in(self) -> dict[str, int]:
        """Bring the call; return how many sentences are new, and how many were there."""
        call = {"agent": "Ada", "began": "2026-11-27T08:00:00Z", "seconds": 61, "rate_hz": 16000, "channels": 2}
        source = {"dataset": "calls", "version": "v1", "file": "c1.wav"}
        scores = {"negative": 0.9, "neutral": 0.08, "positive": 0.02}
        sentence = {"side": "caller", "index": 0, "start": 0.4, "end": 2.1, "text": SENTENCE, "sentiment": "negative"}
        sentence |= {"scores": scores, "recogniser": "tiny.en", "model": "3"}
        with client(self.world, "calls", self.world.secrets("calls")["CALLS_TOKEN"]) as calls:
            calls.put(CALL, json={**call, "source": source}).raise_for_status()
            return calls.put(f"{CALL}/sentences", json={"sentences": [sentence]}).raise_for_status().json()

    def ask(self) -> httpx.Response:
        with client(self.world, "documents") as documents:
            return documents.post("/api/questions", json={"question": QUESTION})

    def known(self) -> dict[str, Any]:
        with client(self.world, "dialog") as dialog, client(self.world, "calls") as calls:
            rows = self.world.engine.output("postgres", "sh", "-c", RECORD)
            return {
                "dialog": dialog.get(self.talk).raise_for_status().json()["turns"],
                "calls": calls.get(CALL).raise_for_status().json(),
                "documents": rows.splitlines(),
            }


def healthy(engine: engines.Engine) -> None:
    """Wait until each service that people talk to says that it can do its work."""
    until(
        lambda: all(engine.health(name) == engines.HEALTHY for name in SERVICES),
        lambda: {name: engine.health(name) for name in SERVICES},
        WAIT_S,
        every_s=LOOK_S,
    )
