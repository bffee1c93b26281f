"""Fill the address of a new SVM into the connection that waits for it, through Airflow's REST interface."""

from __future__ import annotations

import json
from urllib.parse import quote

from ontap_mlops.hooks.airflow_rest import DEFAULT_CONN_ID, AirflowRest
from ontap_mlops.hooks.rest import ServiceRefused


def fill(conn_id: str, *, host: str, svm: str, api_conn_id: str = DEFAULT_CONN_ID) -> None:
    """Give connection ``conn_id`` (type ``ontap``, with user and password) its host and SVM.

    Raises ServiceRefused when there is none, or when it names another host already: then it stays as it is.
    """
    airflow = AirflowRest(api_conn_id, may="edit connections")
    path, asked = f"/connections/{quote(conn_id, safe='')}", f"read connection {conn_id!r}"
    status, there = airflow.call("GET", path, asked=asked, accept=(200, 404))
    if status == 404 or there.get("conn_type") != "ontap":
        raise ServiceRefused(f"There is no connection {conn_id!r} of type ontap; make it, with user and password.")
    if there.get("host") not in (None, "", host):
        raise ServiceRefused(
            f"Connection {conn_id!r} has the host {there['host']!r} and the SVM has {host!r}: it stays as it is. Name "
            "another connection, or empty its host."
        )
    extra = json.loads(there.get("extra") or "{}")
    body = {"connection_id": conn_id, "conn_type": "ontap", "host": host, "extra": json.dumps({**extra, "svm": svm})}
    airflow.call(
        "PATCH", f"{path}?update_mask=host&update_mask=extra", asked=f"write connection {conn_id!r}", json=body
    )
