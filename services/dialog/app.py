"""The dialog service over HTTP and WebSocket, and its chat page.

| Request | Answer |
| --- | --- |
| ``GET /`` | the chat page |
| ``POST /api/conversations`` | a new conversation: ``conversation``, ``turn``, ``says`` |
| ``GET /api/conversations/ID`` | all its turns |
| ``POST /api/conversations/ID/messages`` with ``text``, ``message``, ``channel`` | the next turn |
| ``POST /api/conversations/ID/recordings?message=`` with a recording of what is said | the next turn |
| ``WS /api/conversations/ID/live`` | the same, message by message, on one connection; a binary frame is a recording |
| ``GET /label.html`` | the page on which people correct what the model makes of a day's messages |
| ``GET /api/labels`` | the labels there are: ``intents``, ``slots`` |
| ``GET /api/days/YYYY-MM-DD`` | a day's turns, a JSON object a line, each message with its labels |
| ``PUT /api/conversations/ID/turns/N/labels`` with ``intent``, ``slots``, ``by`` | what a person says that it means |
| ``GET /health``, ``GET /metrics`` | whether the database answers; figures for Prometheus |

Who knows a conversation's id may speak in it; ids cannot be guessed. A message with an id of its own (``message``) may
be sent again after a lost answer, and is answered the same. A recording of up to a minute becomes a message whose
``channel`` is ``speech``: WAV, FLAC, MP3, OGG, or what a browser's MediaRecorder makes; the sound is not kept. A day is
read, and labelled, with the export's token as ``Bearer``. A message that can be labelled has its ``words``, and either
``labels`` (``intent``, ``slots``, ``by``, ``at``), as a person gave them, or ``suggested`` (``intent``, ``slots``,
``confidence``, ``version``), as the model that serves gives them now; null where it gives none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.dialog.hearing import LARGEST, TOO_LONG, Ears, NotHeardError
from services.dialog.messages import id_of, labels_of, message_of, said, told, words_of
from services.dialog.model import Suggestion
from services.dialog.store import Labels, NoSuchConversationError, OvertakenError, Store, Stored
from services.web import BadRequestError, WithHeaders, bears, body_of, refused
from tasks.retail.dialog.conversation import Dialog, UnderstandingError, UnknownPlaceError
from tasks.retail.labels import INTENTS, SLOTS

STATIC = Path(__file__).with_name("static")
LARGEST_BODY = 64 * 1024
"""Bytes of a request. What a person may say in one turn is less, and is told so by the dialog."""
TRIES = 5
"""Of one message, where others of the same conversation come in between."""
ASKED_AT_ONCE = 16
"""Messages of a day about which the model is asked side by side."""

log = logging.getLogger(__name__)


class Suggesting(Protocol):
    async def suggest(self, words: list[str]) -> Suggestion:
        """Return the labels of a question. Raises UnderstandingError."""
        ...


class Service:
    """Holds the conversations of one process: the dialog, where it is kept, who labels them, and what is counted."""

    def __init__(
        self,
        dialog: Dialog,
        store: Store,
        suggesting: Suggesting,
        export_token: str | None,
        ears: Ears | None = None,
    ) -> None:
        self._dialog, self._store, self._export_token = dialog, store, export_token
        self._suggesting, self._ears = suggesting, ears or Ears()
        self.registry = CollectorRegistry()
        self._turns = Counter("dialog_turns", "Turns, by what a person wanted.", ["intent"], registry=self.registry)
        self._seconds = Histogram("dialog_turn_seconds", "From a message to its answer.", registry=self.registry)
        self._listening = Histogram("dialog_listening_seconds", "Of one recording.", registry=self.registry)
        self._unheard = Counter("dialog_unheard", "Recordings that gave no message.", registry=self.registry)
        self._faults = Counter("dialog_faults", "Messages that got no answer.", registry=self.registry)

    async def begin(self) -> dict[str, Any]:
        turn = await self._dialog.begin()
        name = await run_in_threadpool(self._store.begin, turn)
        return {"conversation": name, **told((await run_in_threadpool(self._store.turns, name))[0])}

    async def hear(self, name: str, sent: Any) -> dict[str, Any]:
        """Return the answer to one message. Raises BadRequestError and what the store raises."""
        text, message, channel = message_of(sent)
        began = time.perf_counter()
        for _ in range(TRIES):
            if message and (known := await run_in_threadpool(self._store.answered, name, message)):
                return told(known)
            conversation, after = await run_in_threadpool(self._store.read, name)
            try:
                turn = await self._dialog.hear(conversation, text)
            except UnknownPlaceError as error:
                # The flows were changed meanwhile; what was said lies in the store.
                log.warning("Conversation %s begins anew: %s", name, error)
                turn = await self._dialog.begin()
            try:
                kept = await run_in_threadpool(
                    lambda: self._store.append(name, after, text, turn, channel=channel, message=message)  # noqa: B023
                )
            except OvertakenError:
                continue
            self._turns.labels(kept.intent or "none").inc()
            self._seconds.observe(time.perf_counter() - began)
            return told(kept)
        raise BadRequestError("Too many messages at once in this conversation; send this one again.", 409)

    async def listen(self, name: str, content: bytes, message: str | None = None) -> dict[str, Any]:
        """Return the answer to what is said in a recording. Raises NotHeardError beside what ``hear`` raises."""
        if message and (known := await run_in_threadpool(self._store.answered, name, message)):
            return told(known)
        await run_in_threadpool(self._store.read, name)
        began = time.perf_counter()
        try:
            text = await self._ears.words(content)
        except NotHeardError:
            self._unheard.inc()
            raise
        self._listening.observe(time.perf_counter() - began)
        return await self.hear(name, {"text": text, "message": message, "channel": "speech"})

    async def turns(self, name: str) -> list[dict[str, Any]]:
        found = await run_in_threadpool(self._store.turns, name)
        if not found:
            raise NoSuchConversationError(f"There is no conversation {name!r}.")
        return [told(turn) for turn in found]

    async def day(self, day: date) -> AsyncIterator[str]:
        """Go through a day's turns as lines of JSON, asking the model about several at once."""
        part: list[tuple[str, Stored, Labels | None]] = []
        async for each in iterate_in_threadpool(self._store.of_day(day)):
            part.append(each)
            if len(part) == ASKED_AT_ONCE:
                yield await self._lines(part)
                part = []
        yield await self._lines(part)

    async def _lines(self, part: Sequence[tuple[str, Stored, Labels | None]]) -> str:
        labelled = await asyncio.gather(*(self._labelled(turn, labels) for _, turn, labels in part))
        lines = [
            {"conversation": name, **told(turn), **words} for (name, turn, _), words in zip(part, labelled, strict=True)
        ]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    async def _labelled(self, turn: Stored, labels: Labels | None) -> dict[str, Any]:
        words = words_of(turn)
        if not words:
            return {}
        if labels is not None:
            return {"words": words, "labels": said(labels)}
        try:
            suggestion = await self._suggesting.suggest(words)
        except UnderstandingError as error:
            log.warning("The model suggests nothing: %s", error)
            return {"words": words, "suggested": None}
        confidence = round(suggestion.confidence, 4)
        told_by_model = {"intent": suggestion.intent, "slots": list(suggestion.slots), "confidence": confidence}
        return {"words": words, "suggested": {**told_by_model, "version": suggestion.version}}

    async def label(self, name: str, number: int, sent: Any) -> dict[str, Any]:
        """Keep what a person says that a turn means. Raises BadRequestError with what is wrong."""
        turns = await run_in_threadpool(self._store.turns, name)
        words = next((words_of(turn) for turn in turns if turn.turn == number), [])
        if not words:
            raise BadRequestError(f"Turn {number} of conversation {name!r} is no message that can be labelled.", 404)
        intent, slots, by = labels_of(sent, words)
        return said(await run_in_threadpool(self._store.label, name, number, intent, slots, by))

    def may_export(self, request: Request) -> bool:
        return bears(request, self._export_token)

    async def healthy(self) -> None:
        """Raise what the database raises."""
        try:
            await run_in_threadpool(self._store.read, "")
        except NoSuchConversationError:
            return

    def failed(self) -> None:
        self._faults.inc()


