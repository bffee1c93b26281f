"""A worker that dies at any request to ONTAP leaves what the next try completes: the same as an undisturbed run.

Workers are real processes, forked so that each need not import Airflow anew, and die by SIGKILL just before or just
after their n-th writing request has left.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops.ontap import snapshots
from ontap_mlops.operators.clones import OntapCloneCreateOperator, OntapCloneDeleteOperator
from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from ontap_mlops.operators.snapshots import OntapSnapshotCreateOperator, OntapSnapshotRestoreOperator
from ontap_mlops.operators.volumes import OntapVolumeDeleteOperator, OntapVolumeEnsureOperator
from tests.ontap_mlops.conftest import GIB, MARK

Try = Callable[[], Any]


def operator(kind: type, **arguments: Any) -> Try:
    def execute() -> Any:
        made = kind(task_id="t", **arguments)
        ExecutorSafeguard.tracker.set(made)
        return made.execute({})

    return execute


def worker(execute: Try, *, dies_at: int, before: bool) -> int:
    """Exit code of a worker that does it; -9 when it died on the way."""
    child = os.fork()
    if child == 0:
        _die_at_request(dies_at, before)
        _work(execute)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _die_at_request(number: int, before: bool) -> None:
    import requests

    send, left = requests.Session.send, [number]

    def counted(session: Any, request: Any, **options: Any) -> Any:
        if request.method == "GET":
            return send(session, request, **options)
        left[0] -= 1
        if before and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(session, request, **options)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    requests.Session.send = counted  # type: ignore[method-assign]


def _work(execute: Try) -> NoReturn:
    code = 1
    try:
        execute()
        code = 0
    finally:
        os._exit(code)


CLONE = {"clone": "ws_r1", "parent_volume": "tyre", "parent_snapshot": "v1", "with_bucket": True}
PROVISION = {"user": "u", "group": "g", "policy": "p", "buckets": {"tyre": "/tyre"}}
MODELS = {"volume": "models", "size_bytes": GIB, "comment": MARK, "junction_path": "/models"}


@pytest.fixture
def cases(tmp_path) -> dict[str, tuple[list[Try], Try]]:
    """What is there before, and what is tried."""
    provision = operator(OntapS3ProvisionOperator, **PROVISION, secret_store=f"file://{tmp_path}/keys.json")
    snapshot = operator(OntapSnapshotCreateOperator, volume="tyre", snapshot="v1", comment="facts")
    clone = operator(OntapCloneCreateOperator, **CLONE)
    models = operator(OntapVolumeEnsureOperator, **MODELS)
    restore = operator(OntapSnapshotRestoreOperator, volume="tyre", snapshot="v1")
    return {
        "volume": ([], models),
        "volume removed": ([models], operator(OntapVolumeDeleteOperator, volume="models")),
        "snapshot": ([], snapshot),
        "restore": ([snapshot], restore),
        "provision": ([], provision),
        "clone with bucket": ([provision, snapshot], clone),
        "clone and bucket removed": ([provision, snapshot, clone], operator(OntapCloneDeleteOperator, clone="ws_r1")),
    }


@pytest.mark.parametrize("before", [True, False], ids=["before it is sent", "after it is done"])
@pytest.mark.parametrize(
    "case",
    ["volume", "volume removed", "snapshot", "restore", "provision", "clone with bucket", "clone and bucket removed"],
)
def test_killed_at_any_request_the_next_try_gives_what_an_undisturbed_run_gives(
    case: str, before: bool, cases, ontap, client, request, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    preparation, attempt = cases[case]

    def start() -> None:
        ontap.control("POST", "/reset")
        (tmp_path / "keys.json").unlink(missing_ok=True)
        operator(OntapVolumeEnsureOperator, volume="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")()
        for step in preparation:
            step()

    start()
    attempt()
    undisturbed = ontap.everything()

    deaths = 0
    for number in range(1, 20):
        start()
        code = worker(attempt, dies_at=number, before=before)
        assert code in (0, -signal.SIGKILL), "a worker either finishes or is killed"
        if code == 0:
            break
        deaths += 1
        attempt()
        assert ontap.everything() == undisturbed, f"killed at writing request {number}"
    assert deaths >= 1, "there was no request to die at"
    assert code == 0, "it was never left to finish"


def test_a_killed_freeze_finds_its_snapshot_by_name_and_makes_no_second(ontap, client, volume, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    freeze = operator(OntapSnapshotCreateOperator, volume="tyre", snapshot="v1", comment="facts")
    assert worker(freeze, dies_at=1, before=False) == -signal.SIGKILL
    made = snapshots.get(client, volume_uuid=volume.uuid, name="v1")
    assert freeze()["uuid"] == made.uuid
    assert snapshots.count(client, volume_uuid=volume.uuid) == 1
