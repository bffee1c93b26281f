"""From an Airflow connection to ONTAP, and what the form's "Test" button says."""

from __future__ import annotations

import pytest

from ontap_mlops.hooks.ontap import OntapHook
from ontap_mlops.ontap import cluster, errors
from tests.ontap_mlops.conftest import SVM


@pytest.fixture
def connect(ontap, monkeypatch):
    def connected(**other) -> OntapHook:
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(**other))
        return OntapHook()

    return connected


def extra(ontap, **other):
    return {"verify": ontap.emulator.ca, "svm": SVM, **other}


def test_a_client_comes_from_the_connection(connect) -> None:
    with connect().client() as client:
        assert cluster.get(client).release == "9.16.1"


def test_the_button_says_what_it_reached(connect) -> None:
    assert connect().test_connection() == (True, "Connected to ONTAP 9.16.1, cluster 'emulator', SVM 'svm1'.")


def test_the_button_tells_a_wrong_password_in_a_sentence(connect) -> None:
    worked, sentence = connect(password="mistyped-secret").test_connection()
    assert not worked
    assert sentence.endswith("Check user and password of the connection.")
    assert "mistyped-secret" not in sentence


def test_the_button_tells_an_unknown_svm(connect, ontap) -> None:
    worked, sentence = connect(extra=extra(ontap, svm="nope")).test_connection()
    assert (worked, "There is no SVM 'nope'" in sentence) == (False, True)


def test_the_button_tells_a_missing_file_of_authorities(connect, ontap) -> None:
    worked, sentence = connect(extra=extra(ontap, verify="/no/such/ca.pem")).test_connection()
    assert not worked
    assert "/no/such/ca.pem" in sentence
    assert "verify" in sentence


def test_the_button_tells_that_nobody_listens(connect) -> None:
    worked, sentence = connect(port=1).test_connection()
    assert (worked, "failed or broke off" in sentence) == (False, True)


@pytest.mark.parametrize("field", ["host", "login", "password"])
def test_a_connection_without_a_field_is_told_which(connect, field: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"Connection 'ontap_default' has no {field}"):
        connect(**{field: None}).get_conn()


@pytest.mark.parametrize("word", ["false", "No", "0", False])
def test_verify_may_be_a_word_as_the_form_gives_it(connect, ontap, word) -> None:
    assert connect(extra=extra(ontap, verify=word)).test_connection()[0]


def test_the_svm_named_goes_before_the_connections(connect) -> None:
    hook = connect()
    assert (hook.svm(), hook.svm(""), hook.svm("other")) == (SVM, SVM, "other")
    with pytest.raises(errors.InvalidRequest, match="No SVM is named"):
        connect(extra={}).svm()
