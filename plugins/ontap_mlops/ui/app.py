"""The hub as a FastAPI application, which Airflow mounts in its API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from ontap_mlops import __version__
from ontap_mlops.ui import api, pages
from ontap_mlops.ui.hub import Hub, NotKnown, NotThere, NotYet

HERE = Path(__file__).parent
SOON_S = "2"
"""After so many seconds, what is being asked for is worth asking for again."""
# Nothing from elsewhere, nothing inline, no frame around it but Airflow's own.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def create_app(hub: Hub | None = None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.hub.kept.close()

    app = FastAPI(
        title="The data hub",
        description="Datasets, versions, caches, models, storage and runs, as docs/data-hub.md tells. It only reads.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # behind the login: pages.openapi
    )
    app.state.hub = hub or Hub()
    app.include_router(api.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.middleware("http")(_with_headers)
    app.add_exception_handler(NotThere, _refused(404))
    app.add_exception_handler(NotKnown, _refused(503))
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _refused(status: int) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        said = _say(request, status, str(error))
        if isinstance(error, NotYet):
            # The first is read by programs, the second by browsers.
            said.headers.update({"Retry-After": SOON_S, "Refresh": SOON_S})
        return said

    return answer


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _say(request, error.status_code, str(error.detail))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    return _say(request, 422, f"{where}: {first.get('msg', 'not allowed')}.")


def _say(request: Request, status: int, sentence: str) -> Response:
    """A page for who reads pages, JSON for programs."""
    if pages.is_page(request):
        return pages.trouble(request, status, sentence)
    return JSONResponse({"detail": sentence}, status_code=status)
