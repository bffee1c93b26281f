"""Which data a run takes, with the emulator as ONTAP; only the tracking server is a stand-in."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops.ontap import marks, snapshots, volumes
from ontap_mlops.operators import choose
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.records import RunRecord
from tests.ontap_mlops.operators.run_context import NOW, TRAINING, VERSION, context

GIB = 1024**3
DAYS = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (17, 18, 19)]
IDS = [f"v202611{day}t120000z0000000{n}" for n, day in enumerate((17, 18, 19), start=1)]


class Tracking:
    """What MLflow knows of past trainings."""

    records: dict[str, Any] = {}
    done: Any = None
    asked: dict[str, Any] = {}

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    def training_record(self, key: str) -> Any:
        return self.records[key]

    def find_training(self, **wanted: Any) -> Any:
        Tracking.asked = wanted
        return self.done


@pytest.fixture
def tracking(monkeypatch):
    from ontap_mlops.hooks import mlflow

    class Fresh(Tracking):
        records: dict[str, Any] = {}
        done = None

    monkeypatch.setattr(mlflow, "MlflowHook", Fresh)
    return Fresh


@pytest.fixture
def versions(ontap, client, monkeypatch):
    """Three versions of tyre_images, a day apart, by ONTAP's clock; their snapshot UUIDs."""
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    volume = volumes.ensure(
        client, svm="svm1", name="tyre_images", size_bytes=GIB, comment=marks.mark("dataset tyre_images")
    )
    uuids = []
    for at, id_ in zip(DAYS, IDS, strict=True):
        ontap.control("PUT", "/clock", {"now": at.isoformat()})
        facts = {"dataset": "tyre_images", "digest": f"sha256:{id_[-8:]}", "files": 3, "bytes": 9, "run": "r0"}
        made = snapshots.ensure(client, volume_uuid=volume.uuid, name=f"mlops_{id_}", comment=json.dumps(facts))
        uuids.append(made.uuid)
    yield uuids
    ontap.control("PUT", "/clock", {"offset_s": 0})


def chosen(operator: RunChooseOperator | None = None, **run: Any) -> RunRecord:
    operator = operator or RunChooseOperator(
        task_id="choose", dataset="tyre_images", model="tyre", parameters=["seed", "confidence"]
    )
    return RunRecord.from_json(operator.execute(context(**run)))


def event(id_: str, created_at: str, dataset: str = "tyre_images") -> SimpleNamespace:
    return SimpleNamespace(extra={"dataset_version": {"id": id_, "created_at": created_at, "dataset": dataset}})


def test_a_run_to_repeat_decides_over_everything_else(versions, tracking):
    version = dataclasses.replace(VERSION, id=IDS[0], snapshot_uuid=versions[0])
    tracking.records = {"r1": dataclasses.replace(TRAINING, dataset_version=version)}
    record = chosen(params={"repeat_run": "r1", "dataset_version": IDS[2], "seed": 3, "promote": "always"})
    assert record.dataset_version.id == IDS[0]
    assert record.parameters == {"seed": 7}, "the repeated training's, not the form's"
    assert record.promote == "never"
    assert record.repeat_of is not None and record.repeat_of.run_key == "r1"


def test_a_named_version_goes_before_dates_and_events(versions, tracking):
    events = {"asset": [event(IDS[2], "2026-11-19T12:00:00+00:00")]}
    assert chosen(params={"dataset_version": IDS[0], "as_of": "2026-11-18"}, events=events).dataset_version.id == IDS[0]


def test_a_named_date_goes_before_the_event(versions, tracking):
    events = {"asset": [event(IDS[2], "2026-11-19T12:00:00+00:00")]}
    assert chosen(params={"as_of": "2026-11-18T13:00:00Z"}, events=events).dataset_version.id == IDS[1]


def test_the_event_that_started_the_run_goes_before_its_date(versions, tracking):
    events = {"asset": [event(IDS[1], "2026-11-18T12:00:00+00:00"), event(IDS[0], "2026-11-17T12:00:00+00:00")]}
    assert chosen(run_type="asset_triggered", logical_date=None, events=events).dataset_version.id == IDS[1]


def test_an_event_of_another_dataset_is_not_taken_for_ours(versions, tracking):
    events = {"labels": [event("v9", "2026-11-20T12:00:00+00:00", dataset="labels")], "x": [SimpleNamespace(extra={})]}
    assert chosen(run_type="asset_triggered", logical_date=None, events=events).dataset_version.id == IDS[2]


