"""What drift is compared with, what an alarm is followed by, and that doubt starts nothing; the emulator is ONTAP."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops import assets
from ontap_mlops.ontap import marks, snapshots, volumes
from ontap_mlops.operators.drift import (
    DriftAlarmOperator,
    DriftApproveOperator,
    DriftBaselineOperator,
    DriftCompareOperator,
    DriftDecideOperator,
    decide,
)
from ontap_mlops.records import DatasetVersion
from tests.ontap_mlops.operators import run_context
from tests.ontap_mlops.operators.run_context import CHAMPION, VERSION, record

DAYS = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (17, 18, 19)]
FOUND = {"drift": "data", "alarm": True, "reason": "Data drift: I8 (0.30) of 13 columns.", "mlflow_url": "http://m/1"}
PARAMS = {"approval": True, "start": "champion"}


class Registry:
    champion_version: Any = None

    def __init__(self, conn_id: str) -> None:
        pass

    def champion(self, model: str) -> Any:
        return self.champion_version

    def model_version(self, model: str, version: int) -> Any:
        return dataclasses.replace(self.champion_version, version=version)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> type[Registry]:
    from ontap_mlops.hooks import mlflow

    class Fresh(Registry):
        champion_version = None

    monkeypatch.setattr(mlflow, "MlflowHook", Fresh)
    return Fresh


@pytest.fixture
def versions(ontap: Any, client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three versions of tyre_images, a day apart by ONTAP's clock."""
    from ontap_mlops.ontap import dataset_versions

    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    volume = volumes.ensure(
        client, svm="svm1", name="tyre_images", size_bytes=1 << 30, comment=marks.mark("dataset tyre_images")
    )
    for number, at in enumerate(DAYS, 1):
        ontap.control("PUT", "/clock", {"now": at.isoformat()})
        id_ = f"v{at:%Y%m%dt%H%M%Sz}0000000{number}"
        facts = {"dataset": "tyre_images", "digest": f"sha256:{number}", "files": 3, "bytes": 9, "run": "r0"}
        snapshots.ensure(client, volume_uuid=volume.uuid, name=f"mlops_{id_}", comment=json.dumps(facts))
    yield dataset_versions.list_versions(client, svm="svm1", volume="tyre_images", dataset="tyre_images")
    ontap.control("PUT", "/clock", {"offset_s": 0})


def context(version: DatasetVersion, run_type: str = "manual", **results: Any) -> Any:
    made = run_context.context({"choose": record(dataset_version=version).to_json(), **results}, run_type=run_type)
    return {**made, "params": dict(PARAMS), "outlet_events": {}}


def baseline(newest: DatasetVersion, run_type: str = "manual", **arguments: Any) -> dict[str, str]:
    made = DriftBaselineOperator(task_id="baseline", dataset="tyre_images", model="tyre", **arguments)
    told = made.execute(context(newest, run_type))
    return {"champion": told["champion"]["version"], "baseline": told["baseline"]["id"], "since": told["since"]["id"]}


@pytest.mark.parametrize(("window", "since"), [(0, 0), (1, 1), ("0.5", 1), ("1.5", 0), (30, 0)])
def test_rows_are_new_since_the_version_of_some_days_ago_but_never_before_the_baseline(
    versions: Any, registry: Any, window: Any, since: int
) -> None:
    registry.champion_version = dataclasses.replace(CHAMPION, dataset_version=versions[0])
    found = baseline(versions[2], window_days=window)
    assert found == {"champion": 3, "baseline": versions[0].id, "since": versions[since].id}


def test_another_model_version_can_be_named(versions: Any, registry: Any) -> None:
    registry.champion_version = dataclasses.replace(CHAMPION, dataset_version=versions[1])
    assert baseline(versions[2], version="2")["champion"] == 2


@pytest.mark.parametrize(("run_type", "ends"), [("manual", AirflowFailException), ("backfill", AirflowSkipException)])
def test_where_there_is_nothing_to_compare_a_person_is_told_and_a_date_is_let_go(
    versions: Any, registry: Any, run_type: str, ends: type[Exception]
) -> None:
    with pytest.raises(ends, match="Model tyre has no champion yet, so there is nothing to compare with: train one"):
        baseline(versions[2], run_type)
    registry.champion_version = dataclasses.replace(CHAMPION, dataset_version=versions[1])
    for version in versions[:2]:
        with pytest.raises(ends, match=f"is not newer than {versions[1].id}, which version 3 of model tyre"):
            baseline(version, run_type)


def test_a_baseline_that_was_removed_fails_with_its_snapshot_and_what_to_do(versions: Any, registry: Any) -> None:
    registry.champion_version = CHAMPION
    with pytest.raises(AirflowFailException, match="snapshot mlops_v20261120.* has been removed: .*Train"):
        baseline(versions[2], "scheduled")


