"""How ONTAP is reached, and what is said when it is not."""

from __future__ import annotations

import http.server
import threading
import time
from datetime import UTC, datetime

import pytest

from ontap_mlops.ontap import cluster, errors, jobs, volumes
from ontap_mlops.ontap.client import Client
from tests.ontap_mlops.conftest import SVM


def test_the_cluster_tells_its_release(client) -> None:
    assert cluster.get(client).release == "9.16.1"


def test_now_is_ontaps_clock_and_not_the_workers(client, ontap) -> None:
    ontap.control("PUT", "/clock", {"now": "2031-05-06T07:08:09+00:00"})
    try:
        assert abs((cluster.now(client) - datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)).total_seconds()) < 5
    finally:
        ontap.control("PUT", "/clock", {"offset_s": 0})


def test_an_account_of_one_svm_learns_the_time_without_reading_nodes(ontap) -> None:
    user = {"name": "ml", "password": "ml-password", "role": "vsadmin", "svm": SVM}
    ontap.control("PUT", "/users", user)
    ontap.control("PUT", "/clock", {"now": "2031-05-06T07:08:09+00:00"})
    client = ontap.client(username="ml", password="ml-password")
    try:
        assert abs((cluster.now(client) - datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)).total_seconds()) < 5
    finally:
        ontap.control("PUT", "/clock", {"offset_s": 0})


def test_a_wrong_password_is_permanent_and_not_repeated_in_the_error(ontap) -> None:
    with pytest.raises(errors.AuthenticationFailed) as caught:
        cluster.get(ontap.client(password="not-the-password"))
    assert "refused to read name and version of the cluster (HTTP 401" in str(caught.value)
    assert "Check user and password" in str(caught.value)
    assert "not-the-password" not in str(caught.value)


def test_a_client_does_not_show_its_password(ontap) -> None:
    assert ontap.emulator.password not in repr(ontap.client())


def test_an_unknown_certificate_is_permanent_and_says_how_to_trust_it(ontap) -> None:
    with pytest.raises(errors.CertificateRejected, match="Set 'verify' of the connection"):
        cluster.get(ontap.client(verify=True))


def test_the_connections_authorities_go_before_the_environments(ontap, monkeypatch, tmp_path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    assert cluster.get(ontap.client()).name


def test_checking_of_certificates_can_be_switched_off(ontap) -> None:
    assert cluster.get(ontap.client(verify=False)).name


def test_nobody_listening_is_temporary_and_told_within_seconds(ontap) -> None:
    started = time.monotonic()
    with pytest.raises(errors.Unreachable, match="nothing listens at 127.0.0.1:1. Check"):
        cluster.get(ontap.client(port=1))
    assert time.monotonic() - started < 10


def test_a_silent_server_is_temporary_after_the_time_limit(ontap) -> None:
    ontap.fault("GET", "/api/cluster", "slow", delay_s=1, times=3)
    with pytest.raises(errors.Unreachable, match="did not answer in time"):
        cluster.get(ontap.client(timeouts_s=(2, 0.2)))


def test_something_that_is_not_ontap_is_told_in_a_sentence() -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = Client(host="127.0.0.1", port=server.server_port, scheme="http", username="u", password="p")
    with client, pytest.raises(errors.InvalidRequest, match="answered in no form of ONTAP's REST API"):
        volumes.find(client, svm=SVM, name="x")
    server.shutdown()
    server.server_close()


def test_a_reading_request_is_repeated_after_trouble(client, ontap) -> None:
    ontap.fault("GET", "/api/cluster", "error", status=503, times=1)
    ontap.fault("GET", "/api/cluster", "refuse", times=1)
    assert cluster.get(client).name


def test_lasting_trouble_is_temporary_for_the_task(client, ontap) -> None:
    ontap.fault("GET", "/api/cluster", "error", status=503, message="the cluster starts up", times=9)
    with pytest.raises(errors.ServiceTrouble, match="HTTP 503.*the cluster starts up"):
        cluster.get(client)


def test_missing_rights_are_permanent(ontap) -> None:
    ontap.control("PUT", "/users", {"name": "viewer", "password": "viewer-pw", "role": "readonly"})
    client = ontap.client(username="viewer", password="viewer-pw")
    with pytest.raises(errors.NotAuthorized, match="Give the account a role that allows it"):
        volumes.ensure(client, svm=SVM, name="x", size_bytes=1024**3, comment="ontap-mlops x")


def test_an_unknown_job_state_fails_with_its_name(client, monkeypatch) -> None:
    monkeypatch.setattr(client, "record", lambda *_, **__: {"state": "meditating"})
    with pytest.raises(errors.UnknownState, match="'meditating'"):
        jobs.follow(client, "u", asked="make it")


def test_a_job_that_ontap_has_forgotten_tells_nothing(client) -> None:
    assert jobs.follow(client, "6802635b-8036-11e8-aae5-0050569503ac", asked="make it") is False


@pytest.mark.parametrize(
    ("may_use", "free", "expected"),
    [
        ([{"name": "a"}], None, "a"),
        ([{"name": "a", "available_size": 5}, {"name": "b", "available_size": 9}], None, "b"),
        ([{"name": "a"}, {"name": "b"}], {"a": 9, "b": 5, "c": 99}, "a"),
        ([], {"a": 1, "c": 99}, "c"),
    ],
)
def test_a_volume_goes_where_the_most_space_is(client, monkeypatch, may_use, free, expected) -> None:
    answers = {
        "Svm": [{"name": SVM, "uuid": "u", "aggregates": may_use}],
        "Aggregate": [
            {"name": name, "space": {"block_storage": {"available": size}}} for name, size in (free or {}).items()
        ],
    }
    monkeypatch.setattr(client, "records", lambda kind, **_: answers[kind])
    assert cluster.roomiest_aggregate(client, svm=SVM) == expected
