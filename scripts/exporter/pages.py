"""The exporter's pages over HTTP: for everybody on this machine, or for whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from scripts.exporter import dask_targets
from scripts.exporter.workloads import WorkloadCollector

LEAST_TOKEN = 16  # characters: fewer can be guessed

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A line for each scrape would fill a log with nothing."""


def server(folder: Path, host: str, port: int, *collectors: Collector, token: str = "") -> WSGIServer:
    """Return the listening server; port 0 takes any free one.

    SystemExit with a sentence where others than this machine's users could read the pages without a token.
    """
    if not token and not _is_loopback(host):
        raise SystemExit(
            f"The exporter was asked to listen on {host}, where other machines reach it, without a token. "
            "Give --token-file with a file that holds one, and the same file to Prometheus (credentials_file)."
        )
    registry = CollectorRegistry()
    for collector in (WorkloadCollector(folder), *collectors):
        registry.register(collector)
    return make_server(host, port, _application(folder, registry, token), server_class=_Server, handler_class=_Quiet)


def token_in(file: Path | None) -> str:
    """Return the token that the file holds, "" without a file. SystemExit with a sentence where it holds none."""
    if file is None:
        return ""
    try:
        token = file.read_text().strip()
    except OSError as error:
        raise SystemExit(f"The exporter's token was to be in {file}, which cannot be read: {error.strerror}.") from None
    if len(token) < LEAST_TOKEN:
        raise SystemExit(
            f"The token in {file} is shorter than {LEAST_TOKEN} characters; let `openssl rand -hex 16` make one."
        )
    return token


def _application(folder: Path, registry: CollectorRegistry, token: str) -> Application:
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/health":
            return _text(start_response, "200 OK", "It answers.\n")
        if token and not _knows(environ, token):
            return _text(start_response, "401 Unauthorized", "Send the token.\n", ("WWW-Authenticate", "Bearer"))
        if path == "/metrics":
            return metrics(environ, start_response)
        if path == "/targets":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(dask_targets.targets(folder)).encode()]
        return _text(start_response, "404 Not Found", "There are /metrics, /targets and /health.\n")

    return application


def _text(start_response: Callable[..., Any], status: str, text: str, *headers: tuple[str, str]) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain"), *headers])
    return [text.encode()]


def _knows(environ: dict[str, Any], token: str) -> bool:
    kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    # In bytes, since what is sent may be anything; in a time that tells nothing of how much of it is right.
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1", "replace"), token.encode())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
