"""The S3 resources through the official client, and the keys they give through boto3."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import (
    NameMapping,
    S3Bucket,
    S3BucketSvm,
    S3Group,
    S3Policy,
    S3Service,
    S3User,
    Svm,
    UnixUser,
    Volume,
)

POLL = {"poll_interval": 1}


def code_of(error: pytest.ExceptionInfo[NetAppRestError]) -> str:
    return str(error.value.http_err_response.http_response.json()["error"]["code"])


@pytest.fixture
def svm_uuid(cluster) -> str:
    return Svm.find(name=cluster.svm).uuid


@pytest.fixture
def service(cluster, only_emulator, svm_uuid) -> Iterator[S3Service]:
    """Only on the emulator: a cluster's S3 server is not ours to make and remove."""
    made = S3Service(
        svm={"uuid": svm_uuid}, name="s3server", enabled=True, is_http_enabled=True, is_https_enabled=False
    )
    made.post()
    yield made
    S3Service(svm={"uuid": svm_uuid}).delete(delete_all=True)


@pytest.fixture
def bucket(service, volume, cluster, name) -> S3Bucket:
    made = S3Bucket(name=name.replace("_", "-"), svm={"name": cluster.svm}, type="nas", nas_path=f"/{name}")
    made.post(**POLL)
    return made


def new_user(svm_uuid: str, name: str, **fields) -> dict:
    """The one answer that carries the secret key."""
    user = S3User(svm_uuid, name=name, **fields)
    return user.post().http_response.json()["records"][0]


def new_group(svm_uuid: str, name: str, *users: str, policies: tuple[str, ...] = ("FullAccess",)) -> S3Group:
    """By from_dict: given to the constructor, the library reads a user's `keys` field off the dictionary's method."""
    members = [{"name": user} for user in users]
    fields = {"svm": {"uuid": svm_uuid}, "name": name, "users": members}
    group = S3Group.from_dict(fields | {"policies": [{"name": policy} for policy in policies]})
    group.post()
    return group


def refused(emulator, path: str, body: dict) -> str:
    """The code of a refusal, asked without the library, which checks lengths itself before it sends anything."""
    with emulator.client() as client:
        answer = client.post(f"/api{path}", json=body)
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]["code"]


def boto(emulator, keys: dict):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=emulator.s3_url,
        region_name="us-east-1",
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def test_the_walkthrough_gives_a_folder_of_files_as_objects(service, bucket, volume, svm_uuid, name, only_emulator):
    keys = new_user(svm_uuid, "trainer", comment="trains")
    S3Policy(svm_uuid, name="full", statements=[{"effect": "allow", "actions": ["*"], "resources": ["*"]}]).post()
    new_group(svm_uuid, "team", "trainer", policies=("full",))
    (only_emulator.namespace / name / "a.txt").write_text("by file")
    client = boto(only_emulator, keys)
    assert client.get_object(Bucket=bucket.name, Key="a.txt")["Body"].read() == b"by file"

    with pytest.raises(client.exceptions.ClientError, match="AccessDenied.*nas.unix_permissions"):
        client.put_object(Bucket=bucket.name, Key="b.txt", Body=b"by object")
    volume.nas = {"unix_permissions": 777}
    volume.patch(**POLL)
    client.put_object(Bucket=bucket.name, Key="b.txt", Body=b"by object")
    assert (only_emulator.namespace / name / "b.txt").read_text() == "by object"


