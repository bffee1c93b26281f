"""`make preflight` names the rights that an account lacks, by calls that make and change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from ontap_mlops.ontap import errors
from scripts import roles
from scripts.preflight import rights
from tests import least_rights
from tests.ontap_mlops.conftest import SVM

KNOWN = {
    "OntapVolumeDeleteOperator": {
        "here": {"GET /storage/volumes": "needed", "DELETE /storage/volumes/{uuid}": "needed"}
    },
    "OntapSnapshotCreateOperator": {
        "here": {
            "GET /storage/volumes/{volume.uuid}/snapshots": "needed",
            "POST /storage/volumes/{volume.uuid}/snapshots": "needed",
            "GET /cluster/nodes": "asked",
        }
    },
    "OntapS3ProvisionOperator": {"here": {"POST /protocols/s3/services/{svm.uuid}/users": "needed"}},
}


@pytest.fixture
def account(ontap, monkeypatch):
    monkeypatch.setattr(roles, "calls", lambda: KNOWN)

    def use(**access: str) -> None:
        granted = {"/api/cluster/jobs": "readonly", **access}  # whoever changes something follows its job
        privileges = [{"path": path, "access": level} for path, level in granted.items()]
        ontap.control("PUT", "/roles", {"name": "pr", "privileges": privileges})
        ontap.control("PUT", "/users", {"name": "pr", "password": "pr-pass", "role": "pr", "svm": "svm1"})
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(login="pr", password="pr-pass"))

    return use


def test_what_is_lacking_is_named_with_the_access_and_who_needs_it(account, ontap) -> None:
    account(**{"/api/storage/volumes": "readonly", "/api/protocols/s3": "all"})
    said: list[str] = []
    before = ontap.everything()
    assert rights.report("ontap_default", say=said.append) == 0
    assert [line.split()[1] for line in said] == ["/api/storage/volumes", "/api/storage/volumes/*/snapshots"]
    assert "may not DELETE; give it access all [needed by OntapVolumeDeleteOperator]" in said[0]
    assert "may not POST; give it access read_create [needed by OntapSnapshotCreateOperator]" in said[1]
    assert ontap.everything() == before


def test_an_account_with_all_rights_lacks_none_and_nothing_is_made_or_changed(ontap, client, monkeypatch) -> None:
    before = ontap.everything()
    assert rights.lacking(client, roles.calls(), roles.calls()) == {}
    assert ontap.everything() == before
    assert any(write.startswith("POST /api/storage/volumes") for write in ontap.writes()), "it was tried"


def test_for_a_named_dag_it_is_a_failure(account, monkeypatch) -> None:
    account(**{"/api/storage/volumes": "readonly"})
    monkeypatch.setattr(rights, "operators_of", lambda dag_id: {"OntapVolumeDeleteOperator", "BashOperator"})
    said: list[str] = []
    assert rights.report("ontap_default", dag_id="d", say=said.append) == 1
    assert said[0].startswith("FAILED   /api/storage/volumes") and "snapshots" not in said[0]
    account(**{"/api/storage/volumes": "all"})
    said.clear()
    assert rights.report("ontap_default", dag_id="d", say=said.append) == 0
    assert said == [f"ok       {'rights that d needs':<34} all, for OntapVolumeDeleteOperator"]


def test_a_wrong_password_is_said_and_a_cluster_that_is_away(ontap) -> None:
    with pytest.raises(errors.AuthenticationFailed):
        ontap.client(password="wrong").may("GET", "/api/storage/volumes", asked="try it")
    with pytest.raises(errors.Unreachable, match="Could not try it: ONTAP at .* gave no answer"):
        ontap.client(port=9).may("GET", "/api/storage/volumes", asked="try it")


def test_the_generated_role_is_what_the_administrator_is_told(tmp_path) -> None:
    known = roles.calls()
    text = roles.script(known)
    for body in json.loads(roles.bodies(known)):
        for privilege in body["privileges"]:
            assert f'-role {body["name"]} -api "{privilege["path"]}" -access {privilege["access"]}' in text
    assert roles.path_of("DELETE /protocols/s3/buckets/{svm.uuid}/{uuid}") == "/api/protocols/s3/buckets"
    files = "/storage/volumes/{volume.uuid}/files"
    assert roles.rights([f"GET {files}", f"PATCH {files}/{{path}}"]) == {"/api/storage/volumes/*/files": "read_modify"}
    assert roles.rights(["GET /a/{x}/b", "PATCH /a/{x}/b/{y}"]) == {"/api/a": "read_modify"}, "no role can name more"


@pytest.fixture
def least(ontap) -> Iterator[str]:
    """The password of the account that the script for administrators makes."""
    password = "Harbour-1984"
    least_rights.make(ontap.http, SVM, password)
    yield password
    for kind in ("accounts", "roles"):
        for made in ontap.http.get(f"/api/security/{kind}", params={"name": f"{least_rights.NAME}*"}).json()["records"]:
            ontap.http.delete(made["_links"]["self"]["href"]).raise_for_status()


def test_the_script_for_administrators_makes_an_account_that_lacks_nothing_of_an_svm(ontap, least) -> None:
    client = ontap.client(username=least_rights.NAME, password=least)
    found = rights.lacking(client, roles.calls(), roles.calls())
    assert found and all(map(roles.is_cluster_wide, found)), "what is the cluster's is another account's"
    (role,) = ontap.http.get("/api/security/roles", params={"name": least_rights.NAME, "owner.name": SVM}).json()[
        "records"
    ]
    row = f"{role['_links']['self']['href']}/privileges/{quote('/api/storage/qtrees', safe='')}"
    ontap.http.delete(row).raise_for_status()
    assert rights.lacking(client, roles.calls(), ["OntapQtreeEnsureOperator"]) == {
        "/api/storage/qtrees": ["GET", "POST"]
    }
