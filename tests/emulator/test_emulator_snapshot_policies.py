"""Schedules and snapshot policies: ONTAP's own, one's own, and what refers to them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

SCHEDULES = "/api/cluster/schedules"
POLICIES = "/api/storage/snapshot-policies"


def one(api, path: str, **query: Any) -> dict[str, Any]:
    records = api.get(path, params={"fields": "*"} | query).json()["records"]
    assert len(records) == 1, records
    return records[0]


def made(api, path: str, **body: Any) -> dict[str, Any]:
    answer = api.post(path, params={"return_records": "true"}, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].startswith(path)
    return answer.json()["records"][0]


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def schedule(api):
    record = made(api, SCHEDULES, name=f"s_{uuid4().hex[:8]}", cron={"minutes": [30, 0], "weekdays": [1]})
    yield record
    api.delete(f"{SCHEDULES}/{record['uuid']}")


@pytest.fixture
def policy(api, schedule):
    copies = [{"schedule": {"name": "hourly"}, "count": 3}, {"schedule": {"uuid": schedule["uuid"]}, "count": "2"}]
    record = made(api, POLICIES, name=f"p_{uuid4().hex[:8]}", copies=copies, comment="mine")
    yield record
    api.delete(f"{POLICIES}/{record['uuid']}")


def test_ontaps_own_schedules_are_there(api):
    names = {record["name"] for record in api.get(SCHEDULES, params={"type": "cron"}).json()["records"]}
    assert {"5min", "8hour", "hourly", "daily", "weekly", "monthly"} <= names
    monthly = one(api, SCHEDULES, name="monthly")
    assert monthly["cron"] == {"minutes": [20], "hours": [0], "days": [1]}
    assert monthly["scope"] == "cluster" and monthly["cluster"]["name"] == api.get("/api/cluster").json()["name"]
    assert one(api, SCHEDULES, interval="PT7M30S")["name"] == "Balanced Placement Model Cache Update"


def test_ontaps_own_policies_keep_what_they_keep_there(api):
    default = one(api, POLICIES, name="default")
    kept = {copy["schedule"]["name"]: (copy["count"], copy["prefix"]) for copy in default["copies"]}
    assert kept == {"hourly": (6, "hourly"), "daily": (2, "daily"), "weekly": (2, "weekly")}
    assert one(api, POLICIES, name="none")["copies"] == []
    assert one(api, POLICIES, name="default-1weekly")["enabled"] is True


def test_a_schedule_shows_its_times_in_order_and_all_minutes_where_none_is_named(api, schedule):
    assert schedule["cron"] == {"minutes": [0, 30], "weekdays": [1]} and schedule["type"] == "cron"
    answer = api.patch(f"{SCHEDULES}/{schedule['uuid']}", json={"cron": {"minutes": [], "hours": [4]}})
    assert answer.status_code == 200, answer.text
    changed = api.get(f"{SCHEDULES}/{schedule['uuid']}").json()
    assert changed["cron"] == {"minutes": list(range(60)), "hours": [4]}, "a new cron replaces the old one"


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"cron": {"hours": [1]}},
        {"cron": {"minutes": [1]}, "interval": "P1D"},
        {"cron": {"minutes": [60]}},
        {"cron": {"minutes": [1], "weekdays": [7]}},
        {"cron": {"minutes": ["x"]}},
        {"interval": "1 day"},
        {"interval": "P"},
        {"interval": "PT"},
        {"interval": "P" + "9" * 400 + "D"},
    ],
)
def test_what_is_no_time_makes_no_schedule(api, times):
    answer = api.post(SCHEDULES, json={"name": "odd"} | times)
    assert answer.status_code == 400 and answer.json()["error"]["code"] in ("459760", "262197"), answer.text
    assert api.get(SCHEDULES, params={"name": "odd"}).json()["num_records"] == 0


def test_an_interval_may_come_with_an_empty_cron(api):
    record = made(api, SCHEDULES, name=f"s_{uuid4().hex[:8]}", interval="P1DT2H3M4S", cron={})
    assert (record["type"], record["interval"]) == ("interval", "P1DT2H3M4S") and "cron" not in record
    assert api.delete(f"{SCHEDULES}/{record['uuid']}").status_code == 200


def test_a_schedule_does_not_change_its_type(api, schedule):
    assert code(api.patch(f"{SCHEDULES}/{schedule['uuid']}", json={"interval": "P1D"})) == (400, "459760")


def test_a_schedule_in_use_and_one_of_the_system_stay(api, policy, schedule):
    assert code(api.delete(f"{SCHEDULES}/{schedule['uuid']}")) == (409, "459758")
    own = one(api, SCHEDULES, name="Auto Balance Aggregate Scheduler")
    assert code(api.delete(f"{SCHEDULES}/{own['uuid']}")) == (403, "459762")


@pytest.mark.parametrize(
    "path, body",
    [
        (SCHEDULES, {"name": "daily", "interval": "P1D"}),
        (POLICIES, {"name": "default", "copies": [{"schedule": {"name": "daily"}, "count": 1}]}),
    ],
)
def test_a_name_is_taken_once_in_the_cluster(api, path, body):
    assert code(api.post(path, json=body)) == (409, "1")


def test_a_policy_names_its_schedules_and_prefixes_snapshots_with_them(policy, schedule):
    assert [(c["schedule"]["name"], c["count"], c["prefix"]) for c in policy["copies"]] == [
        ("hourly", 3, "hourly"),
        (schedule["name"], 2, schedule["name"]),
    ]
    assert policy["scope"] == "cluster" and policy["enabled"] is True and "svm" not in policy


@pytest.mark.parametrize(
    "copies, expected",
    [
        ([], "2"),
        ([{"schedule": {"name": "hourly"}}], "1638407"),
        ([{"schedule": {"name": "nightly"}, "count": 1}], "1638410"),
        ([{"count": 1}], "1638410"),
        ([{"schedule": {"name": "hourly"}, "count": 1000}, {"schedule": {"name": "daily"}, "count": 24}], "1638451"),
        ([{"schedule": {"name": "hourly"}, "count": 0}], "262197"),
        ([{"schedule": {"name": "hourly"}, "count": -3}], "262197"),
        ([{"schedule": {"name": "hourly"}, "count": 1}] * 2, "1"),
        ([{"schedule": {"name": "hourly"}, "count": 1, "retention_period": "P1Y10M"}], "918253"),
        ([None], "262197"),
    ],
)
def test_a_policy_that_could_keep_nothing_or_too_much_is_refused(api, copies, expected):
    answer = api.post(POLICIES, json={"name": "odd", "copies": copies})
    assert answer.status_code in (400, 404, 409) and answer.json()["error"]["code"] == expected, answer.text
    assert api.get(POLICIES, params={"name": "odd"}).json()["num_records"] == 0


def test_one_copy_may_come_as_an_object(api):
    record = made(api, POLICIES, name=f"p_{uuid4().hex[:8]}", copies={"schedule": {"name": "daily"}, "count": 1})
    assert len(record["copies"]) == 1
    assert api.delete(f"{POLICIES}/{record['uuid']}").status_code == 200


def test_the_schedules_of_a_policy_are_a_collection_of_their_own(api, policy, schedule):
    path = f"{POLICIES}/{policy['uuid']}/schedules"
    daily = made(api, path, schedule={"name": "daily"}, count=4, snapmirror_label="vault")
    assert daily["snapshot_policy"]["name"] == policy["name"] and daily["snapmirror_label"] == "vault"
    of_daily = f"{path}/{daily['schedule']['uuid']}"
    assert api.patch(of_daily, json={"count": 5}).status_code == 200
    assert api.get(of_daily).json()["count"] == 5
    assert code(api.patch(of_daily, json={"count": 1020})) == (400, "1638451")
    assert api.delete(f"{path}/{schedule['uuid']}").status_code == 200
    names = [record["schedule"]["name"] for record in api.get(path).json()["records"]]
    assert names == ["hourly", "daily"]


def test_a_policy_keeps_its_last_schedule(api):
    policy = made(api, POLICIES, name=f"p_{uuid4().hex[:8]}", copies=[{"schedule": {"name": "daily"}, "count": 1}])
    daily = policy["copies"][0]["schedule"]["uuid"]
    assert api.delete(f"{POLICIES}/{policy['uuid']}/schedules/{daily}").status_code == 400
    assert api.delete(f"{POLICIES}/{policy['uuid']}").status_code == 200


def test_ontaps_own_policies_are_not_changed(api):
    default = one(api, POLICIES, name="default")["uuid"]
    assert api.delete(f"{POLICIES}/{default}").status_code == 403
    assert api.patch(f"{POLICIES}/{default}", json={"enabled": False}).status_code == 403


def test_a_policy_that_a_volume_has_stays(api, make, policy):
    volume = make(snapshot_policy={"name": policy["name"]})
    answer = api.delete(f"{POLICIES}/{policy['uuid']}")
    assert code(answer) == (409, "1638414") and volume["name"] in answer.json()["error"]["message"]
    api.delete(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60")
    assert api.delete(f"{POLICIES}/{policy['uuid']}").status_code == 200


def test_an_svms_user_makes_policies_of_its_svm_and_changes_no_others(emulator, api, policy):
    emulator.control(
        "PUT", "/roles", {"name": "keeper", "privileges": [{"path": "/api/storage/snapshot-policies", "access": "all"}]}
    )
    emulator.control("PUT", "/users", {"name": "keeper", "password": "pw", "role": "keeper", "svm": "svm1"})
    with emulator.client("keeper", "pw") as theirs:
        own = made(theirs, POLICIES, name=policy["name"] + "_svm", copies=[{"schedule": {"name": "daily"}, "count": 1}])
        assert own["scope"] == "svm" and own["svm"]["name"] == "svm1"
        assert theirs.patch(f"{POLICIES}/{policy['uuid']}", json={"comment": "x"}).status_code == 403
        assert theirs.delete(f"{POLICIES}/{own['uuid']}").status_code == 200


def test_the_least_privileged_account_reads_policies_only(emulator):
    with emulator.client("least") as least:
        found = least.get(POLICIES, params={"name": "default"})
        assert found.json()["num_records"] == 1
        assert least.post(POLICIES, json={"name": "x"}).status_code == 403


def test_policies_of_ontap_appear_in_a_state_that_an_older_emulator_left(fresh_emulator):
    import sqlite3

    fresh_emulator.stop()
    with sqlite3.connect(fresh_emulator.root / "state.sqlite") as state:
        state.execute("DELETE FROM records WHERE kind IN ('schedule', 'snapshot_policy')")
    fresh_emulator.start()
    with fresh_emulator.client() as api:
        assert len(one(api, POLICIES, name="default")["copies"]) == 3
