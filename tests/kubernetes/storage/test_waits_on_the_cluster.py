"""Waits for storage without a worker slot, and what is left where a task is killed or its worker dies in one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.operators.kubernetes_claims import KubernetesClaimDeleteOperator, KubernetesClaimEnsureOperator
from ontap_mlops.operators.kubernetes_snapshots import KubernetesSnapshotCreateOperator
from tests.kubernetes.storage.conftest import MIB, Storage
from tests.kubernetes.waiting import wait_until
from tests.ontap_mlops.operators.run_context import NOW

Run = Callable[..., Any]
CONTEXT: Any = {
    "dag_run": SimpleNamespace(dag_id="dag", run_id="manual", run_after=NOW),
    "ti": SimpleNamespace(task_id="task"),
}
AT_ONCE = {"task_id": "task", "deferrable": True, "first_wait_s": 0, "poll_interval_s": 0.2}


@pytest.fixture
def nobodys(storage: Storage) -> Iterator[str]:
    """A storage class that nobody serves, so that its claims wait for ever."""
    name = f"{storage.driver}-nobody"
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    storage.cluster.create({**kind, "provisioner": "nobody.example.com"})
    yield name
    storage.cluster.delete("StorageClass", name)


def claim_of(storage: Storage, name: str) -> dict[str, Any] | None:
    return storage.cluster.find("PersistentVolumeClaim", name)


async def fired(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("it ended without an event")


def test_a_wait_goes_on_in_the_triggerer_and_the_task_gets_what_it_found(storage: Storage, kubernetes_connection: None):
    task = KubernetesClaimEnsureOperator(claim="deferred", size_bytes=MIB, storage_class=storage.driver, **AT_ONCE)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(CONTEXT)
    event = asyncio.run(fired(deferred.value.trigger))
    made = task.execute_complete(CONTEXT, event)
    assert (made["phase"], made["name"]) == ("Bound", "deferred")


def test_a_wait_that_a_user_kills_leaves_no_claim(storage: Storage, kubernetes_connection: None, nobodys: str):
    task = KubernetesClaimEnsureOperator(claim="killed", size_bytes=MIB, storage_class=nobodys, **AT_ONCE)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(CONTEXT)
    assert claim_of(storage, "killed")
    asyncio.run(deferred.value.trigger.on_kill())
    wait_until(lambda: claim_of(storage, "killed") is None)


def test_a_kill_of_a_task_takes_back_nothing_that_came_to_be(storage: Storage, run_operator: Run):
    made = run_operator(KubernetesClaimEnsureOperator, claim="came-to-be", size_bytes=MIB, storage_class=storage.driver)
    task = KubernetesClaimEnsureOperator(claim="came-to-be", size_bytes=MIB, storage_class=storage.driver, **AT_ONCE)
    assert task.execute(CONTEXT) == made
    task.on_kill()
    assert claim_of(storage, "came-to-be")["metadata"]["uid"] == made["uid"]
    run_operator(KubernetesClaimDeleteOperator, claim=made)


def test_a_task_whose_worker_died_is_joined_by_its_retry(storage: Storage, run_operator: Run):
    arguments = {"claim": "joined", "size_bytes": MIB, "storage_class": storage.driver}
    with pytest.raises(TaskDeferred):  # nobody waits for this one any more
        KubernetesClaimEnsureOperator(**arguments, **AT_ONCE).execute(CONTEXT)
    begun = claim_of(storage, "joined")["metadata"]["uid"]
    assert run_operator(KubernetesClaimEnsureOperator, **arguments)["uid"] == begun
    frozen = {"snapshot": "joined", "claim": "joined", "snapshot_class": storage.driver}
    with pytest.raises(TaskDeferred):
        KubernetesSnapshotCreateOperator(**frozen, **AT_ONCE).execute(CONTEXT)
    begun = storage.cluster.find("VolumeSnapshot", "joined")["metadata"]["uid"]
    made = run_operator(KubernetesSnapshotCreateOperator, **frozen)
    assert made["uid"] == begun
    assert storage.snapshots_of(storage.volume_of("joined")).count(made["handle"].rpartition("/")[2]) == 1
