"""Every request that leaves this process while a task works, numbered, and whoever interferes with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests


class Killed(BaseException):
    """The worker is dead from here on, as after a SIGKILL: nothing it would still do reaches anybody."""


@dataclass
class Call:
    """One request. ``cluster`` is "here" or "there", or None for another service, such as MLflow."""

    number: int
    method: str
    url: str
    cluster: str | None
    body: dict[str, Any] | None = None
    status: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    before: object = None
    """How everything stood when it was made, as far as a task that is killed then leaves it to the next try."""

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> str:
        return urlsplit(self.url).query

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD", "OPTIONS")

    @property
    def job(self) -> str | None:
        """UUID of the job that the answer names."""
        return (self.answer.get("job") or {}).get("uuid")

    def __str__(self) -> str:
        return f"call {self.number}, {self.method} {self.path}"


class Interference(Protocol):
    def before(self, call: Call) -> None: ...

    def after(self, call: Call) -> None: ...


class Wire:
    """Counts the calls since ``forget`` and lets one interference act on each."""

    def __init__(self, clusters: dict[str, str]) -> None:
        self.clusters = clusters
        """Beginning of its URLs, to the name of the cluster."""
        self.calls: list[Call] = []
        self.interference: Interference | None = None
        self.dead = False
        self.beside: Callable[[], object] = lambda: None
        """What a task leaves beside what it changes over the wire."""

    def forget(self) -> None:
        self.calls, self.interference, self.dead = [], None, False

    @contextmanager
    def tapped(self) -> Iterator[Wire]:
        """Let all of ``requests`` go through here."""
        send = requests.Session.send

        def through(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
            return self._send(lambda: send(session, request, **options), request)

        requests.Session.send = through  # type: ignore[method-assign]
        try:
            yield self
        finally:
            requests.Session.send = send  # type: ignore[method-assign]

    def kill(self) -> None:
        self.dead = True
        raise Killed

    def _send(self, send: Any, request: requests.PreparedRequest) -> Any:
        if self.dead:
            raise Killed
        call = self._noted(request)
        if self.interference:
            self.interference.before(call)
        answer = send()
        call.status, call.answer = answer.status_code, _json(answer)
        if self.interference:
            self.interference.after(call)
        return answer

    def _noted(self, request: requests.PreparedRequest) -> Call:
        url = str(request.url)
        cluster = next((name for start, name in self.clusters.items() if url.startswith(start)), None)
        body = json.loads(request.body) if cluster and request.body else None
        left = (sum(each.changes for each in self.calls), self.beside())
        call = Call(len(self.calls) + 1, str(request.method), url, cluster, body, before=left)
        self.calls.append(call)
        return call


def _json(answer: Any) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
