"""The connection type ``google_netapp_volumes``, with the fields of the Google provider's ``google_cloud_platform``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from ontap_mlops.clouds.errors import CloudError, InvalidRequest, LoginRefused
from ontap_mlops.hooks.clients import Clients, facts_of, url_of

if TYPE_CHECKING:
    from ontap_mlops.clouds.google_netapp.client import Client

_KEPT: dict[tuple[str, str], Any] = {}
"""Credentials by what they are made of: they keep their token, and each look of a wait makes a client of its own."""
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class GoogleNetAppHook(Clients["Client"], BaseHook):
    """Clients of Google Cloud NetApp Volumes.

    Extra: ``project``, ``location``, and ``keyfile_dict`` (the key file's JSON) or ``key_path`` of a service account;
    without either, the machine's own account. The host names another address than Google's own.
    """

    conn_name_attr = "google_netapp_conn_id"
    default_conn_name = "google_netapp_default"
    conn_type = "google_netapp_volumes"
    hook_name = "Google Cloud NetApp Volumes"

    def __init__(self, google_netapp_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.google_netapp_conn_id = google_netapp_conn_id

    def get_conn(self) -> Client:
        from ontap_mlops.clouds.google_netapp.client import Client

        try:
            from google.cloud.netapp_v1 import NetAppClient
            from google.cloud.netapp_v1.services.net_app.transports.rest import NetAppRestTransport
        except ImportError:
            raise InvalidRequest(
                "Google Cloud NetApp Volumes needs Google's libraries, which are not installed; install "
                "airflow-provider-ontap-mlops[google]."
            ) from None
        connection = self.get_connection(self.google_netapp_conn_id)
        extra, url = facts_of(connection, self.google_netapp_conn_id, ("project", "location")), url_of(connection)
        where: dict[str, Any] = {"host": url} if url else {}
        transport = NetAppRestTransport(credentials=self._kept(extra), **where)
        return Client(
            api=NetAppClient(transport=transport), project=str(extra["project"]), location=str(extra["location"])
        )

    def test_connection(self) -> tuple[bool, str]:
        """Return (worked, sentence) for the "Test" button of the connection form."""
        try:
            with self.client() as client:
                asked = f"list the storage pools in {client.location}"
                listed = client.api.list_storage_pools
                pools = client.call(asked, lambda **said: list(listed(**said)), parent=client.parent)
        except CloudError as error:
            return False, str(error)
        return True, f"Connected to Google Cloud NetApp Volumes, {len(pools)} storage pools in {client.location}."

    def _kept(self, extra: Mapping[str, Any]) -> Any:
        said = (json.dumps(extra.get("keyfile_dict")), str(extra.get("key_path")))
        if said not in _KEPT:
            _KEPT[said] = self._credentials(extra)
        return _KEPT[said]

    def _credentials(self, extra: Mapping[str, Any]) -> Any:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.oauth2 import service_account

        given = extra.get("keyfile_dict")
        if not given and not extra.get("key_path"):
            try:
                return google.auth.default(scopes=_SCOPES)[0]
            except GoogleAuthError as error:
                raise LoginRefused(f"No account of Google's is known here: {error}") from None
        try:
            if given:
                info = json.loads(given) if isinstance(given, str) else given
                return service_account.Credentials.from_service_account_info(info, scopes=_SCOPES)
            return service_account.Credentials.from_service_account_file(str(extra["key_path"]), scopes=_SCOPES)
        except (GoogleAuthError, ValueError, OSError):  # their texts may repeat the key
            raise InvalidRequest(
                f"Connection {self.google_netapp_conn_id!r} has no usable key of a service account in "
                f"{'keyfile_dict' if given else 'key_path'}; give the JSON of a key file."
            ) from None
