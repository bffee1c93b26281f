"""Buckets, a user and settings for S3 clients of an emulator."""

from __future__ import annotations

from typing import Any

from tests.conftest import Emulator

KINDS = ("s3", "nas")


def provision(system: Emulator) -> dict[str, str]:
    """Make a bucket of each type, named by it, and a user for both; return what clients take from the environment."""
    with system.client() as rest:
        svm = _records(rest.get("/api/svm/svms"))[0]
        _done(rest.post("/api/protocols/s3/services", json={"svm": svm, "name": "s3server", "is_http_enabled": True}))
        volume = {"svm": {"name": "svm1"}, "name": "files", "size": "1GB", "aggregates": [{"name": "aggr1"}]}
        volume |= {"nas": {"path": "/files", "unix_permissions": 777}}
        _done(rest.post("/api/storage/volumes?return_timeout=60", json=volume))
        users = f"/api/protocols/s3/services/{svm['uuid']}/users"
        keys = _done(rest.post(users, json={"name": "clients"}))["records"][0]
        group = {"name": "all", "users": [{"name": "clients"}], "policies": [{"name": "FullAccess"}]}
        _done(rest.post(f"/api/protocols/s3/services/{svm['uuid']}/groups", json=group))
        for kind in KINDS:
            bucket = {"svm": {"name": "svm1"}, "name": f"bucket-{kind}", "type": kind}
            more = {"nas_path": "/files"} if kind == "nas" else {"size": "1GB"}
            _done(rest.post("/api/protocols/s3/buckets?return_timeout=60", json=bucket | more))
    return {
        "AWS_ENDPOINT_URL": system.s3_url,
        "AWS_ACCESS_KEY_ID": keys["access_key"],
        "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def rclone_settings(environment: dict[str, str]) -> dict[str, str]:
    """The same as a remote called `emulator`."""
    return {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_EMULATOR_TYPE": "s3",
        "RCLONE_CONFIG_EMULATOR_PROVIDER": "Other",
        "RCLONE_CONFIG_EMULATOR_ENDPOINT": environment["AWS_ENDPOINT_URL"],
        "RCLONE_CONFIG_EMULATOR_REGION": "us-east-1",
        "RCLONE_CONFIG_EMULATOR_ACCESS_KEY_ID": environment["AWS_ACCESS_KEY_ID"],
        "RCLONE_CONFIG_EMULATOR_SECRET_ACCESS_KEY": environment["AWS_SECRET_ACCESS_KEY"],
        "RCLONE_LOW_LEVEL_RETRIES": "2",
        "RCLONE_RETRIES": "1",
    }


def _records(answer: Any) -> list[dict[str, Any]]:
    return answer.json()["records"]


def _done(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    return answer.json()
