"""Airflow's own REST API, for what a task has no other way to do: write a connection, or the note of a run."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook

from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable, base_url

DEFAULT_CONN_ID = "airflow_api"


class AirflowRest:
    """Calls with the login of a connection of type ``http`` at the API server; the token is asked for at the first one.

    Raises ServiceUnavailable when there was no answer, or one that another try may change, and ServiceRefused when
    Airflow said no. No error repeats what was sent.

    :param may: what the connection's user has to be allowed to, for the sentence of a refusal.
    """

    def __init__(self, api_conn_id: str = DEFAULT_CONN_ID, *, may: str, timeout_s: float = 30) -> None:
        self.api_conn_id = api_conn_id
        self.may = may
        self.timeout_s = timeout_s
        self._headers: dict[str, str] = {}

    def call(
        self, method: str, path: str, *, asked: str, accept: tuple[int, ...] = (200,), **content: Any
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of ``/api/v2`` + ``path``. ``asked`` completes "... was asked to" in errors."""
        if not self._headers:
            self._headers = {"Authorization": f"Bearer {self._token()}"}
        return self._request(method, f"/api/v2{path}", asked=asked, accept=accept, headers=self._headers, **content)

    def _token(self) -> str:
        connection = BaseHook.get_connection(self.api_conn_id)
        login = {"username": connection.login or "", "password": connection.password or ""}
        asked = f"log in {connection.login!r} (connection {self.api_conn_id!r})"
        return self._request("POST", "/auth/token", asked=asked, accept=(200, 201), json=login)[1]["access_token"]

    def _request(
        self, method: str, path: str, *, asked: str, accept: tuple[int, ...], **content: Any
    ) -> tuple[int, dict[str, Any]]:
        import requests

        url = base_url(BaseHook.get_connection(self.api_conn_id))
        try:
            response = requests.request(method, url + path, timeout=self.timeout_s, **content)
        except requests.RequestException as error:
            raise ServiceUnavailable(
                f"Airflow's REST API at {url} was asked to {asked} and gave no answer ({type(error).__name__}). "
                f"Check the address in connection {self.api_conn_id!r}."
            ) from None
        if response.status_code in accept:
            return response.status_code, response.json() if response.content else {}
        # The answer's body may repeat what was sent, keys included, so it is not shown.
        kind = ServiceUnavailable if response.status_code >= 500 else ServiceRefused
        raise kind(
            f"Airflow's REST API at {url} was asked to {asked} and answered HTTP {response.status_code}. "
            f"Check that the user of connection {self.api_conn_id!r} may {self.may}."
        )
