"""Volumes: made once, whatever happens on the way, and never taken from somebody else."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import clones, errors, marks, snapshots, volumes
from tests.ontap_mlops.conftest import GIB, MARK, SVM

POST = "POST /api/storage/volumes"


def ensure(client, **other):
    facts = {"svm": SVM, "name": "tyre", "size_bytes": GIB, "comment": MARK, "junction_path": "/tyre"}
    return volumes.ensure(client, **{**facts, **other})


def test_a_volume_is_made_with_what_was_asked(client, ontap) -> None:
    made = ensure(client, unix_permissions="775")
    assert (made.size_bytes, made.junction_path, made.comment, made.unix_permissions) == (GIB, "/tyre", MARK, 775)
    assert made == volumes.get(client, svm=SVM, name="tyre")
    assert made.is_ours
    (ontap.emulator.namespace / "tyre" / "file").write_text("x")


def test_asking_again_changes_nothing(client, volume, ontap) -> None:
    assert ensure(client).uuid == volume.uuid
    assert ontap.writes() == []


def test_a_volume_grows_and_never_shrinks(client, volume) -> None:
    assert ensure(client, size_bytes=3 * GIB).size_bytes == 3 * GIB
    assert ensure(client, size_bytes=GIB).size_bytes == 3 * GIB


def test_somebody_elses_volume_is_left_alone(client, ontap) -> None:
    body = {"name": "tyre", "svm": {"name": SVM}, "aggregates": [{"name": "aggr1"}], "comment": "payroll"}
    ontap.http.post("/api/storage/volumes?return_timeout=20", json=body).raise_for_status()
    with pytest.raises(errors.NameTaken, match="its comment is 'payroll', not 'ontap-mlops dataset tyre'. Choose"):
        ensure(client)
    with pytest.raises(errors.NotOurs, match="was not removed: its comment is 'payroll'"):
        volumes.delete(client, svm=SVM, name="tyre")
    assert volumes.get(client, svm=SVM, name="tyre").junction_path is None


def test_a_lost_answer_leaves_one_volume_that_is_adopted(client, ontap) -> None:
    ontap.fault("POST", "/api/storage/volumes", "lost_answer")
    assert ensure(client).junction_path == "/tyre"
    assert ontap.writes() == [POST]
    assert len(volumes.list_volumes(client, svm=SVM, name="tyre*")) == 1


def test_a_lost_answer_while_the_job_still_runs_leaves_one_volume(client, ontap) -> None:
    ontap.jobs("seconds", 1.5)
    ontap.fault("POST", "/api/storage/volumes", "lost_answer")
    assert ensure(client).junction_path == "/tyre"
    assert len(volumes.list_volumes(client, svm=SVM, name="tyre*")) == 1


def test_a_refused_connection_is_tried_again(client, ontap) -> None:
    ontap.fault("POST", "/api/storage/volumes", "refuse")
    assert ensure(client).size_bytes == GIB


def test_a_long_job_is_followed_to_its_end(client, ontap) -> None:
    ontap.jobs("reads", 3)
    assert ensure(client).state == "online"


def test_a_wait_that_ends_first_is_no_failure_and_the_next_try_adopts(ontap) -> None:
    ontap.jobs("reads", 6)
    with pytest.raises(errors.JobStillRunning, match=r"after 0.2 s: job \S+ is \w+. It goes on by itself"):
        ensure(ontap.client(job_timeout_s=0.2))
    ontap.jobs("immediate")
    assert ensure(ontap.client()).state == "online"
    assert ontap.writes().count(POST) <= 2
    assert len(volumes.list_volumes(ontap.client(), svm=SVM, name="tyre*")) == 1


def test_a_job_that_fails_late_says_why_and_the_next_try_succeeds(client, ontap) -> None:
    ontap.fault("POST", "/api/storage/volumes", "job_fails", code="6", message="User is not authorized.")
    with pytest.raises(errors.NotAuthorized, match="User is not authorized. Give the account a role"):
        ensure(client)
    assert ensure(client).state == "online"


def test_no_space_is_told_as_such(client, ontap) -> None:
    ontap.fault("POST", "/api/storage/volumes", "space_full")
    with pytest.raises(errors.SpaceFull, match="Free space or ask for less"):
        ensure(client)


def test_an_unknown_svm_is_told_with_those_there_are(client) -> None:
    with pytest.raises(errors.NotFound, match="There is no SVM 'nope' on ONTAP at .*; this account sees: svm1"):
        ensure(client, svm="nope")
    with pytest.raises(errors.NotFound, match="There is no SVM 'nope'"):
        volumes.get(client, svm="nope", name="tyre")
    with pytest.raises(errors.NotFound, match="There is no volume 'tyre' of SVM 'svm1'"):
        volumes.get(client, svm=SVM, name="tyre")


def test_a_name_that_ontap_cannot_have_is_permanent(client) -> None:
    with pytest.raises(errors.InvalidRequest):
        ensure(client, name="2-tyre images", junction_path="/tyre")


def test_a_volume_goes_once_and_is_gone_the_second_time(client, volume) -> None:
    assert volumes.delete(client, svm=SVM, name="tyre", comment=MARK) is True
    assert volumes.delete(client, svm=SVM, name="tyre", comment=MARK) is False


def test_a_volume_of_another_owner_of_ours_stays(client, volume) -> None:
    with pytest.raises(errors.NotOurs, match="its comment is 'ontap-mlops dataset tyre', not 'ontap-mlops run r1'"):
        volumes.delete(client, svm=SVM, name="tyre", comment=marks.mark("run r1"))


def test_a_lost_answer_to_a_removal_is_no_error(client, volume, ontap) -> None:
    ontap.fault("DELETE", "/api/storage/volumes", "lost_answer")
    volumes.delete(client, svm=SVM, name="tyre")
    assert volumes.find(client, svm=SVM, name="tyre") is None


def test_a_volume_with_clones_stays_and_the_clones_are_named(client, volume) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name="s", comment="")
    for name in ("ws_b", "ws_a"):
        clones.ensure(client, svm=SVM, name=name, parent_volume="tyre", parent_snapshot="s", comment=marks.mark(name))
    with pytest.raises(errors.InUse, match="cannot be removed while it has clones: ws_a, ws_b. Remove or split"):
        volumes.delete(client, svm=SVM, name="tyre")


def test_the_volume_at_a_path_is_the_one_mounted_deepest_above_it(client, volume) -> None:
    assert volumes.at(client, svm=SVM, path="/tyre/data/good").name == "tyre"
    with pytest.raises(errors.NotFound, match="No volume of SVM 'svm1' is mounted at /tyres"):
        volumes.at(client, svm=SVM, path="/tyres")


def test_permissions_of_the_root_can_be_changed(client, volume) -> None:
    assert volumes.set_unix_permissions(client, volume=volume, unix_permissions="750").unix_permissions == 750


def test_a_path_is_never_looked_up_in_the_root_volume(client, volume) -> None:
    assert volumes.at(client, svm=SVM, path="/tyre/good").name == "tyre"
    with pytest.raises(errors.NotFound, match="No volume of SVM 'svm1' is mounted at /nowhere"):
        volumes.at(client, svm=SVM, path="/nowhere")


def test_the_root_volume_is_neither_opened_nor_removed(client, ontap) -> None:
    root = volumes.get(client, svm=SVM, name="svm1_root")
    assert (root.is_svm_root, root.junction_path) == (True, "/")
    with pytest.raises(errors.NotOurs, match="it is the root volume, and they hold for the whole namespace"):
        volumes.set_unix_permissions(client, volume=root, unix_permissions="777")
    with pytest.raises(errors.NotOurs, match="it is the root volume, which stays"):
        volumes.delete(client, svm=SVM, name="svm1_root", not_ours_too=True)
    assert ontap.writes() == []
