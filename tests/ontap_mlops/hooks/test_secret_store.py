"""Places for S3 keys: written, found again, and silent about what they hold."""

from __future__ import annotations

import json
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.hooks.secret_store import StoredKeys, secret_store

SECRET = "do-not-print-me"
KEYS = {"access_key": "AK1", "secret_key": SECRET, "endpoint_url": "http://127.0.0.1:9000"}


def test_a_file_holds_the_keys_and_only_its_owner_may_read_it(tmp_path) -> None:
    path = tmp_path / "new" / "keys.json"
    store = secret_store(f"file://{path}")
    assert store.read() is None
    store.put(**KEYS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == KEYS
    assert store.read() == StoredKeys(access_key="AK1", endpoint_url="http://127.0.0.1:9000")
    assert [p.name for p in path.parent.iterdir()] == ["keys.json"]


def test_a_new_endpoint_leaves_the_keys_as_they_are(tmp_path) -> None:
    path = tmp_path / "keys.json"
    store = secret_store(f"file://{path}")
    store.put(**KEYS)
    store.set_endpoint("http://other:1")
    assert json.loads(path.read_text()) == {**KEYS, "endpoint_url": "http://other:1"}


@pytest.mark.parametrize(
    "text", ['{"admin": "password"}', "{}", "[]", '"x"', "no JSON", "", '{"access_key": "a", "b": 1}']
)
def test_a_file_that_holds_anything_but_keys_stays_as_it_is(text: str, tmp_path) -> None:
    (tmp_path / "passwords.json").write_text(text)
    store = secret_store(f"file://{tmp_path}/passwords.json")
    for use in (store.read, lambda: store.set_endpoint("http://other:1")):
        with pytest.raises(ServiceRefused, match="something other than S3 keys"):
            use()
    assert (tmp_path / "passwords.json").read_text() == text


@pytest.mark.parametrize(
    "path", ["/etc/keys.json", "{folder}/../keys.json", "{folder}/link/keys.json", "{folder}x/k.json"]
)
def test_keys_go_to_files_below_the_configured_folder_only(path: str, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__SECRETS_DIR", str(folder))
    with pytest.raises(ServiceRefused, match=r"it is not below .*secrets, \[ontap_mlops\] secrets_dir"):
        secret_store(f"file://{path.format(folder=folder)}")
    secret_store(f"file://{folder}/keys.json").put(**KEYS)


def test_no_file_holds_keys_where_no_folder_is_configured(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("AIRFLOW__ONTAP_MLOPS__SECRETS_DIR")
    with pytest.raises(ServiceRefused, match="set .ontap_mlops. secrets_dir to the folder"):
        secret_store(f"file://{tmp_path}/keys.json")


@pytest.mark.parametrize("name", ["mlflow_default", "aws_default", "ontap_s3"])
def test_a_connection_that_somebody_else_made_is_not_written_over(name: str, airflow) -> None:
    airflow.connections[name] = theirs = {"connection_id": name, "conn_type": "aws", "login": "THEIRS", "extra": "{}"}
    before = dict(theirs)
    with pytest.raises(ServiceRefused, match=f"Connection '{name}' was not written by the provisioning task"):
        secret_store(f"airflow-connection://{name}").put(**KEYS)
    assert airflow.connections[name] == before


@pytest.mark.parametrize("uri", ["", "vault://x", "file://relative/path", "airflow-connection://", "/just/a/path"])
def test_an_unknown_uri_is_refused_with_the_forms_there_are(uri: str) -> None:
    with pytest.raises(ValueError, match=r"airflow-connection://NAME, aws-secretsmanager://NAME or file:///PATH"):
        secret_store(uri)


class Airflow(BaseHTTPRequestHandler):
    """The three calls of Airflow's REST API that matter here, with its status codes."""

    def reply(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")

    def handle_call(self) -> None:
        body, known = self.body(), self.server.connections  # type: ignore[attr-defined]
        if self.path == "/auth/token":
            good = body == {"username": "admin", "password": "pw"}
            return self.reply(201, {"access_token": "T"}) if good else self.reply(401, {"detail": "no"})
        if self.headers["Authorization"] != "Bearer T":
            return self.reply(401, {"detail": "no token"})
        if self.command == "POST":
            if self.server.broken:  # type: ignore[attr-defined]
                return self.reply(422, {"detail": [{"input": body}]})
            if body["connection_id"] in known:
                return self.reply(409, {"detail": "exists"})
            known[body["connection_id"]] = body
            return self.reply(201, body)
        name = self.path.split("?")[0].rsplit("/", 1)[1]
        if name not in known:
            return self.reply(404, {"detail": "missing"})
        if self.command == "PATCH":
            known[name] |= {"extra": body["extra"]} if "update_mask=extra" in self.path else body
        return self.reply(200, {**known[name], "password": "***"})

    do_GET = do_POST = do_PATCH = handle_call

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def airflow(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Airflow)
    server.connections, server.broken = {}, False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    login(monkeypatch, server.server_port)
    yield server
    server.shutdown()
    server.server_close()


def login(monkeypatch, port: int, password: str = "pw") -> None:
    facts = {"conn_type": "http", "host": "127.0.0.1", "port": port, "login": "admin", "password": password}
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", json.dumps(facts))


def test_an_airflow_connection_is_made_and_later_changed(airflow) -> None:
    store = secret_store("airflow-connection://ontap_s3")
    assert store.read() is None
    store.put(**KEYS)
    made = airflow.connections["ontap_s3"]
    assert (made["conn_type"], made["login"], made["password"]) == ("aws", "AK1", SECRET)
    assert json.loads(made["extra"])["config_kwargs"] == {"s3": {"addressing_style": "path"}}
    assert store.read() == StoredKeys(access_key="AK1", endpoint_url=KEYS["endpoint_url"])
    store.put(**{**KEYS, "access_key": "AK2"})
    assert store.read() == StoredKeys(access_key="AK2", endpoint_url=KEYS["endpoint_url"])
    store.set_endpoint("http://other:1")
    assert json.loads(made["extra"])["endpoint_url"] == "http://other:1"
    assert airflow.connections["ontap_s3"]["password"] == SECRET


def test_a_wrong_login_is_one_sentence_and_permanent(airflow, monkeypatch) -> None:
    login(monkeypatch, airflow.server_port, password="wrong-password")
    with pytest.raises(ServiceRefused) as caught:
        secret_store("airflow-connection://ontap_s3").read()
    assert "log in 'admin' (connection 'airflow_api') and answered HTTP 401" in str(caught.value)
    assert "wrong-password" not in str(caught.value)


def test_a_refusal_that_repeats_the_keys_does_not_show_them(airflow, caplog) -> None:
    airflow.broken = True
    with pytest.raises(ServiceRefused) as caught:
        secret_store("airflow-connection://ontap_s3").put(**KEYS)
    assert "HTTP 422" in str(caught.value)
    assert SECRET not in str(caught.value) + caplog.text


def test_an_airflow_that_does_not_answer_is_worth_another_try(monkeypatch) -> None:
    login(monkeypatch, port=1)
    with pytest.raises(ServiceUnavailable, match="gave no answer"):
        secret_store("airflow-connection://ontap_s3").read()


class SecretsManager(BaseHTTPRequestHandler):
    """AWS's JSON 1.1 protocol for the three calls that are used."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call, secrets = self.headers["X-Amz-Target"].split(".")[1], self.server.secrets  # type: ignore[attr-defined]
        name = body.get("SecretId") or body.get("Name")
        status, answer = 200, {"Name": name}
        if self.server.denied:  # type: ignore[attr-defined]
            status, answer = 400, {"__type": "AccessDeniedException", "message": "no"}
        elif (call == "CreateSecret" and name not in secrets) or (call == "PutSecretValue" and name in secrets):
            secrets[name] = body["SecretString"]
        elif call == "GetSecretValue" and name in secrets:
            answer = {"Name": name, "SecretString": secrets[name]}
        else:
            status, answer = 400, {"__type": "ResourceNotFoundException", "message": "missing"}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def secrets_manager(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), SecretsManager)
    server.secrets, server.denied = {}, False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    extra = {"region_name": "us-east-1", "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
    facts = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(facts))
    yield server
    server.shutdown()
    server.server_close()


def test_aws_secrets_manager_holds_the_keys(secrets_manager) -> None:
    store = secret_store("aws-secretsmanager://mlops/s3")
    assert store.read() is None
    store.put(**KEYS)
    assert json.loads(secrets_manager.secrets["mlops/s3"]) == KEYS
    store.put(**{**KEYS, "access_key": "AK2"})
    assert store.read() == StoredKeys(access_key="AK2", endpoint_url=KEYS["endpoint_url"])


def test_a_denial_of_aws_is_permanent(secrets_manager) -> None:
    secrets_manager.denied = True
    with pytest.raises(ServiceRefused, match="AccessDeniedException"):
        secret_store("aws-secretsmanager://mlops/s3").read()


def test_a_secret_that_is_not_ours_to_read_is_a_sentence_without_the_secret(secrets_manager) -> None:
    secrets_manager.secrets["mlops/s3"] = SECRET
    with pytest.raises(ServiceRefused, match="'mlops/s3' of AWS Secrets Manager holds something other") as caught:
        secret_store("aws-secretsmanager://mlops/s3").read()
    assert SECRET not in str(caught.value)


def test_without_the_amazon_provider_a_sentence_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks.secrets_manager", None)
    with pytest.raises(ServiceRefused, match="install apache-airflow-providers-amazon, or name another place"):
        secret_store("aws-secretsmanager://mlops/s3").read()


def test_one_uri_serves_several_svms_by_a_suffix(tmp_path, airflow, secrets_manager) -> None:
    secret_store(f"file://{tmp_path}/keys.json", "_svm2").put(**KEYS)
    assert [path.name for path in tmp_path.iterdir()] == ["keys_svm2.json"]
    secret_store("aws-secretsmanager://mlops/s3", "_svm2").put(**KEYS)
    assert list(secrets_manager.secrets) == ["mlops/s3_svm2"]
    secret_store("airflow-connection://ontap_s3", "_svm2").put(**KEYS)
    assert list(airflow.connections) == ["ontap_s3_svm2"]
