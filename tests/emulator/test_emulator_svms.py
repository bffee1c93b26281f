"""SVMs: what each begins with, and what goes with it."""

from __future__ import annotations

from uuid import uuid4

import pytest


def error(answer):
    return answer.json()["error"]


def roots(api, svm: str = "svm1"):
    found = api.get(f"/api/storage/volumes?svm.name={svm}&is_svm_root=true&fields=nas,comment,is_svm_root").json()
    return found["records"]


@pytest.fixture
def other(api):
    name = f"svm_{uuid4().hex[:8]}"
    assert api.post("/api/svm/svms?return_timeout=60", json={"name": name}).status_code == 201
    return name


def shown(api, svm: str):
    (record,) = api.get("/api/svm/svms", params={"name": svm, "fields": "*"}).json()["records"]
    return record


def change(api, svm: str, **body):
    return api.patch(f"/api/svm/svms/{shown(api, svm)['uuid']}?return_timeout=60", json=body)


def test_every_svm_has_a_root_volume_at_the_top_of_its_namespace(api, other):
    for svm in ("svm1", other):
        (root,) = roots(api, svm)
        assert (root["name"], root["nas"]["path"], root["is_svm_root"]) == (f"{svm}_root", "/", True)


def test_a_root_volume_stays_where_it_is(api):
    path = f"/api/storage/volumes/{roots(api)[0]['uuid']}"
    for body in ({"nas": {"path": "/elsewhere"}}, {"nas": {"path": ""}}, {"state": "offline"}):
        refused = api.patch(path, json=body)
        assert (refused.status_code, error(refused)["code"]) == (400, "3"), body
    refused = api.delete(path)
    assert "root volume" in error(refused)["message"]
    changed = api.patch(f"{path}?return_timeout=60", json={"nas": {"path": "/", "unix_permissions": 711}})
    assert changed.status_code == 200
    assert roots(api)[0]["nas"]["unix_permissions"] == 711
    api.patch(f"{path}?return_timeout=60", json={"nas": {"unix_permissions": 755}})


def test_volumes_are_mounted_beside_a_root_volume(emulator, api, make):
    made = make()
    assert (emulator.namespace / made["name"]).is_dir()
    assert roots(api)[0]["nas"]["path"] == "/"


def test_no_bucket_is_made_over_what_only_the_root_volume_holds(api, other):
    made = api.post("/api/protocols/s3/services", json={"svm": {"name": other}, "name": "s3-of-other"})
    assert made.status_code == 201, made.text
    body = {"svm": {"name": other}, "name": "nowhere", "type": "nas", "nas_path": "/nowhere"}
    refused = api.post("/api/protocols/s3/buckets?return_timeout=60", json=body)
    assert refused.status_code == 400, refused.text
    assert "No volume is mounted" in refused.text


def test_an_svm_goes_with_its_root_volume_and_all_it_has(emulator, api, other):
    api.post("/api/storage/qos/policies", json={"name": f"{other}_q", "svm": {"name": other}, "fixed": {}})
    (root,) = roots(api, other)
    api.post(f"/api/storage/volumes/{root['uuid']}/snapshots?return_timeout=60", json={"name": "s"})
    uuid = api.get(f"/api/svm/svms?name={other}").json()["records"][0]["uuid"]
    assert api.delete(f"/api/svm/svms/{uuid}?return_timeout=60").status_code == 200
    assert api.get(f"/api/storage/volumes/{root['uuid']}").status_code == 404
    assert not (emulator.root / "volumes" / root["uuid"]).exists()
    for path in ("/api/protocols/nfs/export-policies", "/api/storage/qos/policies", "/api/storage/volumes"):
        assert api.get(f"{path}?svm.name={other}").json()["num_records"] == 0


def test_a_state_of_an_older_emulator_gets_its_root_volume_at_the_start(fresh_emulator):
    import sqlite3

    fresh_emulator.stop()
    with sqlite3.connect(fresh_emulator.root / "state.sqlite") as database:
        database.execute("DELETE FROM records WHERE kind = 'volume'")
    database.close()
    fresh_emulator.start()
    with fresh_emulator.client() as api:
        assert [root["name"] for root in roots(api)] == ["svm1_root"]


