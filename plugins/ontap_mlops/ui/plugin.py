"""What Airflow's plugin manager loads in all its processes: names and addresses, and the application when asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

from ontap_mlops.ui import PREFIX

NAME, ROUTE = "Data hub", "data-hub"


class DataHubPlugin(AirflowPlugin):
    """The application is imported by the API server alone, which is the only one that asks for ``fastapi_apps``."""

    name = "ontap_mlops_data_hub"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from ontap_mlops.ui.app import create_app

        return [{"app": create_app(), "url_prefix": PREFIX, "name": NAME}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        root = _root()
        return [
            {
                "name": NAME,
                "href": f"{root}{PREFIX}/",
                "destination": "nav",
                "nav_top_level": True,
                "url_route": ROUTE,
                "icon": f"{root}{PREFIX}/static/icon.svg",
                "icon_dark_mode": f"{root}{PREFIX}/static/icon-dark.svg",
            },
            {
                "name": NAME,
                "href": f"{root}{PREFIX}/of/dag/{{DAG_ID}}",
                "destination": "dag",
                "url_route": "data-hub-of-dag",
            },
            {
                "name": NAME,
                "href": f"{root}{PREFIX}/of/run/{{DAG_ID}}/{{RUN_ID}}",
                "destination": "dag_run",
                "url_route": "data-hub-of-run",
            },
        ]


def _root() -> str:
    """The path below which Airflow is served, without a slash at its end."""
    from urllib.parse import urlsplit

    from airflow.sdk.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
