"""Which ONTAP a task works on, said in its log, and what of a connection's extra is a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog

from ontap_mlops.hooks.extra import extra_of
from ontap_mlops.hooks.ontap import OntapHook
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

FACTS = {"conn_type": "ontap", "host": "https://cluster1.example/", "port": 8443, "login": "u", "password": "secret-pw"}


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", lambda value, name=None: seen.append(value))
    return seen


def test_a_variable_that_hides_a_row_is_named_with_the_address(monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", json.dumps(FACTS))
    operator = OntapVolumeEnsureOperator(task_id="t", volume="v", size_bytes=1, comment="c")
    with structlog.testing.capture_logs() as logged:
        _ = operator.hook
    (said,) = [entry["event"] for entry in logged]
    assert "Works on ONTAP at https://cluster1.example:8443 (connection ontap_default)." in said
    assert "AIRFLOW_CONN_ONTAP_DEFAULT: a row of that id" in said
    assert "secret-pw" not in said


def test_a_row_is_named_with_its_address_and_without_a_variable(monkeypatch) -> None:
    from airflow.sdk import Connection

    monkeypatch.delenv("AIRFLOW_CONN_ONTAP_WEST", raising=False)
    monkeypatch.setattr(OntapHook, "get_connection", lambda *_: Connection(conn_id="ontap_west", **FACTS))
    assert OntapHook("ontap_west").where() == (
        "Works on ONTAP at https://cluster1.example:8443 (connection ontap_west)."
    )


@pytest.mark.parametrize(
    ("extra", "secrets"),
    [
        ({"svm": "svm1", "verify": True}, []),
        ({"config_kwargs": {"s3": {"addressing_style": "path"}}, "region_name": "us-east-1"}, []),
        ({"token": "t-o-k-e-n", "verify": "/ca.pem"}, ["t-o-k-e-n"]),
        ({"service_config": {"s3": {"aws_secret_access_key": "abcdef"}}}, ["abcdef"]),
        ({"tokens": ["first", {"x": "second"}]}, ["first", "second"]),
    ],
)
def test_only_what_its_name_calls_a_secret_is_masked(extra, secrets, masked) -> None:
    from airflow.sdk import Connection

    assert extra_of(Connection(conn_id="c", conn_type="http", extra=json.dumps(extra))) == extra
    assert masked == secrets


@pytest.mark.parametrize("text", [None, "", "no JSON", "[]", "3"])
def test_an_extra_that_is_no_dictionary_is_empty(text, masked) -> None:
    class Row:
        extra = text

    assert extra_of(Row()) == {}  # type: ignore[arg-type]
