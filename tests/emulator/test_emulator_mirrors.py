"""SnapMirror on two clusters that really copy bytes: initialise, update, break, resync, delete."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from s3_support import client as s3_client

from tests.conftest import Pair
from tests.emulator.mirror_support import DESTINATION, SOURCE, Mirrors, code, contents, pace
from tests.until import until


@pytest.fixture
def pair(peered: Pair) -> Iterator[Mirrors]:
    with peered.here.client() as here, peered.there.client() as there:
        yield Mirrors(peered, here, there)


def test_initialise_copies_files_and_snapshots(pair):
    source = pair.source()
    pair.freeze("v1", comment="the first", snapmirror_label="day")
    (pair.files / "later").write_text("since the snapshot")
    pair.destination()
    assert pair.create().status_code == 201
    assert pair.relationship()["state"] == "uninitialized"
    done = pair.wait(pair.transfer())
    assert done["bytes_transferred"] == 5018
    assert contents(pair.copy) == contents(pair.files)
    assert (pair.copy / "link").readlink().as_posix() == "folder/file1"
    ours, theirs = pair.snapshots(pair.there, "data_mirror"), pair.snapshots(pair.here, "data")
    assert list(ours) == list(theirs)
    for name, snapshot in theirs.items():
        for field in ("comment", "create_time", "version_uuid", "provenance_volume", "snapmirror_label"):
            assert ours[name].get(field) == snapshot.get(field), (name, field)
        assert ours[name]["uuid"] != snapshot["uuid"]
    assert ours["v1"]["provenance_volume"]["uuid"] == source["uuid"]
    assert "later" not in contents(pair.copy / ".snapshot" / "v1")
    record = pair.relationship()
    assert (record["state"], record["healthy"], record["last_transfer_type"]) == ("snapmirrored", True, "initialize")
    assert record["lag_time"].startswith("PT")
    assert record["transfer"]["state"] == "success"


def test_only_what_changed_is_sent(pair):
    pair.mirrored()
    assert pair.update()["bytes_transferred"] == 0
    (pair.files / "new").write_bytes(b"n" * 77)
    (pair.files / "folder" / "file0").write_bytes(b"x" * 1000)
    (pair.files / "folder" / "file1").unlink()
    assert pair.update()["bytes_transferred"] == 1077
    assert contents(pair.copy) == contents(pair.files)
    assert pair.relationship()["total_transfer_bytes"] == 6077


def test_a_file_changed_without_its_length_and_time_is_sent_too(pair):
    pair.mirrored()
    path = pair.files / "folder" / "file2"
    before = path.stat()
    path.write_bytes(b"y" * 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pair.update()["bytes_transferred"] == 1000
    assert contents(pair.copy) == contents(pair.files)


def test_modes_and_attributes_arrive_and_nothing_can_be_written(pair):
    pair.source()
    (pair.files / "folder" / "file0").chmod(0o640)
    pair.destination()
    pair.create()
    pair.wait(pair.transfer())
    assert (pair.copy / "folder" / "file0").stat().st_mode & 0o777 == 0o440
    assert pair.copy.stat().st_mode & 0o222 == 0
    assert pair.change(state="broken_off").status_code == 200
    assert (pair.copy / "folder" / "file0").stat().st_mode & 0o777 == 0o640


def test_a_base_snapshot_is_kept_on_both_sides_and_the_one_before_goes(pair):
    pair.mirrored()
    first = [name for name in pair.snapshots(pair.here, "data") if name.startswith("snapmirror.")]
    pair.update()
    theirs = pair.snapshots(pair.here, "data")
    base = [name for name in theirs if name.startswith("snapmirror.")]
    assert len(base) == 1 and base != first
    assert theirs[base[0]]["owners"] == ["snapmirror"]
    volume, uuid = theirs[base[0]]["volume"]["uuid"], theirs[base[0]]["uuid"]
    refused = pair.here.delete(f"/api/storage/volumes/{volume}/snapshots/{uuid}")
    assert code(refused) == "1638543"
    assert list(pair.snapshots(pair.there, "data_mirror")) == base


def test_what_the_source_removed_goes_at_the_next_update(pair):
    pair.mirrored()
    pair.freeze("v1")
    pair.update()
    snapshot = pair.snapshots(pair.here, "data")["v1"]
    pair.here.delete(
        f"/api/storage/volumes/{snapshot['volume']['uuid']}/snapshots/{snapshot['uuid']}?return_timeout=60"
    )
    assert "v1" in pair.snapshots(pair.there, "data_mirror")
    pair.update()
    assert "v1" not in pair.snapshots(pair.there, "data_mirror")


def test_a_policy_with_rules_keeps_so_many_of_a_label(pair):
    policy = {"name": "two_days", "retention": [{"label": "day", "count": 2}]}
    assert pair.there.post("/api/snapmirror/policies", json=policy).status_code == 201
    pair.mirrored(policy={"name": "two_days"})
    for number in range(3):
        pair.freeze(f"d{number}", snapmirror_label="day")
        pair.freeze(f"unlabelled{number}")
        pair.update()
    kept = [name for name in pair.snapshots(pair.there, "data_mirror") if not name.startswith("snapmirror.")]
    assert kept == ["d1", "d2"]
    shown = pair.there.get("/api/snapmirror/policies", params={"name": "two_days", "fields": "*"}).json()["records"][0]
    assert [(rule["label"], rule["count"]) for rule in shown["retention"]] == [("day", "2")]


def test_the_destination_is_read_only_until_the_break(pair):
    pair.mirrored()
    assert pair.kind() == "dp"
    assert code(pair.freeze("own", pair.there, "data_mirror")) == "1638461"
    assert pair.change(state="broken_off").status_code == 200
    assert pair.kind() == "rw"
    assert pair.relationship()["state"] == "broken_off"
    (pair.copy / "written").write_text("there")
    assert pair.freeze("own", pair.there, "data_mirror").status_code == 201
    assert pair.change(state="broken_off").status_code == 200, "it is so already"


def test_resync_loses_what_was_written_since_and_copies_what_is_new(pair):
    pair.mirrored()
    pair.freeze("v1")
    pair.update()
    pair.change(state="broken_off")
    (pair.copy / "written").write_text("there")
    pair.freeze("own", pair.there, "data_mirror")
    (pair.files / "new").write_bytes(b"n" * 10)
    assert pair.change(state="snapmirrored").status_code == 200
    record = pair.wait_for_state("snapmirrored")
    assert record["last_transfer_type"] == "resync"
    assert record["transfer"]["bytes_transferred"] == 10
    assert contents(pair.copy) == contents(pair.files)
    assert pair.kind() == "dp"
    assert "own" not in pair.snapshots(pair.there, "data_mirror")
    assert "v1" in pair.snapshots(pair.there, "data_mirror")


def test_a_resync_may_preserve_own_snapshots(pair):
    pair.mirrored()
    pair.change(state="broken_off")
    pair.freeze("own", pair.there, "data_mirror")
    assert pair.change(state="snapmirrored", preserve=True).status_code == 200
    pair.wait_for_state("snapmirrored")
    assert "own" in pair.snapshots(pair.there, "data_mirror")


def test_without_a_common_snapshot_there_is_no_resync_and_nothing_changes(pair):
    pair.mirrored()
    pair.change(state="broken_off")
    (pair.copy / "written").write_text("there")
    for snapshot in pair.snapshots(pair.there, "data_mirror").values():
        path = f"/api/storage/volumes/{snapshot['volume']['uuid']}/snapshots/{snapshot['uuid']}"
        assert pair.there.delete(f"{path}?return_timeout=60").status_code == 200
    answer = pair.change(state="snapmirrored")
    assert code(answer) == "13303810"
    assert (pair.copy / "written").read_text() == "there"
    assert pair.kind() == "rw"


def test_a_break_can_go_back_to_an_older_snapshot(pair):
    pair.mirrored()
    pair.freeze("v1")
    (pair.files / "after").write_text("v1")
    pair.update()
    assert pair.change(state="broken_off", restore_to_snapshot="v1").status_code == 200
    assert "after" not in contents(pair.copy)


def test_the_other_direction(pair):
    """After a failover, the old source becomes the destination by the snapshot that both have."""
    pair.mirrored()
    pair.change(state="broken_off")
    (pair.copy / "written").write_text("there")
    body = {"source": {"path": DESTINATION}, "destination": {"path": SOURCE}, "policy": {"name": "MirrorAllSnapshots"}}
    made = pair.here.post("/api/snapmirror/relationships?return_timeout=60", json=body)
    assert made.status_code == 201, made.text
    uuid = made.headers["location"].rsplit("/", 1)[1]
    assert pair.here.get(f"/api/snapmirror/relationships/{uuid}").json()["state"] == "broken_off"
    pair.here.patch(f"/api/snapmirror/relationships/{uuid}?return_timeout=60", json={"state": "snapmirrored"})
    transfers = pair.here.get(f"/api/snapmirror/relationships/{uuid}/transfers").json()["records"]
    for _ in range(200):
        record = pair.here.get(f"/api/snapmirror/relationships/{uuid}/transfers/{transfers[0]['uuid']}").json()
        if record["state"] == "success":
            break
    assert contents(pair.files) == contents(pair.copy)
    assert pair.kind("data", pair.here) == "dp"


def test_paused_is_not_updated_until_it_goes_on(pair):
    pair.mirrored()
    assert pair.change(state="paused").status_code == 200
    refused = pair.there.post(f"{pair.path()}/transfers", json={})
    assert (code(refused), "paused" in refused.json()["error"]["message"]) == ("13303844", True)
    assert pair.change(state="snapmirrored").status_code == 200
    pair.update()


@pytest.mark.parametrize(
    ("state", "wanted"), [("broken_off", "13303818"), ("paused", "13303818"), ("in_sync", "13303831")]
)
def test_states_that_an_uninitialised_mirror_cannot_have(pair, state, wanted):
    pair.source()
    pair.destination()
    pair.create()
    assert code(pair.change(state=state)) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"destination": {"path": "data_mirror"}}, "13303852"),
        ({"source": {"path": "svm9:data"}}, "26345576"),
        ({"source": {"path": "svm1:nothing"}}, "917731"),
        ({"destination": {"path": "svm2:nothing"}}, "917731"),
        ({"policy": {"name": "Nonesuch"}}, "13303819"),
        ({"destination": {"path": "svm2:written"}}, "6619546"),
        ({"state": "snapmirrored"}, "13303873"),
        ({"state": "in_sync", "create_destination": {"enabled": True}}, "13303831"),
        ({"create_destination": {"enabled": True}}, "13303868"),
    ],
)
def test_what_cannot_be_mirrored(pair, body, wanted):
    pair.source()
    pair.destination()
    pair.volume(pair.there, "svm2", "written")
    answer = pair.create(**body)
    assert code(answer) == wanted, answer.text
    assert pair.there.get("/api/snapmirror/relationships").json()["num_records"] == 0


def test_a_destination_is_made_and_initialised_in_one_call(pair):
    pair.source()
    assert pair.create(create_destination={"enabled": True}, state="snapmirrored").status_code == 201
    record = pair.wait_for_state("snapmirrored")
    assert record["source"]["cluster"]["name"] == "emulator"
    volume = pair.there.get("/api/storage/volumes?name=data_mirror&fields=type,size").json()["records"][0]
    assert (volume["type"], volume["size"]) == ("dp", 1 << 30)


def test_a_second_mirror_of_one_destination_is_refused(pair):
    pair.mirrored()
    assert code(pair.create()) == "6619637"


def test_the_source_knows_its_destinations_and_keeps_its_volume(pair):
    record = pair.mirrored()
    params = {"list_destinations_only": "true", "fields": "*"}
    known = pair.here.get("/api/snapmirror/relationships", params=params).json()["records"]
    assert [(each["uuid"], each["source"]["path"], each["destination"]["path"]) for each in known] == [
        (record["uuid"], SOURCE, DESTINATION)
    ]
    assert pair.here.get("/api/snapmirror/relationships").json()["num_records"] == 0
    for client, name in ((pair.here, "data"), (pair.there, "data_mirror")):
        uuid = client.get("/api/storage/volumes", params={"name": name}).json()["records"][0]["uuid"]
        assert code(client.delete(f"/api/storage/volumes/{uuid}?return_timeout=60")) == "8"
    peering = pair.here.get("/api/svm/peers").json()["records"][0]["uuid"]
    assert code(pair.here.delete(f"/api/svm/peers/{peering}")) == "26345572"


def test_deleted_on_both_sides(pair):
    pair.mirrored()
    assert pair.there.delete(f"{pair.path()}?return_timeout=60").status_code == 200
    assert pair.snapshots(pair.here, "data") == {}
    listed = pair.here.get("/api/snapmirror/relationships?list_destinations_only=true").json()
    assert listed["num_records"] == 0
    assert pair.kind() == "dp", "it stays what it was until it is broken"


@pytest.mark.parametrize(("how", "left"), [("source_only", 0), ("source_info_only", 1)])
def test_deleted_on_the_destination_and_then_released_at_the_source(pair, how, left):
    uuid = pair.mirrored()["uuid"]
    assert pair.there.delete(f"{pair.path()}?destination_only=true&return_timeout=60").status_code == 200
    assert len(pair.snapshots(pair.here, "data")) == 1
    path = f"/api/snapmirror/relationships/{uuid}?{how}=true&return_timeout=60"
    assert pair.here.delete(path).status_code == 200
    assert len(pair.snapshots(pair.here, "data")) == left
    assert pair.here.delete(path).status_code == 404


def test_a_dp_volume_is_read_and_not_written_as_objects(pair):
    pair.mirrored()
    keys = pair.s3_keys("svm2")
    bucket = {"svm": {"name": "svm2"}, "name": "mirror-bucket", "type": "nas", "nas_path": "/data_mirror"}
    bucket["policy"] = {"statements": [{"effect": "allow", "actions": ["*"], "resources": ["*"]}]}
    made = pair.there.post("/api/protocols/s3/buckets?return_timeout=60", json=bucket)
    assert made.status_code == 201, made.text
    s3 = s3_client(pair.pair.there.s3_url, *keys)
    assert s3.get_object(Bucket="mirror-bucket", Key="folder/file1")["Body"].read() == b"\x01" * 1000
    with pytest.raises(ClientError, match="AccessDenied.*data-protection"):
        s3.put_object(Bucket="mirror-bucket", Key="new", Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied.*data-protection"):
        s3.delete_object(Bucket="mirror-bucket", Key="folder/file1")
    pair.change(state="broken_off")
    s3.delete_object(Bucket="mirror-bucket", Key="folder/file1")
    assert "folder/file1" not in contents(pair.copy)


def test_a_clone_of_a_mirrored_snapshot_is_writable(pair):
    pair.mirrored()
    name = next(iter(pair.snapshots(pair.there, "data_mirror")))
    clone = {"is_flexclone": True, "parent_volume": {"name": "data_mirror"}, "parent_snapshot": {"name": name}}
    body = {"name": "work", "svm": {"name": "svm2"}, "nas": {"path": "/work"}, "clone": clone}
    made = pair.there.post("/api/storage/volumes?return_timeout=60", json=body)
    assert made.status_code == 201, made.text
    assert pair.kind("work") == "rw"
    (pair.pair.there.namespace / "work" / "note").write_text("mine")
    now = {**body, "name": "now", "nas": {"path": "/now"}}
    now["clone"] = {key: value for key, value in clone.items() if key != "parent_snapshot"}
    assert code(pair.there.post("/api/storage/volumes", json=now)) == "1638461"


def test_within_one_svm(pair):
    pair.source()
    pair.volume(pair.here, "svm1", "beside", type="dp", nas={"path": "/beside"})
    body = {"source": {"path": SOURCE}, "destination": {"path": "svm1:beside"}, "policy": {"name": "MirrorLatest"}}
    made = pair.here.post("/api/snapmirror/relationships?return_timeout=60", json=body)
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    pair.wait(pair.here.post(f"{path}/transfers", json={}).headers["location"], on=pair.here)
    assert contents(pair.pair.here.namespace / "beside") == contents(pair.files)


def test_the_lag_follows_the_clock(pair):
    pair.mirrored()
    pair.pair.there.control("PUT", "/clock", {"offset_s": 90_000})
    assert pair.relationship()["lag_time"].startswith("P1DT1H")


@pytest.fixture
def schedules(pair) -> Iterator[None]:
    """At the mirror's cluster they begin updates meanwhile."""
    pair.pair.there.control("PUT", "/schedules", {"running": True})
    yield
    pair.pair.there.control("PUT", "/schedules", {"running": False})