def test_a_name_mapping_makes_an_s3_user_the_unix_user_that_owns_the_files(
    service, bucket, volume, svm_uuid, name, only_emulator
):
    keys = new_user(svm_uuid, "trainer")
    new_group(svm_uuid, "team", "trainer")
    svm = {"uuid": svm_uuid}
    owner = UnixUser(svm=svm, name="keeper", id=0, primary_gid=0)
    mapping = NameMapping(svm=svm, direction="s3_unix", index=1, pattern="train(er|ee)", replacement="keeper")
    owner.post()
    client = boto(only_emulator, keys)
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied.*pcuser"):
        client.put_object(Bucket=bucket.name, Key="a", Body=b"x")
    mapping.post()
    client.put_object(Bucket=bucket.name, Key="a", Body=b"x")

    mapping.replacement = "pcuser"
    mapping.patch()
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied.*pcuser"):
        client.put_object(Bucket=bucket.name, Key="a", Body=b"x")
    of_users = NameMapping.get_collection(direction="s3_unix", fields="*", **{"svm.uuid": svm_uuid})
    assert "train(er|ee)" in [mapping.pattern for mapping in of_users]
    mapping.delete()
    owner.delete()
    assert {user.name for user in UnixUser.get_collection()} == {"root", "pcuser", "nobody"}


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("name-mappings", {"direction": "s3_unix", "index": 0, "pattern": "a", "replacement": "b"}, "65798149"),
        ("name-mappings", {"direction": "s3_unix", "index": 1, "pattern": "(", "replacement": "b"}, "262197"),
        ("name-mappings", {"direction": "s3_moon", "index": 1, "pattern": "a", "replacement": "b"}, "262197"),
        ("unix-users", {"name": "a b", "id": 1, "primary_gid": 1}, "3277051"),
        ("unix-users", {"name": "x" * 65, "id": 1, "primary_gid": 1}, "23724066"),
    ],
)
def test_name_services_keep_their_rules(only_emulator, svm_uuid, path, fields, code):
    assert refused(only_emulator, f"/name-services/{path}", {"svm": {"uuid": svm_uuid}} | fields) == code


def test_a_service_reports_the_port_that_is_listened_on(service, only_emulator, svm_uuid):
    service.get()
    assert (service.enabled, service.is_http_enabled, service.is_https_enabled) == (True, True, False)
    assert service.port == int(only_emulator.s3_url.rsplit(":", 1)[1])
    assert [s.svm.uuid for s in S3Service.get_collection(name="s3server")] == [svm_uuid]


def test_a_service_can_be_switched_off_and_on(service, bucket, svm_uuid, only_emulator):
    client = boto(only_emulator, new_user(svm_uuid, "trainer"))
    service.enabled = False
    service.patch()
    with pytest.raises(client.exceptions.ClientError, match="ServiceUnavailable"):
        client.list_buckets()
    service.enabled = True
    service.patch()
    assert client.list_buckets()["Buckets"] == []


def test_a_second_service_on_an_svm_is_refused(service, svm_uuid):
    with pytest.raises(NetAppRestError) as error:
        S3Service(svm={"uuid": svm_uuid}, name="again").post()
    assert code_of(error) == "1"


def test_a_missing_licence_can_be_played(only_emulator, svm_uuid):
    only_emulator.control(
        "POST",
        "/faults",
        {"method": "POST", "path": "/api/protocols/s3/services$", "kind": "error", "status": 400}
        | {"code": "1115127", "message": "The cluster lacks a valid S3 license."},
    )
    with pytest.raises(NetAppRestError) as error:
        S3Service(svm={"uuid": svm_uuid}, name="s3server").post()
    assert code_of(error) == "1115127"


def test_a_service_comes_with_users_and_buckets_in_one_call(only_emulator, svm_uuid):
    # Not through the library: it stumbles over its own field `keys` when it reads a user inside a service.
    parts = {"users": [{"name": "one"}], "buckets": [{"name": "own-objects"}]}
    with only_emulator.client() as client:
        body = {"svm": {"uuid": svm_uuid}, "name": "s3server"} | parts
        answer = client.post("/api/protocols/s3/services", json=body).json()
    assert len(answer["records"][0]["users"][0]["secret_key"]) == 40
    assert [bucket.name for bucket in S3Bucket.get_collection(name="own-objects")] == ["own-objects"]
    S3Service(svm={"uuid": svm_uuid}).delete(delete_all=True)
    assert list(S3Bucket.get_collection(name="own-objects")) == []


def test_a_secret_key_is_shown_once(service, svm_uuid):
    keys = new_user(svm_uuid, "trainer")
    assert set(keys) - {"_links"} == {"name", "access_key", "secret_key"}
    shown = S3User(svm_uuid, name="trainer")
    text = shown.get(fields="**").http_response.text
    text += str([user.to_dict() for user in S3User.get_collection(svm_uuid, fields="**")])
    service.get(fields="**")
    assert shown.access_key == keys["access_key"]
    assert keys["secret_key"] not in text + str(service.to_dict())


