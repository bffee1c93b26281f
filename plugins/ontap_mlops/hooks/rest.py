"""What hooks of services with a JSON interface share: an address from a connection, one call, errors told by type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from airflow.sdk import Connection

TEMPORARY_STATUS = frozenset({429, 502, 503, 504})


class ServiceError(Exception):
    """A service did not do what was asked."""


class ServiceUnavailable(ServiceError):
    """It could not be reached or was too busy: asking again later can help."""


class ServiceRefused(ServiceError):
    """It answered no, and would again. ``status`` is HTTP's, ``reason`` the service's own words."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Answer(NamedTuple):
    status: int
    body: Any


def base_url(connection: Connection, scheme: str = "http") -> str:
    """``scheme://host[:port]``; the scheme is the connection's own (in host or schema) or else the one given."""
    host = (connection.host or "").rstrip("/")
    if "://" not in host:
        host = f"{connection.schema or scheme}://{host}"
    return f"{host}:{connection.port}" if connection.port else host


class RestService:
    """One service behind a connection of type ``http``. Errors name ``kind``, the service in words, and its address.

    :param timeout_s: longest wait for one answer, in seconds.
    :param temporary: HTTP status codes after which asking again can help.
    """

    def __init__(self, conn_id: str, kind: str, timeout_s: float, temporary: frozenset[int] = TEMPORARY_STATUS) -> None:
        connection = BaseHook.get_connection(conn_id)
        if not connection.host:
            raise ServiceRefused(f"Connection {conn_id} of the {kind} has no host; enter its address there.")
        self.url = base_url(connection)
        self.kind = kind
        self.timeout_s = timeout_s
        self.temporary = temporary
        self._name = f"{kind} at {self.url} (connection {conn_id})"
        self._auth = (connection.login, connection.password or "") if connection.login else None

    def call(self, method: str, path: str, *, asked: str, timeout_s: float | None = None, **content: Any) -> Any:
        """The JSON of the answer. ``asked`` completes "... was asked to" in errors; ``content`` is requests' own."""
        status, body = self.answer(method, path, asked=asked, timeout_s=timeout_s, **content)
        if status >= 400:
            reason = _reason(body)
            said = f"The {self._name} was asked to {asked} and answered {status}: {reason}"
            if status in self.temporary:
                raise ServiceUnavailable(said)
            raise ServiceRefused(said, status=status, reason=reason)
        return body

    def answer(self, method: str, path: str, *, asked: str, timeout_s: float | None = None, **content: Any) -> Answer:
        """Status and JSON of the answer, whatever it is."""
        import requests

        try:
            response = requests.request(
                method, self.url + path, timeout=timeout_s or self.timeout_s, auth=self._auth, **content
            )
        except requests.RequestException as error:
            raise ServiceUnavailable(
                f"The {self._name} was asked to {asked} and gave no answer ({_cause(error)}). "
                "Is it running, and is the connection's address right?"
            ) from error
        try:
            return Answer(response.status_code, response.json() if response.content else {})
        except ValueError:
            return Answer(response.status_code, {"error": response.text[:500]})


def _reason(body: Any) -> str:
    """The sentence in an error's JSON: ``error`` (inference protocol) or ``error_code`` and ``message`` (MLflow)."""
    if not isinstance(body, Mapping):
        return str(body)
    return str(body.get("message") or body.get("error") or body.get("error_code") or "no reason given").strip()


def _cause(error: BaseException) -> str:
    """The innermost reason, in its own words and without the address, which the sentence has already."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error) or type(error).__name__
