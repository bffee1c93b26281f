"""A client of an S3 server from an Airflow connection of type ``aws``, with the keys and address that programs get."""

from __future__ import annotations

from typing import Any

from ontap_mlops.hooks.credentials import aws_environment

_PATIENCE_S = 20


def client(conn_id: str) -> Any:
    """Raises ValueError for what a connection may not hold (see ``hooks.credentials``)."""
    import boto3
    from botocore.config import Config

    said = aws_environment(conn_id)
    return boto3.client(
        "s3",
        aws_access_key_id=said.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=said.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=said.get("AWS_SESSION_TOKEN"),
        endpoint_url=said.get("AWS_ENDPOINT_URL_S3"),
        region_name=said.get("AWS_DEFAULT_REGION"),
        verify=said.get("AWS_CA_BUNDLE"),
        config=Config(connect_timeout=_PATIENCE_S, read_timeout=_PATIENCE_S, retries={"max_attempts": 1}),
    )