def test_regenerated_keys_replace_the_old_ones(service, svm_uuid, only_emulator):
    old = new_user(svm_uuid, "trainer")
    new = S3User(svm_uuid, name="trainer").patch(regenerate_keys=True).http_response.json()["records"][0]
    assert boto(only_emulator, new).list_buckets()["Buckets"] == []
    client = boto(only_emulator, old)
    with pytest.raises(client.exceptions.ClientError, match="InvalidAccessKeyId"):
        client.list_buckets()


def test_a_user_has_up_to_two_pairs_of_keys(service, svm_uuid, only_emulator):
    first = new_user(svm_uuid, "trainer")
    user = S3User(svm_uuid, name="trainer")
    user.key_id = 2
    second = user.patch(regenerate_keys=True).http_response.json()["records"][0]
    for keys in (first, second):
        assert boto(only_emulator, keys).list_buckets()["Buckets"] == []
    S3User(svm_uuid, name="trainer").patch(delete_keys=True)
    user = S3User(svm_uuid, name="trainer")
    user.get()
    assert [key.id for key in getattr(user, "keys")] == [2]  # noqa: B009 - `keys` is a method of every resource too


def test_keys_expire_by_the_cluster_s_clock(service, svm_uuid, only_emulator):
    keys = new_user(svm_uuid, "trainer", key_time_to_live="PT1H")
    assert keys["key_expiry_time"]
    client = boto(only_emulator, keys)
    assert client.list_buckets()["Buckets"] == []
    only_emulator.control("PUT", "/clock", {"offset_s": 3700})
    try:
        with pytest.raises(client.exceptions.ClientError, match="InvalidAccessKeyId.*expired"):
            client.list_buckets()
    finally:
        only_emulator.control("PUT", "/clock", {"offset_s": 0})


@pytest.mark.parametrize(("user", "code"), [("a b", "92405787"), ("x" * 65, "92405788"), ("", "92405788")])
def test_user_names_keep_their_rules(service, svm_uuid, only_emulator, user, code):
    assert refused(only_emulator, f"/protocols/s3/services/{svm_uuid}/users", {"name": user}) == code


def test_a_user_without_an_s3_server_is_refused(only_emulator, svm_uuid):
    with pytest.raises(NetAppRestError) as error:
        new_user(svm_uuid, "trainer")
    assert code_of(error) == "92405773"


def test_a_user_of_the_same_name_is_refused(service, svm_uuid):
    new_user(svm_uuid, "trainer")
    with pytest.raises(NetAppRestError) as error:
        new_user(svm_uuid, "trainer")
    assert (code_of(error), error.value.status_code) == ("1", 409)


def test_a_deleted_user_s_keys_are_dead_and_its_group_forgets_it(service, svm_uuid, only_emulator):
    keys = new_user(svm_uuid, "leaver")
    new_user(svm_uuid, "stayer")
    new_group(svm_uuid, "team", "leaver", "stayer")
    S3User(svm_uuid, name="leaver").delete()
    client = boto(only_emulator, keys)
    with pytest.raises(client.exceptions.ClientError, match="InvalidAccessKeyId"):
        client.list_buckets()
    group = S3Group.find(svm_uuid, name="team", fields="users")
    assert [user.name for user in group.users] == ["stayer"]


def test_a_policy_is_read_back_changed_and_deleted(service, svm_uuid):
    S3Policy(svm_uuid, name="readers", statements=[{"actions": ["GetObject"], "sid": "Read"}]).post()
    policy = S3Policy(svm_uuid, name="readers")
    policy.get()
    statement = policy.statements[0].to_dict()
    assert statement == {"effect": "allow", "actions": ["GetObject"], "resources": ["*"], "sid": "Read"}
    policy.statements = [{"effect": "deny", "actions": ["*"], "resources": ["*"]}]
    policy.patch()
    policy.get()
    assert [s.effect for s in policy.statements] == ["deny"]
    policy.delete()
    assert S3Policy.find(svm_uuid, name="readers") is None


