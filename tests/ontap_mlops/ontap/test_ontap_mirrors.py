"""A volume elsewhere follows a volume here: made once, updated, broken off, resynced, turned."""

from __future__ import annotations

from typing import Any

import pytest

from ontap_mlops.ontap import dataset_versions, errors, mirrors, reversals, snapshots, transfers, volumes
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap
from tests.until import until

WHERE = {"svm": "svm2", "volume": "tyre"}
DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def remote(there: Ontap):
    return there.client()


@pytest.fixture
def mirror(volume, there, remote) -> mirrors.Mirror:
    """`tyre` of `svm1` mirrored to `svm2`, initialised and mounted."""
    made = mirrors.ensure_destination(remote, **WHERE, size_bytes=GIB, comment=MARK)
    volumes.mount(remote, volume=made, junction_path="/tyre")
    found = mirrors.ensure(remote, **WHERE, source_svm=SVM, source_volume="tyre")
    moved(remote, transfers.begin(remote, mirror=found), found)
    return mirrors.by_uuid(remote, uuid=found.uuid)


def moved(client, begun: transfers.Begun, mirror: mirrors.Mirror, **other: Any) -> dict[str, Any]:
    """The payload of a transfer that succeeds."""
    subject = {"mirror": mirror.uuid, "transfer": begun.uuid, "joined": begun.joined, **other}
    answer: dict[str, Any] = {"cursor": None}

    def look() -> bool:
        answer.update(transfers.look(client, **subject, cursor=answer["cursor"]))
        return answer["done"]

    until(look, lambda: answer)
    return answer["payload"]


def update(client, mirror: mirrors.Mirror, **other: Any) -> dict[str, Any]:
    return moved(client, transfers.begin(client, mirror=mirror), mirror, **other)


def files(ontap: Ontap) -> dict[str, bytes]:
    top = ontap.emulator.namespace / "tyre"
    return {path.name: path.read_bytes() for path in top.iterdir() if path.is_file()}


def write(ontap: Ontap, name: str, content: bytes = b"x") -> None:
    (ontap.emulator.namespace / "tyre" / name).write_bytes(content)


def test_a_mirror_follows_its_source(mirror, ontap, there, remote):
    assert (mirror.state, mirror.policy, mirror.schedule) == ("snapmirrored", mirrors.POLICY, "")
    assert (mirror.source, mirror.destination, mirror.source_cluster) == ("svm1:tyre", "svm2:tyre", "emulator")
    write(ontap, "two.png", b"second")
    done = update(remote, mirror)
    assert (done["bytes"], done["source"], done["destination"]) == (6, "svm1:tyre", "svm2:tyre")
    assert files(there) == files(ontap)
    assert done["lag_s"] is not None and done["lag_s"] < 60


def test_made_twice_is_made_once_and_policy_and_schedule_are_always_set(mirror, there, remote):
    there.forget_requests()
    same = mirrors.ensure(remote, **WHERE, source_svm=SVM, source_volume="tyre")
    assert (same.uuid, there.writes()) == (mirror.uuid, [])
    other = mirrors.ensure(
        remote, **WHERE, source_svm=SVM, source_volume="tyre", policy="MirrorLatest", schedule="daily"
    )
    assert (other.policy, other.schedule) == ("MirrorLatest", "daily")
    assert mirrors.ensure(remote, **WHERE, source_svm=SVM, source_volume="tyre").schedule == ""


def test_a_new_mirror_has_its_schedule_at_once(volume, there, remote):
    mirrors.ensure_destination(remote, **WHERE, size_bytes=GIB, comment=MARK)
    made = mirrors.ensure(remote, **WHERE, source_svm=SVM, source_volume="tyre", schedule="hourly")
    assert (made.state, made.schedule, made.policy) == ("uninitialized", "hourly", mirrors.POLICY)


def test_a_lost_answer_makes_no_second_mirror(volume, there, remote):
    mirrors.ensure_destination(remote, **WHERE, size_bytes=GIB, comment=MARK)
    there.fault("POST", "/api/snapmirror/relationships", "lost_answer", times=1)
    made = mirrors.ensure(remote, **WHERE, source_svm=SVM, source_volume="tyre")
    assert [each.uuid for each in mirrors.list_mirrors(remote)] == [made.uuid]


