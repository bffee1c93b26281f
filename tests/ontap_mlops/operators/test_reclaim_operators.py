"""What the reclaimer removes, what it leaves and why: on the emulator and a real MLflow."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from ontap_mlops import names, registry
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import (
    clones,
    cluster,
    dataset_versions,
    experiments,
    leases,
    marks,
    model_versions,
    personal_workspaces,
    reclaim,
    restoring,
    snapshots,
    volumes,
    workspaces,
)
from ontap_mlops.operators.reclaim import ReclaimOperator, ReclaimPlanOperator
from ontap_mlops.records import DatasetVersion, ModelVersion
from tests.ontap_mlops.conftest import GIB, SVM
from tests.ontap_mlops.operators.running import RUN_AFTER, Run
from tests.serving import mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]

DATASETS = """datasets:
  tyre_images: {source: s3://lake/tyre/, volume: tyre, keep: {versions: 1, days: 30}}
"""
FACTS = {"source": "s3://lake/tyre/", "files": 1, "size": 1}
ASKED = {"svm": SVM, "volume": "tyre", "dataset": "tyre_images"}


@pytest.fixture(autouse=True)
def connections(ontap, monkeypatch, tmp_path, mlflow_connection) -> None:
    (tmp_path / "datasets.yaml").write_text(DATASETS)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    assert [dataset.name for dataset in registry.usable().values()] == ["tyre_images"]


@pytest.fixture
def versions(client, volume, ontap) -> list[DatasetVersion]:
    """Three: two older than the 30 days that are kept, and the newest."""
    made = []
    for number in range(3):
        ontap.control("PUT", "/clock", {"offset_s": (number - 100) * 86400})
        digest = f"sha256:{number}" + "0" * 63
        made.append(dataset_versions.freeze(client, **ASKED, **FACTS, digest=digest, run_key=f"r{number}").version)
    ontap.control("PUT", "/clock", {"offset_s": 0})
    return made


def plan(run: Run | None = None, **other: Any) -> dict[str, Any]:
    return (run or Run()).execute(ReclaimPlanOperator, **other)


def by_name(found: dict[str, Any]) -> dict[str, str | None]:
    return {item["name"]: item["reason"] for item in found["items"]}


def remove(made: dict[str, Any], run: Run | None = None, **other: Any) -> dict[str, Any]:
    """The step `reclaim` of a run whose step `plan` returned this."""
    from airflow.sdk.bases.operator import ExecutorSafeguard

    run, operator = run or Run(), ReclaimOperator(task_id="reclaim", **{"remove": True, **other})
    context = run.context("reclaim")
    context["ti"].xcom_pull = lambda task_ids, key="return_value": made
    ExecutorSafeguard.tracker.set(operator)
    return operator.execute(context)


def left(client, volume) -> list[str]:
    return [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)]


def workspace(client, key: str, version: DatasetVersion, run_id: str = "manual__1") -> volumes.Volume:
    facts = {"parent_volume": "tyre", "parent_snapshot": version.snapshot, "with_bucket": False}
    return workspaces.ensure(client, svm=SVM, run_key=key, airflow_run=f"tyre_quality/{run_id}", **facts)


def test_old_versions_may_go_with_the_bytes_they_free_and_the_newest_stays(client, volume, versions) -> None:
    made = plan()
    first, second, newest = (version.snapshot for version in versions)
    reasons = by_name(made)
    assert (reasons[first], reasons[second]) == (None, None)
    assert reasons[newest] == "it is among the newest 1, or younger than 30 days"
    assert made["bytes"] == sum(item["bytes"] for item in made["items"] if item["reason"] is None) > 0
    assert remove(made)["removed"] == [first, second]
    assert left(client, volume) == [newest]
    assert remove(made) == {"removed": [first, second], "kept": {}, "bytes": made["bytes"]}, "a retry finds them gone"


def test_a_dry_run_removes_nothing(client, volume, versions) -> None:
    with pytest.raises(AirflowSkipException, match="Dry run: 2 things could go"):
        remove(plan(), remove=False)
    assert len(left(client, volume)) == 3


def test_every_thing_that_holds_a_version_is_named(client, ontap, volume, versions) -> None:
    clones.ensure(
        client,
        svm=SVM,
        name="by_hand",
        parent_volume="tyre",
        parent_snapshot=versions[0].snapshot,
        comment="somebody's own",
    )
    ontap.control("PUT", f"/snapshots/{versions[1].snapshot_uuid}/owners", {"owners": ["snapmirror"]})
    reasons = by_name(plan())
    assert reasons[versions[0].snapshot] == "clone 'by_hand' of SVM 'svm1' is based on it"
    assert reasons[versions[1].snapshot] == "'snapmirror' owns it"
    assert "by_hand" not in reasons, "a clone without our mark is nobody's business"


def test_what_is_used_between_plan_and_removal_stays(client, volume, versions) -> None:
    made = plan()
    workspace(client, "r20261120t063000z01234567", versions[0])
    done = remove(made)
    assert done["removed"] == [versions[1].snapshot]
    assert list(done["kept"]) == [versions[0].snapshot] and "is based on it" in done["kept"][versions[0].snapshot]


def test_a_version_of_a_registered_model_stays_and_without_mlflow_all_that_is_old_does(
    client, volume, versions, monkeypatch
) -> None:
    hook = MlflowHook()
    begun = hook.service.part("POST", "runs/create", "begin", "run", json={"experiment_id": "0"})["info"]
    model, key = f"m{time.time_ns()}", "r20261121t063000z01234561"
    hook.register(model_version(client, model, key, begun["run_id"], versions[0]))
    reasons = by_name(plan())
    assert reasons[versions[0].snapshot] == f"model {model} 1 was trained on it"
    assert reasons[versions[1].snapshot] is None
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", '{"conn_type": "http", "host": "127.0.0.1", "port": 9}')
    in_doubt = by_name(plan())
    assert all("cannot be asked who needs it" in in_doubt[v.snapshot] for v in versions)


def model_version(client, model: str, key: str, mlflow_run: str, data: DatasetVersion) -> ModelVersion:
    """A version frozen on the model's volume."""
    home = volumes.ensure(client, svm=SVM, name=names.model_volume(model), size_bytes=GIB, comment=marks.mark("m"))
    comment = model_versions.comment(model, key)
    frozen = snapshots.ensure(client, volume_uuid=home.uuid, name=names.snapshot(key), comment=comment)
    return ModelVersion(
        model=model,
        version=0,
        run_key=key,
        mlflow_run_id=mlflow_run,
        dataset_version=data,
        svm=SVM,
        volume=home.name,
        volume_uuid=home.uuid,
        folder=key,
        digest="sha256:02",
        snapshot=frozen.name,
        snapshot_uuid=frozen.uuid,
        created_at=frozen.created_at,
        code_commit="abc1234",
    )


def test_model_versions_go_by_the_rules_of_their_own_operator(client, volume, versions) -> None:
    hook, model, made = MlflowHook(), f"m{time.time_ns()}", []
    for number in range(3):
        begun = hook.service.part("POST", "runs/create", "begin", "run", json={"experiment_id": "0"})["info"]
        key = f"r2026112{number}t063000z0123456{number}"
        made.append(hook.register(model_version(client, model, key, begun["run_id"], versions[2])))
    home = volumes.get(client, svm=SVM, name=names.model_volume(model))
    stranger = model_versions.comment("nobody", "r1")
    snapshots.ensure(client, volume_uuid=home.uuid, name="stranger", comment=stranger)
    lease = {"volume_uuid": home.uuid, "name": names.lease(model)}
    leases.take(client, **lease, owner="r9")
    reasons = by_name(plan(keep_newest_models=1))
    assert "a run that goes on may deploy it" in (reasons[made[0].snapshot] or "")
    assert (reasons[names.lease(model)] or "").startswith("r9 holds it")
    leases.release(client, **lease, owner="r9")
    hook.set_champion(model, made[0].version)
    reasons = by_name(plan(keep_newest_models=1))
    assert [reasons[version.snapshot] for version in made] == ["it is the champion", None, "it is among the newest"]
    assert "nobody can say who needs it" in (reasons["stranger"] or "")
    done = remove(plan(keep_newest_models=1), keep_newest_models=1)
    assert made[1].snapshot in done["removed"]
    assert left(client, home) == [made[0].snapshot, made[2].snapshot, "stranger"]
    assert [v.version for v in hook.model_versions() if v.model == model].count(2) == 0, "it is retired in MLflow"


def test_workspaces_stay_while_their_run_goes_on_or_is_unknown_or_may_be_resumed(
    client, ontap, volume, versions
) -> None:
    keys = [f"r2026112{number}t063000z0123456{number}" for number in range(4)]
    for number, key in enumerate(keys):
        workspace(client, key, versions[2], run_id=f"manual__{number}")
    workspaces.keep(client, svm=SVM, run_key=keys[2])
    ontap.control("PUT", "/clock", {"offset_s": -30 * 86400})
    workspaces.keep(client, svm=SVM, run_key=keys[3])
    ontap.control("PUT", "/clock", {"offset_s": 0})
    run = Run()
    run.runs = {("tyre_quality", "manual__0"): "running"}
    made = plan(run)
    reasons = [by_name(made)[names.workspace_volume(key)] for key in keys]
    assert reasons[0] == "run manual__0 of tyre_quality goes on"
    assert (reasons[1] or "").startswith("Airflow knows no run manual__1 of tyre_quality")
    assert "for 7 days to be resumed in" in (reasons[2] or "")
    assert reasons[3] is None
    assert names.workspace_volume(keys[3]) in remove(made)["removed"]
    there = {v.name for v in volumes.list_volumes(client, svm=SVM)}
    assert [names.workspace_volume(key) in there for key in keys] == [True, True, True, False]


def test_a_volume_near_the_limit_is_named_before_it_is_reached(client, volume, versions, monkeypatch, capsys) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__SNAPSHOT_WARNING", "3")
    assert plan()["near_limit"] == {"tyre": 3}
    assert "at most 1,023 snapshots of a volume, and is near that on tyre (3)" in " ".join(
        capsys.readouterr().out.split()
    )
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__SNAPSHOT_WARNING", "4")
    assert plan()["near_limit"] == {}


def test_the_costly_field_is_asked_once_and_only_of_what_may_go(client, ontap, volume, versions) -> None:
    ontap.forget_requests()
    plan()
    asked = [r["path"] for r in ontap.control("GET", "/requests")["requests"] if "reclaimable_space" in r["path"]]
    assert len(asked) == 1 and versions[2].snapshot not in asked[0] and versions[0].snapshot in asked[0]


def test_what_a_clone_frees_is_what_it_does_not_share(client, ontap, volume) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment="ontap-mlops")
    facts = {"parent_volume": "tyre", "parent_snapshot": "v1", "comment": marks.mark("x"), "junction_path": "/c"}
    clone = clones.ensure(client, svm=SVM, name="c", **facts)
    (ontap.emulator.namespace / "c" / "own.bin").write_bytes(b"x" * 70_000)
    freed = reclaim.freed_by_clones(client, svm=SVM, wanted=[clone])[clone.uuid]
    assert 0 <= freed <= 70_000 + 8192
    assert by_name(plan())["c"] == "it was cloned by name; the OntapCloneDeleteOperator of its DAG removes it"