def test_every_svm_has_the_predefined_policies(service, svm_uuid):
    found = {policy.name for policy in S3Policy.get_collection(svm_uuid, read_only=True)}
    assert found == {"FullAccess", "NoS3Access", "ReadOnlyAccess"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "p", "statements": [{"actions": ["FlyObject"]}]}, "92405906"),
        ({"name": "x" * 129}, "92405948"),
        ({"name": "a/b"}, "92405949"),
        ({"name": "FullAccess"}, "92405954"),
        ({"name": "p", "statements": [{"resources": ["a b"]}]}, "92405891"),
        ({"name": "p", "statements": [{"sid": "with space"}]}, "92405898"),
        ({"name": "p", "statements": [{}] * 11}, "92405894"),
    ],
)
def test_policies_keep_their_rules(service, svm_uuid, only_emulator, fields, code):
    assert refused(only_emulator, f"/protocols/s3/services/{svm_uuid}/policies", fields) == code


def test_a_policy_attached_to_a_group_is_not_deleted(service, svm_uuid):
    new_user(svm_uuid, "trainer")
    S3Policy(svm_uuid, name="full").post()
    new_group(svm_uuid, "team", "trainer", policies=("full",))
    with pytest.raises(NetAppRestError, match="attached to the group"):
        S3Policy(svm_uuid, name="full").delete()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "g", "users": []}, "92405896"),
        ({"name": "x" * 129, "users": [{"name": "trainer"}]}, "92405930"),
        ({"name": "a b", "users": [{"name": "trainer"}]}, "92405931"),
        ({"name": "g", "users": [{"name": "nobody"}]}, "92405934"),
        ({"name": "g", "users": [{"name": "trainer"}], "policies": [{"name": "none"}]}, "92405937"),
        ({"name": "g", "users": [{"name": "trainer"}, {"name": "trainer"}]}, "92405966"),
    ],
)
def test_groups_keep_their_rules(service, svm_uuid, only_emulator, fields, code):
    new_user(svm_uuid, "trainer")
    assert refused(only_emulator, f"/protocols/s3/services/{svm_uuid}/groups", fields) == code


def test_a_group_is_found_by_id_changed_and_taken_names_are_refused(service, svm_uuid):
    new_user(svm_uuid, "one")
    new_user(svm_uuid, "two")
    group = new_group(svm_uuid, "team", "one")
    again = S3Group(svm_uuid, id=group.id)
    again.users = [S3User(svm_uuid, name=name) for name in ("one", "two")]
    again.patch()
    again.get()
    assert [user.name for user in again.users] == ["one", "two"]
    with pytest.raises(NetAppRestError) as error:
        new_group(svm_uuid, "team", "two")
    assert code_of(error) == "92405942"
    again.delete()
    assert S3Group.find(svm_uuid, name="team") is None


def test_a_nas_bucket_names_its_volume(bucket, volume, name):
    bucket.get(fields="*")
    assert (bucket.type, bucket.nas_path, bucket.volume.name) == ("nas", f"/{name}", name)
    found = S3BucketSvm.find(bucket.svm.uuid, name=bucket.name)
    assert found.uuid == bucket.uuid


def test_deleting_a_nas_bucket_leaves_the_files(bucket, only_emulator, name):
    file = only_emulator.namespace / name / "kept.txt"
    file.write_text("here")
    bucket.delete(**POLL)
    assert S3Bucket.find(name=bucket.name) is None
    assert file.read_text() == "here"


def test_a_bucket_of_an_svm_is_made_changed_and_deleted(service, svm_uuid, name):
    made = S3BucketSvm(svm_uuid, name=name.replace("_", "-"), comment="own objects")
    made.post(**POLL)
    made.get(fields="*")
    assert (made.type, made.size, made.comment) == ("s3", 800 * 1024**3, "own objects")
    made.size = 100 * 1024**3
    made.patch(**POLL)
    made.get()
    assert made.size == 100 * 1024**3
    made.delete(**POLL)
    assert S3Bucket.find(name=made.name) is None