def test_queued_is_under_way_and_a_transfer_that_runs_is_joined(mirror, there, remote):
    there.jobs("reads", 20)
    begun = transfers.begin(remote, mirror=mirror)
    there.jobs("immediate")
    again = transfers.begin(remote, mirror=mirror)
    assert (begun.joined, again) == (False, transfers.Begun(uuid=begun.uuid, joined=True))
    assert transfers.look(remote, mirror=mirror.uuid, transfer=begun.uuid)["done"] is False
    assert moved(remote, again, mirror)["transfer"] == begun.uuid


def test_a_joined_transfer_that_came_too_early_is_followed_by_another(mirror, ontap, there, remote, client, volume):
    there.jobs("seconds", 1)
    first = transfers.begin(remote, mirror=mirror)
    there.jobs("immediate")
    joined = transfers.Begun(uuid=first.uuid, joined=True)
    done = moved(remote, joined, mirror)
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v2", comment="facts")
    later = moved(remote, joined, mirror, snapshot="v2")
    assert later["transfer"] != done["transfer"]
    destination = volumes.get(remote, svm="svm2", name="tyre")
    assert snapshots.get(remote, volume_uuid=destination.uuid, name="v2").comment == "facts"


def test_a_snapshot_that_does_not_come_along_is_named(mirror, remote):
    with pytest.raises(errors.NotFound, match=r"svm2:tyre.*svm1:tyre.*'nothing'"):
        update(remote, mirror, snapshot="nothing")


def test_a_dataset_version_is_found_on_the_mirror_before_and_after_the_break(mirror, there, remote, client, volume):
    facts = {"svm": SVM, "volume": "tyre", "dataset": "tyre", "source": "lake", "run_key": "r1"}
    made = dataset_versions.freeze(client, **facts, digest=DIGEST, files=1, size=5).version
    update(remote, mirror, snapshot=made.snapshot)
    for _ in range(2):
        found = dataset_versions.list_versions(remote, svm="svm2", volume="tyre", dataset="tyre")
        assert [(v.id, v.digest, v.created_at, v.snapshot) for v in found] == [
            (made.id, made.digest, made.created_at, made.snapshot)
        ]
        mirrors.break_off(remote, mirror=mirror)
    destination = volumes.get(remote, svm="svm2", name="tyre")
    ours = snapshots.get(remote, volume_uuid=destination.uuid, name=made.snapshot)
    theirs = snapshots.get(client, volume_uuid=volume.uuid, name=made.snapshot)
    assert (ours.version_uuid, ours.uuid != theirs.uuid) == (theirs.version_uuid, True)


def test_an_aborted_transfer_is_no_success_and_nothing_tries_again(mirror, there, remote):
    there.jobs("seconds", 60)
    begun = transfers.begin(remote, mirror=mirror)
    there.jobs("immediate")
    assert transfers.abort(remote, mirror=mirror.uuid, transfer=begun.uuid) is True
    with pytest.raises(errors.Stopped, match=r"svm2:tyre.*aborted"):
        moved(remote, begun, mirror)
    assert transfers.abort(remote, mirror=mirror.uuid, transfer=begun.uuid) is False
    assert transfers.stop(remote, mirror=mirror) is False


def test_a_peer_out_of_reach_fails_the_transfer_with_its_reason(mirror, ontap, there, remote):
    before = files(there)
    write(ontap, "two.png")
    ontap.fault("POST", "/intercluster/mirror.begin", "refuse")
    with pytest.raises(errors.OtherEndAway, match=r"svm2:tyre.*svm1:tyre.*cluster.*cannot be reached"):
        update(remote, mirror)
    now = mirrors.by_uuid(remote, uuid=mirror.uuid)
    assert (now.healthy, "cannot be reached" in now.reason, files(there)) == (False, True, before)
    update(remote, mirror)
    assert files(there) == files(ontap)


def test_a_transfer_that_ontap_has_forgotten_is_judged_by_the_mirror(mirror, remote):
    gone = transfers.Begun(uuid="11111111-0000-4000-8000-000000000000", joined=True)
    assert moved(remote, gone, mirror)["state"] == "snapmirrored"
    mirrors.break_off(remote, mirror=mirror)
    with pytest.raises(errors.JobFailed, match="broken_off"):
        moved(remote, gone, mirror)


