"""A volume that is offline or full is so for files, for objects and for REST alike."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.emulator.s3_support import S3World

MB = 1024**2


def patch(api, volume, **body):
    answer = api.patch(f"/api/storage/volumes/{volume['uuid']}?return_timeout=60", json=body)
    assert answer.status_code == 200, answer.text


def test_the_files_of_an_offline_volume_are_neither_in_the_namespace_nor_over_rest(api, make, emulator):
    volume = make()
    folder = emulator.namespace / volume["name"]
    (folder / "a").write_text("kept")
    patch(api, volume, state="offline")
    assert not folder.exists()
    files = f"/api/storage/volumes/{volume['uuid']}/files"
    assert api.get(files).json()["error"]["code"] == "917684"
    assert api.post(f"{files}/new", json={"type": "directory"}).json()["error"]["code"] == "917684"
    assert api.delete(f"{files}/a").json()["error"]["code"] == "917684"
    patch(api, volume, state="online")
    assert (folder / "a").read_text() == "kept"


def test_the_objects_of_an_offline_volume_are_not_there_until_it_is_online_again(tmp_path):
    s3 = S3World(tmp_path)
    try:
        (s3.nas() / "a").write_text("kept")
        client, volume = s3.client(), s3.world.store.find("volume", name="images")[0]
        s3.world.store.update("volume", volume["uuid"], state="offline")
        for call in (
            lambda: client.get_object(Bucket="images", Key="a"),
            lambda: client.put_object(Bucket="images", Key="b", Body=b"x"),
            lambda: client.list_objects_v2(Bucket="images"),
        ):
            with pytest.raises(ClientError, match="no volume is mounted"):
                call()
        s3.world.store.update("volume", volume["uuid"], state="online")
        assert client.get_object(Bucket="images", Key="a")["Body"].read() == b"kept"
    finally:
        s3.stop()


def test_objects_are_taken_as_far_as_the_volume_may_grow(tmp_path):
    s3 = S3World(tmp_path)
    try:
        s3.nas(size=20 * MB)
        client, volume = s3.client(), s3.world.store.find("volume", name="images")[0]
        body = b"x" * (21 * MB)
        with pytest.raises(ClientError, match="QuotaExceeded"):
            client.put_object(Bucket="images", Key="a", Body=body)
        grows = volume["options"] | {"autosize.mode": "grow", "autosize.maximum": 30 * MB}
        s3.world.store.update("volume", volume["uuid"], options=grows)
        client.put_object(Bucket="images", Key="a", Body=body)
        with pytest.raises(ClientError, match="QuotaExceeded"):
            client.put_object(Bucket="images", Key="b", Body=body)
    finally:
        s3.stop()


def test_what_lies_in_a_full_volume_can_be_read_and_no_snapshot_is_taken(api, make, emulator):
    volume = make(size=20 * MB)
    folder = emulator.namespace / volume["name"]
    (folder / "a").write_bytes(b"x" * (25 * MB))
    shown = api.get(f"/api/storage/volumes/{volume['uuid']}?fields=space").json()["space"]
    assert (shown["available"], shown["percent_used"]) == (0, 100)
    answer = api.post(f"/api/storage/volumes/{volume['uuid']}/snapshots?return_timeout=60", json={"name": "s"})
    assert "not have enough space" in answer.json()["error"]["message"]
    assert len((folder / "a").read_bytes()) == 25 * MB
    (folder / "a").unlink()
    answer = api.post(f"/api/storage/volumes/{volume['uuid']}/snapshots?return_timeout=60", json={"name": "s"})
    assert answer.status_code == 201
