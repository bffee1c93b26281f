"""Jobs: begun without waiting, looked at by uuid, and their failures by class."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import clones, errors, jobs, marks, snapshots
from tests.ontap_mlops.conftest import SVM


@pytest.fixture
def clone(client, volume):
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="")
    facts = {"parent_volume": "tyre", "parent_snapshot": "v1", "comment": marks.mark("ws")}
    return clones.ensure(client, svm=SVM, name="ws", **facts)


def test_work_is_begun_without_a_wait_and_followed_by_its_uuid(client, clone, ontap) -> None:
    ontap.jobs("reads", 3)
    uuid = clones.split(client, clone=clone, wait=False)
    seen = [jobs.state(client, uuid, asked="split") for _ in range(3)]
    assert [(job.state, job.done) for job in seen] == [("running", False), ("running", False), ("success", True)]
    assert jobs.follow(client, uuid, asked="split") is True


def test_what_is_done_at_once_begins_no_job() -> None:
    assert jobs.begun_by({}) is None
    assert jobs.begun_by({"job": None, "records": []}) is None


def test_a_failed_job_raises_the_error_it_carries(client, clone, ontap) -> None:
    ontap.jobs("reads", 1)
    ontap.fault("PATCH", "volumes", "space_full")
    uuid = clones.split(client, clone=clone, wait=False)
    with pytest.raises(errors.SpaceFull, match=f"split it in job {uuid}"):
        jobs.state(client, uuid, asked="split it")


def test_a_job_that_ontap_forgot_is_none(client) -> None:
    assert jobs.state(client, "6802635b-8036-11e8-aae5-0050569503ac", asked="split") is None


def test_a_state_that_is_not_known_is_no_success(client, monkeypatch) -> None:
    monkeypatch.setattr(client, "record", lambda *_, **__: {"state": "dreaming"})
    with pytest.raises(errors.UnknownState, match="state 'dreaming', which is not known here"):
        jobs.state(client, "u", asked="split")