def test_a_scheduled_or_backfilled_run_takes_what_was_current_then(versions, tracking):
    assert chosen(run_type="scheduled", logical_date=DAYS[1] + timedelta(hours=1)).dataset_version.id == IDS[1]
    assert chosen(run_type="backfill", logical_date=DAYS[0]).dataset_version.id == IDS[0]


def test_a_run_that_means_now_takes_the_newest(versions, tracking):
    assert chosen().dataset_version.id == IDS[2]
    assert chosen(logical_date=None).dataset_version.id == IDS[2]


def test_a_date_before_the_first_version_skips_a_scheduled_run_and_fails_one_that_named_it(versions, tracking):
    with pytest.raises(AirflowSkipException, match=rf"no version at .*2026-11-01.*first one is {IDS[0]}.*Nothing"):
        chosen(run_type="backfill", logical_date=datetime(2026, 11, 1, tzinfo=UTC))
    with pytest.raises(AirflowFailException, match="no version at"):
        chosen(params={"as_of": "2026-11-01"})


def test_a_dataset_without_versions_says_which_dag_makes_one(ontap, tracking, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    with pytest.raises(AirflowFailException, match="no version yet; run the DAG ingest_tyre_images first"):
        chosen()


def test_a_version_that_is_not_there_is_answered_with_the_newest_ones(versions, tracking):
    with pytest.raises(AirflowFailException, match=rf"has no version 'v1' .*newest are: .*{IDS[2]}"):
        chosen(params={"dataset_version": "v1"})


def test_a_removed_snapshot_says_which_record_needed_it(versions, tracking):
    tracking.records = {"r1": TRAINING}
    with pytest.raises(AirflowFailException, match="Run r1 .* needs dataset version v.*, snapshot mlops_v.* removed"):
        chosen(params={"repeat_run": "r1"})


def test_a_run_of_another_dag_is_not_repeated_here(versions, tracking):
    tracking.records = {"r1": dataclasses.replace(TRAINING, dag_id="click_through")}
    with pytest.raises(AirflowFailException, match="training of DAG click_through, not of tyre_quality: trigger"):
        chosen(params={"repeat_run": "r1"})


@pytest.mark.parametrize("run_type", ["scheduled", "asset_triggered"])
def test_what_has_been_trained_is_not_trained_again_by_itself(versions, tracking, run_type):
    tracking.done = TRAINING
    with pytest.raises(AirflowSkipException, match=rf"Run r1 has trained on dataset version {IDS[2]}.*by hand"):
        chosen(run_type=run_type)
    assert Tracking.asked["snapshot_uuid"] == versions[2]
    assert Tracking.asked["parameters"] == {"seed": 1, "confidence": 0.95}


@pytest.mark.parametrize("run_type", ["manual", "backfill"])
def test_what_a_person_asks_for_is_trained_again(versions, tracking, run_type):
    tracking.done = TRAINING
    assert chosen(run_type=run_type).dataset_version.id == IDS[2]


def test_a_retry_is_not_stopped_by_the_record_of_its_own_run(versions, tracking):
    key = chosen().run_key
    tracking.done = dataclasses.replace(TRAINING, run_key=key)
    assert chosen(run_type="scheduled").run_key == key


def test_a_backfill_leaves_the_deployed_model_alone_unless_asked():
    assert choose._policy("if_better", "backfill", None) == "never"
    assert choose._policy("if_better_even_in_backfill", "backfill", None) == "if_better"
    assert choose._policy("always", "backfill", None) == "always"
    assert choose._policy("if_better", "scheduled", None) == "if_better"


def test_a_repeated_run_never_promotes():
    assert choose._policy("always", "manual", TRAINING) == "never"


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(AirflowFailException, match="'sometimes'; choose one of if_better"):
        choose._policy("sometimes", "manual", None)


def test_a_run_that_a_person_starts_for_a_past_date_means_that_date():
    past = NOW - timedelta(days=3)
    assert choose._logical_date(context(logical_date=past)) == past
    assert choose._logical_date(context()) is None


def test_a_time_is_utc_unless_it_says_otherwise():
    assert choose._parse_time("2026-11-20") == datetime(2026, 11, 20, tzinfo=UTC)
    with pytest.raises(AirflowFailException, match="'yesterday', which is not a time"):
        choose._parse_time("yesterday")
