"""One ONTAP system, spoken to through the official client library, with waiting and errors made dependable.

The library's own waiting gives up after 30 s, polls every 5 s and loses a job's error code, so jobs are followed in
``jobs``; it retries writes when a connection cannot be made, so retries are decided here. Its classes come with
half a second of imports, so they are loaded when first used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from ontap_mlops.ontap import jobs
from ontap_mlops.ontap.errors import InvalidRequest, ServiceTrouble, Unreachable, refused
from ontap_mlops.ontap.translating import translated

P = ParamSpec("P")
R = TypeVar("R")

# ONTAP answers at once what it finishes within this many seconds; only longer work becomes a job to follow.
_RETURN_TIMEOUT_S = 5
# What is always done at once takes no return_timeout.
_AT_ONCE = frozenset(
    {"S3Service", "S3User", "S3Group", "S3Policy", "FileInfo", "SnaplockComplianceClock", "SnaplockFileRetention"}
)
_PAUSES_S = (0.5, 2.0)


class Client:
    """Use as a context manager: ``with Client(...) as client: volumes.find(client, ...)``.

    :param verify: True, False, or the path of a file of certificate authorities.
    :param job_timeout_s: how long one piece of work may take before the wait ends with ``JobStillRunning``.
    :param timeouts_s: to connect, and to wait for an answer.
    :param connection: name of the Airflow connection that gave all this, for errors.
    """

    def __init__(
        self,
        *,
        host: str,
        username: str,
        password: str,
        port: int = 443,
        scheme: str = "https",
        verify: bool | str = True,
        job_timeout_s: float = 300.0,
        timeouts_s: tuple[float, float] = (6.0, 45.0),
        connection: str = "",
    ) -> None:
        from netapp_ontap.error import NetAppRestError
        from netapp_ontap.host_connection import HostConnection

        try:
            self._connection = HostConnection(
                host,
                username,
                password,
                port=port,
                scheme=scheme,
                verify=verify,  # type: ignore[arg-type]  # a path is passed on to requests, which takes one
                protocol_timeouts=timeouts_s,
            )
        except NetAppRestError as error:
            raise InvalidRequest(f"The connection to ONTAP at {host} needs a user and a password.") from error
        self.address = f"{host}:{port}" + (f" (connection {connection!r})" if connection else "")
        self.job_timeout_s = job_timeout_s
        self.svm_uuids: dict[str, str] = {}
        self._connection.session.mount(self._connection.origin, _adapter(self._connection))

    def __repr__(self) -> str:
        return f"Client({self.address})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.session.close()

    def records(self, kind: str, *parents: str, asked: str, fields: str, **query: Any) -> list[dict[str, Any]]:
        """Return all records of a collection, over as many pages as ONTAP makes of it.

        :param kind: class of ``netapp_ontap.resources``, such as "Volume".
        :param parents: keys of the parent in the collection's path, such as the volume's UUID for "Snapshot".
        :param query: ONTAP query parameters; dots in names as ``**{"svm.name": "svm1"}``.
        """

        def read() -> list[dict[str, Any]]:
            with translated(asked, self.address):
                found = _resource(kind).fast_get_collection(
                    *parents, connection=self._connection, fields=fields, **query
                )
                return [record.resource_data for record in found]

        return _patiently(read)

    def record(
        self, kind: str, key: dict[str, Any], *parents: str, asked: str, fields: str | None = None
    ) -> dict[str, Any]:
        """Return one record by its key. Raises NotFound."""

        def read() -> dict[str, Any]:
            with translated(asked, self.address):
                answer = self._with_key(kind, key, *parents).get(**({"fields": fields} if fields else {}))
                return _json(answer)

        return _patiently(read)

    def server_date(self, *, asked: str) -> str | None:
        """Return the Date header of an answer that every account may read."""
        with translated(asked, self.address):
            response = self._connection.session.get(f"{self._connection.origin}/api/svm/svms?max_records=1")
            return response.headers.get("Date")

    def may(self, method: str, path: str, *, asked: str) -> bool:
        """Tell whether the account's role allows a method on a path (with /api), without making or changing anything.

        ONTAP looks at the role first. Name an object that is not there: what is sent has a field that no object has, so
        an account that may is refused for that. Raises Unreachable, and AuthenticationFailed.
        """
        import requests

        body = {"mlops_preflight": True} if method in ("POST", "PATCH") else None
        try:
            answer = self._connection.session.request(method, f"{self._connection.origin}{path}", json=body)
        except requests.RequestException as error:
            raise Unreachable(f"Could not {asked}: ONTAP at {self.address} gave no answer.") from error
        if answer.status_code == 401:
            raise refused(asked, message="user or password is wrong", status=401, host=self.address)
        return answer.status_code != 403

    def create(
        self, kind: str, body: dict[str, Any], *parents: str, asked: str, wait: bool = True, **query: Any
    ) -> dict[str, Any]:
        """POST, wait until it is done, and return the body of the answer (secrets are in no other place).

        :param wait: False leaves the job, if there is one, to whoever asks ``jobs.begun_by(answer)``.
        """
        with translated(asked, self.address):
            resource = _resource(kind).from_dict(dict(body), *parents)
            answer = resource.post(poll=False, connection=self._connection, **_query(kind, query))
        return self._finished(_json(answer), asked, wait)

    def modify(
        self,
        kind: str,
        key: dict[str, Any],
        body: dict[str, Any],
        *parents: str,
        asked: str,
        wait: bool = True,
        **query: Any,
    ) -> dict[str, Any]:
        """PATCH, and wait until it is done, as in ``create``."""
        with translated(asked, self.address):
            resource = self._with_key(kind, key, *parents)
            wanted = _resource(kind).from_dict(dict(body), *parents)
            for field in body:  # the library sends what was set since the resource was made
                name = field.removeprefix("_")  # of ``_tags``, the attribute is ``tags``
                setattr(resource, name, getattr(wanted, name))
            answer = resource.patch(poll=False, connection=self._connection, **_query(kind, query))
        return self._finished(_json(answer), asked, wait)

    def remove(
        self, kind: str, key: dict[str, Any], *parents: str, asked: str, wait: bool = True, **query: Any
    ) -> dict[str, Any]:
        """DELETE, and wait until it is done, as in ``create``."""
        with translated(asked, self.address):
            resource = self._with_key(kind, key, *parents)
            answer = resource.delete(poll=False, connection=self._connection, **_query(kind, query))
        return self._finished(_json(answer), asked, wait)

    def _with_key(self, kind: str, key: dict[str, Any], *parents: str) -> Any:
        resource = _resource(kind).from_dict(dict(key), *parents)
        resource.set_connection(self._connection)
        for name in key.keys() - {field.partition(".")[0] for field in resource._schema().fields}:
            # Part of the path, but no field in the library's schema, which forgets it, as of "SnaplockFileRetention".
            setattr(resource, name, key[name])
            resource._last_state = {}
        return resource

    def _finished(self, answer: dict[str, Any], asked: str, wait: bool) -> dict[str, Any]:
        job = jobs.begun_by(answer)
        if wait and job is not None:
            jobs.follow(self, job, asked=asked)
        return answer


def repeatable(call: Callable[Concatenate[Client, P], R]) -> Callable[Concatenate[Client, P], R]:
    """For functions that find what an earlier try of theirs made: call again after a lost answer or a 5xx."""

    @wraps(call)
    def again(client: Client, *args: P.args, **kwargs: P.kwargs) -> R:
        return _patiently(lambda: call(client, *args, **kwargs))

    return again


def _patiently(call: Callable[[], R]) -> R:
    for pause in _PAUSES_S:
        try:
            return call()
        except (Unreachable, ServiceTrouble):
            time.sleep(pause)
    return call()


def _adapter(connection: Any) -> Any:
    """Sends each request once, and checks certificates as the connection says.

    The library's own repeats up to five times without a pause. And requests lets the environment variables
    REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE go before the file of authorities that the connection names. It writes a
    space in a path as a plus, which is right in a query only; a plus that is meant is ``%2B`` there already.
    """
    from netapp_ontap.host_connection import LoggingAdapter

    class Adapter(LoggingAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            if connection.verify is not True:
                kwargs["verify"] = connection.verify
            path, mark, query = request.url.partition("?")
            request.url = path.replace("+", "%20") + mark + query
            return super().send(request, *args, **kwargs)

    return Adapter(connection, max_retries=0, timeout=connection.protocol_timeouts)


def _resource(kind: str) -> Any:
    import netapp_ontap.resources

    return getattr(netapp_ontap.resources, kind)


def _query(kind: str, query: dict[str, Any]) -> dict[str, Any]:
    if kind in _AT_ONCE:
        return query
    return {"return_timeout": _RETURN_TIMEOUT_S, **query}


def _json(answer: Any) -> dict[str, Any]:
    response = answer.http_response
    if not response.content:
        return {}
    body = response.json()
    return body if isinstance(body, dict) else {}
