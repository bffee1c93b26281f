"""The connection type ``azure_netapp_files``, whose fields are those of the microsoft-azure provider's ``azure``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from ontap_mlops.clouds.errors import CloudError, InvalidRequest
from ontap_mlops.hooks.clients import Clients, facts_of, url_of

if TYPE_CHECKING:
    from ontap_mlops.clouds.azure_netapp.client import Client

_KEPT: dict[tuple[Any, ...], Any] = {}
"""Credentials by what they are made of: they keep their token, and each look of a wait makes a client of its own."""


class AzureNetAppHook(Clients["Client"], BaseHook):
    """Clients of Azure NetApp Files.

    Login, password and extra ``tenantId`` are a service principal's; without login, whatever Microsoft's library finds
    (managed identity, environment). Extra: ``subscriptionId``, ``resource_group``, ``account``, ``location``;
    ``verify`` and ``authority`` for another cloud, with the host as address of its Resource Manager.
    """

    conn_name_attr = "azure_netapp_conn_id"
    default_conn_name = "azure_netapp_default"
    conn_type = "azure_netapp_files"
    hook_name = "Azure NetApp Files"

    def __init__(self, azure_netapp_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.azure_netapp_conn_id = azure_netapp_conn_id

    def get_conn(self) -> Client:
        from ontap_mlops.clouds.azure_netapp.client import Client

        try:
            from azure.mgmt.netapp import NetAppManagementClient
        except ImportError:
            raise InvalidRequest(
                "Azure NetApp Files needs Microsoft's libraries, which are not installed; install "
                "airflow-provider-ontap-mlops[azure]."
            ) from None
        connection = self.get_connection(self.azure_netapp_conn_id)
        extra = facts_of(connection, self.azure_netapp_conn_id, ("subscriptionId", "resource_group", "account"))
        trust: dict[str, Any] = {"connection_verify": str(extra["verify"])} if extra.get("verify") else {}
        url = url_of(connection)
        scopes: dict[str, Any] = {"credential_scopes": [f"{url}/.default"]} if url else {}
        api = NetAppManagementClient(
            self._kept(connection, extra, trust),
            str(extra["subscriptionId"]),
            base_url=url,
            retry_total=0,  # tasks and triggers try again, and see what they do
            read_timeout=60,
            **scopes,
            **trust,
        )
        return Client(
            api=api,
            resource_group=str(extra["resource_group"]),
            account=str(extra["account"]),
            location=str(extra.get("location") or ""),
        )

    def test_connection(self) -> tuple[bool, str]:
        """Return (worked, sentence) for the "Test" button of the connection form."""
        from ontap_mlops.clouds.azure_netapp import resources

        try:
            with self.client() as client:
                found = resources.find(client, resources.ACCOUNT, ())
        except CloudError as error:
            return False, str(error)
        there = f"account {client.account!r}" if found else f"account {client.account!r} is not there yet"
        return True, f"Connected to Azure NetApp Files, {there}."

    def _kept(self, connection: Any, extra: dict[str, Any], trust: dict[str, Any]) -> Any:
        said = (extra.get("tenantId"), extra.get("authority"), connection.login, connection.password, *trust.values())
        if said not in _KEPT:
            _KEPT[said] = self._credential(connection, extra, trust)
        return _KEPT[said]

    def _credential(self, connection: Any, extra: dict[str, Any], trust: dict[str, Any]) -> Any:
        from azure.identity import ClientSecretCredential, DefaultAzureCredential

        authority = {"authority": str(extra["authority"])} if extra.get("authority") else {}
        if not connection.login:
            return DefaultAzureCredential(**authority, **trust)
        if not extra.get("tenantId"):
            raise InvalidRequest(f"Connection {self.azure_netapp_conn_id!r} has a login and no tenantId. Fill it in.")
        known = {"disable_instance_discovery": True} if authority else {}
        return ClientSecretCredential(
            str(extra["tenantId"]), connection.login, connection.password or "-", **authority, **known, **trust
        )
