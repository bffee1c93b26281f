"""ONTAP jobs waited for in the triggerer, by uuid alone: to their end, their failure, or until ONTAP forgets them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ontap_mlops.ontap import clones, errors, marks, snapshots
from ontap_mlops.triggers.polling import PollingTrigger, outcome
from tests.ontap_mlops.conftest import SVM


@pytest.fixture
def begin(client, volume, ontap, monkeypatch):
    """Begins to split a clone; gives the job's uuid."""
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="")
    facts = {"parent_volume": "tyre", "parent_snapshot": "v1", "comment": marks.mark("ws")}
    clone = clones.ensure(client, svm=SVM, name="ws", **facts)

    def begun(looks: int) -> str:
        ontap.jobs("reads", looks)
        return clones.split(client, clone=clone, wait=False)

    return begun


def wait(uuid: str) -> Any:
    arguments = {"ontap_conn_id": "ontap_default", "uuid": uuid, "asked": "split clone 'ws'"}
    trigger = PollingTrigger("ontap_mlops.hooks.ontap.look_at_job", arguments, interval_s=0.01)

    async def event() -> Any:
        return await anext(trigger.run())

    return outcome(asyncio.run(event()).payload)


def test_a_job_is_waited_for_to_its_end(begin) -> None:
    uuid = begin(3)
    assert wait(uuid) == {"uuid": uuid, "known": True, "state": "success", "message": "success"}


def test_a_failed_job_fails_the_task_with_its_own_error(begin, ontap) -> None:
    ontap.fault("PATCH", "volumes", "space_full")
    with pytest.raises(errors.SpaceFull, match="split clone 'ws' in job"):
        wait(begin(2))


def test_a_job_that_ontap_forgot_ends_the_wait_and_says_so(begin, ontap) -> None:
    uuid = begin(9)
    ontap.control("DELETE", f"/jobs/{uuid}")
    assert wait(uuid) == {"uuid": uuid, "known": False}
