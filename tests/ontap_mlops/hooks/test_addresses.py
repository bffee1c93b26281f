"""Hooks, links and programs read the same address, and the same identity, from a connection, or say why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ontap_mlops.hooks.credentials import aws_environment, mlflow_environment, service_environment
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceRefused


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch):
    def define(name: str = "c", **facts: Any) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(facts))
        return name

    return define


@pytest.mark.parametrize(
    ("facts", "url"),
    [
        ({"host": "mlflow.example"}, "http://mlflow.example"),
        ({"host": "mlflow.example", "port": 5000}, "http://mlflow.example:5000"),
        ({"host": "http://127.0.0.1", "port": 5000}, "http://127.0.0.1:5000"),
        ({"host": "https://mlflow.example/", "port": 8443}, "https://mlflow.example:8443"),
        ({"host": "https://mlflow.example:8443"}, "https://mlflow.example:8443"),
        ({"host": "mlflow.example:5000"}, "http://mlflow.example:5000"),
        ({"host": "mlflow.example:5000", "port": 5000}, "http://mlflow.example:5000"),
        ({"host": "mlflow.example", "schema": "https"}, "https://mlflow.example"),
        ({"host": "http://mlflow.example", "schema": "https"}, "http://mlflow.example"),
        ({"host": "https://example.org/ml/flow/"}, "https://example.org/ml/flow"),
        ({"host": "https://example.org/mlflow", "port": 8443}, "https://example.org:8443/mlflow"),
        ({"host": "example.org/mlflow/", "port": 80}, "http://example.org:80/mlflow"),
        ({"host": "::1", "port": 5000}, "http://[::1]:5000"),
        ({"host": "[::1]:5000"}, "http://[::1]:5000"),
        ({"host": "https://[2001:db8::7]/mlflow", "port": 5000}, "https://[2001:db8::7]:5000/mlflow"),
        ({"host": " mlflow.example "}, "http://mlflow.example"),
        ({"host": "MLFLOW.example", "schema": "HTTPS"}, "https://mlflow.example"),
    ],
)
def test_the_hook_and_programs_have_one_address(connection, facts: dict[str, Any], url: str) -> None:
    name = connection(conn_type="http", **facts)
    assert MlflowHook(name).tracking_uri == url
    assert mlflow_environment(name)["MLFLOW_TRACKING_URI"] == url


def test_a_program_gets_address_and_token_of_a_service_and_the_name_of_its_connection(connection) -> None:
    name = connection(conn_type="http", host="talk.example", port=8600, password="secret")
    named = {"DIALOG_URL": "http://talk.example:8600", "DIALOG_CONNECTION": name}
    assert service_environment("DIALOG", name) == {**named, "DIALOG_TOKEN": "secret"}
    assert service_environment("DIALOG", connection(conn_type="http", host="talk.example", port=8600)) == named


def test_a_connection_given_as_an_https_uri_keeps_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_C", "https://mlflow.example:8443")
    assert MlflowHook("c").tracking_uri == "https://mlflow.example:8443"


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "has no host"),
        ({"host": "  "}, "has no host"),
        ({"host": "a:1", "port": 2}, "has port 1 in its host and 2 in its port; give it once"),
        ({"host": "http://user:secret@a"}, "has a login in its host"),
        ({"host": "http://a?x=1"}, "which is no address"),
        ({"host": "http://a/#/experiments"}, "which is no address"),
        ({"host": "http://"}, "which is no address"),
        ({"host": "a b"}, "which is no address"),
        ({"host": "a:port"}, "has a port in its host that is none"),
        ({"host": "http://[::1"}, "has a host that is no address"),
        ({"host": "ftp://a"}, "has 'ftp' in its host; give http or https"),
        ({"host": "a", "schema": "mlflow"}, "has 'mlflow' in its schema; give http or https"),
    ],
)
def test_what_is_no_address_is_told_with_the_connection(connection, facts: dict[str, Any], sentence: str) -> None:
    name = connection(conn_type="http", **facts)
    for attempt in (lambda: MlflowHook(name).tracking_uri, lambda: mlflow_environment(name)):
        with pytest.raises(ServiceRefused, match="Connection 'c' ") as caught:
            attempt()
        assert sentence in str(caught.value)
        assert "secret" not in str(caught.value)


KEYS = {"login": "key-id", "password": "hidden-secret"}
FOUND = {"AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "hidden-secret"}
IN_EXTRA = {"aws_access_key_id": "key-id", "aws_secret_access_key": "hidden-secret"}


@pytest.mark.parametrize(
    ("facts", "environment"),
    [
        ({}, {}),
        (KEYS, FOUND),
        ({"extra": IN_EXTRA}, FOUND),
        ({"extra": {**IN_EXTRA, "aws_session_token": "t0ken"}}, {**FOUND, "AWS_SESSION_TOKEN": "t0ken"}),
        ({**KEYS, "extra": {"region_name": "eu-north-1"}}, {**FOUND, "AWS_DEFAULT_REGION": "eu-north-1"}),
        ({**KEYS, "host": "http://ontap.example:9000"}, {**FOUND, "AWS_ENDPOINT_URL_S3": "http://ontap.example:9000"}),
        ({**KEYS, "host": "http://ontap", "port": 9000}, {**FOUND, "AWS_ENDPOINT_URL_S3": "http://ontap:9000"}),
        ({**KEYS, "host": "ontap.example"}, {**FOUND, "AWS_ENDPOINT_URL_S3": "https://ontap.example"}),
        ({**KEYS, "extra": {"endpoint_url": "http://o:9000"}}, {**FOUND, "AWS_ENDPOINT_URL_S3": "http://o:9000"}),
        (
            {**KEYS, "host": "http://o:9000/", "extra": {"endpoint_url": "http://o:9000"}},
            {**FOUND, "AWS_ENDPOINT_URL_S3": "http://o:9000"},
        ),
        (
            {**KEYS, "extra": {"endpoint_url": "http://a", "service_config": {"s3": {"endpoint_url": "http://b"}}}},
            {**FOUND, "AWS_ENDPOINT_URL_S3": "http://b"},
        ),
        (
            {**KEYS, "host": "o", "extra": {"verify": "/path/ca.pem"}},
            {**FOUND, "AWS_ENDPOINT_URL_S3": "https://o", "AWS_CA_BUNDLE": "/path/ca.pem"},
        ),
        ({**KEYS, "extra": {"verify": "/path/ca.pem"}}, {**FOUND, "AWS_CA_BUNDLE": "/path/ca.pem"}),
        ({**KEYS, "host": "http://o", "extra": {"verify": "false"}}, {**FOUND, "AWS_ENDPOINT_URL_S3": "http://o"}),
        ({**KEYS, "host": "o", "extra": {"verify": "true"}}, {**FOUND, "AWS_ENDPOINT_URL_S3": "https://o"}),
    ],
)
def test_programs_get_all_that_an_s3_connection_says(connection, facts, environment: dict[str, str]) -> None:
    assert aws_environment(connection(conn_type="aws", **facts)) == environment


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"extra": {"role_arn": "arn:aws:iam::111122223333:role/train"}}, "has role_arn in its extra"),
        (
            {**KEYS, "extra": {"role_arn": "arn:x", "assume_role_method": "assume_role"}},
            "assume_role_method and role_arn",
        ),
        ({"extra": {"profile_name": "lab"}}, "has profile_name in its extra"),
        ({"extra": {"session_kwargs": {"profile_name": "lab"}}}, "has session_kwargs in its extra"),
        (
            {**KEYS, "extra": {"config_kwargs": {"signature_version": "unsigned"}}},
            "config_kwargs.signature_version",
        ),
        ({**KEYS, "extra": {"host": "http://ontap:9000"}}, "has host in its extra"),
        ({"login": "key-id"}, "has no secret key"),
        ({"password": "hidden-secret"}, "has no access key"),
        ({"extra": {"aws_session_token": "t0ken"}}, "has no access key"),
        ({**KEYS, "host": "http://a", "extra": {"endpoint_url": "http://b"}}, "two servers, http://a and http://b"),
        ({**KEYS, "host": "o", "extra": {"verify": False}}, "certificates are always checked"),
        ({**KEYS, "host": "o", "extra": {"verify": "false"}}, "certificates are always checked"),
        ({**KEYS, "extra": {"verify": False}}, "certificates are always checked"),
        ({**KEYS, "host": "a:1", "port": 2}, "port 1 in its host and 2 in its port"),
    ],
)
def test_what_programs_cannot_follow_is_refused_by_name(connection, facts: dict[str, Any], sentence: str) -> None:
    name = connection(conn_type="aws", **facts)
    with pytest.raises((ValueError, ServiceRefused)) as caught:
        aws_environment(name)
    assert sentence in str(caught.value)
    assert "hidden-secret" not in str(caught.value)


def test_the_connections_that_this_project_writes_can_be_followed(connection, tmp_path) -> None:
    from ontap_mlops.hooks.secret_store import _aws_extra
    from scripts.embedded import environment, ports
    from scripts.embedded.layout import Layout

    layout = Layout(tmp_path)
    layout.make()
    chosen, _ = ports.choose(layout, [])
    lake = environment.connections(layout, chosen)["aws_default"]
    assert aws_environment(connection(**lake))["AWS_ENDPOINT_URL_S3"] == f"http://127.0.0.1:{chosen['lake']}"
    keys = {**KEYS, "conn_type": "aws", "extra": _aws_extra("http://o:9000")}
    assert aws_environment(connection(**keys))["AWS_ENDPOINT_URL_S3"] == "http://o:9000"


@pytest.mark.parametrize(
    "config", [{"s3": {"addressing_style": "auto"}}, {"retries": {"max_attempts": 3}}, {"signature_version": "s3v4"}]
)
def test_settings_that_only_say_how_to_ask_do_no_harm(connection, config: dict[str, Any]) -> None:
    assert aws_environment(connection(conn_type="aws", **KEYS, extra={"config_kwargs": config})) == FOUND


def test_what_of_an_extra_is_not_used_is_said_once(connection, caplog: pytest.LogCaptureFixture) -> None:
    name = connection(conn_type="aws", **KEYS, extra={"bucket_name": "lake"})
    for _ in range(2):
        assert aws_environment(name) == FOUND
    assert caplog.text.count("Connection c has bucket_name in its extra, which is not used here.") == 1
    name = connection("other", conn_type="http", host="mlflow.example", extra={"headers": {"X": "secret-header"}})
    assert MlflowHook(name).tracking_uri
    assert mlflow_environment(name)
    assert caplog.text.count("Connection other has headers in its extra, which is not used here.") == 1
    assert "secret-header" not in caplog.text
