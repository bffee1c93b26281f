"""Export rules, S3 services, buckets and mappings as Ansible sets them; what makes no sense is refused at once."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


# Export rules


@pytest.fixture
def policy(api):
    """The path of an export policy with the rules a, b and c."""
    rules = [{"clients": [{"match": name}], "anonymous_user": name} for name in "abc"]
    body = {"name": f"p_{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "rules": rules}
    answer = api.post("/api/protocols/nfs/export-policies?return_records=true", json=body)
    return f"/api/protocols/nfs/export-policies/{answer.json()['records'][0]['id']}"


def order(api, policy: str) -> dict[str, int]:
    records = api.get(f"{policy}/rules?fields=index,anonymous_user").json()["records"]
    return {record["anonymous_user"]: record["index"] for record in records}


@pytest.mark.parametrize(
    ("rule", "new", "after"),
    [
        (1, 9, {"b": 2, "c": 3, "a": 9}),
        (3, 1, {"c": 1, "a": 2, "b": 3}),
        (1, 2, {"a": 2, "b": 3, "c": 4}),
        (2, 2, {"a": 1, "b": 2, "c": 3}),
    ],
)
@pytest.mark.parametrize("where", ["body", "query"])
def test_a_rule_is_moved_to_a_new_index(api, policy, rule, new, after, where):
    if where == "body":
        answer = api.patch(f"{policy}/rules/{rule}", json={"new_index": new, "allow_suid": False})
    else:
        answer = api.patch(f"{policy}/rules/{rule}?new_index={new}", json={"allow_suid": False})
    assert answer.status_code == 200, answer.text
    assert order(api, policy) == after
    assert api.get(f"{policy}/rules/{new}?fields=allow_suid").json()["allow_suid"] is False


@pytest.mark.parametrize("index", [0, -1, "x", 2**40, 1.5])
def test_a_rule_has_an_index_that_is_a_place(api, policy, index):
    for answer in (
        api.patch(f"{policy}/rules/1", json={"new_index": index}),
        api.patch(f"{policy}/rules/1?new_index={index}", json={}),
        api.post(f"{policy}/rules", json={"index": index, "clients": [{"match": "d"}]}),
    ):
        assert refused(answer) == (400, "262197")
    assert order(api, policy) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("rules", [{"clients": {"match": "d"}}, [{"clients": ["d"]}], None, []], ids=str)
def test_rules_that_come_as_one_object_or_none_are_a_list(api, policy, rules):
    answer = api.patch(policy, json={"rules": rules})
    assert answer.status_code in (200, 400), answer.text


@pytest.mark.parametrize(
    "rule", [{"ro_rule": "banana"}, {"protocols": ["ftp"]}, {"chown_mode": 7}, {"superuser": [["any"]]}], ids=str
)
def test_a_rule_says_only_what_ontap_knows(api, policy, rule):
    for answer in (api.patch(f"{policy}/rules/1", json=rule), api.patch(policy, json={"rules": [rule]})):
        assert refused(answer) == (400, "262197")


@pytest.mark.parametrize("name", ["n\0", "a\nb", "x" * 257, "a/b", 7, ["a"], "\ud800"], ids=ascii)
def test_an_export_policy_has_a_name_that_can_be_shown(api, name):
    answer = api.post("/api/protocols/nfs/export-policies", content=json.dumps({"name": name, "svm.name": "svm1"}))
    assert answer.status_code == 400, answer.text


# S3


@pytest.fixture
def svm(api):
    """An SVM of its own with an S3 server: name and uuid."""
    name = f"svm_{uuid4().hex[:8]}"
    location = api.post("/api/svm/svms?return_timeout=60", json={"name": name}).headers["location"]
    made = api.post("/api/protocols/s3/services", json={"svm": {"name": name}, "name": f"s3-{uuid4().hex[:8]}"})
    assert made.status_code == 201, made.text
    return name, location.rsplit("/", 1)[1]


def bucket(api, svm: str, **body):
    name = f"b-{uuid4().hex[:8]}"
    answer = api.post("/api/protocols/s3/buckets?return_timeout=60", json={"svm": {"name": svm}, "name": name} | body)
    assert answer.status_code == 201, answer.text
    (record,) = api.get(f"/api/protocols/s3/buckets?name={name}&fields=**").json()["records"]
    return record


@pytest.mark.parametrize(
    ("query", "body", "kept"),
    [
        ("", {"delete_all": False}, True),
        ("", {"delete_all": True}, False),
        ("&delete_all=false", None, True),
        ("&delete_all=true", None, False),
        ("&delete_all=False", None, True),
        ("", None, False),
    ],
)
def test_an_s3_service_goes_with_or_without_its_buckets(api, svm, query, body, kept):
    name, uuid = svm
    record = bucket(api, name)
    path = f"/api/protocols/s3/services/{uuid}?return_timeout=60{query}"
    answer = api.request("DELETE", path, json=body)
    assert answer.status_code == 200, answer.text
    assert api.get(f"/api/protocols/s3/services/{uuid}").status_code == 404
    assert (api.get(f"/api/protocols/s3/buckets/{uuid}/{record['uuid']}").status_code == 200) == kept


def test_whether_buckets_go_is_yes_or_no(api, svm):
    path = f"/api/protocols/s3/services/{svm[1]}"
    assert refused(api.delete(f"{path}?delete_all=perhaps")) == (400, "262197")
    assert refused(api.request("DELETE", path, json={"delete_all": "perhaps"})) == (400, "262197")


@pytest.mark.parametrize("aggregates", [["aggr2"], [{"name": "aggr2"}], "aggr2", {"name": "aggr2"}], ids=str)
def test_a_buckets_volume_is_there_in_the_aggregate_that_was_named(api, svm, aggregates):
    volume = bucket(api, svm[0], aggregates=aggregates)["volume"]
    shown = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=**").json()
    assert shown["name"] == volume["name"] and volume["name"].startswith("fg_oss_")
    assert [aggregate["name"] for aggregate in shown["aggregates"]] == ["aggr2"]
    assert (shown["is_object_store"], shown["style"], shown["svm"]["name"]) == (True, "flexgroup", svm[0])


def test_a_buckets_volume_is_seen_only_by_who_asks_for_it_and_changed_by_nobody(api, svm):
    volume = bucket(api, svm[0])["volume"]["uuid"]
    listed = api.get(f"/api/storage/volumes?svm.name={svm[0]}").json()["records"]
    assert volume not in [record["uuid"] for record in listed]
    listed = api.get(f"/api/storage/volumes?svm.name={svm[0]}&is_object_store=true").json()["records"]
    assert [record["uuid"] for record in listed] == [volume]
    for answer in (
        api.patch(f"/api/storage/volumes/{volume}", json={"comment": "x"}),
        api.delete(f"/api/storage/volumes/{volume}"),
        api.post(f"/api/storage/volumes/{volume}/snapshots", json={"name": "s"}),
    ):
        assert refused(answer) == (400, "3"), answer.text


def test_a_policy_shows_its_statements_as_they_were_given(api, svm):
    path = f"/api/protocols/s3/services/{svm[1]}/policies"
    statement = {"sid": "one", "effect": "allow", "actions": ["GetObject"], "resources": ["*"]}
    assert api.post(path, json={"name": "p", "statements": [statement]}).status_code == 201
    assert api.get(f"{path}/p?fields=**").json()["statements"] == [statement]


@pytest.mark.parametrize(
    "body",
    [
        *[{"port": -1}, {"port": 0}, {"secure_port": 65536}, {"port": 10**30}, {"port": "http"}],
        *[{"default_unix_user": "nosuch"}, {"comment": "x" * 257}, {"max_key_time_to_live": "P99999999999999999D"}],
        *[{"max_key_time_to_live": "P9999999D"}, {"enabled": "perhaps"}],
    ],
    ids=str,
)
def test_an_s3_service_is_not_set_to_what_cannot_be(api, svm, body):
    path = f"/api/protocols/s3/services/{svm[1]}"
    before = api.get(f"{path}?fields=**").json()
    assert api.patch(path, json=body).status_code == 400
    assert api.get(f"{path}?fields=**").json() == before


@pytest.mark.parametrize("life", ["P99999999999999999D", "P" + "9" * 400 + "D", "PT99999999999S", "P9999999W", "P²D"])
def test_keys_do_not_live_longer_than_the_calendar(api, svm, life):
    path = f"/api/protocols/s3/services/{svm[1]}/users"
    assert refused(api.post(path, json={"name": "u", "key_time_to_live": life})) == (400, "262197")


@pytest.mark.parametrize(
    "conditions",
    [7, ["x"], [{"operator": "banana"}], [{"operator": "ip_address", "source_ips": ["here"]}], [{"max_keys": "many"}]],
    ids=str,
)
def test_a_buckets_policy_has_conditions_that_can_be_judged(api, svm, conditions):
    record = bucket(api, svm[0])
    statement = {"effect": "allow", "actions": ["*"], "principals": ["*"], "conditions": conditions}
    path = f"/api/protocols/s3/buckets/{svm[1]}/{record['uuid']}?return_timeout=60"
    assert api.patch(path, json={"policy": {"statements": [statement]}}).status_code == 400


# Name services


@pytest.mark.parametrize("ids", [{"id": 2**32}, {"id": -1}, {"primary_gid": 10**12}, {"id": "root"}], ids=str)
def test_a_unix_user_has_ids_of_32_bits(api, ids):
    body = {"name": f"u{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "id": 5, "primary_gid": 5} | ids
    assert refused(api.post("/api/name-services/unix-users", json=body)) == (400, "262197")


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [("a(b)", r"\9"), ("a", r"\1"), ("(a)", r"\g<name>"), ("a", "\\"), ("(", "x"), ("a" * 300, "x"), ("a", r"\q")],
)
def test_a_name_mapping_that_cannot_work_is_refused_when_it_is_made_or_changed(api, svm, pattern, replacement):
    body = {"svm": {"uuid": svm[1]}, "direction": "s3_unix", "index": 1}
    wrong = {"pattern": pattern, "replacement": replacement}
    assert refused(api.post("/api/name-services/name-mappings", json=body | wrong)) == (400, "262197")
    right = body | {"pattern": "(.*)", "replacement": r"\1"}
    assert api.post("/api/name-services/name-mappings", json=right).status_code == 201
    path = f"/api/name-services/name-mappings/{svm[1]}/s3_unix/1"
    assert refused(api.patch(path, json=wrong)) == (400, "262197")
    assert api.get(f"{path}?fields=**").json()["replacement"] == r"\1"


@pytest.mark.parametrize(("pattern", "replacement"), [("(.*)@x", r"\1"), ("(?i)eng_(.+)", r"\g<1>_x"), ("u", "root")])
def test_a_name_mapping_that_works_is_made(api, svm, pattern, replacement):
    body = {"svm": {"uuid": svm[1]}, "direction": "s3_unix", "index": 2}
    mapping = body | {"pattern": pattern, "replacement": replacement}
    assert api.post("/api/name-services/name-mappings", json=mapping).status_code == 201


@pytest.mark.parametrize(
    "limits",
    [{"fixed": {"max_throughput_iops": -1}}, {"fixed": {"min_throughput_mbps": 2**40}}]
    + [{"adaptive": {"expected_iops": "many"}}, {"adaptive": {"block_size": "1m"}}, {"adaptive": {"peak_iops": [5]}}],
    ids=str,
)
def test_a_qos_policy_has_limits_that_can_be(api, limits):
    body = {"name": f"q_{uuid4().hex[:8]}", "svm": {"name": "svm1"}} | limits
    assert refused(api.post("/api/storage/qos/policies", json=body)) == (400, "262197")