def test_broken_off_once(mirror, there, remote):
    assert mirrors.break_off(remote, mirror=mirror).state == "broken_off"
    assert volumes.get(remote, svm="svm2", name="tyre").type == "rw"
    there.forget_requests()
    mirrors.break_off(remote, mirror=mirror)
    assert there.writes() == []
    with pytest.raises(errors.WrongState, match=r"svm2:tyre.*svm1:tyre.*broken_off; resync it first"):
        transfers.begin(remote, mirror=mirror)


def test_a_mirror_that_was_never_initialised_is_not_broken_off(volume, there, remote):
    mirrors.ensure_destination(remote, **WHERE, size_bytes=GIB, comment=MARK)
    made = mirrors.ensure(remote, **WHERE, source_svm=SVM, source_volume="tyre")
    with pytest.raises(errors.WrongState, match=r"svm2:tyre.*svm1:tyre.*never initialised"):
        mirrors.break_off(remote, mirror=made)
    with pytest.raises(errors.WrongState, match="pause"):
        mirrors.pause(remote, mirror=made)


def test_paused_and_resumed(mirror, remote):
    assert mirrors.pause(remote, mirror=mirror).state == "paused"
    with pytest.raises(errors.WrongState, match="resume it first"):
        transfers.begin(remote, mirror=mirror)
    with pytest.raises(errors.WrongState, match="paused"):
        mirrors.look_at_lag(remote, **WHERE, below_s=10)
    assert mirrors.resume(remote, mirror=mirror).state == "snapmirrored"


def test_resync_says_what_would_be_lost(mirror, ontap, there, remote, client):
    mirrors.break_off(remote, mirror=mirror)
    write(there, "work.txt", b"w" * 5000)
    destination = volumes.get(remote, svm="svm2", name="tyre")
    snapshots.ensure(remote, volume_uuid=destination.uuid, name="own", comment="mine")
    lost = r"'svm2:tyre' was not made to follow 'svm1:tyre': 5,000 bytes.*snapshots own, would be lost"
    with pytest.raises(errors.WouldLose, match=lost):
        reversals.resync(remote, client, mirror=mirror, source_svm=SVM)
    assert "work.txt" in files(there)
    write(ontap, "two.png")
    begun = reversals.resync(remote, client, mirror=mirror, source_svm=SVM, lose_changes=True)
    assert moved(remote, begun, mirror)["state"] == "snapmirrored"
    assert files(there) == files(ontap)
    assert reversals.resync(remote, client, mirror=mirror, source_svm=SVM).joined is True, "it follows already"


def test_resync_without_anything_to_lose_needs_no_word(mirror, there, remote, client, ontap):
    mirrors.break_off(remote, mirror=mirror)
    moved(remote, reversals.resync(remote, client, mirror=mirror, source_svm=SVM), mirror)
    assert files(there) == files(ontap)


def test_without_a_snapshot_in_common_neither_can_follow(mirror, there, remote, client):
    mirrors.break_off(remote, mirror=mirror)
    destination = volumes.get(remote, svm="svm2", name="tyre")
    for snapshot in snapshots.list_snapshots(remote, volume_uuid=destination.uuid):
        snapshots.delete(remote, volume_uuid=destination.uuid, name=snapshot.name)
    with pytest.raises(errors.NothingInCommon, match=r"'tyre' of SVM 'svm2'.*'tyre' of SVM 'svm1'"):
        reversals.resync(remote, client, mirror=mirror, source_svm=SVM, lose_changes=True)


def test_the_direction_is_turned_and_nothing_is_lost(mirror, ontap, there, remote, client):
    with pytest.raises(errors.WrongState, match=r"svm2:tyre.*Break it off first"):
        reversals.reversed_mirror(client, remote, mirror=mirror, svm=SVM)
    mirrors.break_off(remote, mirror=mirror)
    write(there, "work.txt", b"from there")
    write(ontap, "late.txt", b"late")
    with pytest.raises(errors.WouldLose, match=r"'svm1:tyre' was not made to follow 'svm2:tyre'"):
        reversals.reversed_mirror(client, remote, mirror=mirror, svm=SVM)
    assert mirrors.find(client, svm=SVM, volume="tyre") is None
    new = reversals.reversed_mirror(client, remote, mirror=mirror, svm=SVM, lose_changes=True)
    moved(client, reversals.begin(client, mirror=new), new)
    reversals.finish(client, remote, old=mirror, new=new)
    assert files(ontap) == files(there)
    assert (mirrors.list_mirrors(remote), len(mirrors.list_mirrors(client))) == ([], 1)
    assert mirrors.list_destinations(client, svm=SVM, volume="tyre") == []
    assert [m.destination for m in mirrors.list_destinations(remote, svm="svm2", volume="tyre")] == ["svm1:tyre"]
    assert volumes.get(client, svm=SVM, name="tyre").type == "dp"


