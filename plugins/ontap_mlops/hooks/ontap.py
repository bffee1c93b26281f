"""The connection type ``ontap``: from an Airflow connection to a client of ONTAP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from ontap_mlops.ontap.errors import InvalidRequest, OntapError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ontap_mlops.ontap.client import Client

_WORDS = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}


class OntapHook(BaseHook):
    """Clients of the ONTAP system behind a connection.

    Host, port (443), login and password are the connection's own; its protocol (schema) may be ``http`` for an
    emulator. Extra: ``verify`` (true, false, or the path of a file of certificate authorities), ``svm`` (the one to use
    where none is named), ``job_timeout_s`` (300).
    """

    conn_name_attr = "ontap_conn_id"
    default_conn_name = "ontap_default"
    conn_type = "ontap"
    hook_name = "NetApp ONTAP"

    def __init__(self, ontap_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.ontap_conn_id = ontap_conn_id
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = self.get_connection(self.ontap_conn_id)
        return self._connection

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Raises InvalidRequest when the connection lacks host or login."""
        client = self.get_conn()
        try:
            yield client
        finally:
            client.close()

    def get_conn(self) -> Client:
        from ontap_mlops.ontap.client import Client

        connection = self.connection
        missing = [field for field in ("host", "login", "password") if not getattr(connection, field)]
        if missing:
            raise InvalidRequest(f"Connection {self.ontap_conn_id!r} has no {' and no '.join(missing)}. Fill it in.")
        extra = connection.extra_dejson
        return Client(
            host=str(connection.host).removeprefix("https://").removeprefix("http://").rstrip("/"),
            port=connection.port or 443,
            scheme=self._scheme(),
            username=str(connection.login),
            password=str(connection.password),
            verify=_verify(extra.get("verify", True)),
            job_timeout_s=float(extra.get("job_timeout_s") or 300),
        )

    def svm(self, named: str | None = None) -> str:
        """The SVM named, or the connection's own. Raises InvalidRequest when there is neither."""
        svm = named or self.connection.extra_dejson.get("svm")
        if not svm:
            raise InvalidRequest(
                f"No SVM is named, and connection {self.ontap_conn_id!r} has none either. Name one in the task, or "
                "set 'svm' in the connection's extra."
            )
        return str(svm)

    def test_connection(self) -> tuple[bool, str]:
        """(worked, sentence) for the "Test" button of the connection form."""
        from ontap_mlops.ontap import cluster

        try:
            with self.client() as client:
                svm = self.connection.extra_dejson.get("svm")
                if svm:
                    cluster.svm_uuid(client, svm=svm)
                found = cluster.get(client)
        except OntapError as error:
            return False, str(error)
        except OSError as error:  # the file named by `verify` cannot be read
            return False, f"{error}. Correct 'verify' of the connection."
        return True, f"Connected to ONTAP {found.release}, cluster {found.name!r}" + (f", SVM {svm!r}." if svm else ".")

    def _scheme(self) -> str:
        if "://" in str(self.connection.host):
            return str(self.connection.host).split("://", 1)[0]
        return self.connection.schema or "https"


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    return _WORDS.get(str("" if value is None else value).strip().lower(), str(value))
