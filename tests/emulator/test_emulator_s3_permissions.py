"""Who may do what: bucket policies, group policies, and the UNIX permissions below a NAS bucket."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from s3_support import SVM, S3World

from emulator.s3 import policy, unix


@pytest.fixture
def s3(tmp_path) -> Iterator[S3World]:
    world = S3World(tmp_path)
    yield world
    world.stop()


def put(s3: S3World, user: str = "trainer", bucket: str = "images", key: str = "a") -> None:
    s3.client(user).put_object(Bucket=bucket, Key=key, Body=b"x")


def get(s3: S3World, user: str = "trainer", bucket: str = "images", key: str = "a") -> bytes:
    return s3.client(user).get_object(Bucket=bucket, Key=key)["Body"].read()


def test_writing_needs_unix_permission_on_the_volume_until_it_is_given(s3):
    top = s3.nas(mode=0o755)
    (top / "a").write_text("x")
    assert get(s3) == b"x"
    with pytest.raises(ClientError, match="AccessDenied.*'pcuser' \\(65534\\).*0755.*unix_permissions"):
        put(s3)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.client().delete_object(Bucket="images", Key="a")
    top.chmod(0o777)  # by path or by REST is the same
    put(s3)


def test_reading_needs_unix_permission_too(s3):
    top = s3.nas(mode=0o700)
    (top / "a").write_text("x")
    for asked in (get, lambda s3: s3.client().list_objects_v2(Bucket="images")):
        with pytest.raises(ClientError, match="AccessDenied"):
            asked(s3)


def test_a_user_mapped_to_root_may_write_anywhere(s3):
    s3.nas(mode=0o755)
    mapping = {"direction": "s3_unix", "index": 1, "pattern": "train.*", "replacement": "root", "svm": SVM}
    s3.world.store.insert("name_mapping", mapping | {"uuid": str(uuid4())})
    put(s3, "trainer")
    with pytest.raises(ClientError, match="AccessDenied"):
        put(s3, "other")


def test_the_default_unix_user_of_the_server_is_used(s3):
    s3.nas(mode=0o755)
    s3.world.store.update("s3_service", SVM["uuid"], default_unix_user="root")
    put(s3)


@pytest.mark.parametrize(
    ("user", "mode", "wanted", "answer"),
    [
        ((0, 0), 0o000, unix.WRITE, True),
        ((500, 500), 0o700, unix.WRITE, True),
        ((500, 9), 0o077, unix.READ, False),
        ((9, 600), 0o070, unix.WRITE | unix.SEARCH, True),
        ((9, 600), 0o707, unix.READ, False),
        ((9, 9), 0o005, unix.READ | unix.SEARCH, True),
        ((9, 9), 0o004, unix.READ | unix.SEARCH, False),
    ],
)
def test_mode_bits_are_read_as_unix_does(user, mode, wanted, answer):
    assert unix.may(unix.UnixUser("u", *user), unix.Owner(mode, 500, 600), wanted) is answer


def test_nothing_is_allowed_without_a_policy(s3):
    s3.nas()
    s3.statement("images", effect="allow", actions=["GetObject"], principals=["somebody"])
    with pytest.raises(ClientError, match="AccessDenied.*No policy allows S3 user 'trainer' to PutObject on images/a"):
        put(s3)


def test_a_bucket_policy_names_users_actions_and_folders(s3):
    s3.nas()
    s3.statement(
        "images", effect="allow", actions=["*Object"], principals=["trainer"], resources=["images", "images/data/*"]
    )
    put(s3, key="data/a")
    for denied in (lambda: put(s3, key="other/a"), lambda: put(s3, "stranger", key="data/a")):
        with pytest.raises(ClientError, match="AccessDenied"):
            denied()
    with pytest.raises(ClientError, match="AccessDenied.*ListBucket"):
        s3.client().list_objects_v2(Bucket="images")


def test_a_group_s_policy_gives_its_users_access(s3):
    s3.nas()
    s3.statement("images", effect="allow", actions=["GetObject"], principals=["nobody-else"])
    s3.user("member")
    statements = [{"effect": "allow", "actions": ["PutObject"], "resources": ["images/*"]}]
    s3.world.store.insert("s3_policy", {"uuid": "p", "svm": SVM, "name": "writers", "statements": statements})
    group = {"uuid": "g", "svm": SVM, "name": "team", "users": [{"name": "member"}], "policies": [{"name": "writers"}]}
    s3.world.store.insert("s3_group", group)
    put(s3, "member")
    for denied in (lambda: put(s3, "stranger"), lambda: get(s3, "member")):
        with pytest.raises(ClientError, match="AccessDenied"):
            denied()
    s3.world.store.update("s3_group", "g", policies=[{"name": "ReadOnlyAccess"}])
    assert get(s3, "member") == b"x"


def test_a_denial_wins_over_every_permission(s3):
    s3.nas()
    s3.user("member")
    group = {"uuid": "g", "svm": SVM, "name": "team", "users": [{"name": "member"}]}
    s3.world.store.insert("s3_group", group | {"policies": [{"name": "FullAccess"}]})
    s3.statement("images", effect="deny", actions=["PutObject"], principals=["group/team"], resources=["images/x*"])
    put(s3, "member", key="a")
    with pytest.raises(ClientError, match="AccessDenied"):
        put(s3, "member", key="x1")


def test_the_s3_user_root_is_bound_by_no_policy_but_by_unix_it_is_root(s3):
    s3.nas(mode=0o700)
    s3.statement("images", effect="deny", actions=["*"], principals=["*"])
    put(s3, "root")


def test_a_list_of_buckets_shows_those_one_may_list(s3):
    for name in ("mine", "theirs"):
        s3.bucket(name, statements=[{"actions": ["*"], "principals": ["trainer" if name == "mine" else "other"]}])
    shown = s3.client().list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in shown] == ["mine"]


def test_http_must_be_switched_on(s3):
    s3.nas()
    s3.world.store.update("s3_service", SVM["uuid"], is_http_enabled=False)
    with pytest.raises(ClientError, match="AccessDenied.*HTTP is not enabled"):
        s3.client().list_buckets()


def test_a_server_that_is_down_says_so(s3):
    s3.nas()
    s3.world.store.update("s3_service", SVM["uuid"], enabled=False)
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        s3.client().list_buckets()


@pytest.mark.parametrize(
    ("condition", "query", "answer"),
    [
        ({"operator": "ip_address", "source_ips": ["10.0.0.0/8"]}, {}, "allow"),
        ({"operator": "ip_address", "source_ips": ["192.168.0.1"]}, {}, None),
        ({"operator": "not_ip_address", "source_ips": ["192.168.0.0/16"]}, {}, "allow"),
        ({"operator": "string_equals", "prefixes": ["data/"]}, {"prefix": "data/"}, "allow"),
        ({"operator": "string_like", "prefixes": ["data/*"]}, {"prefix": "other/"}, None),
        ({"operator": "string_not_equals", "usernames": ["mike"]}, {}, "allow"),
        ({"operator": "string_equals_ignore_case", "usernames": ["TRAINER"]}, {}, "allow"),
        ({"operator": "numeric_less_than_equals", "max_keys": [10]}, {"max-keys": "10"}, "allow"),
        ({"operator": "numeric_less_than", "max_keys": [10]}, {}, None),
    ],
)
def test_conditions_limit_a_statement(condition, query, answer):
    ask = policy.Ask("ListBucket", "images", user="trainer", source_ip="10.1.2.3", query=query)
    assert policy.verdict([{"effect": "allow", "actions": ["*"], "conditions": [condition]}], ask) == answer


def test_a_statement_without_principals_is_for_all_users_but_not_for_unsigned_requests():
    statement = {"effect": "allow", "actions": ["GetObject"], "resources": ["*"]}
    assert policy.verdict([statement], policy.Ask("GetObject", "b/k", user="anyone")) == "allow"
    assert policy.verdict([statement], policy.Ask("GetObject", "b/k", user=None)) is None
    assert policy.verdict([statement | {"principals": ["*"]}], policy.Ask("GetObject", "b/k", user=None)) == "allow"
