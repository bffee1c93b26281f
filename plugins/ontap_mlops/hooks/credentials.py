"""Airflow connections as the environment variables that programs read (see tasks/README.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ontap_mlops.hooks.address import address_of
from ontap_mlops.hooks.extra import extra_of, warn_of_unused
from ontap_mlops.hooks.rest import USED, WORDS, base_url, certificate_authority

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_USED = frozenset((*_KEYS, "endpoint_url", "service_config", "region_name", "verify", "config_kwargs"))
# Another identity or another way to sign than the keys would give, in the extra of an ``aws`` connection.
_IDENTITY = ("role_arn", "assume_role_method", "assume_role_kwargs", "external_id", "credential_source", "profile_name")
_SETTINGS = ("profile", "session_kwargs", "botocore_kwargs", "s3_config_file", "s3_config_format", "host")
_NOT_POSSIBLE = frozenset((*_IDENTITY, *_SETTINGS))
# Of config_kwargs, what decides who asks, or by which way: programs sign by SigV4 and go where the environment says.
_NOT_POSSIBLE_IN_CONFIG = frozenset(
    ("signature_version", "proxies", "proxies_config", "client_cert", "use_fips_endpoint")
)


def aws_environment(conn_id: str) -> dict[str, str]:
    """Keys, endpoint and region of an ``aws`` connection; {} for one that leaves them to the machine's role.

    Keys are its login and password, or in its extra as Airflow names them; the endpoint is its host, or endpoint_url
    in the extra, which may give region_name and verify too. Raises ValueError for what programs cannot follow.
    """
    connection, extra = _connection(conn_id)
    config = extra.get("config_kwargs") or {}
    wrong = sorted(name for name in _NOT_POSSIBLE & set(extra) if extra[name])
    wrong += sorted(f"config_kwargs.{name}" for name in _NOT_POSSIBLE_IN_CONFIG & set(config) if config[name] != "s3v4")
    if wrong:
        raise ValueError(
            f"connection {conn_id} has {' and '.join(wrong)} in its extra, which programs cannot follow; give keys as "
            "login and password and the server as endpoint_url, or leave both out for the role of the machine"
        )
    warn_of_unused(conn_id, extra, _USED | _NOT_POSSIBLE)
    endpoint = _endpoint(conn_id, connection, extra)
    verify = extra.get("verify", True)
    if not str(endpoint).startswith("http://"):  # nothing is checked there
        verify = certificate_authority(verify, conn_id)
    return _filled(
        {
            **_keys(conn_id, connection, extra),
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_DEFAULT_REGION": extra.get("region_name"),
            "AWS_CA_BUNDLE": verify if isinstance(verify, str) and verify.lower() not in WORDS else None,
        }
    )


def mlflow_environment(conn_id: str) -> dict[str, str]:
    """Address, login or token, and certificate authority of an ``http`` connection to an MLflow server."""
    connection, extra = _connection(conn_id)
    warn_of_unused(conn_id, extra, USED)
    verify = certificate_authority(extra.get("verify", True), conn_id)
    return _filled(
        {
            "MLFLOW_TRACKING_URI": base_url(connection),
            "MLFLOW_TRACKING_USERNAME": connection.login,
            "MLFLOW_TRACKING_PASSWORD": connection.password,
            "MLFLOW_TRACKING_TOKEN": extra.get("token"),
            "MLFLOW_TRACKING_SERVER_CERT_PATH": verify if isinstance(verify, str) else None,
        }
    )


def service_environment(name: str, conn_id: str) -> dict[str, str]:
    """Address and token of an ``http`` connection to a service, as ``<NAME>_URL`` and ``<NAME>_TOKEN``.

    The token is its password, or ``token`` in its extra; ``verify`` there may name a certificate authority
    (``<NAME>_CA_BUNDLE``). ``<NAME>_CONNECTION`` is the connection's id, for a program's sentence.
    """
    connection, extra = _connection(conn_id)
    warn_of_unused(conn_id, extra, USED)
    verify = certificate_authority(extra.get("verify", True), conn_id)
    return _filled(
        {
            f"{name}_URL": base_url(connection),
            f"{name}_TOKEN": connection.password or extra.get("token"),
            f"{name}_CA_BUNDLE": verify if isinstance(verify, str) else None,
            f"{name}_CONNECTION": conn_id,
        }
    )


def _keys(conn_id: str, connection: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
    access = connection.login or extra.get("aws_access_key_id")
    secret = connection.password or extra.get("aws_secret_access_key")
    token = extra.get("aws_session_token")
    if bool(access) != bool(secret) or (token and not access):
        lacks = "access key" if not access else "secret key"
        raise ValueError(
            f"connection {conn_id} has no {lacks} to the rest of its S3 keys; give it in login and password"
        )
    return {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def _endpoint(conn_id: str, connection: Any, extra: Mapping[str, Any]) -> str | None:
    """Raises ValueError where two fields name two servers: keys must not go to the wrong one."""
    of_s3 = ((extra.get("service_config") or {}).get("s3") or {}).get("endpoint_url")
    host = address_of(connection, "https").url if connection.host else None
    named = {str(url).rstrip("/") for url in (of_s3 or extra.get("endpoint_url"), host) if url}
    if len(named) > 1:
        raise ValueError(
            f"connection {conn_id} names two servers, {' and '.join(sorted(named))}; give one, in the host or as "
            "endpoint_url"
        )
    return next(iter(named), None)


def _connection(conn_id: str) -> tuple[Any, dict[str, Any]]:
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    return connection, extra_of(connection)


def _filled(environment: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in environment.items() if value}
