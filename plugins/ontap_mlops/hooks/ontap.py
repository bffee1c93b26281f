"""The connection type ``ontap``: from an Airflow connection to a client of ONTAP."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from ontap_mlops.hooks.address import Address, AddressError, address_of
from ontap_mlops.hooks.clients import Clients
from ontap_mlops.hooks.extra import extra_of, warn_of_unused
from ontap_mlops.ontap.errors import InvalidRequest, NotAuthorized, OntapError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ontap_mlops.ontap.client import Client

log = logging.getLogger(__name__)

_WARNED: set[str] = set()
_WORDS = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}


class OntapHook(Clients["Client"], BaseHook):
    """Clients of the ONTAP system behind a connection.

    Host, port (443), login and password are the connection's own (see ``hooks.address``); its protocol (schema) may be
    ``http`` for an emulator. Extra: ``verify`` (true, false, or the path of a file of certificate authorities), ``svm``
    (the one to use where none is named), ``job_timeout_s`` (300).
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

    def get_conn(self) -> Client:
        from ontap_mlops.ontap.client import Client

        connection = self.connection
        missing = [field for field in ("host", "login", "password") if not getattr(connection, field)]
        if missing:
            raise InvalidRequest(f"Connection {self.ontap_conn_id!r} has no {' and no '.join(missing)}. Fill it in.")
        extra, address = extra_of(connection), self._address()
        warn_of_unused(self.ontap_conn_id, extra, ("verify", "svm", "job_timeout_s"))
        verify = _verify(extra.get("verify", True))
        if verify is False and address.scheme == "https":
            _warn_unverified(self.ontap_conn_id, address.host)
        return Client(
            host=address.host,
            port=address.port or (80 if address.scheme == "http" else 443),
            scheme=address.scheme,
            username=str(connection.login),
            password=str(connection.password),
            verify=verify,
            job_timeout_s=self._job_timeout_s(extra.get("job_timeout_s")),
            connection=self.ontap_conn_id,
        )

    def where(self) -> str:
        """Return in words which address is worked on, and which variable hides a row that one may have meant."""
        variable = f"AIRFLOW_CONN_{self.ontap_conn_id.upper()}"
        said = f"Works on ONTAP at {self._address().url} (connection {self.ontap_conn_id})."
        if os.environ.get(variable):
            said += (
                f" The connection comes from the environment variable {variable}: a row of that id, as Airflow's page "
                "of connections shows it, is not used."
            )
        return said

    def svm(self, named: str | None = None) -> str:
        """Return the SVM named, or the connection's own. Raises InvalidRequest when there is neither."""
        svm = named or extra_of(self.connection).get("svm")
        if not svm:
            raise InvalidRequest(
                f"No SVM is named, and connection {self.ontap_conn_id!r} has none either. Name one in the task, or "
                "set 'svm' in the connection's extra."
            )
        return str(svm)

    def test_connection(self) -> tuple[bool, str]:
        """Return (worked, sentence) for the "Test" button of the connection form."""
        from ontap_mlops.ontap import cluster

        seen = False
        try:
            with self.client() as client:
                svm = extra_of(self.connection).get("svm")
                if svm:
                    cluster.svm_uuid(client, svm=svm)
                    seen = True
                found = cluster.get(client)
        except NotAuthorized as error:
            # An account with the least privileges sees its SVM, and neither cluster nor release.
            return (True, f"Connected to ONTAP, SVM {svm!r}.") if seen else (False, str(error))
        except OntapError as error:
            return False, str(error)
        except OSError as error:  # the file named by `verify` cannot be read
            return False, f"{error}. Correct 'verify' of the connection."
        return True, f"Connected to ONTAP {found.release}, cluster {found.name!r}" + (f", SVM {svm!r}." if svm else ".")

    def _address(self) -> Address:
        try:
            address = address_of(self.connection, "https")
        except AddressError as error:
            raise InvalidRequest(str(error)) from None
        if address.path:
            raise InvalidRequest(
                f"Connection {self.ontap_conn_id!r} has the path {address.path!r} in its host; give the address of "
                "ONTAP's management interface alone."
            )
        return address

    def _job_timeout_s(self, told: Any) -> float:
        try:
            seconds = float(300 if told in (None, "") else told)
        except (TypeError, ValueError):
            seconds = 0
        if not 0 < seconds < float("inf"):
            raise InvalidRequest(
                f"Connection {self.ontap_conn_id!r} has job_timeout_s {told!r} in its extra; give a number of seconds "
                "above 0, or leave it out for 300."
            )
        return seconds


def look_at_job(ontap_conn_id: str, uuid: str, asked: str) -> dict[str, Any]:
    """Return how an ONTAP job stands, as ``triggers.polling.PollingTrigger`` asks: ``done``, ``payload``, ``facts``.

    The payload is ``{"known": False}`` when ONTAP has forgotten the job: then look at the object itself. Raises the
    error a failed job carries.
    """
    from ontap_mlops.ontap import jobs

    with OntapHook(ontap_conn_id).client() as client:
        job = jobs.state(client, uuid, asked=asked)
    if job is None:
        return {"done": True, "payload": {"uuid": uuid, "known": False}}
    facts = {"state": job.state, "message": job.message}
    return {"done": job.done, "payload": {"uuid": uuid, "known": True, **facts}, "facts": facts}


def _warn_unverified(conn_id: str, host: str) -> None:
    """Once per process and connection, since every task asks for clients more than once."""
    if conn_id not in _WARNED:
        _WARNED.add(conn_id)
        log.warning(
            "Connection %s does not verify the certificate of ONTAP at %s: anybody in between can read its password. "
            "Set 'verify' in its extra to true, or to the file of the certificate authority.",
            conn_id,
            host,
        )


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    return _WORDS.get(str("" if value is None else value).strip().lower(), str(value))
