"""A worker killed at any request for a workspace leaves what the next try completes: nothing twice, nothing behind."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from ontap_mlops.ontap import dataset_versions, s3, volumes
from ontap_mlops.operators.workspaces import (
    WorkspaceCollectOperator,
    WorkspaceCreateOperator,
    WorkspaceDeleteOperator,
)
from tests.ontap_mlops.conftest import GIB, MARK, SVM
from tests.ontap_mlops.operators.running import Run
from tests.ontap_mlops.operators.test_ontap_kill import worker

VERSION: dict[str, Any] = {}


def create() -> Any:
    return Run().execute(WorkspaceCreateOperator, dataset_version=VERSION, with_bucket=True)


def delete(**states: str) -> Any:
    run = Run()
    run.states = states
    return run.execute(WorkspaceDeleteOperator, task_id="delete_workspace")


def fail() -> Any:
    return delete(train="failed")


def collect() -> Any:
    return Run().execute(WorkspaceCollectOperator, days=-1)


CASES: dict[str, tuple[list[Callable[[], Any]], Callable[[], Any]]] = {
    "made": ([], create),
    "removed": ([create], delete),
    "kept": ([create], fail),
    "taken into use again": ([create, fail], create),
    "collected": ([create, fail], collect),
}


def shown(ontap: Any) -> str:
    """All there is, but for the times at which workspaces were kept and versions were made."""
    text = repr(ontap.everything())
    return re.sub(r"v\d{8}t\d{6}z", "v", re.sub(r"kept [^' ]+", "kept", text))


@pytest.mark.parametrize("before", [True, False], ids=["before it is sent", "after it is done"])
@pytest.mark.parametrize("case", list(CASES))
def test_killed_at_any_request_the_next_try_gives_what_an_undisturbed_run_gives(
    case: str, before: bool, ontap, monkeypatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    preparation, attempt = CASES[case]

    def start() -> None:
        ontap.control("POST", "/reset")
        client = ontap.client()
        volumes.ensure(client, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        s3.ensure_service(client, svm=SVM)
        facts = {"digest": "sha256:" + "a" * 64, "files": 1, "size": 1, "run_key": "r0", "source": "s3://lake/"}
        frozen = dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyre_images", **facts)
        VERSION.update(json.loads(json.dumps(frozen.version.to_json())))
        for step in preparation:
            step()

    start()
    attempt()
    undisturbed, deaths = shown(ontap), 0
    for number in range(1, 10):
        start()
        code = worker(attempt, dies_at=number, before=before)
        assert code in (0, -signal.SIGKILL), "a worker either finishes or is killed"
        if code == 0:
            break
        deaths += 1
        attempt()
        assert shown(ontap) == undisturbed, f"killed at writing request {number}"
    assert deaths >= 1, "there was no request to die at"
    assert code == 0, "it was never left to finish"
