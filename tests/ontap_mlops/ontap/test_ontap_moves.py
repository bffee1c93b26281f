"""Volumes that move to another aggregate, and clones that are split: begun once, joined, followed, stopped."""

from __future__ import annotations

import time

import pytest

from ontap_mlops.ontap import clones, moves, snapshots, splits
from ontap_mlops.ontap.errors import InUse, InvalidRequest, JobFailed, NotFound, SpaceFull
from tests.ontap_mlops.conftest import MARK, SVM


def followed(look, client, subject):
    """The lines said until the work is done, and its payload."""
    said, cursor, answer = [], None, {"done": False}
    while not answer["done"]:
        answer = look(client, **subject, **({} if cursor is None else {"cursor": cursor}))
        cursor = answer.get("cursor", cursor)
        said += answer.get("lines", [])
    return said, answer["payload"]


def begin(client, aggregate="aggr2"):
    return moves.begin(client, svm=SVM, name="tyre", aggregate=aggregate)


def test_a_move_is_followed_to_its_end_and_a_second_one_has_nothing_to_do(client, volume, ontap):
    ontap.jobs("reads", 4)
    said, payload = followed(moves.look, client, begin(client))
    assert payload["aggregate"] == "aggr2" and said[0].endswith("moved to aggr2 (replicating)")
    assert len(said) == len(set(said)), "each percentage is said once"
    ontap.forget_requests()
    assert followed(moves.look, client, begin(client))[0] == []
    assert ontap.writes() == []


def test_a_running_move_is_joined_and_one_to_elsewhere_is_not_disturbed(client, volume, ontap):
    ontap.jobs("reads", 30)
    assert begin(client)["job"]
    ontap.forget_requests()
    assert begin(client)["job"] is None
    with pytest.raises(InUse, match="'tyre' of SVM 'svm1' is on its way to aggregate 'aggr2'"):
        begin(client, "aggr1")
    assert ontap.writes() == []


def test_an_aborted_move_is_told_to_who_waits_and_can_begin_anew(client, volume, ontap):
    ontap.jobs("reads", 30)
    subject = begin(client)
    ontap.jobs("immediate")
    assert moves.abort(client, **subject) is True
    assert moves.abort(client, **subject) is False
    with pytest.raises((JobFailed, InvalidRequest), match="abort"):
        followed(moves.look, client, subject)
    with pytest.raises(JobFailed, match="still on aggregate aggr1: its move to 'aggr2' ended as aborted"):
        followed(moves.look, client, subject | {"job": None})
    assert followed(moves.look, client, begin(client))[1]["aggregate"] == "aggr2"


def test_a_move_whose_job_failed_says_why(client, volume, ontap):
    ontap.jobs("seconds", 0.2)
    ontap.fault("PATCH", "/storage/volumes/", "job_fails", code="917927", message="Not enough space in aggregate.")
    with pytest.raises(SpaceFull):
        subject = begin(client)
        followed(moves.look, client, subject)


def test_a_lost_answer_does_not_begin_a_second_move(client, volume, ontap):
    ontap.jobs("reads", 30)
    ontap.fault("PATCH", "/storage/volumes/", "lost_answer", times=1)
    assert begin(client)["aggregate"] == "aggr2"
    assert moves.of(client, volume_uuid=volume.uuid).under_way
    assert len(ontap.writes()) == 1


def test_an_aggregate_that_is_not_there_or_has_no_room_is_said_before_anything_begins(client, volume, ontap):
    with pytest.raises(NotFound, match="no aggregate 'aggr9' .* sees: aggr1, aggr2"):
        begin(client, "aggr9")
    ontap.limits(aggregate_bytes=1)
    with pytest.raises(SpaceFull, match=r"'aggr2' has 1 bytes free and volume 'tyre' of SVM 'svm1' needs 5"):
        begin(client)
    assert ontap.writes() == []


@pytest.fixture
def clone(client, volume):
    snapshots.ensure(client, volume_uuid=volume.uuid, name="s1", comment=MARK)
    return clones.ensure(
        client, svm=SVM, name="copy", parent_volume="tyre", parent_snapshot="s1", comment=MARK, junction_path="/copy"
    )


def test_a_clone_is_split_once_and_its_parents_snapshot_is_free_then(client, volume, clone, ontap):
    ontap.jobs("reads", 4)
    said, payload = followed(splits.look, client, splits.begin(client, svm=SVM, name="copy", parent="tyre"))
    assert payload == {"volume_uuid": clone.uuid} and said
    assert snapshots.delete(client, volume_uuid=volume.uuid, name="s1") is True
    ontap.forget_requests()
    assert followed(splits.look, client, splits.begin(client, svm=SVM, name="copy", parent="tyre"))[0] == []
    assert ontap.writes() == []


def test_a_running_split_is_joined_and_stopped(client, clone, ontap):
    ontap.jobs("reads", 30)
    subject = splits.begin(client, svm=SVM, name="copy")
    ontap.forget_requests()
    assert splits.begin(client, svm=SVM, name="copy")["volume_uuid"] == clone.uuid
    assert ontap.writes() == []
    ontap.jobs("immediate")
    assert splits.stop(client, **subject) is True
    assert splits.stop(client, **subject) is False
    with pytest.raises((JobFailed, InvalidRequest), match="stopped"):
        followed(splits.look, client, subject)


def test_what_is_no_clone_or_the_clone_of_another_is_not_split(client, volume, clone):
    with pytest.raises(InvalidRequest, match="'tyre' of SVM 'svm1' is no clone"):
        splits.begin(client, svm=SVM, name="tyre")
    with pytest.raises(InvalidRequest, match="is a clone of 'tyre', not of 'other'"):
        splits.begin(client, svm=SVM, name="copy", parent="other")


def test_a_split_whose_job_fails_late_says_why(client, clone, ontap):
    ontap.jobs("seconds", 0.2)
    ontap.fault("PATCH", "/storage/volumes/", "space_full")
    with pytest.raises(SpaceFull):
        subject = splits.begin(client, svm=SVM, name="copy")
        while True:
            splits.look(client, **subject)
            time.sleep(0.02)
