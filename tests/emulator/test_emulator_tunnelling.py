"""SVM tunnelling: X-Dot-SVM-Name and X-Dot-SVM-UUID make a cluster user's call one within an SVM."""

from __future__ import annotations

from uuid import uuid4

import pytest


def error(answer):
    return answer.json()["error"]


@pytest.fixture(scope="module")
def other(emulator):
    """A second SVM with a volume of its own."""
    name = f"svm_{uuid4().hex[:8]}"
    with emulator.client() as api:
        assert api.post("/api/svm/svms?return_timeout=60", json={"name": name}).status_code == 201
        body = {"name": f"v_{uuid4().hex[:8]}", "svm": {"name": name}, "aggregates": [{"name": "aggr1"}]}
        assert api.post("/api/storage/volumes?return_timeout=60", json=body).status_code == 201
        return api.get(f"/api/svm/svms?name={name}").json()["records"][0]


def names_of(answer) -> set[str]:
    return {record["svm"]["name"] for record in answer.json()["records"]}


def test_a_list_shows_what_is_of_the_named_svm_only(api, make, other):
    make()
    path = "/api/storage/volumes?fields=svm.name"
    assert names_of(api.get(path, headers={"X-Dot-SVM-Name": other["name"]})) == {other["name"]}
    assert names_of(api.get(path, headers={"X-Dot-SVM-UUID": other["uuid"]})) == {other["name"]}
    assert names_of(api.get(path)) >= {"svm1", other["name"]}


@pytest.mark.parametrize(
    "path", ["/api/protocols/nfs/export-policies", "/api/network/ip/interfaces", "/api/name-services/unix-users"]
)
def test_every_resource_of_an_svm_is_limited(api, other, path):
    assert names_of(api.get(f"{path}?fields=svm.name", headers={"X-Dot-SVM-Name": other["name"]})) <= {other["name"]}


def test_a_post_without_an_svm_is_made_in_the_named_one(api, other):
    name = f"v_{uuid4().hex[:8]}"
    body = {"name": name, "aggregates": [{"name": "aggr1"}]}
    for header in ({"X-Dot-SVM-Name": other["name"]}, {"X-Dot-SVM-UUID": other["uuid"]}):
        answer = api.post("/api/storage/volumes?return_timeout=60", json=body, headers=header)
        assert answer.status_code == 201, answer.text
        assert api.get(answer.headers["location"] + "?fields=svm.name").json()["svm"]["name"] == other["name"]
        body["name"] = f"v_{uuid4().hex[:8]}"


def test_what_is_of_another_svm_is_not_found(api, make, other):
    uuid = make()["uuid"]
    for method in ("GET", "PATCH", "DELETE"):
        answer = api.request(method, f"/api/storage/volumes/{uuid}", headers={"X-Dot-SVM-Name": other["name"]})
        assert answer.status_code == 404, method


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("header", ["X-Dot-SVM-Name", "X-Dot-SVM-UUID"])
def test_an_svm_that_does_not_exist_is_an_error_whatever_is_called(api, method, header):
    answer = api.request(method, "/api/storage/volumes", headers={header: "no_such_svm"})
    assert (answer.status_code, error(answer)["code"]) == (404, "2621462")


def test_headers_that_name_two_svms_are_refused(api, other):
    answer = api.get("/api/storage/volumes", headers={"X-Dot-SVM-Name": "svm1", "X-Dot-SVM-UUID": other["uuid"]})
    assert (answer.status_code, error(answer)["code"]) == (400, "2621706")


def test_a_body_cannot_name_an_svm_beside_the_header(api, other):
    body = {"name": f"v_{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
    answer = api.post("/api/storage/volumes", json=body, headers={"X-Dot-SVM-Name": other["name"]})
    assert (answer.status_code, error(answer)["code"]) == (404, "2621462")


def test_an_svm_user_reaches_no_other_svm_by_a_header(emulator, other):
    with emulator.client("vsadmin") as client:
        for header in ({"X-Dot-SVM-Name": other["name"]}, {"X-Dot-SVM-UUID": other["uuid"]}):
            answer = client.get("/api/storage/volumes", headers=header)
            assert (answer.status_code, error(answer)["code"]) == (404, "2621462")
        own = client.get("/api/storage/volumes?fields=svm.name", headers={"X-Dot-SVM-Name": "svm1"})
        assert names_of(own) == {"svm1"}
