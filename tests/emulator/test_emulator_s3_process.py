"""The S3 server of a real emulator process: killed at any moment, it leaves whole objects only."""

from __future__ import annotations

import hashlib
import random
import threading
import time

import pytest
from s3_support import client

from tests.until import until

MB = 1024**2


@pytest.fixture
def s3(fresh_emulator):
    """A boto3 client over a NAS bucket `images`, made through REST as an operator would."""
    with fresh_emulator.client() as rest:
        svm = rest.get("/api/svm/svms").json()["records"][0]
        service = {"svm": svm, "name": "s3server", "is_http_enabled": True}
        volume = {"svm": {"name": "svm1"}, "name": "images", "size": "1GB", "aggregates": [{"name": "aggr1"}]}
        volume |= {"nas": {"path": "/images", "unix_permissions": 777}}
        policy = {"statements": [{"actions": ["*"]}]}
        bucket = {"svm": {"name": "svm1"}, "name": "images", "type": "nas", "nas_path": "/images", "policy": policy}
        done(rest.post("/api/protocols/s3/services", json=service))
        done(rest.post("/api/storage/volumes?return_timeout=15", json=volume))
        done(rest.post("/api/protocols/s3/buckets?return_timeout=15", json=bucket))
        objects = {"svm": {"name": "svm1"}, "name": "objects", "size": "1GB", "policy": policy}
        done(rest.post("/api/protocols/s3/buckets?return_timeout=15", json=objects))
        users = f"/api/protocols/s3/services/{svm['uuid']}/users"
        keys = done(rest.post(users, json={"name": "trainer"}))["records"][0]
    return client(fresh_emulator.s3_url, keys["access_key"], keys["secret_key"])


def done(answer) -> dict:
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_kill_in_the_middle_of_a_put_leaves_the_old_object(fresh_emulator, s3):
    s3.put_object(Bucket="images", Key="model", Body=b"old", Metadata={"run": "1"})
    staging = fresh_emulator.root / "staging"

    def upload() -> None:
        with pytest.raises(Exception, match="Connection was closed|Could not connect|reset"):
            s3.put_object(Bucket="images", Key="model", Body=b"n" * (256 * MB), Metadata={"run": "2"})

    writer = threading.Thread(target=upload)
    writer.start()
    while not any(file.stat().st_size for file in staging.iterdir()):
        time.sleep(0.001)
    fresh_emulator.kill()
    writer.join()
    path = fresh_emulator.namespace / "images" / "model"
    assert path.read_bytes() == b"old"
    fresh_emulator.start()
    answer = s3.get_object(Bucket="images", Key="model")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"old", {"run": "1"})
    assert list(staging.iterdir()) == []


@pytest.mark.parametrize(("bucket", "top"), [("images", ""), ("objects", "deep//" * 60)])
def test_after_a_kill_every_object_is_whole_with_the_facts_of_its_own_content(fresh_emulator, s3, bucket, top):
    stop, written = threading.Event(), set()

    def write(number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            body = f"{number} {turn} ".encode() * 20_000
            try:
                s3.put_object(Bucket=bucket, Key=f"{top}{number}", Body=body, Metadata={"turn": str(turn)})
            except Exception:
                return
            written.add(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    until(lambda: len(written) == 4, lambda: f"only {written} have written")
    time.sleep(random.uniform(0, 0.5))  # a kill in the midst of any of their later ones
    fresh_emulator.kill()
    stop.set()
    for writer in writers:
        writer.join()
    fresh_emulator.start()
    found = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert len(found) == 4
    for entry in found:
        answer = s3.get_object(Bucket=bucket, Key=entry["Key"])
        body = answer["Body"].read()
        assert body == f"{entry['Key'].removeprefix(top)} {answer['Metadata']['turn']} ".encode() * 20_000
        assert answer["ETag"] == entry["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'


def test_secret_keys_lie_in_a_file_of_the_owner_only(fresh_emulator, s3):
    secret = s3._request_signer._credentials.secret_key.encode()
    holding = [p for p in fresh_emulator.root.rglob("*") if p.is_file() and secret in p.read_bytes()]
    assert holding and all(path.stat().st_mode & 0o077 == 0 for path in holding)
    assert secret.decode() not in fresh_emulator.log


def test_a_deleted_svm_takes_its_keys_with_it(fresh_emulator, s3):
    with fresh_emulator.client() as rest:
        volume = rest.get("/api/storage/volumes?is_svm_root=false").json()["records"][0]
        assert rest.delete(f"/api/storage/volumes/{volume['uuid']}?return_timeout=15").status_code == 200
        svm = rest.get("/api/svm/svms").json()["records"][0]
        service = f"/api/protocols/s3/services/{svm['uuid']}"
        assert rest.delete(f"{service}?delete_all=false&return_timeout=15").status_code == 200
        assert rest.get(f"{service}/users").json()["num_records"] == 2
        answer = rest.delete(f"/api/svm/svms/{svm['uuid']}?return_timeout=15")
        assert answer.status_code == 200, answer.text
    with pytest.raises(s3.exceptions.ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()
