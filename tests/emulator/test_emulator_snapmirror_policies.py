"""SnapMirror policies: ONTAP's own, and those that somebody makes."""

from __future__ import annotations

import pytest

PATH = "/api/snapmirror/policies"


def code(answer) -> str:
    return answer.json()["error"]["code"]


def shown(api, name: str) -> dict:
    return api.get(PATH, params={"name": name, "fields": "*"}).json()["records"][0]


def test_the_presets_are_there(api):
    names = {each["name"] for each in api.get(PATH).json()["records"]}
    assert {
        "Asynchronous",
        "MirrorAllSnapshots",
        "MirrorLatest",
        "MirrorAndVault",
        "XDPDefault",
        "DailyBackup",
    } <= names
    assert {"Sync", "StrictSync", "Unified7year", "CloudBackupDefault"} <= names
    default = shown(api, "Asynchronous")
    assert (default["type"], default["transfer_schedule"]["name"], default["scope"]) == ("async", "hourly", "cluster")
    assert [(rule["label"], rule["count"]) for rule in default["retention"]] == [
        ("daily", "7"),
        ("weekly", "52"),
    ]
    assert shown(api, "MirrorAllSnapshots")["copy_all_source_snapshots"] is True
    assert shown(api, "MirrorLatest")["copy_latest_source_snapshot"] is True
    assert shown(api, "DailyBackup")["create_snapshot_on_source"] is False
    assert shown(api, "StrictSync")["sync_type"] == "strict_sync"


def test_made_changed_and_deleted(api):
    body = {"name": "mine", "svm": {"name": "svm1"}, "comment": "ours", "retention": [{"label": "day", "count": 3}]}
    made = api.post(PATH, json=body | {"transfer_schedule": {"name": "daily"}, "throttle": 100})
    assert made.status_code == 201, made.text
    record = shown(api, "mine")
    assert (record["scope"], record["throttle"], record["transfer_schedule"]["name"]) == ("svm", 100, "daily")
    one = made.headers["location"]
    changes = {"comment": "theirs", "retention": [{"label": "week", "count": 9}], "transfer_schedule": {"name": ""}}
    assert api.patch(one, json=changes).status_code == 200
    record = shown(api, "mine")
    assert record["comment"] == "theirs" and "transfer_schedule" not in record
    assert [rule["label"] for rule in record["retention"]] == ["week"]
    assert code(api.post(PATH, json=body)) == "1"
    assert api.delete(one).status_code == 200
    assert code(api.get(one)) == "4"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"retention": [{"label": "day", "count": 0}]}, "13303850"),
        ({"retention": [{"label": "day", "count": 1}], "copy_all_source_snapshots": True}, "13303850"),
        ({"copy_latest_source_snapshot": False}, "13303850"),
        ({"create_snapshot_on_source": False}, "13303850"),
        ({"create_snapshot_on_source": True}, "13303850"),
        ({"retention": [{"label": "day", "count": 1}] * 2}, "13303850"),
        ({"retention": [{"label": f"l{number}", "count": 1} for number in range(11)]}, "13303887"),
        ({"retention": [{"label": "day", "count": 1, "creation_schedule": {"name": "daily"}}]}, "3"),
        ({"type": "weekly"}, "262197"),
        ({"transfer_schedule": {"name": "never"}}, "4"),
    ],
)
def test_what_is_no_policy(api, body, wanted):
    answer = api.post(PATH, json={"name": "none_such"} | body)
    assert code(answer) == wanted, answer.text
    assert api.get(PATH, params={"name": "none_such"}).json()["num_records"] == 0


def test_presets_stay(api):
    uuid = shown(api, "Asynchronous")["uuid"]
    assert code(api.delete(f"{PATH}/{uuid}")) == "13303865"
    assert code(api.patch(f"{PATH}/{uuid}", json={"comment": "x"})) == "13303865"


def test_a_policy_in_use_stays(peered):
    from tests.emulator.mirror_support import Mirrors

    with peered.here.client() as here, peered.there.client() as there:
        pair = Mirrors(peered, here, there)
        one = there.post(PATH, json={"name": "used"}).headers["location"]
        pair.mirrored(policy={"name": "used"})
        answer = there.delete(one)
        assert (code(answer), "svm2:data_mirror" in answer.text) == ("8", True)
