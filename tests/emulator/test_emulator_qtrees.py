"""Qtrees as folders, and quotas on them that writes over S3 keep to."""

from __future__ import annotations

from typing import Any

import pytest

QTREES = "/api/storage/qtrees"
RULES = "/api/storage/quota/rules"
REPORTS = "/api/storage/quota/reports"
VOLUMES = "/api/storage/volumes"
WAIT = {"return_timeout": 60}


def code(answer) -> str:
    return answer.json()["error"]["code"]


@pytest.fixture
def home(api, make, emulator):
    """A mounted volume and its folder."""
    volume = make(snapshot_policy={"name": "none"})
    path = f"/{volume['name']}"
    api.patch(f"{VOLUMES}/{volume['uuid']}", params=WAIT, json={"nas": {"path": path}}).raise_for_status()
    return volume | {"top": emulator.namespace / volume["name"]}


def add(api, home, name: str, **more: Any):
    body = {"name": name, "svm": {"name": "svm1"}, "volume": {"name": home["name"]}} | more
    return api.post(QTREES, params=WAIT | {"return_records": "true"}, json=body)


def rule(api, home, qtree: str = "", **limits: Any):
    body = {"svm": {"name": "svm1"}, "volume": {"name": home["name"]}, "type": "tree", "qtree": {"name": qtree}}
    return api.post(RULES, params={"return_records": "true"}, json=body | limits)


def on(api, home, enabled: bool = True) -> None:
    body = {"quota": {"enabled": enabled}}
    api.patch(f"{VOLUMES}/{home['uuid']}", params=WAIT, json=body).raise_for_status()


def reports(api, home) -> dict[str, dict[str, Any]]:
    query = {"fields": "*", "volume.uuid": home["uuid"]}
    return {r["qtree"]["name"]: r for r in api.get(REPORTS, params=query).json()["records"]}


def test_a_qtree_is_a_folder_with_a_number(api, home):
    made = add(api, home, "alice", unix_permissions=770).json()["records"][0]
    assert (made["id"], made["path"], made["unix_permissions"]) == (1, f"/{home['name']}/alice", 770)
    assert (home["top"] / "alice").stat().st_mode & 0o777 == 0o770
    names = [r["name"] for r in api.get(QTREES, params={"volume.name": home["name"]}).json()["records"]]
    assert names == ["", "alice"]
    assert add(api, home, "bob").json()["records"][0]["id"] == 2
    assert code(add(api, home, "alice")) == "5242951"
    assert code(add(api, home, "a/b")) == "5242953"


def test_a_folder_with_files_does_not_become_a_qtree(api, home):
    (home["top"] / "full").mkdir()
    (home["top"] / "full" / "f").write_text("x")
    assert code(add(api, home, "full")) == "5242951"
    assert (home["top"] / "full" / "f").read_text() == "x"


def test_a_qtree_is_renamed_and_removed_with_what_is_in_it(api, home):
    add(api, home, "alice").raise_for_status()
    (home["top"] / "alice" / "f").write_text("x")
    place = f"{QTREES}/{home['uuid']}/1"
    assert api.patch(place, params=WAIT, json={"name": "carol"}).status_code == 200
    assert (home["top"] / "carol" / "f").read_text() == "x"
    assert api.delete(place, params=WAIT).status_code == 200
    assert not (home["top"] / "carol").exists()
    assert api.delete(f"{QTREES}/{home['uuid']}/0", params=WAIT).status_code == 403


def test_a_report_shows_what_is_used_of_what_may_be(api, home):
    add(api, home, "alice").raise_for_status()
    add(api, home, "bob").raise_for_status()
    (home["top"] / "alice" / "f").write_bytes(b"x" * 500)
    rule(api, home, "alice", space={"hard_limit": 1000, "soft_limit": 800}).raise_for_status()
    rule(api, home, files={"hard_limit": 10}).raise_for_status()
    assert reports(api, home) == {}
    on(api, home)
    volume = api.get(f"{VOLUMES}/{home['uuid']}", params={"fields": "quota"}).json()
    assert volume["quota"] == {"enabled": True, "state": "on"}
    found = reports(api, home)
    assert found["alice"]["space"] == {
        "hard_limit": 1000,
        "soft_limit": 800,
        "used": {"total": 500, "hard_limit_percent": 50},
    }
    assert found["bob"]["files"] == {"hard_limit": 10, "used": {"total": 0, "hard_limit_percent": 0}}
    on(api, home, enabled=False)
    assert reports(api, home) == {}


def test_a_rule_made_while_quotas_are_on_holds_from_the_next_time_and_a_changed_one_at_once(api, home):
    add(api, home, "alice").raise_for_status()
    on(api, home)
    assert code(rule(api, home, "alice", space={"hard_limit": 1000})) == "5308571"
    (made,) = api.get(RULES, params={"volume.uuid": home["uuid"]}).json()["records"]
    assert reports(api, home) == {}
    on(api, home, enabled=False)
    on(api, home)
    api.patch(f"{RULES}/{made['uuid']}", json={"space": {"hard_limit": 2000}}).raise_for_status()
    assert reports(api, home)["alice"]["space"]["hard_limit"] == 2000
    assert code(api.delete(f"{RULES}/{made['uuid']}")) == "5308572"
    assert api.get(RULES, params={"volume.uuid": home["uuid"]}).json()["num_records"] == 0
    assert "alice" in reports(api, home), "until quotas are switched off"
    on(api, home, enabled=False)
    on(api, home)
    assert reports(api, home) == {}


@pytest.mark.parametrize(
    ("qtree", "more", "expected"),
    [
        ("none", {}, "4"),
        ("alice", {"type": "user"}, "3"),
        ("alice", {"space": {"hard_limit": 1, "soft_limit": 2}}, "2"),
        ("taken", {}, "1"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_code(api, home, qtree, more, expected):
    for name in ("alice", "taken"):
        add(api, home, name).raise_for_status()
    rule(api, home, "taken").raise_for_status()
    assert code(rule(api, home, qtree, **more)) == expected


def test_a_qtree_with_a_quota_stays_and_all_go_with_their_volume(api, home):
    add(api, home, "alice").raise_for_status()
    rule(api, home, "alice", space={"hard_limit": 1000}).raise_for_status()
    assert code(api.delete(f"{QTREES}/{home['uuid']}/1", params=WAIT)) == "5242962"
    api.patch(f"{VOLUMES}/{home['uuid']}", params=WAIT, json={"nas": {"path": ""}}).raise_for_status()
    assert api.delete(f"{VOLUMES}/{home['uuid']}", params=WAIT).status_code == 200
    assert api.get(RULES, params={"volume.name": home["name"]}).json()["num_records"] == 0