def test_an_emulator_begins_with_the_svms_that_are_named(tmp_path):
    from tests.conftest import Emulator

    running = Emulator(tmp_path / "two", "--svm", "east", "--svm", "west").start()
    try:
        with running.client() as api:
            assert [svm["name"] for svm in api.get("/api/svm/svms").json()["records"]] == ["east", "west"]
            found = api.get("/api/network/ip/interfaces?fields=svm&scope=svm").json()["records"]
            assert [lif["svm"]["name"] for lif in found] == ["east", "west"]
        with running.client("vsadmin") as api:
            assert [svm["name"] for svm in api.get("/api/svm/svms").json()["records"]] == ["east"]
    finally:
        running.close()


def changed(api, svm: str, **body):
    (record,) = api.get(f"/api/svm/svms?name={svm}").json()["records"]
    answer = api.patch(f"/api/svm/svms/{record['uuid']}?return_timeout=60", json=body)
    return answer, record["uuid"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"comment": "x" * 255}, "comment"),
        ({"language": "en_us.utf_8"}, "language"),
        ({"state": "stopped"}, "state"),
        ({"snapshot_policy": {"name": "none"}}, "snapshot_policy.name"),
        ({"max_volumes": "200"}, "max_volumes"),
        ({"nfs": {"allowed": False}}, "nfs.allowed"),
        ({"auto_enable_analytics": True}, "auto_enable_analytics"),
        ({"storage": {"limit": 1024**4}}, "storage.limit"),
        ({"aggregates": ["aggr2"]}, "aggregates"),
        ({"aggregates": [{"name": "aggr2"}]}, "aggregates"),
        ({"aggregates": {"name": "aggr2"}}, "aggregates"),
    ],
    ids=str,
)
def test_what_is_set_on_an_svm_is_read_back(api, other, body, field):
    answer, uuid = changed(api, other, **body)
    assert answer.status_code == 200, answer.text
    shown, wanted = api.get(f"/api/svm/svms/{uuid}?fields={field}").json(), body
    for part in field.split("."):
        shown, wanted = shown[part], wanted[part]
    if field == "aggregates":
        assert [aggregate["name"] for aggregate in shown] == ["aggr2"]
    else:
        assert shown == wanted


@pytest.mark.parametrize(
    "body",
    [
        *[
            {"comment": "x" * 256},
            {"language": "klingon"},
            {"state": "banana"},
            {"max_volumes": 0},
            {"nfs": {"allowed": 7}},
        ],
        *[{"snapshot_policy": {"name": "nosuch"}}, {"aggregates": [{"name": "nosuch"}]}, {"aggregates": 5}],
        *[{"aggregates": [[]]}, {"aggregates": [{}]}, {"name": "../x"}, {"storage": {"limit": "much"}}],
    ],
    ids=str,
)
def test_nonsense_on_an_svm_is_refused_and_changes_nothing(api, other, body):
    before = api.get(f"/api/svm/svms?name={other}&fields=**").json()["records"]
    answer, _ = changed(api, other, **body)
    assert answer.status_code in (400, 404), answer.text
    assert api.get(f"/api/svm/svms?name={other}&fields=**").json()["records"] == before


def test_a_renamed_svm_keeps_all_it_has(emulator, api, other):
    name = f"{other}_new"
    body = {"name": "v", "svm": {"name": other}, "aggregates": [{"name": "aggr1"}], "nas": {"path": "/v"}}
    assert api.post("/api/storage/volumes?return_timeout=60", json=body).status_code == 201
    (emulator.root / "namespace" / other / "v" / "file").write_text("kept")
    api.put("/emulator/users", json={"name": f"u_{other}", "password": "secret", "role": "vsadmin", "svm": other})
    answer, _ = changed(api, other, name=name)
    assert answer.status_code == 200, answer.text
    assert not (emulator.root / "namespace" / other).exists()
    assert (emulator.root / "namespace" / name / "v" / "file").read_text() == "kept"
    volumes = api.get(f"/api/storage/volumes?svm.name={name}").json()["records"]
    assert {volume["name"] for volume in volumes} == {f"{other}_root", "v"}
    assert api.get(f"/api/protocols/nfs/export-policies?svm.name={name}").json()["num_records"] == 1
    with emulator.client(f"u_{other}", "secret") as bound:
        assert [svm["name"] for svm in bound.get("/api/svm/svms").json()["records"]] == [name]


