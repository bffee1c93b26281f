"""Passwords, roles, and what an SVM's own user sees."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
import sys
from uuid import uuid4

import httpx
import pytest


def error(answer):
    return answer.json()["error"]


@pytest.fixture
def vsadmin(emulator, api):
    with emulator.client("vsadmin") as client:
        yield client


def test_no_password_and_a_wrong_one_are_401(emulator):
    verify = ssl.create_default_context(cafile=emulator.ca)
    for credentials in (None, ("admin", "wrong"), ("nobody", emulator.password)):
        answer = httpx.get(emulator.url + "/api/cluster", auth=credentials, verify=verify)
        assert (answer.status_code, error(answer)["code"]) == (401, "6691623")
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_the_certificate_is_signed_by_the_emulators_own_authority(emulator):
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(emulator.url + "/api/cluster")
    for name in ("localhost", "127.0.0.1"):
        verify = ssl.create_default_context(cafile=emulator.ca)
        url = f"https://{name}:{emulator.port}/api/cluster"
        assert httpx.get(url, auth=("admin", emulator.password), verify=verify).status_code == 200


def test_a_readonly_user_reads_and_nothing_else(emulator, make):
    uuid = make()["uuid"]
    with emulator.client("readonly") as client:
        assert client.get(f"/api/storage/volumes/{uuid}").status_code == 200
        refused = client.delete(f"/api/storage/volumes/{uuid}")
        assert (refused.status_code, error(refused)["code"]) == (403, "6")
        assert client.get("/emulator/clock").status_code == 403


def test_an_svm_user_may_what_the_least_privilege_role_says(vsadmin):
    assert vsadmin.get("/api/storage/volumes").status_code == 200
    assert vsadmin.get("/api/svm/svms").status_code == 200
    for method, path in [("GET", "/api/storage/aggregates"), ("POST", "/api/svm/svms"), ("GET", "/emulator/jobs")]:
        assert vsadmin.request(method, path, json={}).status_code == 403


def test_an_svm_user_need_not_name_its_svm_and_sees_no_other(api, vsadmin):
    other = f"svm_{uuid4().hex[:8]}"
    api.post("/api/svm/svms?return_timeout=60", json={"name": other})
    body = {"name": f"v_{uuid4().hex[:8]}", "aggregates": [{"name": "aggr1"}]}
    theirs = api.post("/api/storage/volumes?return_timeout=60", json=body | {"svm": {"name": other}}).headers[
        "location"
    ]
    assert vsadmin.get(theirs).status_code == 404
    assert [svm["name"] for svm in vsadmin.get("/api/svm/svms").json()["records"]] == ["svm1"]
    assert vsadmin.post("/api/storage/volumes?return_timeout=60", json=body).status_code == 201
    refused = vsadmin.post("/api/storage/volumes", json=body | {"svm": {"name": other}})
    assert (refused.status_code, error(refused)["code"]) == (404, "2621462")


def test_an_aggregate_that_the_svm_may_not_use_fails_in_the_job_not_in_the_202(api, vsadmin):
    svm = api.get("/api/svm/svms?name=svm1").json()["records"][0]["uuid"]
    api.patch(f"/api/svm/svms/{svm}", json={"aggregates": [{"name": "aggr1"}]})
    body = {"name": f"v_{uuid4().hex[:8]}", "aggregates": [{"name": "aggr2"}]}
    answer = vsadmin.post("/api/storage/volumes", json=body)
    assert answer.status_code == 202
    job = vsadmin.get(f"/api/cluster/jobs/{answer.json()['job']['uuid']}").json()
    assert (job["state"], job["code"], job["error"]["code"]) == ("failure", 6, "6")
    assert "aggr2" in job["message"]
    api.patch(f"/api/svm/svms/{svm}", json={"aggregates": [{"name": "aggr1"}, {"name": "aggr2"}]})


def test_a_generated_password_is_kept_in_a_file_that_only_its_owner_reads(tmp_path):
    from emulator.auth import initial_password

    password = initial_password(tmp_path)
    assert len(password) >= 20 and initial_password(tmp_path) == password
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_a_taken_port_is_said_in_one_sentence(emulator, tmp_path):
    command = [sys.executable, "-m", "emulator", "--root", str(tmp_path), "--port", str(emulator.port)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=60)
    assert done.returncode == 1
    assert f"port {emulator.port}" in done.stderr and "Traceback" not in done.stderr


def test_a_second_emulator_on_the_same_folder_is_refused_in_one_sentence(emulator):
    command = [sys.executable, "-m", "emulator", "--root", str(emulator.root), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=60)
    assert done.returncode == 1 and "already runs" in done.stderr


def test_the_documented_least_role_makes_volumes_and_reads_neither_s3_nor_the_cluster(emulator, api):
    with emulator.client("least") as client:
        name = f"v_{uuid4().hex[:8]}"
        made = client.post(
            "/api/storage/volumes?return_timeout=60", json={"name": name, "aggregates": [{"name": "aggr1"}]}
        )
        assert made.status_code == 201, made.text
        assert client.get("/api/svm/svms").status_code == 200
        for path in ("/api/cluster", "/api/cluster/nodes", "/api/protocols/s3/buckets", "/api/network/ip/interfaces"):
            assert client.get(path).status_code == 403, path


def test_a_role_of_ones_own_allows_what_its_longest_path_says(emulator, api, make):
    privileges = [
        {"path": "/api/storage/volumes", "access": "read_modify"},
        {"path": "/api/storage/volumes/*/snapshots", "access": "read_create"},
        {"path": "/api/svm/svms", "access": "none"},
    ]
    emulator.control("PUT", "/roles", {"name": "picky", "privileges": privileges})
    emulator.control("PUT", "/users", {"name": "p", "password": "picky-pass", "role": "picky", "svm": "svm1"})
    path = f"/api/storage/volumes/{make()['uuid']}"
    with emulator.client("p", "picky-pass") as client:
        assert client.get(path).status_code == 200
        assert client.patch(path, json={"comment": "x"}).status_code == 202
        assert client.delete(path).status_code == 403
        made = client.post(f"{path}/snapshots?return_records=true&return_timeout=60", json={"name": "s"})
        assert made.status_code == 201
        assert client.delete(f"{path}/snapshots/{made.json()['records'][0]['uuid']}").status_code == 403
        for refused in ("/api/svm/svms", "/api/storage/qos/policies", "/emulator/clock"):
            assert client.get(refused).status_code == 403, refused


def test_a_role_with_an_access_that_is_none_is_refused(emulator):
    for body in (
        {"name": "x", "privileges": [{"path": "/api", "access": "some"}]},
        {"name": "admin", "privileges": []},
    ):
        with emulator.client() as client:
            assert client.put("/emulator/roles", json=body).status_code == 400