def test_a_persons_workspace_goes_when_its_time_is_over(client, ontap, volume, versions) -> None:
    now = cluster.now(client)
    facts = {"svm": SVM, "version": versions[2].id, "parent_volume": "tyre", "parent_snapshot": versions[2].snapshot}
    for name, days in (("old", -1), ("new", 1)):
        until = now + timedelta(days=days)
        personal_workspaces.ensure(client, **facts, person="ada", name=name, until=until)
    old, new = (names.personal_workspace("ada", name) for name in ("old", "new"))
    made = plan()
    assert by_name(made)[old] is None and (by_name(made)[new] or "").startswith("ada has it until")
    assert old in remove(made)["removed"]
    assert volumes.find(client, svm=SVM, name=old) is None and volumes.find(client, svm=SVM, name=new) is not None


def test_what_a_restore_left_stays_for_some_days_and_then_goes(client, volume, ontap):
    snapshots.ensure(client, volume_uuid=volume.uuid, name="v1", comment=marks.mark("by hand"))
    top = ontap.emulator.namespace / "tyre"
    (top / "one.png").write_bytes(b"written since")
    safety = restoring.to_snapshot(
        client, volume_uuid=volume.uuid, volume="tyre", snapshot="v1", owner="r-restore"
    ).safety
    stays = by_name(plan())[safety]
    assert stays.startswith("it holds the volume as it was before a restore, and stays for 30 days, until 20")
    assert by_name(plan(safety_days=2))[safety].startswith("it holds the volume as it was before a restore")
    ontap.control("PUT", "/clock", {"offset_s": 3 * 86400})
    made = plan(safety_days=2)
    assert by_name(made)[safety] is None and by_name(made)["v1"].startswith("no rule says when it is old")
    assert remove(made, safety_days=2)["removed"] == [safety]
    ontap.control("PUT", "/clock", {"offset_s": 0})