def test_deleted_and_the_source_lets_go(mirror, client, remote, volume):
    assert mirrors.delete(remote, mirror=mirror) is True
    assert mirrors.delete(remote, mirror=mirror) is False
    assert snapshots.list_snapshots(client, volume_uuid=volume.uuid) == []
    assert mirrors.release(client, uuid=mirror.uuid) is False


def test_a_source_that_is_gone_for_good_is_not_told(mirror, ontap, remote, client):
    ontap.fault("POST", "/intercluster/", "refuse", times=1)
    with pytest.raises(errors.OtherEndAway, match=r"svm2:tyre.*destination_only"):
        mirrors.delete(remote, mirror=mirror)
    assert mirrors.delete(remote, mirror=mirror, destination_only=True) is True
    assert [m.uuid for m in mirrors.list_destinations(client, svm=SVM, volume="tyre")] == [mirror.uuid]
    assert mirrors.release(client, uuid=mirror.uuid) is True


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        ({"source_svm": "svm9"}, errors.NotPeered, r"'svm2'.*'svm9'.*is not there"),
        ({"source_volume": "nothing"}, errors.NotFound, r"'svm1:nothing' to 'svm2:tyre'"),
        ({"policy": "Nonesuch"}, errors.NotFound, r"'svm1:tyre' to 'svm2:tyre'.*Nonesuch"),
        ({"volume": "nothing"}, errors.NotFound, r"'nothing' of SVM 'svm2'"),
        ({"volume": "written"}, errors.InvalidRequest, r"'svm1:tyre' to 'svm2:written'"),
        ({"volume": "theirs"}, errors.InvalidRequest, r"'theirs' of SVM 'svm2'.*'svm1:tyre'.*type dp"),
        ({"schedule": "never"}, errors.NotFound, r"'svm1:tyre' to 'svm2:tyre'.*never"),
    ],
)
def test_what_cannot_be_mirrored_is_said_of_both_ends(volume, there, remote, wrong, kind, says):
    mirrors.ensure_destination(remote, **WHERE, size_bytes=GIB, comment=MARK)
    volumes.ensure(remote, svm="svm2", name="written", size_bytes=GIB, comment=MARK)
    volumes.ensure(remote, svm="svm2", name="theirs", size_bytes=GIB, comment="somebody's")
    with pytest.raises(kind, match=says):
        mirrors.ensure(remote, **{**WHERE, "source_svm": SVM, "source_volume": "tyre", **wrong})
    assert mirrors.list_mirrors(remote) == []


def test_a_mirror_of_another_source_is_left_alone(mirror, client, remote):
    volumes.ensure(client, svm=SVM, name="other", size_bytes=GIB, comment=MARK)
    with pytest.raises(errors.NameTaken, match=r"'svm2:tyre' cannot be a mirror of 'svm1:other'.*'svm1:tyre'"):
        mirrors.ensure(remote, **WHERE, source_svm=SVM, source_volume="other")


def test_a_volume_without_a_mirror_is_named(volume, client):
    with pytest.raises(errors.NotFound, match=r"'tyre' of SVM 'svm1'.*destination of no mirror"):
        mirrors.get(client, svm=SVM, volume="tyre")


def test_the_lag_is_in_seconds_and_waited_for(mirror, there, remote):
    there.control("PUT", "/clock", {"offset_s": 7200})
    lag = mirrors.lag(remote, **WHERE)
    assert lag is not None and 7200 <= lag < 7260
    assert mirrors.look_at_lag(remote, **WHERE, below_s=60)["done"] is False
    assert mirrors.look_at_lag(remote, **WHERE, below_s=8000)["done"] is True


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("PT8H35M42S", 30942), ("P1DT2S", 86402), ("P2W", 1209600), ("PT0S", 0), ("", None), ("P", None)],
)
def test_durations(text, wanted):
    assert mirrors.seconds(text) == wanted
