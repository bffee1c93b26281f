"""The conventions of ONTAP's REST API, seen in raw answers."""

from __future__ import annotations

import time

import pytest


def error(answer):
    return answer.json()["error"]


def test_hal_answers_have_links_and_plain_json_has_none(api, make):
    uuid = make()["uuid"]
    hal = api.get(f"/api/storage/volumes/{uuid}", headers={"Accept": "application/hal+json"})
    plain = api.get(f"/api/storage/volumes/{uuid}", headers={"Accept": "application/json"})
    assert hal.json()["_links"]["self"]["href"] == f"/api/storage/volumes/{uuid}"
    assert "_links" not in plain.text and plain.headers["content-type"] == "application/json"


def test_next_stays_in_plain_json_and_leads_through_all_pages(api, make):
    names = sorted(make()["name"] for _ in range(3))
    path, seen = f"/api/storage/volumes?name={'|'.join(names)}&max_records=2&order_by=name", []
    while path:
        page = api.get(path, headers={"Accept": "application/json"}).json()
        assert page["num_records"] == len(page["records"]) <= 2
        seen += [record["name"] for record in page["records"]]
        path = page.get("_links", {}).get("next", {}).get("href")
    assert seen == names


def test_paging_loses_nothing_when_what_was_seen_is_deleted(api, make):
    names = sorted(make()["name"] for _ in range(4))
    first = api.get(f"/api/storage/volumes?name={'|'.join(names)}&max_records=2").json()
    for record in first["records"]:
        api.delete(f"/api/storage/volumes/{record['uuid']}?return_timeout=60")
    rest = api.get(first["_links"]["next"]["href"]).json()
    assert sorted(r["name"] for r in first["records"] + rest["records"]) == names


def test_a_post_answers_202_with_a_job_and_the_place_of_what_it_makes(api):
    body = {"name": f"j_{time.time_ns()}", "svm.name": "svm1", "aggregates": [{"name": "aggr1"}]}
    answer = api.post("/api/storage/volumes", json=body)
    job = answer.json()["job"]
    assert answer.status_code == 202 and "records" not in answer.json()
    assert job["_links"]["self"]["href"] == f"/api/cluster/jobs/{job['uuid']}"
    assert api.get(answer.headers["location"]).json()["name"] == body["name"]


@pytest.mark.parametrize("value", ["121", "-1", "soon"])
def test_a_return_timeout_beyond_two_minutes_is_262197(api, value):
    answer = api.post(f"/api/storage/volumes?return_timeout={value}", json={})
    assert (answer.status_code, error(answer)["code"], error(answer)["target"]) == (400, "262197", "return_timeout")


def test_only_key_fields_come_unasked_in_a_list_and_costly_ones_only_by_name(api, make):
    volume = make()
    listed = api.get(f"/api/storage/volumes?uuid={volume['uuid']}").json()["records"][0]
    common = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=*").json()
    named = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=nas.path,size").json()
    everything = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=**").json()
    assert set(listed) == {"uuid", "name", "_links"}
    assert common["svm"]["name"] == "svm1" and "path" not in common["nas"]
    assert named["nas"] == {"path": f"/{volume['name']}"} and "svm" not in named
    assert everything["nas"]["unix_permissions"] == 755


def test_a_field_of_the_query_is_shown(api, make):
    make(comment="shown")
    assert api.get("/api/storage/volumes?comment=shown").json()["records"][0]["comment"] == "shown"


def test_unknown_names_are_refused_by_name(api):
    query = error(api.get("/api/storage/volumes?colour=red"))
    field = error(api.get("/api/storage/volumes?fields=colour"))
    body = error(api.post("/api/storage/volumes", json={"name": "x", "nas": {"colour": 1}}))
    assert (query["code"], query["target"]) == ("262179", "colour")
    assert (field["code"], field["target"]) == ("262197", "fields")
    assert (body["code"], body["target"]) == ("262179", "nas.colour")


def test_a_value_of_the_wrong_type_is_refused_by_name(api):
    refused = error(api.post("/api/storage/volumes", json={"name": "x", "size": "large"}))
    assert (refused["code"], refused["target"]) == ("262197", "size")


def test_sizes_may_have_units_by_1024(api, make):
    volume = make(size="1GB")
    assert volume["size"] == 1024**3
    assert api.get(f"/api/storage/volumes?uuid={volume['uuid']}&size=1GB").json()["num_records"] == 1
    assert api.get(f"/api/storage/volumes?uuid={volume['uuid']}&size=>2GB").json()["num_records"] == 0


def test_return_records_brings_the_made_record(api, make):
    assert make(comment="made")["comment"] == "made"


def test_unknown_paths_methods_and_uuids_each_have_their_answer(api):
    nowhere, put, gone = api.get("/api/no/such"), api.put("/api/cluster"), api.get("/api/storage/volumes/gone")
    assert (nowhere.status_code, error(nowhere)["code"]) == (404, "3")
    assert put.status_code == 405
    assert (gone.status_code, error(gone)["code"]) == (404, "4")


def test_head_has_no_body_and_options_names_the_methods(api):
    assert api.head("/api/cluster").content == b""
    assert api.options("/api/storage/volumes").headers["allow"] == "DELETE, GET, PATCH, POST, HEAD, OPTIONS"


