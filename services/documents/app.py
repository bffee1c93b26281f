"""The document assistant over HTTP, with its page.

| Request | Answer |
| --- | --- |
| ``GET /`` | the page: questions and answers, each sentence with what it was taken from |
| ``POST /api/questions`` with ``question``, ``as_of`` | ``answer``: sentences with ``sources``; ``found``, ``says`` |
| ``POST /api/search`` with ``question``, ``as_of``, ``limit`` | passages, the best first, without an answer |
| ``GET /api/passages/ID?version=VERSION`` | what a citation cites, with what stands beside it |
| ``GET /api/me`` | who one is to the service: ``name``, ``groups`` |
| ``/mcp`` | the same for assistants, over the Model Context Protocol |
| ``GET /health``, ``GET /metrics`` | whether anything can be asked; figures for Prometheus |

Who asks brings a token as ``Bearer``; who brings none finds what everybody may read. ``as_of`` is a day, until its end,
or a time. ``outcome`` is ``answered``, ``not_there`` or ``refused``. A passage that a person may not read is answered
like one that does not exist. A fault is ``{"error": "one sentence"}``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pydantic
import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.documents import tools
from services.documents.asking import FOUND, Assistant, NotReadyError
from services.documents.guard import Limit
from services.documents.people import People, PeopleError
from services.web import BadRequestError, WithHeaders, body_of, refused
from tasks.documents.rights import Person

STATIC = Path(__file__).with_name("static")
LARGEST_BODY = 16 * 1024
MOST_FOUND = 50
A_MINUTE = 60
"""Questions of one person, or of one address without a person, in a minute."""

log = logging.getLogger(__name__)


class Asked(pydantic.BaseModel, extra="forbid"):
    question: str
    as_of: str = ""
    limit: int = pydantic.Field(FOUND, ge=1, le=MOST_FOUND)


class Service:
    """What one process serves: the assistant, who the people are, how often each may ask, and what is counted."""

    def __init__(self, assistant: Assistant, people: People, a_minute: int = A_MINUTE) -> None:
        self.assistant, self._people, self._limit = assistant, people, Limit(a_minute)
        self.registry = CollectorRegistry()
        self._outcomes = Counter("documents_questions", "Questions, by outcome.", ["outcome"], registry=self.registry)
        self._seconds = Histogram(
            "documents_question_seconds", "From a question to its answer.", registry=self.registry
        )
        self._faults = Counter("documents_faults", "Requests that could not be answered.", registry=self.registry)

    def who(self, authorization: str | None, address: str) -> Person:
        """Return who asks, counting the request. Raises BadRequestError for an unknown token, or one too many."""
        try:
            person = self._people.of(authorization)
        except BadRequestError:
            # Guesses of tokens are counted too.
            self._count(address)
            raise
        except PeopleError as error:
            raise NotReadyError(f"Who may read what cannot be told, so nothing is shown: {error}") from error
        self._count(f"@{person.name}" if person.name else address)
        return person

    async def ask(self, question: str, person: Person, as_of: str) -> dict[str, Any]:
        """Return the answer. Raises BadRequestError, NotReadyError."""
        began = time.perf_counter()
        told = await self.assistant.ask(question, person, moment(as_of))
        self._outcomes.labels(told["outcome"]).inc()
        self._seconds.observe(time.perf_counter() - began)
        return told

    def failed(self) -> None:
        self._faults.inc()

    def _count(self, who: str) -> None:
        if wait_s := self._limit.wait_s(who):
            self._outcomes.labels("too_many").inc()
            raise BadRequestError(f"That is too many questions; ask again in {wait_s} s.", 429)


def moment(text: str) -> datetime | None:
    """Return the time that ``as_of`` names, of a day its end; None for now. Raises BadRequestError."""
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, microseconds=-1)
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequestError(f"as_of is a day or a time such as 2026-11-27T08:00:00Z, not {text[:40]!r}.") from None


async def asked_of(request: Request) -> Asked:
    """Return what a request asks. Raises BadRequestError with what is wrong in it."""
    try:
        return Asked.model_validate(json.loads(await body_of(request, LARGEST_BODY)))
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadRequestError(f"{'.'.join(map(str, first['loc'])) or 'A question'}: {first['msg']}.") from None
    except ValueError:
        raise BadRequestError('A question is JSON, such as {"question": "How many days of leave?"}.') from None


def make(service: Service, host: str = "127.0.0.1") -> Starlette:
    """Return the web application of ``service``, which listens on ``host``."""

    def who(request: Request) -> Person:
        return service.who(request.headers.get("authorization"), request.client.host if request.client else "")

    async def ask(request: Request) -> Response:
        person = await run_in_threadpool(who, request)
        asked = await asked_of(request)
        return JSONResponse(await service.ask(asked.question, person, asked.as_of))

    async def search(request: Request) -> Response:
        person = await run_in_threadpool(who, request)
        asked = await asked_of(request)
        found = await service.assistant.search(asked.question, person, asked.limit, moment(asked.as_of))
        return JSONResponse({"passages": found})

    async def passage(request: Request) -> Response:
        person = await run_in_threadpool(who, request)
        version = request.query_params.get("version", "")
        found = await service.assistant.passage(request.path_params["name"], version, person)
        if found is None:
            raise BadRequestError("There is no such passage, or you may not read it.", 404)
        return JSONResponse(found)

    async def me(request: Request) -> Response:
        person = await run_in_threadpool(who, request)
        return JSONResponse({"name": person.name, "groups": sorted(person.groups)})

    async def health(_: Request) -> Response:
        await run_in_threadpool(service.assistant.ready)
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)

    async def not_ready(_: Request, error: Exception) -> Response:
        service.failed()
        log.error("%s", error)
        return JSONResponse({"error": str(error)}, 503)

    async def down(_: Request, error: Exception) -> Response:
        service.failed()
        log.error("The database: %s", type(error).__name__)
        return JSONResponse({"error": "The record of questions cannot be written, so nothing is answered."}, 503)

    over_mcp, sessions = tools.route(service, host)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with sessions.run():
            yield

    routes = [
        Route("/api/questions", ask, methods=["POST"]),
        Route("/api/search", search, methods=["POST"]),
        Route("/api/passages/{name}", passage),
        Route("/api/me", me),
        Route("/health", health),
        Route("/metrics", metrics),
        over_mcp,
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    handlers: Any = {BadRequestError: refused, NotReadyError: not_ready, sa.exc.SQLAlchemyError: down}
    return WithHeaders(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan))  # type: ignore[return-value]
