"""Workspaces of persons: made, extended, ended, and removed when their time is over; never anybody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops import names
from ontap_mlops.ontap import clones, dataset_versions, marks, personal_workspaces, s3, snapshots, volumes
from ontap_mlops.ontap.errors import NameTaken, NotFound, NotOurs
from ontap_mlops.operators.personal_workspaces import PersonalWorkspaceOperator
from ontap_mlops.operators.workspaces import WorkspaceCollectOperator
from ontap_mlops.records import DatasetVersion
from tests.ontap_mlops.conftest import SVM
from tests.ontap_mlops.operators.running import Run

NOW = datetime.now(UTC)
DAY_S = 86400
VOLUME = "mlops_for_ada_lovelace__scratch"


@pytest.fixture(autouse=True)
def configured(ontap, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    (tmp_path / "datasets.yaml").write_text("datasets:\n  tyres: {source: s3://lake/t/, volume: tyre}\n")


def freeze(client, digest: str) -> DatasetVersion:
    facts = {"files": 1, "size": 5, "run_key": f"r{digest}", "source": "s3://lake/t/"}
    digest = "sha256:" + digest * 64
    return dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyres", digest=digest, **facts).version


@pytest.fixture
def version(client, volume) -> DatasetVersion:
    return freeze(client, "a")


def run(action: str = "make", **arguments: Any) -> dict[str, Any]:
    facts = {"dataset": "tyres", "name": "scratch", "person": "Ada Lovelace", "days": "3"}
    operator = PersonalWorkspaceOperator(task_id="t", action=action, **(facts | arguments))
    ExecutorSafeguard.tracker.set(operator)
    dag_run = SimpleNamespace(dag_id="workspace", run_id="m", run_after=NOW, triggering_user_name="grace")
    return operator.execute({"dag_run": dag_run})


def test_a_workspace_is_made_for_some_days_and_a_second_run_changes_nothing_but_its_end(client, ontap, version):
    made = run()
    assert (made["volume"], made["junction_path"], made["version"]) == (VOLUME, f"/{VOLUME}", version.id)
    assert made["until"] == (NOW + timedelta(days=3)).isoformat(timespec="seconds")
    place = ontap.emulator.namespace / VOLUME
    (place / "label.txt").write_text("good")
    ontap.forget_requests()
    assert run() == made
    assert ontap.writes() == []
    assert run(days=5)["until"] > made["until"]
    assert (place / "label.txt").read_text() == "good"
    assert run("extend", days=1)["until"] < made["until"]


def test_one_is_shown_as_it_is_and_one_that_is_not_there_is_no_error(ontap, version):
    assert run("show") | {"name": ""} == run("end") | {"name": ""}
    made = run()
    ontap.forget_requests()
    assert run("show") == made
    assert made["name"] == "for-ada-lovelace--scratch"
    assert ontap.writes() == []


def test_it_goes_with_its_bucket_and_with_what_was_mounted_elsewhere(client, ontap, version):
    s3.ensure_service(client, svm=SVM)
    before = ontap.everything()
    made = run(with_bucket="True", junction_path="/ada")
    assert made["bucket"] == "mlops-for-ada-lovelace-scratch"
    assert s3.find_bucket(client, svm=SVM, name=made["bucket"]).nas_path == "/ada"
    assert run("end") == made | dict.fromkeys(("junction_path", "bucket", "version", "until"))
    assert run("end")["until"] is None, "a second time is no error"
    assert ontap.everything() == before


def test_whoever_triggers_the_run_gets_it_where_nobody_is_named(client, version):
    assert run(person="")["volume"] == "mlops_for_grace__scratch"
    operator = PersonalWorkspaceOperator(task_id="t", action="make", dataset="tyres", name="scratch")
    ExecutorSafeguard.tracker.set(operator)
    with pytest.raises(ValueError, match="say whose workspace it is"):
        operator.execute({"dag_run": SimpleNamespace(dag_id="d", run_id="m", run_after=NOW)})


def test_a_workspace_stays_on_its_version_and_is_not_replaced_by_one_on_another(client, version):
    run()
    newer = freeze(client, "b")
    assert run()["version"] == version.id
    with pytest.raises(NameTaken, match=f"on dataset version {version.id}, not on {newer.id}"):
        run(version=newer.id)
    assert run(version=newer.snapshot, name="other")["version"] == newer.id


def test_what_is_over_is_removed_by_the_next_run_and_by_every_ingest(client, ontap, version):
    run()
    run(name="long", days=30)
    collect = Run("scheduled__1", "ingest_tyres")
    assert collect.execute(WorkspaceCollectOperator)["expired"] == []
    ontap.control("PUT", "/clock", {"offset_s": 4 * DAY_S})
    assert collect.execute(WorkspaceCollectOperator)["expired"] == [VOLUME]
    ontap.control("PUT", "/clock", {"offset_s": 31 * DAY_S})
    assert run("end")["expired"] == ["mlops_for_ada_lovelace__long"]
    ontap.control("PUT", "/clock", {"offset_s": 0})


def test_one_that_is_extended_meanwhile_stays(client, version, monkeypatch):
    run()
    listed = personal_workspaces.list_workspaces(client, svm=SVM)
    run("extend", days=30)
    monkeypatch.setattr(personal_workspaces, "list_workspaces", lambda *_, **__: listed)
    assert personal_workspaces.collect(client, svm=SVM, now=NOW + timedelta(days=4)) == []


@pytest.mark.parametrize("comment", ["ontap-mlops r1", "ontap-mlops workspace scratch of bob on v1 until tomorrow"])
def test_a_clone_of_somebody_else_is_neither_used_nor_removed(client, ontap, volume, version, comment):
    snapshots.ensure(client, volume_uuid=volume.uuid, name="s1", comment="x")
    clones.ensure(client, svm=SVM, name=VOLUME, parent_volume="tyre", parent_snapshot="s1", comment=comment)
    ontap.forget_requests()
    for action in ("make", "extend", "end"):
        with pytest.raises(NotOurs, match="is not workspace 'scratch' of Ada Lovelace"):
            run(action)
    assert personal_workspaces.collect(client, svm=SVM, now=NOW + timedelta(days=999)) == []
    assert ontap.writes() == []


def test_the_version_that_a_workspace_is_on_stays(client, volume, version):
    run()
    with pytest.raises(Exception, match="is based on it"):
        snapshots.delete(client, volume_uuid=volume.uuid, name=version.snapshot)
    assert volumes.find(client, svm=SVM, name=VOLUME)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"action": "fly"}, ValueError, "one of make, show, extend, end"),
        ({"name": "My Space"}, ValueError, "workspace name 'My Space' does not fit"),
        ({"person": "!!"}, ValueError, "name one by letters or digits"),
        ({"days": "0"}, ValueError, "give more than 0"),
        ({"version": "v1"}, ValueError, "no version v1; the newest are: v"),
        ({"dataset": "nothing"}, ValueError, "nothing"),
        ({"action": "extend"}, NotFound, "Ada Lovelace has none"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_and_changes_nothing(client, ontap, version, arguments, error, said):
    ontap.forget_requests()
    with pytest.raises(error, match=said):
        run(**({"action": "make"} | arguments))
    assert ontap.writes() == []


def test_names_are_the_same_for_a_login_however_it_is_written():
    assert names.personal_workspace("ada@example.com", "a_b") == "mlops_for_ada_example_com__a_b"
    assert len(names.bucket(names.personal_workspace("x" * 90, "y" * 30))) <= 63
    assert marks.is_ours("ontap-mlops workspace scratch of ada on v1 until 2030-01-01T00:00:00+00:00")
