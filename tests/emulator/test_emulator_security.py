"""Accounts and roles as ONTAP's administrator makes them, and what a role then allows."""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

import pytest

PASSWORD = "Harbour-1984"
HTTP = [{"application": "http", "authentication_methods": ["password"]}]
VOLUMES = {"path": "/api/storage/volumes", "access": "read_create"}


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def name():
    return f"r{uuid4().hex[:8]}"


@pytest.fixture
def role(api, name):
    """Of svm1; its path below /api."""
    body = {"name": name, "owner": {"name": "svm1"}, "privileges": [VOLUMES]}
    made = api.post("/api/security/roles", json=body)
    assert made.status_code == 201, made.text
    yield made.headers["location"]
    api.delete(made.headers["location"])


@pytest.fixture
def account(api, role, name):
    body = {"name": f"a_{name}", "owner.name": "svm1", "role.name": name, "password": PASSWORD, "applications": HTTP}
    made = api.post("/api/security/accounts", json=body)
    assert made.status_code == 201, made.text
    yield made.headers["location"]
    api.delete(made.headers["location"])


@pytest.fixture
def user(emulator, account, name):
    with emulator.client(f"a_{name}", PASSWORD) as client:
        yield client


def test_an_account_may_what_its_role_says_and_what_it_may_not_is_403_with_ontaps_code(user, api, role):
    assert user.get("/api/storage/volumes").status_code == 200
    for method, path in [
        ("DELETE", f"/api/storage/volumes/{uuid4()}"),
        ("GET", "/api/cluster"),
        ("GET", "/api/svm/svms"),
    ]:
        refused = user.request(method, path)
        assert error(refused) == (403, "6") and "not authorized" in refused.json()["error"]["message"], path
    added = api.post(f"{role}/privileges", json={"path": "/api/svm/svms", "access": "readonly"})
    assert added.status_code == 201
    assert [svm["name"] for svm in user.get("/api/svm/svms").json()["records"]] == ["svm1"]
    where = f"{role}/privileges/{quote('/api/svm/svms', safe='')}"
    assert added.headers["location"] == where
    assert api.patch(where, json={"access": "none"}).status_code == 200
    assert user.get("/api/svm/svms").status_code == 403
    assert api.delete(where).status_code == 200 and api.get(where).status_code == 404


def test_a_longer_path_says_otherwise_than_a_shorter_one(user, api, role, make):
    snapshots = f"/api/storage/volumes/{make()['uuid']}/snapshots"
    assert user.get(snapshots).status_code == 200
    rows = f"{role}/privileges"
    api.post(rows, json={"path": "/api/storage/volumes/*/snapshots", "access": "none"}).raise_for_status()
    assert user.get(snapshots).status_code == 403
    shown = api.get(role).json()
    assert {row["path"]: row["access"] for row in shown["privileges"]} == {
        "/api/storage/volumes": "read_create",
        "/api/storage/volumes/*/snapshots": "none",
    }
    assert (shown["scope"], shown["builtin"], shown["owner"]["name"]) == ("svm", False, "svm1")
    listed = api.get("/api/security/roles/*/*/privileges", params={"role.name": shown["name"]}).json()
    assert listed["num_records"] == 2


def test_what_no_role_can_name_is_refused(api, role, name):
    def made(*rows, **other):
        body = {"name": f"n_{name}", "privileges": list(rows), **other}
        return error(api.post("/api/security/roles", json=body))

    assert made({"path": "/api/no/such/thing", "access": "all"}) == (400, "5636170")
    assert made({"path": "volume show", "access": "all"}) == (400, "5636170")
    assert made({"path": "/api/snapmirror/relationships/*/transfers", "access": "all"}) == (400, "5636169")
    assert made({"path": "/api/storage/volumes", "access": "some"}) == (400, "262197")
    assert made({"path": "/api/storage/volumes"}) == (400, "262196")
    assert made() == (400, "262196")
    assert made(VOLUMES, VOLUMES) == (409, "1")
    assert made(VOLUMES, owner={"name": "nobody"}) == (404, "2621462")
    assert error(api.post(f"{role}/privileges", json=VOLUMES)) == (409, "1")
    again = {"name": name, "owner": {"name": "svm1"}, "privileges": [VOLUMES]}
    assert error(api.post("/api/security/roles", json=again)) == (409, "1")
    assert error(api.post("/api/security/roles", json=again | {"name": "admin"})) == (409, "1")
    assert api.get("/api/security/roles", params={"name": f"n_{name}"}).json()["num_records"] == 0


def test_a_role_that_an_account_has_stays_and_so_does_a_built_in_one(api, role, account):
    assert error(api.delete(role)) == (409, "5636172")
    (builtin,) = api.get("/api/security/roles", params={"name": "vsadmin", "owner.name": "svm1"}).json()["records"]
    where = builtin["_links"]["self"]["href"]
    assert api.get(where).json()["builtin"] is True
    assert error(api.delete(where)) == (400, "1263347")
    assert error(api.post(f"{where}/privileges", json=VOLUMES)) == (400, "1263347")
    only = quote("/api/storage/volumes", safe="")
    assert api.delete(f"{role}/privileges/{only}").status_code == 400, "a role without a privilege is none"


