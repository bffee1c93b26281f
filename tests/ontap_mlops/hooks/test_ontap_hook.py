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
    assert "ONTAP at 127.0.0.1:" in sentence and "(connection 'ontap_default')" in sentence
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
    assert not worked
    assert "nothing listens at 127.0.0.1:1 (connection 'ontap_default'). Check host, port and network." in sentence


def test_the_button_tells_an_unknown_host_apart_from_a_closed_port(connect) -> None:
    worked, sentence = connect(host="no-such-host.invalid").test_connection()
    assert not worked
    assert "the host name of no-such-host.invalid:" in sentence
    assert "is not known here" in sentence
    assert "may have made" not in sentence


@pytest.mark.parametrize("verify", [False, True])
def test_the_button_tells_a_port_without_tls_from_a_certificate_that_is_not_trusted(
    connect, ontap, proxy, verify: bool
) -> None:
    worked, sentence = connect(port=proxy.port, extra=extra(ontap, verify=verify)).test_connection()
    assert not worked
    assert "does not speak HTTPS" in sentence
    assert "certificate" not in sentence


def test_the_button_tells_a_page_of_another_server_without_showing_it(connect, ontap, proxy) -> None:
    proxy.answers(404, "<html><body><h1>Not Found</h1></body></html>")
    worked, sentence = connect(host=f"http://127.0.0.1:{proxy.port}", port=None).test_connection()
    assert not worked
    assert "answered with HTTP 404 in no form of ONTAP's REST API" in sentence
    assert "<" not in sentence


def test_a_host_may_hold_scheme_port_and_slash(connect, ontap) -> None:
    worked, _ = connect(host=f"https://127.0.0.1:{ontap.emulator.port}/", port=None).test_connection()
    assert worked


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"host": "https://127.0.0.1/api", "port": None}, "has the path '/api' in its host"),
        ({"host": "https://admin:secret@127.0.0.1"}, "has a login in its host"),
        ({"host": "127.0.0.1:1", "port": 2}, "has port 1 in its host and 2 in its port"),
        ({"host": "ftp://127.0.0.1"}, "has 'ftp' in its host; give http or https"),
        ({"schema": "ontap"}, "has 'ontap' in its schema; give http or https"),
        ({"extra": {"job_timeout_s": "x"}}, "has job_timeout_s 'x' in its extra; give a number of seconds above 0"),
        ({"extra": {"job_timeout_s": -1}}, "has job_timeout_s -1 in its extra"),
        ({"extra": {"job_timeout_s": "nan"}}, "has job_timeout_s 'nan' in its extra"),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_connection(connect, fields, sentence) -> None:
    worked, said = connect(**fields).test_connection()
    assert not worked
    assert said.startswith("Connection 'ontap_default' ")
    assert sentence in said
    assert "secret" not in said


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


def test_the_button_works_for_an_account_that_sees_its_svm_only(connect) -> None:
    assert connect(login="least").test_connection() == (True, "Connected to ONTAP, SVM 'svm1'.")


def test_a_certificate_that_is_not_verified_is_warned_of_once(connect, ontap, caplog, monkeypatch) -> None:
    from ontap_mlops.hooks import ontap as module

    monkeypatch.setattr(module, "_WARNED", set())
    for _ in range(2):
        with connect(extra=extra(ontap, verify=False)).client():
            pass
    with connect().client():
        pass
    warned = [record.getMessage() for record in caplog.records if "does not verify" in record.getMessage()]
    assert len(warned) == 1
    assert warned[0].startswith("Connection ontap_default does not verify the certificate of ONTAP at 127.0.0.1")


def test_a_job_is_looked_at_as_the_trigger_asks(connect, ontap, client, volume) -> None:
    from ontap_mlops.hooks.ontap import look_at_job
    from ontap_mlops.ontap import clones, marks, snapshots

    connect()
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="")
    facts = {"parent_volume": "tyre", "parent_snapshot": "v1", "comment": marks.mark("ws")}
    clone = clones.ensure(client, svm=SVM, name="ws", **facts)
    ontap.jobs("reads", 2)
    uuid = clones.split(client, clone=clone, wait=False)
    first, second = (look_at_job("ontap_default", uuid, "split clone 'ws'") for _ in range(2))
    assert (first["done"], first["facts"]["state"]) == (False, "running")
    assert (second["done"], second["payload"]["known"]) == (True, True)
    ontap.control("DELETE", f"/jobs/{uuid}")
    gone = look_at_job("ontap_default", uuid, "split clone 'ws'")
    assert gone == {"done": True, "payload": {"uuid": uuid, "known": False}}
