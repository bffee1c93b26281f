"""The dialog service over HTTP and WebSocket, and its chat page.

| Request | Answer |
| --- | --- |
| ``GET /`` | the chat page |
| ``POST /api/conversations`` | a new conversation: ``conversation``, ``turn``, ``says`` |
| ``GET /api/conversations/ID`` | all its turns |
| ``POST /api/conversations/ID/messages`` with ``text``, ``message``, ``channel`` | the next turn |
| ``WS /api/conversations/ID/live`` | the same, message by message, on one connection |
| ``GET /api/days/YYYY-MM-DD`` | a day's turns, a JSON object a line; wants the export's token as ``Bearer`` |
| ``GET /health``, ``GET /metrics`` | whether the database answers; figures for Prometheus |

Who knows a conversation's id may speak in it; ids cannot be guessed. A message with an id of its own (``message``) may
be sent again after a lost answer, and is answered the same.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.dialog.store import NoSuchConversationError, OvertakenError, Store, Stored
from tasks.retail.dialog.conversation import Dialog, UnknownPlaceError

STATIC = Path(__file__).with_name("static")
LARGEST_BODY = 64 * 1024
"""Bytes of a request. What a person may say in one turn is less, and is told so by the dialog."""
TRIES = 5
"""Of one message, where others of the same conversation come in between."""
CHANNELS = ("text", "speech")
MESSAGE_ID = re.compile(r"[\w-]{1,64}")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

log = logging.getLogger(__name__)


class BadRequestError(Exception):
    """What was sent cannot be answered; the message says why."""

    def __init__(self, says: str, status: int = 400) -> None:
        super().__init__(says)
        self.status = status


class Service:
    """Holds the conversations of one process: the dialog, where it is kept, and what is counted."""

    def __init__(self, dialog: Dialog, store: Store, export_token: str | None) -> None:
        self._dialog, self._store, self._export_token = dialog, store, export_token
        self.registry = CollectorRegistry()
        self._turns = Counter("dialog_turns", "Turns, by what a person wanted.", ["intent"], registry=self.registry)
        self._seconds = Histogram("dialog_turn_seconds", "From a message to its answer.", registry=self.registry)
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

    async def turns(self, name: str) -> list[dict[str, Any]]:
        found = await run_in_threadpool(self._store.turns, name)
        if not found:
            raise NoSuchConversationError(f"There is no conversation {name!r}.")
        return [told(turn) for turn in found]

    def day(self, day: date) -> Iterator[str]:
        for name, turn in self._store.of_day(day):
            yield json.dumps({"conversation": name, **told(turn)}, ensure_ascii=False) + "\n"

    def may_export(self, authorization: str) -> bool:
        wanted = self._export_token
        return bool(wanted) and hmac.compare_digest(authorization.encode(), f"Bearer {wanted}".encode())

    async def healthy(self) -> None:
        """Raise what the database raises."""
        try:
            await run_in_threadpool(self._store.read, "")
        except NoSuchConversationError:
            return

    def failed(self) -> None:
        self._faults.inc()


def told(turn: Stored) -> dict[str, Any]:
    """Return a turn as JSON says it; all of it is text, none is HTML."""
    says = [{"text": say.text, "delay": say.delay} for say in turn.says]
    heard = {"heard": turn.heard, "channel": turn.channel} if turn.heard is not None else {}
    meant = {"intent": turn.intent, "slots": turn.slots} if turn.intent is not None else {}
    return {"turn": turn.turn, "at": turn.at.isoformat(), "says": says, **heard, **meant}


def message_of(sent: Any) -> tuple[str, str | None, str]:
    """Return text, id and channel of a message. Raises BadRequestError with what is wrong."""
    if not isinstance(sent, dict) or not isinstance(sent.get("text"), str):
        raise BadRequestError('A message is a JSON object with a text, such as {"text": "What is the weather?"}.')
    message, channel = sent.get("message"), sent.get("channel", "text")
    if message is not None and not (isinstance(message, str) and MESSAGE_ID.fullmatch(message)):
        raise BadRequestError("The id of a message is up to 64 letters, digits, - and _.")
    if channel not in CHANNELS:
        raise BadRequestError(f"A channel is {' or '.join(CHANNELS)}, not {channel!r}.")
    # A database's text cannot hold it, and nobody says it.
    return sent["text"].replace("\x00", ""), message, channel


async def body_of(request: Request) -> Any:
    """Return the JSON of a request. Raises BadRequestError where it is none, or too large."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise BadRequestError(f"That is more than {LARGEST_BODY // 1024} KiB.", 413)
    try:
        return json.loads(content)
    except ValueError as error:
        raise BadRequestError("That is no JSON.") from error


def make(service: Service) -> Starlette:
    """Return the web application of ``service``."""

    async def begin(_: Request) -> Response:
        return JSONResponse(await service.begin(), 201)

    async def turns(request: Request) -> Response:
        return JSONResponse({"turns": await service.turns(request.path_params["name"])})

    async def hear(request: Request) -> Response:
        return JSONResponse(await service.hear(request.path_params["name"], await body_of(request)))

    async def live(socket: WebSocket) -> None:
        name = socket.path_params["name"]
        await socket.accept()
        try:
            while True:
                await socket.send_json(await _spoken(service, name, await socket.receive_text()))
        except WebSocketDisconnect:
            return

    async def day(request: Request) -> Response:
        if not service.may_export(request.headers.get("authorization", "")):
            raise BadRequestError("A day's conversations are read with the token of the export.", 401)
        try:
            wanted = date.fromisoformat(request.path_params["day"])
        except ValueError as error:
            raise BadRequestError("A day is written YYYY-MM-DD.") from error
        lines: AsyncIterator[str] = iterate_in_threadpool(service.day(wanted))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def health(_: Request) -> Response:
        await service.healthy()
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, BadRequestError)
        return JSONResponse({"error": str(error)}, error.status)

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
        WebSocketRoute("/api/conversations/{name}/live", live),
        Route("/api/days/{day}", day),
        Route("/health", health),
        Route("/metrics", metrics),
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    handlers: Any = {
        BadRequestError: refused,
        NoSuchConversationError: unknown,
        sa.exc.SQLAlchemyError: down,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return _WithHeaders(app)  # type: ignore[return-value]


async def _spoken(service: Service, name: str, frame: str) -> dict[str, Any]:
    """Return what is sent back for one frame of a live conversation, a fault as ``error``."""
    try:
        try:
            sent = json.loads(frame) if len(frame) <= LARGEST_BODY else None
        except ValueError:
            sent = None
        return await service.hear(name, sent)
    except (BadRequestError, NoSuchConversationError) as error:
        return {"error": str(error)}
    except sa.exc.SQLAlchemyError as error:
        service.failed()
        log.error("The database: %s", type(error).__name__)
        return {"error": "The database does not answer; nothing was lost, send it again."}


class _WithHeaders:
    """Adds to every answer what keeps a browser from running anything that is not of this service."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, sent)
