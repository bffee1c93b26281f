"""Airflow connections that use an S3 key of ONTAP, and follow it when it is replaced."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from ontap_mlops.hooks.airflow_rest import AirflowRest

_PAGE = 100
_TYPES = ("aws", "s3", "generic")


class KeyFollowers:
    """Rows of Airflow's database; what an environment variable or a secrets backend defines cannot be written.

    :param api_conn_id: connection to Airflow's REST API, whose user may edit connections.
    """

    def __init__(self, api_conn_id: str) -> None:
        self._airflow = AirflowRest(api_conn_id, may="edit connections")

    def of(self, access_keys: Collection[str], *, but: Collection[str] = ()) -> list[str]:
        """Return the ids of the connections whose login is one of these keys, but for those named."""
        return sorted(
            row["connection_id"]
            for row in self._rows()
            if row.get("login") in access_keys and row.get("conn_type") in _TYPES and row["connection_id"] not in but
        )

    def follow(self, conn_id: str, *, access_key: str, secret_key: str) -> None:
        """Give a connection the new pair; address and everything else stay."""
        body = {"connection_id": conn_id, "conn_type": "aws", "login": access_key, "password": secret_key}
        path = f"/connections/{quote(conn_id, safe='')}?update_mask=login&update_mask=password"
        self._airflow.call("PATCH", path, asked=f"give connection {conn_id!r} its new S3 keys", json=body)

    def _rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            path = f"/connections?limit={_PAGE}&offset={len(found)}&order_by=connection_id"
            _, page = self._airflow.call("GET", path, asked="list connections")
            found += page.get("connections") or []
            if not page.get("connections") or len(found) >= page.get("total_entries", 0):
                return found
