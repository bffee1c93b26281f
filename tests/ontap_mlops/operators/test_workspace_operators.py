"""Workspaces: made for a run, removed after it, kept after a failure, collected in time; never anybody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ontap_mlops import names
from ontap_mlops.ontap import clones, dataset_versions, errors, marks, s3, snapshots, volumes
from ontap_mlops.operators.clones import OntapCloneDeleteOperator
from ontap_mlops.operators.workspaces import (
    WorkspaceCollectOperator,
    WorkspaceCreateOperator,
    WorkspaceDeleteOperator,
)
from ontap_mlops.records import DatasetVersion
from tests.ontap_mlops.conftest import SVM
from tests.ontap_mlops.operators.running import Run

DAY_S = 86400


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


@pytest.fixture
def version(client, volume) -> DatasetVersion:
    facts = {"digest": "sha256:" + "a" * 64, "files": 1, "size": 5, "run_key": "r0", "source": "s3://lake/tyre/"}
    return dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyre_images", **facts).version


@pytest.fixture
def s3_server(client) -> None:
    s3.ensure_service(client, svm=SVM)


@pytest.fixture
def least(ontap, monkeypatch) -> None:
    """The connection is that of the account with the least-privilege role, which may nothing with S3."""
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(login="least"))


def create(run: Run, version: DatasetVersion, *, with_bucket: bool = False) -> dict[str, Any]:
    return run.execute(WorkspaceCreateOperator, dataset_version=version.to_json(), with_bucket=with_bucket)


def delete(run: Run, **states: str) -> dict[str, bool]:
    run.states = {"train": "success", "delete_workspace": "running", **states}
    return run.execute(WorkspaceDeleteOperator, task_id="delete_workspace", svm=SVM)


def collect(runs: dict[str, str] | None = None, **other: Any) -> dict[str, Any]:
    """``runs``: states of the runs of ``tyre_quality`` that Airflow knows."""
    ingest = Run("scheduled__1", "ingest_tyre_images")
    ingest.runs = {("tyre_quality", run_id): state for run_id, state in (runs or {}).items()}
    return ingest.execute(WorkspaceCollectOperator, **other)


def clone_of(client, run: Run) -> volumes.Volume | None:
    return volumes.find(client, svm=SVM, name=names.workspace_volume(run.key))


def test_a_workspace_comes_and_goes_with_its_bucket(client, ontap, version, s3_server) -> None:
    before, run = ontap.everything(), Run()
    made = create(run, version, with_bucket=True)
    assert create(run, version, with_bucket=True) == made
    assert (made["bucket"], made["junction_path"]) == (f"mlops-ws-{run.key}", f"/mlops_ws_{run.key}")
    assert (ontap.emulator.namespace / made["volume"] / "one.png").read_bytes() == b"first"
    assert s3.find_bucket(client, svm=SVM, name=made["bucket"]).comment == marks.mark(f"run {run.key}")
    assert delete(run) == {"removed": True, "kept": False}
    assert delete(run) == {"removed": False, "kept": False}
    assert ontap.everything() == before


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_a_failed_runs_workspace_is_kept_and_taken_into_use_again(client, ontap, version, s3_server, state) -> None:
    run = Run()
    made = create(run, version, with_bucket=True)
    (ontap.emulator.namespace / made["volume"] / "checkpoint").write_bytes(b"epoch 3")
    assert delete(run, train=state) == {"removed": False, "kept": True}
    kept = clone_of(client, run)
    assert kept.comment.startswith(f"ontap-mlops run {run.key} kept 20")
    assert delete(run, train=state) == {"removed": False, "kept": True}
    assert clone_of(client, run).comment == kept.comment, "the time since when it is kept does not move"

    assert create(run, version, with_bucket=True) == made
    assert clone_of(client, run).comment == f"ontap-mlops run {run.key} of tyre_quality/manual__1"
    assert (ontap.emulator.namespace / made["volume"] / "checkpoint").read_bytes() == b"epoch 3"
    assert delete(run)["removed"] is True
    assert clone_of(client, run) is None
    assert s3.find_bucket(client, svm=SVM, name=made["bucket"]) is None


def test_its_own_failure_and_a_skipped_task_keep_nothing(client, version) -> None:
    run = Run()
    create(run, version)
    assert delete(run, evaluate="skipped", delete_workspace="failed") == {"removed": True, "kept": False}


def test_when_nobody_can_tell_what_failed_the_workspace_is_kept(client, version, monkeypatch) -> None:
    run = Run()
    create(run, version)

    def away(**_: Any) -> None:
        raise ConnectionError("the API server is away")

    monkeypatch.setattr(run, "task_states", away)
    assert delete(run) == {"removed": False, "kept": True}
    assert clone_of(client, run) is not None


def test_a_failed_run_without_a_workspace_keeps_nothing(volume) -> None:
    assert delete(Run(), choose="failed") == {"removed": False, "kept": False}


def test_a_kept_workspace_of_another_version_is_not_taken(client, ontap, version) -> None:
    run = Run()
    create(run, version)
    delete(run, train="failed")
    snapshots.ensure(client, volume_uuid=version.volume_uuid, name="other", comment="")
    kept = clone_of(client, run)
    with pytest.raises(errors.NameTaken, match="exists as a clone of snapshot"):
        run.execute(
            WorkspaceCreateOperator,
            dataset_version={**version.to_json(), "snapshot": "other"},
            with_bucket=False,
        )
    assert clone_of(client, run) == kept


def test_the_clone_goes_though_the_account_may_nothing_with_s3(client, version, least) -> None:
    run = Run()
    create(run, version)
    assert delete(run) == {"removed": True, "kept": False}
    assert clone_of(client, run) is None


def test_the_clone_goes_though_the_bucket_may_not_be_removed(client, ontap, version, s3_server) -> None:
    run = Run()
    create(run, version, with_bucket=True)
    ontap.fault("DELETE", "s3/buckets", "error", status=403, code="6", message="not authorized for that command")
    with pytest.raises(errors.NotAuthorized, match="remove bucket"):
        delete(run)
    assert clone_of(client, run) is None
    assert delete(run) == {"removed": False, "kept": False}, "the next try removes the bucket"
    assert ontap.everything()["buckets"] == {}


def test_a_bucket_of_that_name_that_is_somebody_elses_stays_and_the_clone_goes(
    client, ontap, version, s3_server
) -> None:
    run = Run()
    create(run, version)
    name = names.bucket(names.workspace_volume(run.key))
    s3.ensure_nas_bucket(client, svm=SVM, name=name, nas_path="/tyre", comment="payroll")
    with pytest.raises(errors.NotOurs, match="its comment is 'payroll', not our mark"):
        delete(run)
    assert clone_of(client, run) is None
    assert s3.find_bucket(client, svm=SVM, name=name).comment == "payroll"


def test_an_unmarked_bucket_goes_only_over_our_own_clone(client, ontap, version, s3_server) -> None:
    ours, theirs = Run("ours"), Run("theirs")
    for run, path in ((ours, None), (theirs, "/tyre")):
        made = create(run, version)
        path = path or made["junction_path"]
        s3.ensure_nas_bucket(client, svm=SVM, name=names.bucket(made["volume"]), nas_path=path, comment="")
    assert delete(ours)["removed"] is True
    with pytest.raises(errors.NotOurs):
        delete(theirs)
    assert list(ontap.everything()["buckets"]) == [names.bucket(names.workspace_volume(theirs.key))]


@pytest.mark.parametrize("comment", ["payroll", "ontap-mlops", "ontap-mlops dataset tyre", "ontap-mlops run r_other"])
def test_a_volume_of_that_name_that_is_not_the_runs_is_never_removed(client, ontap, version, comment: str) -> None:
    run = Run()
    made = create(run, version)
    ontap.http.patch(f"/api/storage/volumes/{made['volume_uuid']}?return_timeout=20", json={"comment": comment})
    with pytest.raises(errors.NotOurs, match="is not the workspace of run"):
        delete(run)
    with pytest.raises(errors.NameTaken):
        delete(run, train="failed")
    assert clone_of(client, run).comment == comment


def keep(client, ontap, run: Run, version: DatasetVersion, *, days_ago: float) -> None:
    ontap.control("PUT", "/clock", {"offset_s": -days_ago * DAY_S})
    create(run, version, with_bucket=True)
    delete(run, train="failed")
    ontap.control("PUT", "/clock", {"offset_s": 0})


def test_workspaces_are_collected_when_they_were_kept_for_long_enough(client, ontap, version, s3_server) -> None:
    old, young = Run("old"), Run("young")
    keep(client, ontap, old, version, days_ago=7.5)
    keep(client, ontap, young, version, days_ago=6.5)
    result = collect()
    assert result["removed"] == [old.key]
    assert list(result["kept"]) == [young.key]
    assert (clone_of(client, old), clone_of(client, young) is not None) == (None, True)
    assert list(ontap.everything()["buckets"]) == [names.bucket(names.workspace_volume(young.key))]
    assert collect()["removed"] == []
    assert collect(days="0")["removed"] == [young.key]


def test_the_days_are_the_settings(client, ontap, version, s3_server, monkeypatch) -> None:
    run = Run()
    keep(client, ontap, run, version, days_ago=3)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__KEEP_FAILED_WORKSPACES_DAYS", "2")
    assert collect()["removed"] == [run.key]


def test_a_workspace_in_use_is_never_collected(client, ontap, version, s3_server) -> None:
    used, again = Run("used"), Run("again")
    ontap.control("PUT", "/clock", {"offset_s": -30 * DAY_S})
    create(used, version)
    keep(client, ontap, again, version, days_ago=30)
    create(again, version)
    runs = {"used": "running", "again": "queued"}
    assert collect(runs, days=0) == {"removed": [], "kept": {}, "unknown": [], "expired": []}
    assert None not in (clone_of(client, used), clone_of(client, again))


@pytest.mark.parametrize("state", ["failed", "success"])
def test_what_no_teardown_reached_is_kept_from_the_day_it_is_found_and_then_collected(
    client, ontap, version, s3_server, state: str
) -> None:
    run = Run("left")
    ontap.control("PUT", "/clock", {"offset_s": -30 * DAY_S})
    create(run, version, with_bucket=True)
    ontap.control("PUT", "/clock", {"offset_s": 0})
    found = collect({"left": state})
    assert (found["removed"], list(found["kept"])) == ([], [run.key]), "its days begin when it is found"
    assert collect({"left": state}, days=0)["removed"] == [run.key]
    assert clone_of(client, run) is None


def test_a_workspace_of_a_run_that_airflow_does_not_know_stays_and_is_named(client, version, capsys) -> None:
    run = Run("elsewhere")
    made = create(run, version)
    assert collect(days=0) == {"removed": [], "kept": {}, "unknown": [made["volume"]], "expired": []}
    told = f"Workspace {made['volume']} of run elsewhere of tyre_quality: Airflow knows no such run."
    assert told in capsys.readouterr().out
    assert clone_of(client, run) is not None


def test_a_workspace_taken_into_use_while_it_is_collected_stays(client, ontap, version, s3_server, monkeypatch) -> None:
    from ontap_mlops.ontap import workspaces

    run = Run()
    keep(client, ontap, run, version, days_ago=30)
    listed = workspaces.list_kept

    def cleared_meanwhile(*args: Any, **facts: Any) -> list[Any]:
        found = listed(*args, **facts)
        create(run, version, with_bucket=True)
        return found

    monkeypatch.setattr(workspaces, "list_kept", cleared_meanwhile)
    assert collect()["removed"] == []
    assert clone_of(client, run) is not None
    assert list(ontap.everything()["buckets"]) != []


LONG_AGO = (datetime.now(UTC) - timedelta(days=300)).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    "comment",
    [
        "ontap-mlops run {key} kept",
        "ontap-mlops run {key} kept yesterday",
        "ontap-mlops run {key} kept 2020-01-01T00:00:00",
        "ontap-mlops run {key} kept 2020-01-01T00:00:00+00:00 by me",
        "ontap-mlops run r_other kept 2020-01-01T00:00:00+00:00",
        "ontap-mlops dataset x kept 2020-01-01T00:00:00+00:00",
        "payroll run {key} kept 2020-01-01T00:00:00+00:00",
        "",
    ],
)
def test_a_comment_that_leaves_a_doubt_keeps_the_workspace(client, ontap, version, comment: str) -> None:
    run = Run()
    made = create(run, version)
    body = {"comment": comment.format(key=run.key)}
    ontap.http.patch(f"/api/storage/volumes/{made['volume_uuid']}?return_timeout=20", json=body)
    assert collect(days=0) == {"removed": [], "kept": {}, "unknown": [], "expired": []}
    assert clone_of(client, run) is not None


def test_a_volume_that_is_no_clone_is_not_collected_whatever_its_comment_says(client) -> None:
    run = Run()
    name, comment = names.workspace_volume(run.key), f"ontap-mlops run {run.key} kept {LONG_AGO}"
    volumes.ensure(client, svm=SVM, name=name, size_bytes=10**9, comment=comment)
    assert collect(days=0) == {"removed": [], "kept": {}, "unknown": [], "expired": []}
    with pytest.raises(errors.NotOurs):
        delete(run)


def test_a_collection_needs_no_s3_rights(client, ontap, version, s3_server, monkeypatch, least) -> None:
    run = Run()
    create(run, version)
    delete(run, train="failed")
    assert collect(days=0)["removed"] == [run.key]


def test_a_clone_of_ones_own_goes_without_s3_rights_too(client, version, least) -> None:
    facts = {"parent_volume": "tyre", "parent_snapshot": version.snapshot, "comment": marks.mark("mine")}
    clones.ensure(client, svm=SVM, name="mine", **facts)
    assert Run().execute(OntapCloneDeleteOperator, clone="mine") is True