def test_a_body_that_is_no_json_is_refused(api):
    answer = api.post("/api/storage/volumes", content=b"{")
    assert answer.status_code == 400 and "JSON" in error(answer)["message"]


def test_patch_and_delete_on_the_collection_change_what_the_query_selects(api, make):
    mine, other = make(comment="a pair"), make(comment="another")
    path = f"/api/storage/volumes?comment=a pair&uuid={mine['uuid']}|{other['uuid']}"
    answer = api.patch(path + "&return_timeout=60", json={"_tags": ["seen"]}).json()
    assert answer["num_records"] == 1 and len(answer["jobs"]) == 1
    assert api.get(f"/api/storage/volumes/{mine['uuid']}?fields=_tags").json()["_tags"] == ["seen"]
    assert api.delete(path + "&return_timeout=60").json()["num_records"] == 1
    assert api.get(f"/api/storage/volumes/{other['uuid']}").status_code == 200


def test_deleting_a_collection_without_a_query_is_refused(api):
    assert api.delete("/api/storage/volumes").status_code == 400


def test_the_front_page_says_that_this_is_no_ontap(emulator):
    import httpx

    page = httpx.get(emulator.url, verify=False)
    assert "not an ONTAP cluster" in page.text and "/api/storage/volumes" in page.text


def test_what_there_is_only_one_of_shows_what_was_asked_for_and_no_keys(api):
    assert set(api.get("/api/cluster?fields=version").json()) == {"version", "_links"}
    assert set(api.get("/api/cluster").json()) >= {"name", "uuid", "version"}


def test_a_star_in_place_of_a_parent_lists_what_is_below_all_of_them(api, make, freeze):
    volumes = [make()["uuid"] for _ in range(2)]
    taken = {freeze(uuid)["uuid"] for uuid in volumes}
    path = "/api/storage/volumes/*/snapshots"
    found = api.get(f"{path}?volume.uuid={'|'.join(volumes)}&fields=volume.name").json()["records"]
    assert {snapshot["uuid"] for snapshot in found} == taken
    assert {snapshot["volume"]["uuid"] for snapshot in found} == set(volumes)
    assert api.post(path, json={"name": "x"}).status_code == 404


def test_below_a_star_a_parent_is_named_as_anything_else_is(api, make, freeze):
    one, two = make(), make()
    taken = {each["name"]: freeze(each["uuid"])["uuid"] for each in (one, two)}

    def found(name: str) -> set[str]:
        path = "/api/storage/volumes/*/snapshots"
        return {each["uuid"] for each in api.get(path, params={"volume.name": name}).json()["records"]}

    assert found(one["name"]) == {taken[one["name"]]}
    assert found(f"{one['name']}|{two['name']}") == set(taken.values())
    assert found(f"{one['name']}*") >= {taken[one["name"]]}
    assert taken[one["name"]] not in found(f"!{one['name']}") and taken[two["name"]] in found(f"!{one['name']}")
    assert found("no_such_volume") == set()


def test_a_star_in_place_of_a_policy_lists_all_rules_page_by_page(api):
    names = [f"p_{time.time_ns()}_{number}" for number in range(2)]
    for name in names:
        body = {"name": name, "svm": {"name": "svm1"}, "rules": [{"clients": [{"match": "10.0.0.1"}]}] * 2}
        assert api.post("/api/protocols/nfs/export-policies", json=body).status_code == 201
    path, seen = f"/api/protocols/nfs/export-policies/*/rules?policy.name={'|'.join(names)}&max_records=1", []
    while path:
        page = api.get(path).json()
        seen += [(rule["policy"]["name"], rule["index"]) for rule in page["records"]]
        path = page["_links"].get("next", {}).get("href")
    assert seen == [(name, index) for name in names for index in (1, 2)]


def test_a_star_in_place_of_an_svm_lists_what_all_s3_servers_have(api):
    svm = api.get("/api/svm/svms?name=svm1").json()["records"][0]["uuid"]
    for kind in ("users", "groups", "buckets"):
        own = api.get(f"/api/protocols/s3/services/{svm}/{kind}").json()["num_records"]
        assert api.get(f"/api/protocols/s3/services/*/{kind}").json()["num_records"] >= own


def test_objects_that_stand_for_other_resources_have_links_to_them(api, make, freeze):
    made = make()
    volume = api.get(
        f"/api/storage/volumes/{made['uuid']}?fields=svm,aggregates,nas.export_policy,snapshot_policy"
    ).json()
    snapshot = freeze(made["uuid"])
    shown = [volume["svm"], *volume["aggregates"], volume["nas"]["export_policy"], snapshot["volume"], snapshot["svm"]]
    for named in shown:
        found = api.get(named["_links"]["self"]["href"])
        assert found.status_code == 200 and named.get("name") in (None, found.json()["name"]), named
    assert volume["nas"].keys() == {"export_policy"} and "_links" not in volume["nas"]
    plain = api.get(f"/api/storage/volumes/{made['uuid']}?fields=svm", headers={"Accept": "application/json"}).json()
    assert plain["svm"].keys() == {"name", "uuid"}