def test_an_account_is_locked_and_gets_another_password_which_no_answer_shows(emulator, api, account, user, name):
    shown = api.get(account, params={"fields": "**"})
    assert PASSWORD not in shown.text and "digest" not in shown.text and "salt" not in shown.text
    assert (shown.json()["role"]["name"], shown.json()["scope"], shown.json()["locked"]) == (name, "svm", False)
    assert api.patch(account, json={"locked": True}).status_code == 200
    assert error(user.get("/api/storage/volumes")) == (401, "6691623")
    assert api.patch(account, json={"locked": False, "password": "Lantern-2001"}).status_code == 200
    assert user.get("/api/storage/volumes").status_code == 401
    with emulator.client(f"a_{name}", "Lantern-2001") as client:
        assert client.get("/api/storage/volumes").status_code == 200
    assert error(api.patch(account, json={"password": "Lantern-2001"})) == (400, "7077924")
    api.patch(account, json={"applications": [{"application": "ssh"}]}).raise_for_status()
    with emulator.client(f"a_{name}", "Lantern-2001") as client:
        assert client.get("/api/storage/volumes").status_code == 401, "only the application http is the REST interface"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"password": "short1"}, "7077919"),
        ({"password": "lettersonly"}, "7077920"),
        ({"password": "x1" * 65}, "7077940"),
        ({"password": "my-odd-1234"}, "7077918"),
        ({"role": {"name": "nosuchrole"}}, "7077906"),
        ({"name": "with blank"}, "7077897"),
        ({"name": "root"}, "2"),
        ({"applications": []}, "262196"),
        ({"applications": [{"application": "telepathy"}]}, "262197"),
    ],
)
def test_an_account_that_cannot_be_is_refused(api, changed, code):
    body = {"name": "odd", "owner": {"name": "svm1"}, "password": PASSWORD, "applications": HTTP}
    assert error(api.post("/api/security/accounts", json=body | changed)) == (400, code)
    assert api.get("/api/security/accounts", params={"name": "odd"}).json()["num_records"] == 0


def test_the_last_administrator_stays(api):
    (admin,) = api.get("/api/security/accounts", params={"name": "admin"}).json()["records"]
    where = admin["_links"]["self"]["href"]
    for answer in (api.delete(where), api.patch(where, json={"locked": True})):
        assert error(answer) == (400, "7077896")
    assert api.get("/api/cluster").status_code == 200


def test_accounts_and_roles_outlive_a_reset_and_go_with_their_svm(fresh_emulator, name):
    with fresh_emulator.client() as api:
        api.post("/api/svm/svms?return_timeout=30", json={"name": "gone"}).raise_for_status()
        for svm in ("svm1", "gone"):
            role = {"name": name, "owner": {"name": svm}, "privileges": [VOLUMES]}
            api.post("/api/security/roles", json=role).raise_for_status()
            who = {"name": f"a_{svm}", "owner": {"name": svm}, "password": PASSWORD, "applications": HTTP}
            api.post("/api/security/accounts", json=who | {"role": {"name": name}}).raise_for_status()
        api.post("/emulator/reset").raise_for_status()
        owners = [role["owner"] for role in api.get("/api/security/roles", params={"name": name}).json()["records"]]
        assert owners == [{**owners[0], "name": "svm1"}]
        uuid = api.get("/api/svm/svms?name=svm1").json()["records"][0]["uuid"]
        assert owners[0]["uuid"] == uuid, "the SVM is another one after a reset"
        with fresh_emulator.client("a_svm1", PASSWORD) as user:
            assert user.get("/api/storage/volumes").status_code == 200
        with fresh_emulator.client("a_gone", PASSWORD) as user:
            assert user.get("/api/storage/volumes").status_code == 401


def test_a_reset_of_accounts_too_leaves_those_of_the_start(fresh_emulator, name):
    start = {account["name"] for account in fresh_emulator.control("GET", "/users")["users"]}
    fresh_emulator.control("PUT", "/roles", {"name": name, "privileges": [VOLUMES]})
    for user, role in ((f"a_{name}", name), ("vsadmin", "admin")):
        fresh_emulator.control("PUT", "/users", {"name": user, "password": PASSWORD, "role": role})
    fresh_emulator.reset()
    assert {account["name"] for account in fresh_emulator.control("GET", "/users")["users"]} == start
    with fresh_emulator.client() as api:
        assert api.get("/api/security/roles", params={"name": name}).json()["num_records"] == 0
    with fresh_emulator.client("vsadmin") as user:
        assert user.get("/api/storage/volumes").status_code == 200
        assert user.get("/api/cluster/nodes").status_code == 403


def test_each_account_of_the_start_has_a_password_of_its_own(emulator):
    passwords = {name: emulator.password_of(name) for name in ("admin", "readonly", "vsadmin", "least")}
    assert len(set(passwords.values())) == 4
    for name in ("readonly", "vsadmin", "least"):
        assert (emulator.root / "passwords" / name).stat().st_mode & 0o777 == 0o600
        with emulator.client(name, emulator.password) as client:
            assert client.get("/api/svm/svms").status_code == 401
        with emulator.client(name) as client:
            assert client.get("/api/svm/svms").status_code == 200
