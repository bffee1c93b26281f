"""Mirrors as tasks: made, updated, broken off, resynced, turned, stopped, ended."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.ontap import errors, mirrors, snapshots, transfers, volumes
from ontap_mlops.operators.mirrors import (
    OntapMirrorAbortOperator,
    OntapMirrorBreakOperator,
    OntapMirrorDeleteOperator,
    OntapMirrorEnsureOperator,
)
from ontap_mlops.operators.transfers import (
    OntapMirrorResyncOperator,
    OntapMirrorReverseOperator,
    OntapMirrorUpdateOperator,
)
from ontap_mlops.triggers.polling import WaitTimedOut
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap

THERE = {"ontap_conn_id": "ontap_remote"}
BOTH = {**THERE, "source_conn_id": "ontap_default"}
SCHEDULE = "monthly"  # An hourly one would begin a transfer of its own in a test that runs at five past.


def run(kind: type, **arguments: Any) -> Any:
    waits = (
        {}
        if kind.__name__.endswith(("BreakOperator", "AbortOperator", "DeleteOperator"))
        else {"poll_interval_s": 0.02}
    )
    return kind(task_id="t", **waits, **arguments).execute({})


def ensure(**other: Any) -> Any:
    return run(OntapMirrorEnsureOperator, **{**BOTH, "volume": "tyre", "junction_path": "/tyre", **other})


def update(**other: Any) -> Any:
    return run(OntapMirrorUpdateOperator, **{**THERE, "mirror_volume": "tyre", **other})


def files(ontap: Ontap) -> dict[str, bytes]:
    top = ontap.emulator.namespace / "tyre"
    return {path.name: path.read_bytes() for path in top.iterdir() if path.is_file()}


@pytest.fixture
def remote(there: Ontap):
    return there.client()


def state(remote) -> str:
    return mirrors.get(remote, svm="svm2", volume="tyre").state


def test_one_task_makes_destination_mirror_and_first_copy(volume, ontap, there, remote):
    done = ensure(schedule=SCHEDULE)
    assert (done["source"], done["destination"], done["state"]) == ("svm1:tyre", "svm2:tyre", "snapmirrored")
    assert done["bytes"] == len(b"first")
    assert files(there) == files(ontap)
    destination = volumes.get(remote, svm="svm2", name="tyre")
    assert (destination.type, destination.size_bytes, destination.comment) == (
        "dp",
        volume.size_bytes,
        "ontap-mlops mirror of svm1:tyre",
    )
    there.forget_requests()
    assert ensure(schedule=SCHEDULE)["transfer"] == done["transfer"]
    assert there.writes() == []


def test_update_brings_a_snapshot_along(volume, ontap, there, client, remote):
    ensure()
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="facts")
    (ontap.emulator.namespace / "tyre" / "two.png").write_bytes(b"second")
    done = update(snapshot="v1")
    assert (done["bytes"], files(there)) == (6, files(ontap))
    destination = volumes.get(remote, svm="svm2", name="tyre")
    assert snapshots.get(remote, volume_uuid=destination.uuid, name="v1").comment == "facts"
    with pytest.raises(errors.NotFound, match="'v9' did not come along"):
        update(snapshot="v9")


def test_a_long_transfer_is_waited_for_in_the_triggerer_and_killed_there(volume, there, remote):
    ensure()
    there.jobs("seconds", 3600)
    with pytest.raises(TaskDeferred) as deferred:
        update(first_wait_s=0, deferrable=True)
    trigger = deferred.value.trigger
    import asyncio

    asyncio.run(trigger.on_kill())
    there.jobs("immediate")
    mirror = mirrors.get(remote, svm="svm2", volume="tyre")
    assert transfers.list_transfers(remote, mirror=mirror)[-1].state == "aborted"


def test_a_wait_that_is_over_stops_the_transfer(volume, there, remote):
    ensure()
    there.jobs("seconds", 3600)
    with pytest.raises(WaitTimedOut, match="it was cancelled"):
        update(wait_limit_s=0.05, deferrable=False)
    there.jobs("immediate")
    assert update()["state"] == "snapmirrored"


def test_break_work_and_resync(volume, ontap, there, remote):
    ensure()
    done = run(OntapMirrorBreakOperator, **THERE, mirror_volume="tyre")
    assert (done["state"], done["source"]) == ("broken_off", "svm1:tyre")
    (there.emulator.namespace / "tyre" / "work.txt").write_bytes(b"w" * 100)
    resync = {**BOTH, "mirror_volume": "tyre"}
    with pytest.raises(errors.WouldLose, match="4,096 bytes"):
        run(OntapMirrorResyncOperator, **resync)
    with pytest.raises(errors.WrongState, match="resync it first"):
        update()
    with pytest.raises(errors.WrongState, match="resync it first"):
        ensure()
    assert state(remote) == "broken_off"
    assert run(OntapMirrorResyncOperator, **resync, lose_changes="True")["state"] == "snapmirrored"
    assert files(there) == files(ontap)


def test_there_and_back(volume, ontap, there, remote, client):
    """Fail over, work there, and have the old source follow; then the same the other way round."""
    ensure(schedule=SCHEDULE)
    run(OntapMirrorBreakOperator, **THERE, mirror_volume="tyre")
    (there.emulator.namespace / "tyre" / "work.txt").write_bytes(b"there")
    turn = {"source_conn_id": "ontap_remote", "mirror_volume": "tyre"}
    done = run(OntapMirrorReverseOperator, **turn)
    assert (done["source"], done["destination"]) == ("svm2:tyre", "svm1:tyre")
    assert files(ontap)["work.txt"] == b"there"
    new = mirrors.get(client, svm=SVM, volume="tyre")
    assert (new.policy, new.schedule) == ("MirrorAllSnapshots", SCHEDULE)
    assert run(OntapMirrorReverseOperator, **turn)["mirror"] == new.uuid, "done again, it finds what it did"
    run(OntapMirrorBreakOperator, mirror_volume="tyre")
    (ontap.emulator.namespace / "tyre" / "home.txt").write_bytes(b"home")
    back = run(OntapMirrorReverseOperator, **THERE, source_conn_id="ontap_default", mirror_volume="tyre")
    assert (back["source"], back["destination"]) == ("svm1:tyre", "svm2:tyre")
    assert files(there) == files(ontap)
    assert (len(mirrors.list_mirrors(client)), len(mirrors.list_mirrors(remote))) == (0, 1)


def test_turning_what_was_never_mirrored_names_it(volume, there):
    with pytest.raises(errors.NotFound, match="'other' of SVM 'svm2'"):
        run(OntapMirrorReverseOperator, source_conn_id="ontap_remote", mirror_volume="other")


def test_break_stops_a_transfer_only_when_told(volume, there, remote):
    ensure()
    there.jobs("seconds", 3600)
    transfers.begin(remote, mirror=mirrors.get(remote, svm="svm2", volume="tyre"))
    there.jobs("immediate")
    with pytest.raises(errors.UnderWay, match=r"svm2:tyre.*[Aa]nother transfer"):
        run(OntapMirrorBreakOperator, **THERE, mirror_volume="tyre")
    run(OntapMirrorBreakOperator, **THERE, mirror_volume="tyre", abort_transfer=True)
    assert state(remote) == "broken_off"


def test_abort_says_whether_one_ran(volume, there, remote):
    ensure()
    assert run(OntapMirrorAbortOperator, **THERE, mirror_volume="tyre") is False
    there.jobs("seconds", 3600)
    transfers.begin(remote, mirror=mirrors.get(remote, svm="svm2", volume="tyre"))
    there.jobs("immediate")
    assert run(OntapMirrorAbortOperator, **THERE, mirror_volume="tyre") is True


def test_delete_leaves_both_volumes_and_what_is_not_ours(volume, there, remote, client):
    ensure()
    destination = volumes.get(remote, svm="svm2", name="tyre")
    volumes.set_comment(remote, volume=destination, comment="theirs")
    with pytest.raises(errors.NotOurs, match=r"svm2:tyre.*'theirs'"):
        run(OntapMirrorDeleteOperator, **THERE, mirror_volume="tyre")
    assert run(OntapMirrorDeleteOperator, **THERE, mirror_volume="tyre", not_ours_too=True) is True
    assert run(OntapMirrorDeleteOperator, **THERE, mirror_volume="tyre") is False
    assert volumes.get(remote, svm="svm2", name="tyre").type == "dp"
    assert volumes.get(client, svm=SVM, name="tyre").type == "rw"


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        ({"volume": "nothing"}, errors.NotFound, "'nothing' of SVM 'svm1'"),
        ({"source_svm": "svm9"}, errors.NotFound, "'svm9'"),
        ({"policy": "Nonesuch"}, errors.NotFound, "Nonesuch"),
        ({"mirror_volume": "theirs"}, errors.NameTaken, "'theirs' of SVM 'svm2'"),
    ],
)
def test_a_mirror_that_cannot_be_leaves_nothing_half_made(volume, there, remote, wrong, kind, says):
    volumes.ensure(remote, svm="svm2", name="theirs", size_bytes=GIB, comment=MARK)
    with pytest.raises(kind, match=says):
        ensure(**wrong)
    assert mirrors.list_mirrors(remote) == []
    assert sorted(v.name for v in volumes.list_volumes(remote, svm="svm2")) == ["svm2_root", "theirs"]