def test_an_svm_takes_no_other_ones_name(api, other):
    answer, _ = changed(api, other, name="svm1")
    assert (answer.status_code, error(answer)["code"]) == (409, "1")


def test_a_volume_begins_with_what_its_svm_says(api, other):
    changed(api, other, language="ja.utf_8", snapshot_policy={"name": "none"})
    body = {"name": "v", "svm": {"name": other}, "aggregates": [{"name": "aggr1"}]}
    place = api.post("/api/storage/volumes?return_timeout=60", json=body).headers["location"]
    shown = api.get(f"{place}?fields=language,snapshot_policy").json()
    assert (shown["language"], shown["snapshot_policy"]["name"]) == ("ja.utf_8", "none")


def test_the_first_svm_keeps_its_accounts_when_it_is_renamed(fresh_emulator):
    with fresh_emulator.client() as api:
        assert change(api, "svm1", name="east").status_code == 200
    fresh_emulator.stop()
    fresh_emulator.start()
    for user in ("vsadmin", "least"):
        with fresh_emulator.client(user) as api:
            assert [svm["name"] for svm in api.get("/api/svm/svms").json()["records"]] == ["east"]


def test_an_svm_that_is_stopped_serves_no_s3_and_does_again_when_it_is_started(api, other, emulator):
    import httpx

    service = {"svm": {"name": other}, "name": "s3-stopped", "is_http_enabled": True}
    assert api.post("/api/protocols/s3/services", json=service).status_code == 201
    policy = {"statements": [{"effect": "allow", "actions": ["*"], "principals": ["*"], "resources": ["*"]}]}
    bucket = {"svm": {"name": other}, "name": other.replace("_", "-"), "size": "1GB", "policy": policy}
    answer = api.post("/api/protocols/s3/buckets?return_timeout=60", json=bucket)
    assert answer.status_code == 201, answer.text
    url = f"{emulator.s3_url}/{bucket['name']}?list-type=2"
    assert httpx.get(url).status_code == 200
    assert change(api, other, state="stopped").status_code == 200
    assert shown(api, other)["state"] == "stopped"
    assert httpx.get(url).status_code == 503
    assert change(api, other, state="running").status_code == 200
    assert httpx.get(url).status_code == 200


def test_a_snapshot_policy_that_an_svm_has_stays(api, other):
    body = {"name": f"p_{other}", "copies": [{"schedule": {"name": "daily"}, "count": 1}]}
    uuid = api.post("/api/storage/snapshot-policies?return_records=true", json=body).json()["records"][0]["uuid"]
    assert change(api, other, snapshot_policy={"name": body["name"]}).status_code == 200
    assert api.delete(f"/api/storage/snapshot-policies/{uuid}").status_code == 409
    assert change(api, other, snapshot_policy={"name": "default"}).status_code == 200
    assert api.delete(f"/api/storage/snapshot-policies/{uuid}").status_code == 200


def test_an_svm_without_aggregates_has_its_root_volume_all_the_same(api):
    name = f"bare_{uuid4().hex[:8]}"
    made = api.post("/api/svm/svms?return_timeout=60", json={"name": name, "aggregates": []})
    assert made.status_code == 201, made.text
    assert len(roots(api, name)) == 1


def test_a_stopped_svm_serves_no_objects(emulator, api, other):
    import httpx

    name = f"b-{uuid4().hex[:8]}"
    api.post("/api/protocols/s3/services", json={"svm": {"name": other}, "name": "s3-of-it", "is_http_enabled": True})
    statement = {"effect": "allow", "actions": ["*"], "principals": ["*"]}
    body = {"svm": {"name": other}, "name": name, "policy": {"statements": [statement]}}
    assert api.post("/api/protocols/s3/buckets?return_timeout=60", json=body).status_code == 201
    answers = []
    for state in ("running", "stopped", "running"):
        changed(api, other, state=state)
        answers.append(httpx.get(f"{emulator.s3_url}/{name}").status_code)
    assert answers == [200, 503, 200]