def test_a_model_of_another_dataset_is_refused(versions: Any, registry: Any) -> None:
    other = dataclasses.replace(versions[0], dataset="labels")
    registry.champion_version = dataclasses.replace(CHAMPION, dataset_version=other)
    with pytest.raises(AirflowFailException, match="was trained on dataset labels, not on tyre_images"):
        baseline(versions[2])


def told_of(version: DatasetVersion = VERSION) -> dict[str, Any]:
    return {"champion": CHAMPION.to_json(), "baseline": version.to_json(), "since": version.to_json()}


def test_the_program_sees_all_versions_and_the_model_read_only() -> None:
    older = dataclasses.replace(VERSION, id="v1", snapshot="mlops_v1")
    made = DriftCompareOperator(task_id="compare", system="tyre", alarm_on="data", mlflow_conn_id=None)
    workload = made.workload(context(VERSION, baseline=told_of(older)))
    told = dict(zip(workload.arguments[::2], workload.arguments[1::2], strict=True))
    assert told == {
        "--system": "tyre",
        "--alarm-on": "data",
        "--baseline": "{data}/.snapshot/mlops_v1/data",
        "--since": "{data}/.snapshot/mlops_v1/data",
    }
    assert workload.run["data"] == f"{{data}}/.snapshot/{VERSION.snapshot}/data"
    assert workload.run["champion"]["folder"] == f"{{models}}/{CHAMPION.folder}"
    assert set(workload.mounts) == {"data", "models"} and all(mount.read_only for mount in workload.mounts.values())


@pytest.mark.parametrize(
    ("found", "params", "run_type", "goes_on", "said"),
    [
        ({}, {}, "scheduled", "approve", "Data drift"),
        ({}, {"approval": False}, "asset_triggered", "raise_alarm", "Data drift"),
        ({"alarm": False}, {}, "scheduled", "", "No alarm. Data drift"),
        ({}, {}, "backfill", "", "This is a backfill, which starts no training"),
        ({}, {"start": "never"}, "manual", "", "No training is to be started"),
        ({"alarm": False, "drift": "not known"}, {"approval": False}, "manual", "", "No alarm"),
    ],
)
def test_an_alarm_goes_on_to_a_person_or_by_itself_and_nothing_else_does(
    found: Any, params: Any, run_type: str, goes_on: str, said: str
) -> None:
    told = decide({**FOUND, **found}, {**PARAMS, **params}, run_type)
    assert told[0] == goes_on and said in told[1]


def test_what_is_decided_is_returned_though_branching_ends_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[Any] = []
    monkeypatch.setattr(DriftDecideOperator, "do_branch", lambda self, context, to: went.append(to))
    made = context(VERSION, compare={**FOUND, "alarm": False})
    DriftDecideOperator(task_id="decide").execute(made)
    assert went == [[]] and made["ti"].pushed["return_value"]["goes_on"] == ""


def test_a_person_is_asked_with_the_sentence_and_the_report_and_silence_is_a_no(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.providers.standard.operators import hitl

    asked: dict[str, Any] = {}
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **told: asked.update(told))
    operator = DriftApproveOperator(task_id="approve", subject="Drift: train?", response_timeout=timedelta(days=7))
    made = context(VERSION, compare=FOUND, decide={"reason": FOUND["reason"]})
    made["task_instance"] = SimpleNamespace(id="1")
    with pytest.raises(hitl.TaskAwaitingInput):
        operator.execute(made)
    assert FOUND["reason"] in asked["body"] and "(http://m/1)" in asked["body"]
    assert asked["options"] == ["Approve", "Reject"] and asked["defaults"] == ["Reject"]
    assert "Ask a person" in operator.doc_md


class Event:
    extra: Any = None


def raised(registry: Any, champion: Any, **results: Any) -> tuple[Any, Event]:
    registry.champion_version = champion
    outlet = assets.drift_asset("tyre")
    made = context(VERSION, compare=FOUND, baseline=told_of(), **results)
    made["outlet_events"] = {outlet: Event()}
    told = DriftAlarmOperator(task_id="raise_alarm", outlets=[outlet]).execute(made)
    return told, made["outlet_events"][outlet]


def test_the_alarm_carries_what_was_found_the_new_version_and_who_approved(registry: Any) -> None:
    answer = {"chosen_options": ["Approve"], "responded_by_user": {"id": "1", "name": "ada"}}
    told, event = raised(registry, CHAMPION, approve=answer)
    assert told["approved_by"] == "ada" and told["start"] == "champion" and told["reason"] == FOUND["reason"]
    assert event.extra == {"drift": told, "dataset_version": VERSION.to_json()}
    assert raised(registry, CHAMPION)[0]["approved_by"] == ""


@pytest.mark.parametrize("now", [dataclasses.replace(CHAMPION, version=4), None])
def test_an_alarm_of_a_model_that_serves_no_more_starts_nothing(registry: Any, now: Any) -> None:
    with pytest.raises(AirflowSkipException, match="Version 3 of model tyre was compared, and .* the champion by now"):
        raised(registry, now)
