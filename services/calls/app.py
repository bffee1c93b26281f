"""The call service over HTTP, and its pages.

| Request | Answer |
| --- | --- |
| ``GET /``, ``/history.html``, ``/call.html?call=ID`` | the pages: live, history, one call |
| ``PUT /api/calls/ID`` | keep a call: ``agent``, ``began``, ``seconds``, ``rate_hz``, ``channels``, ``source``; token |
| ``PUT /api/calls/ID/sentences`` with ``sentences`` | keep sentences; ``stored``, ``replaced``, ``same``; token |
| ``PUT /api/calls/ID/finished`` with ``sentences``, their number | note that all are there; token |
| ``DELETE /api/calls/ID`` | forget the call, its sentences and their corrections; token |
| ``PUT /api/calls/ID/sentences/SIDE/INDEX/correction`` with ``by``, ``text``, ``sentiment`` | what a person says |
| ``GET /api/calls?agent=&since=&until=&about=&page=``, ``GET /api/calls/ID`` | calls; one with its sentences |
| ``GET /api/agents``, ``GET /api/summary?by=agent`` or ``day``, ``&about=`` | who there is; what sentences were like |
| ``GET /api/about?agent=&since=&until=`` | topics and names that are spoken of, with the sentiment of those sentences |
| ``GET /api/words?agent=&since=`` | the words that tell callers' negative and positive sentences from the others |
| ``GET /api/live`` | every sentence as it is stored or changed: server-sent events, from ``Last-Event-ID`` on |
| ``GET /api/corrections?since=`` | what people corrected, a JSON object a line; token |
| ``GET /health``, ``GET /metrics`` | whether the databases answer; figures for Prometheus |

*token*: the one of CALLS_TOKEN as ``Bearer``. Every PUT may be sent again: it is answered the same and kept once. A
fault is ``{"error": "one sentence"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.calls import records, words
from services.calls.feed import Feed
from services.calls.records import SIDES, InvalidError
from services.calls.store import NoSuchError, RefusedError, Store
from services.web import BadRequestError, WithHeaders, bears, body_of, refused

STATIC = Path(__file__).with_name("static")
LARGEST_BODY = 1024 * 1024
"""Bytes of a request: 1,000 sentences of a usual length."""
LATEST = 5000
"""Sentences whose words are looked at."""
GROUPS = ("agent", "day")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Service:
    """What one process serves: the store it writes to and follows, the one it looks back in, and what is counted.

    :param writes: None where this process only reads.
    :param reads: for history; the same store, a copy that follows it, or a clone.
    """

    def __init__(self, writes: Store | None, reads: Store, token: str | None) -> None:
        self._writes, self.reads, self._token = writes, reads, token
        self.registry = CollectorRegistry()
        self.sentences = Counter("calls_sentences", "Sentences sent, by what became.", ["as"], registry=self.registry)
        self.corrections = Counter("calls_corrections", "What people corrected.", registry=self.registry)
        self._seconds = Histogram("calls_write_seconds", "Of one write.", registry=self.registry)
        self._faults = Counter("calls_faults", "Requests that the database did not answer.", registry=self.registry)
        delay = Histogram("calls_live_delay_seconds", "From storing a sentence to telling it.", registry=self.registry)
        self.feed = Feed(writes or reads, delay)
        watchers = Gauge("calls_watchers", "Who follows the live sentences.", registry=self.registry)
        watchers.set_function(lambda: self.feed.watchers)

    def store(self) -> Store:
        """Return the store to write to. Raises BadRequestError where this process only reads."""
        if self._writes is None:
            raise BadRequestError("This service only reads, from a copy; write to the one that has the database.", 405)
        return self._writes

    async def write(self, does: Callable[[Store], T]) -> T:
        began = time.perf_counter()
        done = await run_in_threadpool(does, self.store())
        self._seconds.observe(time.perf_counter() - began)
        self.feed.wake()
        return done

    def admit(self, request: Request) -> None:
        """Raise BadRequestError where a request does not bring the token."""
        if not bears(request, self._token):
            raise BadRequestError("This is done with the token of the call service, which CALLS_TOKEN holds.", 401)

    async def healthy(self) -> None:
        """Raise what the databases raise."""
        for store in {id(store): store for store in (self._writes, self.reads) if store}.values():
            await run_in_threadpool(store.state)

    def failed(self) -> None:
        self._faults.inc()


def call_of(request: Request) -> str:
    """Return the id of the call in the address. Raises BadRequestError."""
    name = request.path_params["call"]
    if not re.fullmatch(records.CALL_ID, name):
        raise BadRequestError("The id of a call is up to 64 letters, digits, dots, - and _.")
    return str(name)


def make(service: Service) -> Starlette:
    """Return the web application of ``service``."""

    async def put_call(request: Request) -> Response:
        service.admit(request)
        name, call = call_of(request), records.read(records.Call, await body_of(request, LARGEST_BODY))
        new = await service.write(lambda store: store.put_call(name, call))
        return JSONResponse({"call": name, **records.plain(call)}, 201 if new else 200)

    async def put_sentences(request: Request) -> Response:
        service.admit(request)
        name, sent = call_of(request), records.read(records.Sentences, await body_of(request, LARGEST_BODY))
        told = await service.write(lambda store: store.put_sentences(name, sent.sentences))
        for what, number in told.items():
            service.sentences.labels(what).inc(number)
        return JSONResponse(told)

    async def finish(request: Request) -> Response:
        service.admit(request)
        name, sent = call_of(request), records.read(records.Finished, await body_of(request, LARGEST_BODY))
        await service.write(lambda store: store.finish(name, sent.sentences))
        return JSONResponse({"call": name, "finished": sent.sentences})

    async def delete(request: Request) -> Response:
        service.admit(request)
        name = call_of(request)
        await service.write(lambda store: store.delete(name))
        return Response(status_code=204)

    async def correct(request: Request) -> Response:
        name, side, index = call_of(request), request.path_params["side"], request.path_params["index"]
        if side not in SIDES:
            raise BadRequestError(f"A side is {' or '.join(SIDES)}, not {side!r}.")
        if index > records.MOST_INDEX:
            raise BadRequestError(f"Sentences have numbers up to {records.MOST_INDEX}.")
        correction = records.read(records.Correction, await body_of(request, LARGEST_BODY))
        told = await service.write(lambda store: store.correct(name, side, index, correction))
        service.corrections.inc()
        return JSONResponse(told)

    async def calls(request: Request) -> Response:
        asked = request.query_params
        page = asked.get("page") or "1"
        if not re.fullmatch(r"[1-9]\d{0,6}", page):
            raise BadRequestError(f"A page is a number from 1 on, not {page!r}.")
        found, more = await run_in_threadpool(
            service.reads.calls,
            _asked(asked, "agent"),
            _when(asked, "since"),
            _when(asked, "until"),
            int(page),
            _asked(asked, "about"),
        )
        return JSONResponse({"calls": found, "page": int(page), "more": more})

    async def call(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(service.reads.call, call_of(request)))

    async def agents(_: Request) -> Response:
        return JSONResponse({"agents": await run_in_threadpool(service.reads.summary, "agent")})

    async def summary(request: Request) -> Response:
        asked = request.query_params
        by, since = asked.get("by"), _when(asked, "since")
        if by not in GROUPS:
            raise BadRequestError(f"A summary is by {' or '.join(GROUPS)}, not {by!r}.")
        day = since.date() if since else None
        found = await run_in_threadpool(service.reads.summary, by, _asked(asked, "agent"), day, _asked(asked, "about"))
        return JSONResponse({"by": by, "summary": found})

    async def about(request: Request) -> Response:
        asked = request.query_params
        when = _when(asked, "since"), _when(asked, "until")
        return JSONResponse({"about": await run_in_threadpool(service.reads.about, _asked(asked, "agent"), *when)})

    async def telling_words(request: Request) -> Response:
        asked = request.query_params
        since = _when(asked, "since")
        agent, day = _asked(asked, "agent"), since.date() if since else None

        def found() -> dict[str, list[dict[str, object]]]:
            return words.telling(service.reads.said("caller", agent, day, LATEST), ("negative", "positive"))

        return JSONResponse({"words": await run_in_threadpool(found)})

    async def live(request: Request) -> Response:
        after = request.headers.get("last-event-id") or request.query_params.get("after") or None
        if after is not None and not re.fullmatch(r"\d{1,18}", after):
            raise BadRequestError(f"Events have numbers; {after!r} is none.")
        events = service.feed.events(int(after) if after is not None else None)
        # Proxies are asked to hand each event on at once.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def corrections(request: Request) -> Response:
        service.admit(request)
        since = _when(request.query_params, "since")
        if since is None:
            raise BadRequestError("Say since when, such as /api/corrections?since=2026-11-27T00:00:00Z.")
        found: Iterator[dict[str, Any]] = service.store().corrections(since)
        lines: AsyncIterator[str] = iterate_in_threadpool(json.dumps(one) + "\n" for one in found)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def health(_: Request) -> Response:
        await service.healthy()
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)

    async def unknown(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 404)

    async def contradicted(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 409)

    async def down(_: Request, error: Exception) -> Response:
        service.failed()
        log.error("The database: %s", type(error).__name__)
        return JSONResponse({"error": "The database does not answer; nothing was lost, send it again."}, 503)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(service.feed.follow())
        yield
        await service.feed.end()
        await following

    one = "/api/calls/{call}"
    routes = [
        Route("/api/calls", calls),
        Route(one, call),
        Route(one, put_call, methods=["PUT"]),
        Route(one, delete, methods=["DELETE"]),
        Route(f"{one}/sentences", put_sentences, methods=["PUT"]),
        Route(f"{one}/sentences/{{side}}/{{index:int}}/correction", correct, methods=["PUT"]),
        Route(f"{one}/finished", finish, methods=["PUT"]),
        Route("/api/agents", agents),
        Route("/api/summary", summary),
        Route("/api/about", about),
        Route("/api/words", telling_words),
        Route("/api/live", live),
        Route("/api/corrections", corrections),
        Route("/health", health),
        Route("/metrics", metrics),
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    handlers: Any = {
        BadRequestError: refused,
        InvalidError: refused,
        NoSuchError: unknown,
        RefusedError: contradicted,
        sa.exc.SQLAlchemyError: down,
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    return WithHeaders(app)  # type: ignore[return-value]


def _asked(asked: Any, name: str) -> str | None:
    # No name has NUL in it, and a database would not be asked for it.
    return str(asked.get(name, "")).replace("\x00", "") or None


def _when(asked: Any, name: str) -> datetime | None:
    """Return the time that an address gives under ``name``; None where it does not. Raises InvalidError."""
    return records.when(asked[name], name) if asked.get(name) else None
