"""Airflow connections as the environment variables that programs read (see tasks/README.md)."""

from __future__ import annotations

from typing import Any

from ontap_mlops.hooks.rest import base_url


def aws_environment(conn_id: str) -> dict[str, str]:
    """Keys, endpoint and region of an ``aws`` connection; its extra may give endpoint_url, region_name and verify."""
    connection, extra = _connection(conn_id)
    endpoint = extra.get("endpoint_url") or extra.get("service_config", {}).get("s3", {}).get("endpoint_url")
    verify = extra.get("verify", True)
    if verify is False and str(endpoint).startswith("https://"):
        raise ValueError(
            f"connection {conn_id} says verify=false, but programs always check certificates; "
            'put the path of the certificate authority there: {"verify": "/path/ca.pem"}'
        )
    return _filled(
        {
            "AWS_ACCESS_KEY_ID": connection.login,
            "AWS_SECRET_ACCESS_KEY": connection.password,
            "AWS_SESSION_TOKEN": extra.get("aws_session_token"),
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_DEFAULT_REGION": extra.get("region_name"),
            "AWS_CA_BUNDLE": verify if isinstance(verify, str) else None,
        }
    )


def mlflow_environment(conn_id: str) -> dict[str, str]:
    """Address, login or token, and certificate authority of an ``http`` connection to an MLflow server."""
    connection, extra = _connection(conn_id)
    if not connection.host:
        raise ValueError(f"connection {conn_id} has no host; give the MLflow server's address")
    return _filled(
        {
            "MLFLOW_TRACKING_URI": base_url(connection),
            "MLFLOW_TRACKING_USERNAME": connection.login,
            "MLFLOW_TRACKING_PASSWORD": connection.password,
            "MLFLOW_TRACKING_TOKEN": extra.get("token"),
            "MLFLOW_TRACKING_SERVER_CERT_PATH": extra.get("verify") if isinstance(extra.get("verify"), str) else None,
        }
    )


def _connection(conn_id: str) -> tuple[Any, dict[str, Any]]:
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    return connection, connection.extra_dejson


def _filled(environment: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in environment.items() if value}
