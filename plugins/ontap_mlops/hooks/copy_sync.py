"""The connection type ``netapp_copy_sync``: from an Airflow connection to a client of Copy and Sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from ontap_mlops.clouds.errors import CloudError, InvalidRequest
from ontap_mlops.hooks.clients import Clients, url_of
from ontap_mlops.hooks.extra import extra_of, warn_of_unused

if TYPE_CHECKING:
    from ontap_mlops.clouds.copy_sync.client import Client, Login
    from ontap_mlops.clouds.copy_sync.endpoints import Login as EndLogin


class CopySyncHook(Clients["Client"], BaseHook):
    """Clients of NetApp Copy and Sync.

    Password: a refresh token; or, with login, the secret of the service account whose client id is the login. Host and
    extra ``token_url``, ``account_id`` and ``verify`` have defaults.
    """

    conn_name_attr = "copy_sync_conn_id"
    default_conn_name = "copy_sync_default"
    conn_type = "netapp_copy_sync"
    hook_name = "NetApp Copy and Sync"

    def __init__(self, copy_sync_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.copy_sync_conn_id = copy_sync_conn_id

    def get_conn(self) -> Client:
        from ontap_mlops.clouds.copy_sync import client

        connection = self.get_connection(self.copy_sync_conn_id)
        extra = extra_of(connection)
        warn_of_unused(self.copy_sync_conn_id, extra, ("token_url", "account_id", "verify"))
        return client.Client(
            self._login(connection.login or "", connection.password or "", str(extra.get("token_url") or "")),
            url=url_of(connection) or client.API_URL,
            account_id=str(extra.get("account_id") or ""),
            verify=str(extra["verify"]) if extra.get("verify") not in (None, "", True, "true") else True,
        )

    def end_login(self, conn_id: str) -> EndLogin:
        """Return the login of an end of a relationship, from the connection that its ``login_conn_id`` names."""
        from ontap_mlops.clouds.copy_sync.endpoints import Login as EndLogin

        found = self.get_connection(conn_id)
        domain = str(extra_of(found).get("domain") or "")
        return EndLogin(user=found.login or "", password=found.password or "", domain=domain)

    def test_connection(self) -> tuple[bool, str]:
        try:
            with self.client() as client:
                return True, f"Connected to Copy and Sync, account {client.account_id}."
        except CloudError as error:
            return False, str(error)

    def _login(self, login: str, password: str, token_url: str) -> Login:
        from ontap_mlops.clouds.copy_sync import client

        if not password:
            raise InvalidRequest(
                f"Connection {self.copy_sync_conn_id!r} has no password. Enter a refresh token, or a service account's "
                "secret with its client id as login."
            )
        where = {"token_url": token_url} if token_url else {}
        if login:
            return client.Login(client_id=login, client_secret=password, **where)
        return client.Login(refresh_token=password, **where)
