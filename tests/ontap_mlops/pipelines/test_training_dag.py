"""A pipeline of a few lines gets everything that every training has."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from airflow.sdk import Param
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from ontap_mlops.pipelines import Run, System, training_dag

CONFIG = Path(__file__).parents[3] / "config"
SYSTEM = System(name="bearings", dataset="tyre_images", metrics=("accuracy", "roc_auc"))
PARAMS = {"depth": Param(3, type="integer", section="Training")}
OPTIONS = {"speed": Param("fast", type="string", section="Storage")}


def made(system=SYSTEM, **arguments):
    @training_dag(system, doc_md="# Bearings", description="A test.", params=PARAMS, options=OPTIONS, **arguments)
    def bearings(run: Run) -> None:
        train = run.program("train")
        train >> run.judge(training=train) >> run.promote() >> run.serve_online(prove="predict")

    return bearings


@pytest.fixture(scope="module")
def dag():
    return made()


def test_the_function_names_the_dag_and_its_steps_are_in_order(dag):
    assert dag.dag_id == "bearings"
    steps = ["choose", "create_workspace", "train", "claim", "evaluate", "record", "decide", "promote.publish"]
    for earlier, later in itertools.pairwise(steps):
        assert later in dag.get_task(earlier).get_flat_relative_ids(upstream=False), f"{earlier} before {later}"


def test_programs_are_those_of_the_system(dag):
    assert dag.get_task("train").program == "tasks.bearings.train"
    assert dag.get_task("promote.publish").program == "tasks.models.publish"
    assert dag.get_task("evaluate").volumes == {"workspace": "", "models": "bearings_models"}


def test_own_params_join_the_common_ones_in_the_section_they_name(dag):
    assert list(dag.params) == [
        *("dataset_version", "as_of", "site", "site_within_min"),
        *("depth", "seed", "compute", "project"),
        "speed",
        *("promote", "metric", "judge_by", "minimum_gain", "confidence"),
        "repeat_run",
    ]
    assert dag.params.get_param("metric").schema["enum"] == ["accuracy", "roc_auc"]


def test_what_is_trained_is_recorded_and_how_it_runs_is_not(dag):
    assert dag.get_task("choose").parameters == ["depth", "seed", "confidence"]


def rendered(task, site):
    jinja = SandboxedEnvironment(undefined=StrictUndefined)
    return {
        name: jinja.from_string(getattr(task, name)).render(params={"site": site})
        for name in ("ontap_conn_id", "svm", "bucket_conn_id", "site")
        if isinstance(getattr(task, name, None), str)
    }


def test_every_step_works_at_the_site_that_is_chosen(dag):
    at = {"ontap_conn_id": "ontap_remote", "svm": "svm_remote", "site": "remote"}
    at["bucket_conn_id"] = "ontap_s3_ontap_remote_svm_remote"
    home = {"ontap_conn_id": "ontap_default", "svm": "", "site": "home", "bucket_conn_id": "ontap_s3"}
    asked = ("choose", "create_workspace", "train", "model_volume", "claim", "promote.register", "delete_workspace")
    for task in map(dag.get_task, (*asked, "release", "old_models.versions")):
        assert rendered(task, "remote").items() <= at.items(), task.task_id
        assert rendered(task, "home").items() <= home.items(), task.task_id
        assert rendered(task, "home"), f"{task.task_id} speaks to no site"


def test_nothing_is_chosen_or_submitted_before_the_data_is_there_and_no_pool_is_held_meanwhile(dag):
    gate = dag.get_task("data_ready")
    others = [task.task_id for task in dag.tasks if task is not gate]
    assert gate.get_flat_relative_ids(upstream=False) == set(others)
    assert gate.pool == "default_pool"
    jinja = SandboxedEnvironment(undefined=StrictUndefined)
    chosen = {"site": "remote", "dataset_version": None, "site_within_min": 30}
    shown = [jinja.from_string(text).render(params=chosen) for text in (gate.site, gate.version, gate.within_min)]
    assert shown == ["remote", "", "30"]


def test_programs_run_in_the_project_that_the_form_names(dag):
    jinja = SandboxedEnvironment(undefined=StrictUndefined)
    asked = [jinja.from_string(dag.get_task(name).project) for name in ("train", "evaluate", "promote.publish")]
    assert [one.render(params={"project": "team-a"}) for one in asked] == ["team-a"] * 3
    assert asked[0].render(params={"project": None}) == ""


def test_without_projects_nobody_is_asked_for_one(tmp_path, monkeypatch):
    for name in ("datasets.yaml", "compute.yaml", "sites.yaml"):
        (tmp_path / name).write_text((CONFIG / name).read_text())
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    alone = made()
    assert "project" not in alone.params
    assert alone.get_task("train").project is None


def test_without_another_site_nobody_is_asked_for_one(tmp_path, monkeypatch):
    for name in ("datasets.yaml", "compute.yaml"):
        (tmp_path / name).write_text((CONFIG / name).read_text())
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    alone = made()
    assert "site" not in alone.params
    assert (alone.get_task("choose").ontap_conn_id, alone.get_task("choose").site) == ("ontap_default", "home")
    assert "data_ready" not in alone.task_ids


def test_nothing_is_locked_unless_somebody_says_for_how_long(dag):
    assert "promote.lock_evidence" not in dag.task_ids
    assert dag.get_task("promote.publish").flags == {"allow_personal_data": False, "evidence": False}


@pytest.mark.parametrize("of_all", [True, False], ids=["for all datasets", "for this one"])
def test_nothing_comes_into_service_before_its_evidence_is_locked(tmp_path, monkeypatch, of_all):
    for name in ("datasets.yaml", "compute.yaml"):
        (tmp_path / name).write_text((CONFIG / name).read_text())
    if of_all:
        monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__LOCK_EVIDENCE_DAYS", "3650")
    else:
        told = (tmp_path / "datasets.yaml").read_text()
        (tmp_path / "datasets.yaml").write_text(told.replace("    keep:", "    keep:\n      evidence_days: 3650"))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    locking = made()
    lock = locking.get_task("promote.lock_evidence")
    assert (lock.days, lock.upstream_task_ids) == (3650, {"promote.register"})
    assert locking.get_task("promote.publish").flags["evidence"] is True
    assert "promote.lock_evidence" in locking.get_task("deploy.place").get_flat_relative_ids(upstream=True)
    assert "release" in lock.get_flat_relative_ids(upstream=False)


def test_only_a_system_with_buckets_asks_how_data_is_read():
    with_buckets = made(System(name="bearings", dataset="tyre_images", metrics=("accuracy",), buckets=True))
    assert "read_through" in with_buckets.params


def test_a_dag_whose_dataset_is_not_configured_is_not_made():
    assert made(System(name="bearings", dataset="not_there", metrics=("accuracy",))) is None


def test_a_pipeline_that_judges_nothing_says_so():
    with pytest.raises(ValueError, match="DAG careless judges nothing: call run.judge"):

        @training_dag(SYSTEM, doc_md=None, description="A test.")
        def careless(run: Run) -> None:
            run.program("train")


def test_a_dag_may_follow_its_data_only(dag):
    only_events = made(schedule=None)
    assert "CronTriggerTimetable" in str(dag.timetable.__dict__) or dag.timetable
    assert type(only_events.timetable).__name__ != type(dag.timetable).__name__


def test_what_is_new_in_the_version_is_listed_before_what_needs_it_and_within_the_workspaces_life():
    @training_dag(SYSTEM, doc_md="# Bearings", description="A test.", params=PARAMS, options=OPTIONS)
    def incremental(run: Run) -> None:
        train = run.program("train")
        run.difference(since="v1") >> train
        train >> run.judge(training=train)

    task = incremental.get_task("difference")
    assert (task.program, task.since) == ("tasks.data.difference", "v1")
    assert task.upstream_task_ids == {"create_workspace"}
    assert "delete_workspace" in task.get_flat_relative_ids(upstream=False)
    assert rendered(task, "remote") == {
        "ontap_conn_id": "ontap_remote",
        "bucket_conn_id": "ontap_s3_ontap_remote_svm_remote",
    }
