"""QoS policies: what the official client does not let one try."""

from __future__ import annotations

from uuid import uuid4

PATH = "/api/storage/qos/policies"


def code_of(answer) -> str:
    return answer.json()["error"]["code"]


def test_a_policy_is_fixed_or_adaptive_and_stays_so(api):
    named = {"name": f"q_{uuid4().hex[:8]}", "svm": {"name": "svm1"}}
    both = {"fixed": {"max_throughput_iops": 1}, "adaptive": {"expected_iops": 1, "peak_iops": 2}}
    for limits in ({}, both):
        assert api.post(PATH, json=named | limits).status_code == 400
    made = api.post(f"{PATH}?return_timeout=30&return_records=true", json=named | {"fixed": both["fixed"]})
    uuid = made.json()["records"][0]["uuid"]
    assert api.patch(f"{PATH}/{uuid}", json={"adaptive": both["adaptive"]}).status_code == 400


def test_a_preset_can_neither_be_changed_nor_removed(api):
    uuid = api.get(f"{PATH}?name=extreme").json()["records"][0]["uuid"]
    assert api.patch(f"{PATH}/{uuid}", json={"name": "mine"}).status_code == 403
    assert api.delete(f"{PATH}/{uuid}").status_code == 403


def test_a_preset_name_is_taken_in_every_svm(api):
    body = {"name": "extreme", "svm": {"name": "svm1"}, "fixed": {"max_throughput_iops": 1}}
    assert code_of(api.post(PATH, json=body)) == "8454154"


def test_volumes_are_found_by_their_policy(api, make):
    volume = make(qos={"policy": {"name": "performance"}})
    found = api.get("/api/storage/volumes?qos.policy.name=performance").json()["records"]
    assert volume["name"] in [record["name"] for record in found]


def test_a_clone_begins_without_a_policy(api, make, freeze):
    parent = make(qos={"policy": {"name": "extreme"}})
    freeze(parent["uuid"])
    clone = {"is_flexclone": True, "parent_volume": {"name": parent["name"]}, "parent_snapshot": {"name": "s1"}}
    body = {"name": f"{parent['name']}_c", "svm": {"name": "svm1"}, "clone": clone}
    made = api.post("/api/storage/volumes?return_timeout=30&return_records=true", json=body).json()["records"][0]
    assert "qos" not in api.get(f"/api/storage/volumes/{made['uuid']}?fields=qos").json()