async def json_of(request: Request) -> Any:
    """Return the JSON of a request. Raises BadRequestError where it is none, or too large."""
    try:
        return json.loads(await body_of(request, LARGEST_BODY))
    except ValueError as error:
        raise BadRequestError("That is no JSON.") from error


def make(service: Service) -> Starlette:
    """Return the web application of ``service``."""

    async def begin(_: Request) -> Response:
        return JSONResponse(await service.begin(), 201)

    async def turns(request: Request) -> Response:
        return JSONResponse({"turns": await service.turns(request.path_params["name"])})

    async def hear(request: Request) -> Response:
        return JSONResponse(await service.hear(request.path_params["name"], await json_of(request)))

    async def listen(request: Request) -> Response:
        try:
            content = await body_of(request, LARGEST)
        except BadRequestError as error:
            raise NotHeardError(TOO_LONG, error.status) from error
        message = id_of(request.query_params.get("message"))
        return JSONResponse(await service.listen(request.path_params["name"], content, message))

    async def live(socket: WebSocket) -> None:
        name = socket.path_params["name"]
        await socket.accept()
        while (frame := await socket.receive())["type"] != "websocket.disconnect":
            try:
                await socket.send_json(await _answer(service, name, frame.get("bytes"), frame.get("text") or ""))
            except WebSocketDisconnect:
                return

    def allowed(request: Request) -> None:
        if not service.may_export(request):
            raise BadRequestError("A day's conversations are read, and labelled, with the token of the export.", 401)

    async def labels(_: Request) -> Response:
        return JSONResponse({"intents": INTENTS, "slots": SLOTS})

    async def label(request: Request) -> Response:
        allowed(request)
        name, number = request.path_params["name"], request.path_params["number"]
        return JSONResponse(await service.label(name, number, await json_of(request)))

    async def day(request: Request) -> Response:
        allowed(request)
        try:
            wanted = date.fromisoformat(request.path_params["day"])
        except ValueError as error:
            raise BadRequestError("A day is written YYYY-MM-DD.") from error
        return StreamingResponse(service.day(wanted), media_type="application/x-ndjson")

    async def health(_: Request) -> Response:
        await service.healthy()
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)

    async def unknown(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 404)

    async def down(_: Request, error: Exception) -> Response:
        service.failed()
        log.error("The database: %s", type(error).__name__)
        return JSONResponse({"error": "The database does not answer; nothing was lost, send it again."}, 503)

    routes = [
        Route("/api/conversations", begin, methods=["POST"]),
        Route("/api/conversations/{name}", turns),
        Route("/api/conversations/{name}/messages", hear, methods=["POST"]),
        Route("/api/conversations/{name}/recordings", listen, methods=["POST"]),
        WebSocketRoute("/api/conversations/{name}/live", live),
        Route("/api/conversations/{name}/turns/{number:int}/labels", label, methods=["PUT"]),
        Route("/api/labels", labels),
        Route("/api/days/{day}", day),
        Route("/health", health),
        Route("/metrics", metrics),
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    handlers: Any = {
        BadRequestError: refused,
        NotHeardError: refused,
        NoSuchConversationError: unknown,
        sa.exc.SQLAlchemyError: down,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return WithHeaders(app)  # type: ignore[return-value]


async def _answer(service: Service, name: str, recording: bytes | None, frame: str) -> dict[str, Any]:
    """Return what is sent back for one frame of a live conversation, a fault as ``error``."""
    try:
        if recording is not None:
            return await service.listen(name, recording)
        try:
            sent = json.loads(frame) if len(frame) <= LARGEST_BODY else None
        except ValueError:
            sent = None
        return await service.hear(name, sent)
    except (BadRequestError, NoSuchConversationError, NotHeardError) as error:
        return {"error": str(error)}
    except sa.exc.SQLAlchemyError as error:
        service.failed()
        log.error("The database: %s", type(error).__name__)
        return {"error": "The database does not answer; nothing was lost, send it again."}