def test_a_bucket_with_objects_is_not_deleted(service, svm_uuid, only_emulator, name):
    keys = new_user(svm_uuid, "trainer")
    new_group(svm_uuid, "team", "trainer")
    made = S3BucketSvm(svm_uuid, name=name.replace("_", "-"))
    made.post(**POLL)
    client = boto(only_emulator, keys)
    client.put_object(Bucket=made.name, Key="a/b", Body=b"x")
    with pytest.raises(NetAppRestError, match="not empty"):
        made.delete(**POLL)
    client.delete_object(Bucket=made.name, Key="a/b")
    made.delete(**POLL)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "Upper"}, "92405785"),
        ({"name": "a..b"}, "92405785"),
        ({"name": "x" * 64}, "92405786"),
        ({"name": "nas", "type": "nas", "nas_path": "/", "retention": {"mode": "compliance"}}, "92406166"),
        ({"name": "nas", "type": "nas", "nas_path": "/", "versioning_state": "enabled"}, "92406025"),
        ({"name": "nas", "type": "nas", "nas_path": "/", "size": 1024}, "92406025"),
        ({"name": "obj", "nas_path": "/x"}, "92406025"),
        ({"name": "obj", "constituents_per_aggregate": 4}, "92405857"),
        ({"name": "obj", "aggregates": [{"name": "none"}]}, "92405859"),
    ],
)
def test_buckets_keep_their_rules(service, cluster, only_emulator, fields, code):
    assert refused(only_emulator, "/protocols/s3/buckets", {"svm": {"name": cluster.svm}} | fields) == code


def test_a_taken_bucket_name_is_refused(bucket, cluster, name):
    with pytest.raises(NetAppRestError) as error:
        S3Bucket(name=bucket.name, svm={"name": cluster.svm}, type="nas", nas_path=f"/{name}").post()
    assert (code_of(error), error.value.status_code) == ("1", 409)


def test_a_nas_bucket_over_nothing_fails_in_its_job(service, cluster):
    with pytest.raises(NetAppRestError, match="No volume is mounted"):
        S3Bucket(name="nowhere", svm={"name": cluster.svm}, type="nas", nas_path="/not/there").post(**POLL)
    assert S3Bucket.find(name="nowhere") is None


def test_a_failed_access_policy_leaves_the_bucket_behind(service, cluster, volume, name):
    policy = {"statements": [{"actions": ["*"], "principals": ["stranger"], "resources": ["*"]}]}
    fields = {"type": "nas", "nas_path": f"/{name}", "svm": {"name": cluster.svm}}
    wanted = name.replace("_", "-")
    with pytest.raises(NetAppRestError, match="stranger"):
        S3Bucket(name=wanted, policy=policy, **fields).post(**POLL)
    left = S3Bucket.find(name=wanted, fields="*")
    assert left is not None and "policy" not in left.to_dict()

    left.policy = {"statements": [{"actions": ["GetObject"]}]}
    left.patch(**POLL)
    left.get(fields="*")
    statement = left.policy.statements[0].to_dict()
    assert (statement["actions"], statement["resources"]) == (["GetObject"], [wanted, f"{wanted}/*"])


def test_a_clone_s_bucket_shows_the_snapshot_s_files(service, cluster, volume, snapshot, svm_uuid, name, only_emulator):
    keys = new_user(svm_uuid, "trainer")
    new_group(svm_uuid, "team", "trainer")
    (only_emulator.namespace / name / "late.txt").write_text("written after the snapshot")
    clone = Volume(
        name=f"{name}_clone",
        svm={"name": cluster.svm},
        nas={"path": f"/{name}_clone"},
        clone={"is_flexclone": True, "parent_volume": {"name": name}, "parent_snapshot": {"name": snapshot.name}},
    )
    clone.post(**POLL)
    wanted = f"{name}-clone".replace("_", "-")
    S3Bucket(name=wanted, svm={"name": cluster.svm}, type="nas", nas_path=f"/{name}_clone").post(**POLL)
    client = boto(only_emulator, keys)
    assert "Contents" not in client.list_objects_v2(Bucket=wanted)