def experiment(client, key: str, version: DatasetVersion) -> str:
    """A frozen experiment whose training MLflow knows; the name of its volume."""
    hook, facts = MlflowHook(), {"run_key": key, "airflow_run": f"lane_detection/{key}"}
    begun = hook.service.part("POST", "runs/create", "begin", "run", json={"experiment_id": "0"})["info"]
    for name, value in facts.items():
        body = {"run_id": begun["run_id"], "key": name, "value": value}
        hook.service.change("POST", "runs/set-tag", "tag", json=body)
    of_run = {"run_key": key, "model": "lane"}
    made = experiments.ensure(client, svm=SVM, **of_run, parent_volume=version.volume, parent_snapshot=version.snapshot)
    experiments.freeze(client, svm=SVM, **of_run)
    return made.name


def some_key() -> str:
    return names.run_key("lane_detection", f"manual__{time.time_ns()}", RUN_AFTER)


def test_an_old_experiment_goes_when_asked_for_and_nothing_refers_to_it(client, volume, versions, ontap) -> None:
    key = some_key()
    name, run, asked = experiment(client, key, versions[2]), Run(), {"experiment_days": 2}
    assert by_name(plan(run))[name].endswith("no number of days says when experiments are old")
    assert "stays for 2 days, until 20" in by_name(plan(run, **asked))[name]
    ontap.control("PUT", "/clock", {"offset_s": 3 * 86400})
    assert by_name(plan(run, **asked))[name].startswith(f"Airflow knows no run {key}")
    run.runs = {("lane_detection", key): "running"}
    assert by_name(plan(run, **asked))[name] == f"run {key} of lane_detection, which froze it, goes on"
    run.runs = {("lane_detection", key): "success"}
    made = plan(run, **asked)
    assert by_name(made)[name] is None
    assert name in remove(made, run, **asked)["removed"]
    assert volumes.find(client, svm=SVM, name=name) is None
    assert name in remove(made, run, **asked)["removed"], "a retry finds it gone"


