"""ONTAP's S3 server: set up once, keys handed out once, and the same files as on the volume."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import cluster, errors, s3
from tests.ontap_mlops.conftest import SVM


@pytest.fixture
def service(client, volume, ontap) -> s3.Service:
    made = s3.ensure_service(client, svm=SVM)
    ontap.forget_requests()
    return made


def allow(bucket: str) -> list[dict]:
    resources = [bucket, f"{bucket}/*"]
    return [{"effect": "allow", "principals": ["mlops"], "actions": ["GetObject"], "resources": resources}]


def boto(client, keys: s3.Keys):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url(client, svm=SVM),
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def test_the_server_is_on_over_http_and_asking_again_changes_nothing(client, service, ontap) -> None:
    assert (service.enabled, service.http) == (True, True)
    assert s3.ensure_service(client, svm=SVM) == service
    assert ontap.writes() == []


def test_a_server_that_was_switched_off_is_switched_on(client, service, ontap) -> None:
    ontap.http.patch(f"/api/protocols/s3/services/{service.svm_uuid}", json={"enabled": False}).raise_for_status()
    assert s3.ensure_service(client, svm=SVM).enabled


def test_an_svm_without_a_server_is_told_so(client, ontap) -> None:
    with pytest.raises(errors.NotFound, match="SVM 'svm1' has no S3 server"):
        s3.endpoint_url(client, svm=SVM)


def test_keys_are_shown_once_and_not_in_a_repr(client, service) -> None:
    keys = s3.ensure_user(client, svm=SVM, name="mlops")
    assert keys is not None
    assert keys.secret_key not in repr(keys)
    assert s3.ensure_user(client, svm=SVM, name="mlops", known_access_key=keys.access_key) is None


@pytest.mark.parametrize("known", [None, "keys of another time"])
def test_lost_keys_are_made_anew(client, service, known) -> None:
    first = s3.ensure_user(client, svm=SVM, name="mlops")
    second = s3.ensure_user(client, svm=SVM, name="mlops", known_access_key=known)
    assert first and second and first.access_key != second.access_key


def test_a_user_of_somebody_else_keeps_its_keys(client, service, ontap) -> None:
    theirs = s3.ensure_user(client, svm=SVM, name="backup", comment="the backup's")
    assert theirs is not None
    with pytest.raises(errors.NotOurs, match="S3 user 'backup' of SVM 'svm1' was not made by this project"):
        s3.ensure_user(client, svm=SVM, name="backup")
    assert s3.ensure_user(client, svm=SVM, name="backup", known_access_key=theirs.access_key) is None


def test_a_lost_answer_with_keys_in_it_gives_new_ones(client, service, ontap) -> None:
    ontap.fault("POST", "users", "lost_answer")
    keys = s3.ensure_user(client, svm=SVM, name="mlops")
    assert keys is not None
    assert list(ontap.everything()["users"]) in (["mlops", "root"], ["root", "mlops"])


def test_policies_and_groups_are_made_once_and_mended(client, service, ontap) -> None:
    s3.ensure_user(client, svm=SVM, name="mlops")
    for _ in range(2):
        s3.ensure_policy(client, svm=SVM, name="full")
        s3.ensure_group(client, svm=SVM, name="g", users=["mlops"], policies=["full"])
    assert len([w for w in ontap.writes() if w.endswith(("policies", "groups"))]) == 2
    narrower = [{"sid": "Read", "effect": "allow", "actions": ["GetObject"], "resources": ["*"]}]
    s3.ensure_policy(client, svm=SVM, name="full", statements=narrower)
    s3.ensure_user(client, svm=SVM, name="second")
    s3.ensure_group(client, svm=SVM, name="g", users=["second"], policies=["full"])
    found = ontap.everything()
    assert found["groups"]["g"]["users"] == ["mlops", "second"]
    assert found["policies"]["full"]["statements"][0]["actions"] == ["GetObject"]


def test_a_bucket_shows_the_volumes_files_to_a_user_in_the_group(client, service, ontap) -> None:
    keys = s3.ensure_user(client, svm=SVM, name="mlops")
    s3.ensure_policy(client, svm=SVM, name="full")
    s3.ensure_group(client, svm=SVM, name="g", users=["mlops"], policies=["full"])
    bucket = s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre")
    assert s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre") == bucket
    seen = boto(client, keys)
    assert seen.get_object(Bucket="tyre", Key="one.png")["Body"].read() == b"first"
    seen.put_object(Bucket="tyre", Key="two.png", Body=b"second")
    assert (ontap.emulator.namespace / "tyre" / "two.png").read_bytes() == b"second"


def test_a_bucket_left_behind_without_its_policy_is_given_it(client, service, ontap) -> None:
    """ONTAP makes the bucket, then the policy; when the policy fails, the bucket stays."""
    s3.ensure_user(client, svm=SVM, name="mlops")
    with pytest.raises(errors.OntapPermanentError, match="92405863"):
        s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre", statements=allow("another-bucket"))
    assert "tyre" in ontap.everything()["buckets"]
    made = s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre", statements=allow("tyre"))
    ontap.forget_requests()
    assert s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre", statements=allow("tyre")) == made
    assert ontap.writes() == []


def test_a_bucket_over_another_folder_is_not_taken_for_ours(client, service) -> None:
    s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre")
    with pytest.raises(errors.NameTaken, match="Bucket 'tyre' of SVM 'svm1' exists over /tyre, not over /other"):
        s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/other")


def test_a_bucket_over_nothing_is_refused_with_the_reason(client, service) -> None:
    with pytest.raises(errors.OntapPermanentError, match="create bucket 'tyre' of SVM 'svm1' over /nowhere"):
        s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/nowhere")


def test_a_lost_answer_leaves_one_bucket(client, service, ontap) -> None:
    ontap.fault("POST", "buckets", "lost_answer")
    s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre")
    assert ontap.everything()["buckets"] == {"tyre": ("nas", "/tyre")}


def test_a_removed_bucket_leaves_the_files(client, service, ontap) -> None:
    s3.ensure_nas_bucket(client, svm=SVM, name="tyre", nas_path="/tyre")
    assert s3.delete_bucket(client, svm=SVM, name="tyre") is True
    assert s3.delete_bucket(client, svm=SVM, name="tyre") is False
    assert (ontap.emulator.namespace / "tyre" / "one.png").exists()


def test_the_endpoint_is_that_of_the_data_interface(client, service, ontap) -> None:
    assert s3.endpoint_url(client, svm=SVM) == ontap.emulator.s3_url
    assert cluster.svm_uuid(client, svm=SVM) == service.svm_uuid
