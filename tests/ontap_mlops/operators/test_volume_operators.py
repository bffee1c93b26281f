"""The tasks that size, move, split and tier volumes, and those that make FlexGroups and QoS policies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.ontap import clones, moves, qos, snapshots, volumes
from ontap_mlops.ontap.errors import InvalidRequest, NotEncrypted
from ontap_mlops.operators.flexgroups import OntapFlexGroupEnsureOperator
from ontap_mlops.operators.moves import OntapVolumeMoveOperator
from ontap_mlops.operators.qos_policies import OntapQosPolicyDeleteOperator, OntapQosPolicyEnsureOperator
from ontap_mlops.operators.sizes import OntapVolumeAutosizeOperator, OntapVolumeResizeOperator
from ontap_mlops.operators.splits import OntapCloneSplitOperator
from ontap_mlops.operators.tiering import (
    OntapEncryptionCheckOperator,
    OntapVolumeEfficiencyOperator,
    OntapVolumeTieringOperator,
)
from ontap_mlops.triggers.polling import WaitTimedOut
from tests.ontap_mlops.conftest import GIB, MARK, SVM


@pytest.fixture(autouse=True)
def connection(ontap, volume, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


def run(kind: type, **arguments: Any) -> Any:
    operator = kind(task_id="t", **arguments)
    ExecutorSafeguard.tracker.set(operator)
    return operator.execute({})


def test_a_templated_size_is_set_and_an_autosize_too():
    assert run(OntapVolumeResizeOperator, volume="tyre", size_bytes=f"{2 * GIB}")["size_bytes"] == 2 * GIB
    now = run(OntapVolumeAutosizeOperator, volume="tyre", mode="grow", maximum_bytes=f"{4 * GIB}")
    assert (now["mode"], now["maximum_bytes"]) == ("grow", 4 * GIB)
    with pytest.raises(ValueError, match="'large'"):
        run(OntapVolumeResizeOperator, volume="tyre", size_bytes="large")


def test_a_volume_is_moved_and_a_retry_finds_it_there(client, ontap, volume):
    ontap.jobs("reads", 4)
    wanted = {"volume": "tyre", "aggregate": "aggr2", "poll_interval_s": 0.01}
    for _ in range(2):
        assert run(OntapVolumeMoveOperator, **wanted) == {"aggregate": "aggr2", "volume_uuid": volume.uuid}
    assert moves.of(client, volume_uuid=volume.uuid).aggregates == ("aggr2",)


def test_a_long_move_is_waited_for_in_the_triggerer(client, ontap, volume):
    ontap.jobs("reads", 6)
    operator = OntapVolumeMoveOperator(
        task_id="t", volume="tyre", aggregate="aggr2", poll_interval_s=0.01, deferrable=True, first_wait_s=0
    )
    ExecutorSafeguard.tracker.set(operator)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    event = asyncio.run(_first_of(deferred.value.trigger))
    assert operator.execute_complete({}, event)["aggregate"] == "aggr2"


async def _first_of(trigger: Any) -> Any:
    return (await anext(trigger.run())).payload


@pytest.mark.parametrize("abort", [True, False])
def test_a_move_is_aborted_at_the_end_of_patience_only_if_told(client, ontap, volume, abort):
    ontap.jobs("seconds", 600)
    moves.begin(client, svm=SVM, name="tyre", aggregate="aggr2")
    ontap.jobs("immediate")
    wanted = {"volume": "tyre", "aggregate": "aggr2", "poll_interval_s": 0.05, "wait_limit_s": 0.1}
    with pytest.raises(WaitTimedOut, match="cancelled" if abort else "goes on"):
        run(OntapVolumeMoveOperator, deferrable=False, abort_on_kill=abort, **wanted)
    assert moves.of(client, volume_uuid=volume.uuid).state == ("aborted" if abort else "replicating")


def test_a_clone_is_split(client, ontap, volume):
    snapshots.ensure(client, volume_uuid=volume.uuid, name="s1", comment=MARK)
    clones.ensure(client, svm=SVM, name="copy", parent_volume="tyre", parent_snapshot="s1", comment=MARK)
    ontap.jobs("reads", 4)
    for _ in range(2):
        run(OntapCloneSplitOperator, clone="copy", parent="tyre", poll_interval_s=0.01)
    assert volumes.get(client, svm=SVM, name="copy").is_clone is False
    with pytest.raises(InvalidRequest, match="is no clone"):
        run(OntapCloneSplitOperator, clone="copy")


def test_tiering_says_what_was_before_and_fails_without_an_object_store(client):
    with pytest.raises(InvalidRequest, match="no object store"):
        run(OntapVolumeTieringOperator, volume="tyre", policy="auto")
    run(OntapVolumeMoveOperator, volume="tyre", aggregate="aggr2")
    now = run(OntapVolumeTieringOperator, volume="tyre", policy="auto", cooling_days="40")
    none = {"policy": "none", "cooling_days": None}
    assert now == {"policy": "auto", "cooling_days": 40, "before": none}


def test_efficiency_is_set_and_encryption_is_checked():
    now = run(OntapVolumeEfficiencyOperator, volume="tyre", compression="inline")
    assert (now["enabled"], now["compression"], now["before"]["compression"]) == (True, "inline", "none")
    with pytest.raises(NotEncrypted, match="must be encrypted"):
        run(OntapEncryptionCheckOperator, volume="tyre")


def test_a_flexgroup_is_ensured_twice():
    wanted = {"volume": "wide", "size_bytes": GIB, "comment": MARK, "aggregates": ["aggr1", "aggr2"]}
    for _ in range(2):
        made = run(OntapFlexGroupEnsureOperator, per_aggregate=2, junction_path="/wide", **wanted)
    assert (made["constituents"], made["junction_path"]) == (4, "/wide")


def test_a_qos_policy_is_made_used_and_removed(client):
    made = run(OntapQosPolicyEnsureOperator, policy="fast", adaptive={"expected_iops": 100, "peak_iops": 200})
    assert (made["kind"], made["volumes"]) == ("adaptive", 0)
    qos.raise_policy(client, svm=SVM, volume="tyre", policy="fast", holder="r1")
    qos.lower_policy(client, svm=SVM, volume="tyre", holder="r1")
    assert [run(OntapQosPolicyDeleteOperator, policy="fast") for _ in range(2)] == [True, False]
    with pytest.raises(ValueError, match="both or neither"):
        run(OntapQosPolicyEnsureOperator, policy="fast")
