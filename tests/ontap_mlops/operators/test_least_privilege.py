"""The operators by an account that may only what docs/real-systems.md asks for, and by one that lacks a right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ontap_mlops.ontap import errors, marks, volumes
from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from ontap_mlops.operators.versions import DatasetVersionCreateOperator, DatasetVersionExpireOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workspaces import (
    WorkspaceCollectOperator,
    WorkspaceCreateOperator,
    WorkspaceDeleteOperator,
)
from tests.ontap_mlops.conftest import GIB, SVM
from tests.ontap_mlops.operators.running import Run

DATASET = {"name": "tyre_images", "source": "s3://lake/tyre/", "volume": "tyre_images"}
RIGHTS = {
    "/api/cluster/jobs": "readonly",
    "/api/network/ip/interfaces": "readonly",
    "/api/protocols/s3": "all",
    "/api/storage/volumes": "all",
    "/api/svm/svms": "readonly",
}
STEPS = ("volume", "s3", "version", "retention", "workspace", "delete", "collect")


@pytest.fixture
def account(ontap, monkeypatch) -> Callable[..., None]:
    """Gives the connection's account these rights, and no other."""
    ontap.control("PUT", "/svms", {"name": "svm2"})

    def may(**changed: str) -> None:
        rights = {**RIGHTS, **changed}
        privileges = [{"path": path, "access": access} for path, access in rights.items()]
        ontap.control("PUT", "/roles", {"name": "few", "privileges": privileges})
        ontap.control("PUT", "/users", {"name": "few", "password": "few-rights", "role": "few", "svm": SVM})

    may()
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(login="few", password="few-rights"))
    return may


@pytest.fixture
def steps(tmp_path) -> Callable[[str], Any]:
    """What provisioning, ingest and a run do, each step by its operator."""
    run, made = Run(), {}
    clone = {"dataset_version": None, "with_bucket": True}
    s3 = {"user": "mlops", "group": "mlops", "policy": "full", "secret_store": f"file://{tmp_path}/keys.json"}
    volume = {"volume": "tyre_images", "size_bytes": GIB, "junction_path": "/tyre_images"}
    checked = {"digest": "sha256:" + "a" * 64, "files": 1, "bytes": 1}
    operators: dict[str, tuple[type, dict[str, Any]]] = {
        "volume": (OntapVolumeEnsureOperator, {**volume, "comment": marks.mark("dataset tyre_images")}),
        "s3": (OntapS3ProvisionOperator, {**s3, "buckets": {"tyre-images": "/tyre_images"}}),
        "version": (DatasetVersionCreateOperator, {"dataset": DATASET, "checked": checked}),
        "retention": (DatasetVersionExpireOperator, {"dataset": DATASET}),
        "workspace": (WorkspaceCreateOperator, clone),
        "delete": (WorkspaceDeleteOperator, {}),
        "collect": (WorkspaceCollectOperator, {"days": 0}),
    }

    def do(step: str) -> Any:
        kind, facts = operators[step]
        made[step] = run.execute(kind, task_id=step, **facts)
        if step == "version":
            clone["dataset_version"] = made[step]
        return made[step]

    return do


def test_an_account_with_few_rights_does_all_that_provisioning_ingest_and_a_run_need(ontap, account, steps) -> None:
    for step in STEPS[:4]:
        steps(step)
    before = ontap.everything()
    assert steps("workspace")["bucket"]
    assert steps("delete") == {"removed": True, "kept": False}
    assert steps("collect") == {"removed": [], "kept": {}, "unknown": [], "expired": []}
    assert ontap.everything() == before


@pytest.mark.parametrize(
    ("lacks", "access", "step", "words"),
    [
        ("/api/storage/volumes", "readonly", "volume", "create volume 'tyre_images' of SVM 'svm1'"),
        ("/api/protocols/s3", "none", "s3", "look up the S3 server of SVM 'svm1'"),
        ("/api/protocols/s3/buckets", "readonly", "s3", "create bucket 'tyre-images' of SVM 'svm1'"),
        ("/api/network/ip/interfaces", "none", "s3", "list the network interfaces of SVM 'svm1'"),
        ("/api/storage/volumes/*/snapshots", "readonly", "version", "create snapshot 'mlops_v"),
        ("/api/protocols/s3/buckets", "readonly", "workspace", "create bucket 'mlops-ws-r"),
        ("/api/storage/volumes", "read_create_modify", "delete", "remove volume 'mlops_ws_r"),
        ("/api/protocols/s3/buckets", "read_create_modify", "delete", "remove bucket 'mlops-ws-r"),
    ],
)
def test_a_right_that_a_step_needs_is_named_by_the_step_and_the_retry_goes_on(
    ontap, account, steps, lacks: str, access: str, step: str, words: str
) -> None:
    position = STEPS.index(step)
    for earlier in STEPS[:position]:
        steps(earlier)
    account(**{lacks: access})
    with pytest.raises(errors.NotAuthorized, match="Give the account a role that allows it") as caught:
        steps(step)
    assert words in str(caught.value) and caught.value.http_status == 403
    account()
    for later in STEPS[position:]:
        steps(later)
    assert [v for v in ontap.everything()["volumes"] if v.startswith("mlops_ws")] == []
    assert list(ontap.everything()["buckets"]) == ["tyre-images"]


def test_an_account_of_one_svm_neither_sees_nor_touches_another(ontap, account, client) -> None:
    comment = marks.mark("dataset labels")
    volumes.ensure(client, svm="svm2", name="labels", size_bytes=GIB, comment=comment, junction_path="/labels")
    facts = {"volume": "labels", "size_bytes": 2 * GIB, "comment": comment, "svm": "svm2"}
    with pytest.raises(errors.NotFound, match="There is no SVM 'svm2' .* this account sees: svm1"):
        Run().execute(OntapVolumeEnsureOperator, **facts)
    assert volumes.get(client, svm="svm2", name="labels").size_bytes == GIB
