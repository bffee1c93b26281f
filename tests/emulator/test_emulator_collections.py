"""Calls on whole collections: many records at once, by a list of them or by a query."""

from __future__ import annotations

from uuid import uuid4

import pytest

VOLUMES = "/api/storage/volumes"


def error(answer):
    return answer.json()["error"]


def body_of(name: str | None = None, **more):
    name = name or f"v_{uuid4().hex[:12]}"
    return {"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]} | more


def results(api, answer):
    """What the official client does with the answer: watch the job, then read its results."""
    links = answer.json()["job"]["_links"]
    job = api.get(links["self"]["href"]).json()
    return job, api.get(links["results"]["href"]).json()


@pytest.fixture
def svm(api):
    return api.get("/api/svm/svms?name=svm1").json()["records"][0]["uuid"]


@pytest.fixture
def server(api):
    """An SVM of its own with an S3 server; other tests look at what svm1 has."""
    name = f"svm_{uuid4().hex[:8]}"
    assert api.post("/api/svm/svms?return_timeout=60", json={"name": name}).status_code == 201
    made = api.post("/api/protocols/s3/services", json={"svm": {"name": name}, "name": "s3.emulator.test"})
    assert made.status_code == 201, made.text
    return made.headers["location"]


def test_a_post_of_records_makes_each_and_tells_in_one_job_what_came_of_them(api):
    bodies = [body_of() for _ in range(3)]
    answer = api.post(VOLUMES, json={"records": bodies})
    assert answer.status_code == 202
    job, made = results(api, answer)
    assert job["state"] == "success"
    assert [record["name"] for record in made["records"]] == [body["name"] for body in bodies]
    assert made["num_records"] == 3 and "errors" not in made


def test_a_post_of_records_that_is_waited_for_answers_201_with_the_records(api):
    bodies = [body_of(), body_of()]
    answer = api.post(f"{VOLUMES}?return_timeout=60&return_records=true", json={"records": bodies})
    assert answer.status_code == 201
    assert [record["name"] for record in answer.json()["records"]] == [body["name"] for body in bodies]


@pytest.mark.parametrize("go_on", [True, False])
def test_a_record_that_fails_ends_the_rest_unless_asked_to_go_on(api, make, go_on):
    taken, first, last = make()["name"], body_of(), body_of()
    query = "?continue_on_failure=true" if go_on else ""
    answer = api.post(VOLUMES + query, json={"records": [first, body_of(taken), last]})
    job, made = results(api, answer)
    assert job["state"] == "failure" and job["error"]["code"] == "917526"
    assert [each["code"] for each in made["errors"]] == ["917526"]
    wanted = [first["name"], last["name"]] if go_on else [first["name"]]
    assert [record["name"] for record in made["records"]] == wanted


@pytest.mark.parametrize("go_on", [True, False])
def test_a_record_whose_job_fails_late_ends_the_rest_unless_asked_to_go_on(api, go_on):
    first, last = body_of(), body_of()
    query = "?continue_on_failure=true" if go_on else ""
    answer = api.post(VOLUMES + query, json={"records": [first, body_of(size="200TB"), last]})
    job, made = results(api, answer)
    assert (job["state"], job["error"]["code"]) == ("failure", "917927")
    wanted = [first["name"], last["name"]] if go_on else [first["name"]]
    assert [record["name"] for record in made["records"]] == wanted


def test_where_nothing_was_made_the_first_error_is_the_answer(api, make):
    taken, free = make()["name"], body_of()
    answer = api.post(VOLUMES, json={"records": [body_of(taken), free]})
    assert (answer.status_code, error(answer)["code"]) == (409, "917526")
    assert api.get(f"{VOLUMES}?name={free['name']}").json()["num_records"] == 0


def test_a_patch_of_records_changes_each_as_it_says_itself(api, make):
    one, two = make()["uuid"], make()["uuid"]
    records = [{"uuid": one, "comment": "first"}, {"uuid": two, "comment": "second"}]
    answer = api.patch(f"{VOLUMES}?return_timeout=60", json={"records": records})
    assert answer.status_code == 200 and answer.json()["num_records"] == 2
    for uuid, comment in ((one, "first"), (two, "second")):
        assert api.get(f"{VOLUMES}/{uuid}?fields=comment").json()["comment"] == comment


def test_a_delete_of_records_removes_those_and_no_others(api, make):
    gone, kept = make()["uuid"], make()["uuid"]
    answer = api.request("DELETE", f"{VOLUMES}?return_timeout=60", json={"records": [{"uuid": gone}]})
    assert answer.status_code == 200
    assert [api.get(f"{VOLUMES}/{uuid}").status_code for uuid in (gone, kept)] == [404, 200]


@pytest.mark.parametrize("records", ["x", {}, [], [1], [None], [[]], 5, "", True])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_records_that_are_no_list_of_objects_are_refused(api, method, records):
    answer = api.request(method, VOLUMES, json={"records": records})
    assert (answer.status_code, error(answer)["code"], error(answer)["target"]) == (400, "262197", "records")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("record", [{}, {"name": "x"}, {"uuid": None}, {"uuid": ""}, {"uuid": {"a": 1}}])
def test_a_record_that_does_not_say_which_it_is_is_refused(api, method, record):
    answer = api.request(method, VOLUMES, json={"records": [record]})
    assert (answer.status_code, error(answer)["code"]) == (400, "262196")


def test_what_needs_no_job_is_made_changed_and_removed_at_once(api, server):
    names = [f"g{uuid4().hex[:8]}" for _ in range(3)]
    for name in names:
        assert api.post(f"{server}/users", json={"name": name}).status_code == 201
    groups = [{"name": name, "users": [{"name": name}], "policies": []} for name in names]
    made = api.post(f"{server}/groups?return_records=true", json={"records": groups})
    assert made.status_code == 201 and made.json()["num_records"] == 3
    assert [record["name"] for record in made.json()["records"]] == names
    query = "|".join(names[:2])
    changed = api.patch(f"{server}/groups?name={query}", json={"comment": "two of three"})
    assert (changed.status_code, changed.json()["num_records"]) == (200, 2)
    assert api.delete(f"{server}/groups?name={names[0]}|{names[2]}").json()["num_records"] == 2
    left = api.get(f"{server}/groups?name={'|'.join(names)}&fields=comment").json()["records"]
    assert [(group["name"], group["comment"]) for group in left] == [(names[1], "two of three")]


def collections(svm: str, volume: str, policy: int) -> dict[str, str]:
    """Every emulated collection that ONTAP changes and removes from, with a query that finds nothing in it."""
    below = f"/api/protocols/s3/services/{svm}"
    by_name = [
        VOLUMES,
        f"{VOLUMES}/{volume}/snapshots",
        "/api/svm/svms",
        "/api/storage/qos/policies",
        "/api/protocols/nfs/export-policies",
        "/api/protocols/s3/services",
        "/api/protocols/s3/buckets",
        *(f"{below}/{kind}" for kind in ("buckets", "users", "groups", "policies")),
        "/api/name-services/unix-users",
    ]
    rules, mappings = f"/api/protocols/nfs/export-policies/{policy}/rules", "/api/name-services/name-mappings"
    return dict.fromkeys(by_name, "name=no_such_name") | {rules: "index=99", mappings: "pattern=no_such_pattern"}


@pytest.fixture
def addresses(api, make, freeze, svm):
    volume = make()["uuid"]
    freeze(volume)
    policy = api.get("/api/protocols/nfs/export-policies?name=default&svm.name=svm1").json()["records"][0]["id"]
    return collections(svm, volume, policy)


def test_every_collection_may_be_changed_and_removed_from_by_a_query(api, addresses):
    for path, query in addresses.items():
        for method, body in (("PATCH", {}), ("DELETE", None)):
            answer = api.request(method, f"{path}?{query}", json=body)
            assert (answer.status_code, answer.json().get("num_records")) == (200, 0), (method, path, answer.text)


def test_no_collection_is_changed_or_emptied_without_a_query(api, addresses):
    for path in addresses:
        before = api.get(path).json()["num_records"]
        for arguments in ("", "?return_timeout=0", "?continue_on_failure=true&serial_records=true", "?max_records=5"):
            for method in ("PATCH", "DELETE"):
                answer = api.request(method, path + arguments, json={} if method == "PATCH" else None)
                assert (answer.status_code, error(answer)["code"]) == (400, "262185"), (method, path + arguments)
        assert api.get(path).json()["num_records"] == before


def test_a_query_goes_on_after_a_failure_when_asked_to(api, make, freeze):
    busy, free = sorted([make(comment="both"), make(comment="both")], key=lambda volume: volume["uuid"])
    freeze(busy["uuid"])
    clone = {"is_flexclone": True, "parent_volume": {"name": busy["name"]}, "parent_snapshot": {"name": "s1"}}
    make(aggregates=[], clone=clone)
    answer = api.delete(f"{VOLUMES}?uuid={busy['uuid']}|{free['uuid']}&return_timeout=60&continue_on_failure=true")
    assert answer.status_code == 200
    assert len(answer.json()["errors"]) == 1 and answer.json()["num_records"] == 1
    assert [api.get(f"{VOLUMES}/{each['uuid']}").status_code for each in (busy, free)] == [200, 404]


def test_a_page_at_a_time_is_changed_and_next_leads_to_the_others(api, make):
    uuids = [make(comment="page")["uuid"] for _ in range(3)]
    path = f"{VOLUMES}?uuid={'|'.join(uuids)}&max_records=2"
    seen = 0
    while path:
        answer = api.patch(path, json={"comment": "turned"}).json()
        seen += answer["num_records"]
        path = answer.get("_links", {}).get("next", {}).get("href")
    assert seen == 3
    assert api.get(f"{VOLUMES}?uuid={'|'.join(uuids)}&comment=turned").json()["num_records"] == 3


def test_query_and_query_fields_find_what_has_the_text_in_any_of_the_fields(api, make):
    mark = uuid4().hex[:8]
    by_name, by_comment, neither = make(f"a_{mark}"), make(comment=f"about {mark}"), make()
    uuids = "|".join(volume["uuid"] for volume in (by_name, by_comment, neither))

    def found(query: str) -> set[str]:
        return {record["uuid"] for record in api.get(f"{VOLUMES}?uuid={uuids}&{query}").json()["records"]}

    assert found(f"query=*{mark}*&query_fields=name,comment") == {by_name["uuid"], by_comment["uuid"]}
    assert found(f"query=*{mark}*&query_fields=name") == {by_name["uuid"]}
    assert found(f"query=*{mark}*") == {by_name["uuid"], by_comment["uuid"]}
    refused = api.get(f"{VOLUMES}?query=x&query_fields=colour")
    assert (refused.status_code, error(refused)["code"]) == (400, "262197")


@pytest.mark.parametrize("argument", ["continue_on_failure", "serial_records", "return_records"])
def test_an_argument_that_is_true_or_false_is_nothing_else(api, make, argument):
    answer = api.patch(f"{VOLUMES}?uuid={make()['uuid']}&{argument}=maybe", json={"comment": "x"})
    assert (answer.status_code, error(answer)["target"]) == (400, argument)
