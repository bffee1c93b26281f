"""Keys are rotated without a moment in which the stored one does not work, by real S3 requests, and without a trace."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ontap_mlops.hooks import key_followers
from ontap_mlops.ontap import errors
from ontap_mlops.ontap.s3 import keys
from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from ontap_mlops.operators.s3_keys import (
    OntapS3UserKeysCheckOperator,
    OntapS3UserKeysRetireOperator,
    OntapS3UserKeysRotateOperator,
)
from tests.ontap_mlops.operators.protection import run

PROVISION = {"user": "mlops", "group": "mlops", "policy": "mlops", "buckets": {"tyre": "/tyre"}}


class Airflow(BaseHTTPRequestHandler):
    """Airflow's REST API, as far as connections go: they are listed, and their logins changed."""

    connections: dict[str, dict[str, Any]]

    def do_POST(self) -> None:
        self._reply({"access_token": "t"})

    def do_GET(self) -> None:
        rows = [{"connection_id": name} | facts for name, facts in self.connections.items()]
        self._reply({"connections": rows, "total_entries": len(rows)})

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        row = self.connections[self.path.split("?")[0].rsplit("/", 1)[1]]
        assert "update_mask=login&update_mask=password" in self.path
        row |= {"login": body["login"], "password": body["password"]}
        self._reply(row)

    def _reply(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Tests print nothing."""


@pytest.fixture
def connections(monkeypatch):
    """Airflow's connections by id."""
    handler = type("OwnAirflow", (Airflow,), {"connections": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", f"http://a:b@127.0.0.1:{port}")
    yield handler.connections
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def provisioned(ontap, volume, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__SECRET_STORE", f"file://{tmp_path}/keys.json")
    run(OntapS3ProvisionOperator, **PROVISION)


def stored(tmp_path) -> dict[str, str]:
    return json.loads((tmp_path / "keys.json").read_text())


def reads(facts: dict[str, str]) -> bool:
    client = boto3.client(
        "s3",
        endpoint_url=facts["endpoint_url"],
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    try:
        return client.get_object(Bucket="tyre", Key="one.png")["Body"].read() == b"first"
    except ClientError:
        return False


def rotate(**more: Any) -> dict[str, Any]:
    return run(OntapS3UserKeysRotateOperator, user="mlops", **more)


def test_new_keys_work_beside_the_old_until_these_are_retired(client, tmp_path, connections) -> None:
    old = stored(tmp_path)
    done = rotate(ttl_days="90")
    new = stored(tmp_path)
    assert new["access_key"] == done["access_key"] != old["access_key"]
    assert (done["old_access_keys"], reads(old), reads(new)) == ([old["access_key"]], True, True)
    assert done["expires_at"] is not None
    assert run(OntapS3UserKeysRetireOperator, user="mlops") == [old["access_key"]]
    assert (reads(old), reads(new)) == (False, True)


def test_provisioning_after_a_rotation_makes_no_new_keys(client, tmp_path, connections) -> None:
    rotate()
    before = stored(tmp_path)
    assert run(OntapS3ProvisionOperator, **PROVISION)["new_keys"] is False
    assert stored(tmp_path) == before


def test_every_connection_that_uses_an_old_key_follows_and_no_other(client, tmp_path, connections) -> None:
    old = stored(tmp_path)["access_key"]
    connections["lake"] = {"conn_type": "aws", "login": "other", "password": "stays"}
    connections["trainer"] = {"conn_type": "aws", "login": old, "password": "old"}
    connections["database"] = {"conn_type": "postgres", "login": old, "password": "stays"}
    done = rotate()
    assert done["connections"] == ["trainer"]
    new = stored(tmp_path)
    assert connections["trainer"] == {"conn_type": "aws", "login": new["access_key"], "password": new["secret_key"]}
    assert (connections["lake"]["password"], connections["database"]["login"]) == ("stays", old)


@pytest.mark.parametrize("dies", ["before a connection follows", "before the store has it", "after the store has it"])
def test_killed_on_the_way_the_stored_key_works_and_the_retry_completes_it(
    client, tmp_path, connections, monkeypatch, dies
) -> None:
    old = stored(tmp_path)
    connections["trainer"] = {"conn_type": "aws", "login": old["access_key"], "password": old["secret_key"]}
    step = {
        "before a connection follows": (key_followers.KeyFollowers, "follow"),
        "before the store has it": (OntapS3UserKeysRotateOperator, "store"),
        "after the store has it": (OntapS3UserKeysRotateOperator, "_told"),
    }[dies]

    class Dead(BaseException):
        """As SIGKILL: nothing of ours catches it."""

    def die(*_: Any, **__: Any) -> None:
        raise Dead

    class Half:
        """Reads as the store does, and dies when it is to be written."""

        def __init__(self, store: Any) -> None:
            self.read, self.put, self.set_endpoint = store.read, die, store.set_endpoint

    real = OntapS3UserKeysRotateOperator.store
    replacement = (lambda self: Half(real(self))) if step[1] == "store" else die
    with monkeypatch.context() as patch:
        patch.setattr(*step, replacement)
        with pytest.raises(Dead):
            rotate()
    assert reads(stored(tmp_path)), "the stored key works at every moment"
    rotate()
    new = stored(tmp_path)
    assert reads(new) and new["access_key"] != old["access_key"]
    assert connections["trainer"]["login"] == new["access_key"]
    run(OntapS3UserKeysRetireOperator, user="mlops")
    assert [key.access_key for key in keys.list_keys(client, svm="svm1", user="mlops")] == [new["access_key"]]


def test_no_secret_is_in_a_log_or_in_what_the_task_returns(client, tmp_path, connections, caplog, capsys) -> None:
    done = rotate()
    secret = stored(tmp_path)["secret_key"]
    assert secret not in json.dumps(done) + caplog.text + "".join(capsys.readouterr())


def test_only_keys_that_end_soon_are_rotated_where_that_is_asked(client, tmp_path, connections, ontap) -> None:
    rotate(ttl_days=30)
    before = stored(tmp_path)
    assert rotate(ending_within_days=7)["rotated"] is False
    ontap.control("PUT", "/clock", {"offset_s": 25 * 86400})
    told = run(OntapS3UserKeysCheckOperator, user="mlops", warn_days=14)
    assert (list(told["ending"]), told["stored_key_works"]) == ([before["access_key"]], True)
    assert rotate(ending_within_days=7)["rotated"] is True
    assert stored(tmp_path)["access_key"] != before["access_key"]
    ontap.control("PUT", "/clock", {"offset_s": 0})


def test_somebody_elses_user_is_left_alone(client, tmp_path, ontap, connections) -> None:
    svm = client.svm_uuids.get("svm1") or ontap.records("/svm/svms")[0]["uuid"]
    answer = ontap.http.post(f"/api/protocols/s3/services/{svm}/users", json={"name": "payroll", "comment": "theirs"})
    answer.raise_for_status()
    with pytest.raises(errors.NotOurs, match="new ones would lock out whoever uses it"):
        run(OntapS3UserKeysRotateOperator, user="payroll")
    with pytest.raises(errors.NotFound, match="has no key .* which the store holds"):
        run(OntapS3UserKeysRetireOperator, user="payroll")
    with pytest.raises(errors.NotFound, match="has no S3 user 'nobody'"):
        run(OntapS3UserKeysRotateOperator, user="nobody")


def test_without_a_connection_to_airflow_the_keys_are_rotated_and_the_log_says_what_does_not_follow(
    client, tmp_path, monkeypatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_AIRFLOW_API", raising=False)
    assert rotate()["connections"] == []
    assert reads(stored(tmp_path))