def test_a_schedule_begins_an_update(pair, schedules):
    pair.mirrored(transfer_schedule={"name": "hourly"})
    (pair.files / "new").write_text("new")
    assert pair.relationship()["transfer_schedule"]["name"] == "hourly"
    pair.pair.there.control("PUT", "/clock", {"offset_s": 3700})
    until(lambda: "new" in contents(pair.copy), "the schedule has begun no update")
    assert contents(pair.copy) == contents(pair.files)


def test_pace_of_jobs_is_that_of_transfers(pair):
    pair.mirrored()
    pace(pair.pair.there, "reads", 3)
    path = pair.transfer()
    assert pair.there.get(path).json()["state"] == "transferring"
    pace(pair.pair.there, "immediate")
    assert pair.wait(path)["state"] == "success"


@pytest.mark.parametrize("which", ["here", "there"])
def test_a_cluster_is_emptied_while_a_transfer_runs(pair, which):
    pair.source()
    (pair.files / "large").write_bytes(b"x" * 5_000_000)
    pair.destination()
    assert pair.create(throttle=100).status_code == 201
    pair.transfer()
    emptied = getattr(pair.pair, which)
    emptied.control("POST", "/reset")
    with emptied.client() as api:
        assert api.get("/api/storage/volumes?is_svm_root=false").json()["num_records"] == 0
        assert api.get("/api/snapmirror/relationships").json()["num_records"] == 0
