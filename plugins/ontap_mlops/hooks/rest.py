"""What hooks of services with a JSON interface share: an address from a connection, one call, errors told by type.

A status alone decides nothing: proxies, load balancers and other servers answer 404 and 200 too. Only an answer in the
service's own words counts, and any other raises :class:`ForeignAnswer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import BaseHook

from ontap_mlops.hooks.address import AddressError, address_of
from ontap_mlops.hooks.extra import extra_of, warn_of_unused

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from requests import PreparedRequest, Response

TEMPORARY_STATUS = frozenset({429, 502, 503, 504})
# Login failures are told by the status: proxies and servers alike answer them with pages of their own.
_NOT_ALLOWED = frozenset({401, 403})
_SHOWN = 200
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}  # of ``verify``
USED = ("token", "verify")  # of a connection's extra


class ServiceError(Exception):
    """A service did not do what was asked."""


class ServiceUnavailable(ServiceError):
    """It could not be reached or was too busy: asking again later can help."""


class ForeignAnswer(ServiceUnavailable):
    """Something answered that is not the service, or not in its words: it says nothing about what was asked."""


class ServiceRefused(ServiceError):
    """It answered no, and would again. ``status`` is HTTP's; ``code`` and ``reason`` are the service's own words."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.code = code


class Answer(NamedTuple):
    """``body`` is the answer's JSON, {} for an empty one; ``text`` the beginning of one that is not JSON."""

    status: int
    body: Any
    text: str = ""


def base_url(connection: Connection, scheme: str = "http") -> str:
    """``scheme://host[:port][/path]`` (see ``hooks.address``). Raises ServiceRefused for a connection without one."""
    try:
        return address_of(connection, scheme).url
    except AddressError as error:
        raise ServiceRefused(str(error)) from None


class RestService:
    """One service behind a connection of type ``http``. Errors name ``kind``, the service in words, and its address.

    The connection's login and password are sent if it has them. Its extra may hold ``token``, sent as a bearer token
    instead, and ``verify``, the path of the certificate authority that signed the service's certificate.

    :param timeout_s: longest wait for one answer, in seconds.
    :param error_key: key whose text every error of the service holds; an error without it is somebody else's.
    :param temporary: HTTP status codes after which asking again can help.
    """

    def __init__(
        self,
        conn_id: str,
        kind: str,
        timeout_s: float,
        *,
        error_key: str,
        temporary: frozenset[int] = TEMPORARY_STATUS,
    ) -> None:
        connection = BaseHook.get_connection(conn_id)
        self.url = base_url(connection)
        self.kind = kind
        self.timeout_s = timeout_s
        self.error_key = error_key
        self.temporary = temporary
        self._name = f"{kind} at {self.url} (connection {conn_id})"
        extra = extra_of(connection)
        warn_of_unused(conn_id, extra, USED)
        self._auth = _credentials(connection, extra)
        self._verify = certificate_authority(extra.get("verify", True), conn_id)

    def call(
        self, method: str, path: str, *, asked: str, timeout_s: float | None = None, shape: type = dict, **content: Any
    ) -> Any:
        """The JSON of the answer. ``asked`` completes "... was asked to" in errors; ``content`` is requests' own.

        Raises ServiceRefused when the service says no in its own words, ServiceUnavailable when it may say yes later,
        and ForeignAnswer when what came back is not its own or not of type ``shape``.
        """
        answer = self.answer(method, path, asked=asked, timeout_s=timeout_s, **content)
        if answer.status >= 400:
            raise self._error(answer, asked)
        if answer.text or not isinstance(answer.body, shape):
            raise self.foreign(answer, asked)
        return answer.body

    def answer(self, method: str, path: str, *, asked: str, timeout_s: float | None = None, **content: Any) -> Answer:
        """What came back, whatever it is."""
        return _decoded(self._send(method, path, asked, timeout_s, content))

    def text(self, method: str, path: str, *, asked: str, **content: Any) -> str:
        """The answer's body as it is, for files. Errors are told as in ``call``."""
        response = self._send(method, path, asked, None, content)
        if response.status_code >= 400:
            raise self._error(_decoded(response), asked)
        return response.content.decode()

    def foreign(self, answer: Answer, asked: str) -> ForeignAnswer:
        """The error for an answer that the service does not give."""
        shown = " ".join((answer.text or str(answer.body)).split())[:_SHOWN]
        return ForeignAnswer(
            f"The {self._name} was asked to {asked}, and what came back with status {answer.status} is not its own "
            f"answer: {shown!r}. Is there a proxy or another server at this address, or is the service just starting?"
        )

    def _send(
        self, method: str, path: str, asked: str, timeout_s: float | None, content: Mapping[str, Any]
    ) -> Response:
        import requests

        timeout = timeout_s or self.timeout_s
        try:
            return requests.request(
                method, self.url + path, timeout=timeout, auth=self._auth, verify=self._verify, **content
            )
        except OSError as error:  # requests' own errors, and a certificate authority that is not there
            raise ServiceUnavailable(
                f"The {self._name} was asked to {asked} and gave no answer ({_cause(error)}). "
                "Is it running, and is the connection's address right?"
            ) from error

    def _error(self, answer: Answer, asked: str) -> ServiceError:
        body = answer.body if isinstance(answer.body, Mapping) else {}
        own = isinstance(body.get(self.error_key), str)
        if not own and answer.status not in _NOT_ALLOWED | self.temporary:
            return self.foreign(answer, asked)
        reason = str(body.get("message") or body.get("error") or answer.text or body or "no reason given").strip()
        said = f"The {self._name} was asked to {asked} and answered {answer.status}: {reason}"
        if answer.status in self.temporary:
            return ServiceUnavailable(said)
        return ServiceRefused(said, status=answer.status, reason=reason, code=str(body.get("error_code") or ""))


def _decoded(response: Response) -> Answer:
    try:
        return Answer(response.status_code, response.json() if response.content else {})
    except ValueError:
        return Answer(response.status_code, None, response.text[:_SHOWN])


def _credentials(connection: Connection, extra: Mapping[str, Any]) -> Any:
    """requests' ``auth``: a bearer token, login and password, or None."""
    token = extra.get("token")
    if not token:
        return (connection.login, connection.password or "") if connection.login else None

    def bearer(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return bearer


def certificate_authority(verify: Any, conn_id: str) -> bool | str:
    """requests' ``verify``: True for the system's authorities, or the path of one."""
    word = str("" if verify is None else verify).strip().lower()
    if word in WORDS:
        if WORDS[word]:
            return True
    elif isinstance(verify, str):
        return verify
    raise ServiceRefused(
        f"Connection {conn_id} says verify={verify!r}, but certificates are always checked here: "
        'enter the path of the certificate authority, {"verify": "/path/ca.pem"}.'
    )


def _cause(error: BaseException) -> str:
    """The innermost reason, in its own words and without the address, which the sentence has already."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error) or type(error).__name__