def test_an_experiment_that_something_refers_to_stays(client, volume, versions, monkeypatch) -> None:
    cloned, registered, unknown = (some_key() for _ in range(3))
    found = {key: experiment(client, key, versions[2]) for key in (cloned, registered)}
    found[unknown] = experiments.ensure(
        client, svm=SVM, run_key=unknown, model="lane", parent_volume="tyre", parent_snapshot=versions[2].snapshot
    ).name
    run, asked = Run(), {"experiment_days": 0}
    run.runs = {("lane_detection", key): "success" for key in found}
    parent = {"parent_volume": found[cloned], "parent_snapshot": names.snapshot(cloned)}
    clones.ensure(client, svm=SVM, name="again", **parent, comment="somebody's own")
    hook, model = MlflowHook(), f"m{time.time_ns()}"
    hook.register(model_version(client, model, registered, hook.find_run(registered)["info"]["run_id"], versions[2]))
    reasons = by_name(plan(run, **asked))
    assert reasons[found[cloned]] == "clone 'again' of SVM 'svm1' is based on it"
    assert reasons[found[registered]] == f"version 1 of model {model} was registered from it"
    assert reasons[found[unknown]].startswith(f"MLflow knows no run {unknown} here")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "http://127.0.0.1:9")
    assert by_name(plan(run, **asked))[found[registered]].startswith("it cannot be asked who needs it: ")
