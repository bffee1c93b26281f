"""Which data a run takes, with the emulator as ONTAP; only the tracking server is a stand-in."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops.assets import dataset_asset, drift_asset
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.ontap import marks, snapshots, volumes
from ontap_mlops.operators import choose
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.records import RunRecord
from tests.ontap_mlops.operators.run_context import CHAMPION, NOW, PARAMS, TRAINING, VERSION, context

GIB = 1024**3
DAYS = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (17, 18, 19)]
IDS = [f"v202611{day}t120000z0000000{n}" for n, day in enumerate((17, 18, 19), start=1)]


class Tracking:
    """What MLflow knows of past trainings."""

    records: dict[str, Any] = {}
    done: Any = None
    asked: dict[str, Any] = {}
    serving: Any = None

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    def training_record(self, key: str) -> Any:
        return self.records[key]

    def find_training(self, **wanted: Any) -> Any:
        Tracking.asked = wanted
        return self.done

    def champion(self, model: str) -> Any:
        if isinstance(self.serving, Exception):
            raise self.serving
        return self.serving


@pytest.fixture
def tracking(monkeypatch):
    from ontap_mlops.hooks import mlflow

    class Fresh(Tracking):
        records: dict[str, Any] = {}
        done = None
        serving = None

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


@pytest.mark.parametrize("extra", [{"dataset_version": IDS[0]}, {"dataset_version": {"id": f" {IDS[0]} "}}])
def test_an_event_made_by_hand_may_name_a_version_by_its_id_alone(versions, tracking, extra):
    events = {dataset_asset("tyre_images"): [SimpleNamespace(extra=extra)]}
    assert chosen(run_type="asset_triggered", logical_date=None, events=events).dataset_version.id == IDS[0]


def test_the_event_of_a_watcher_names_a_version_as_that_of_a_task_does(versions, tracking):
    told = {"from_trigger": True, "payload": event(IDS[1], "2026-11-18T12:00:00+00:00").extra}
    events = {dataset_asset("tyre_images"): [SimpleNamespace(extra=told)]}
    assert chosen(run_type="asset_triggered", logical_date=None, events=events).dataset_version.id == IDS[1]


@pytest.mark.parametrize("told", [None, "", " ", 7, [], ["v1"], {}, {"id": None}, {"id": 3}, {"version": "v1"}, True])
def test_what_is_no_version_in_a_hand_made_event_is_passed_over(versions, tracking, told):
    events = {dataset_asset("tyre_images"): [SimpleNamespace(extra={"dataset_version": told})]}
    assert chosen(run_type="asset_triggered", logical_date=None, events=events).dataset_version.id == IDS[2]


@pytest.mark.parametrize("extra", [None, {}, [], ["v1"], "v1", 3])
def test_an_event_with_an_extra_of_any_shape_starts_the_run(versions, tracking, extra):
    events = {dataset_asset("tyre_images"): [SimpleNamespace(extra=extra)]}
    assert chosen(run_type="asset_triggered", logical_date=None, events=events).dataset_version.id == IDS[2]


def test_an_id_told_by_the_asset_of_another_dataset_is_not_taken_for_ours(versions, tracking):
    events = {dataset_asset("labels"): [SimpleNamespace(extra={"dataset_version": "v1"})]}
    assert chosen(run_type="asset_triggered", logical_date=None, events=events).dataset_version.id == IDS[2]


def test_a_hand_made_event_with_a_wrong_id_is_answered_with_the_newest_ones(versions, tracking):
    events = {dataset_asset("tyre_images"): [SimpleNamespace(extra={"dataset_version": "v1"})]}
    with pytest.raises(AirflowFailException, match=rf"has no version 'v1' .*newest are: .*{IDS[2]}"):
        chosen(run_type="asset_triggered", logical_date=None, events=events)


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ({"params": {"repeat_run": "r1"}}, "as in run r1, which is repeated"),
        ({"params": {"dataset_version": IDS[0]}}, "named by whoever started the run"),
        ({"params": {"as_of": "2026-11-17T13:00:00Z"}}, "current at 2026-11-17 13:00:00 UTC"),
        ({"run_type": "asset_triggered", "events": {"a": [event(IDS[0], "2026")]}}, "whose event started the run"),
        ({"run_type": "backfill", "logical_date": DAYS[0]}, "current at 2026-11-17 12:00:00 UTC"),
    ],
)
def test_one_line_tells_version_and_why_files_champion_and_rule(versions, tracking, capsys, run, why):
    tracking.records = {"r1": dataclasses.replace(TRAINING, dataset_version=_at(versions[0]))}
    tracking.serving = CHAMPION
    chosen(**run)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if f"Version {IDS[0]}" in line]
    assert f"Version {IDS[0]}, {why}: 3 files, 0.0 MB; champion of tyre: version 3; promote: " in line


def test_champion_as_a_start_is_settled_as_the_run_key_that_it_has_now(versions, tracking):
    def settled(value: str) -> Any:
        named = {"parameters": ["seed"], "champion_parameters": ["seed"]}
        operator = RunChooseOperator(task_id="choose", dataset="tyre_images", model="tyre", **named)
        return chosen(operator, params={"seed": value}).parameters["seed"]

    assert settled("champion") == "anew", "there is none yet"
    tracking.serving = CHAMPION
    assert settled("champion") == CHAMPION.run_key and settled("anew") == "anew"


def test_the_line_says_when_nothing_serves_or_mlflow_is_away(versions, tracking, capsys):
    chosen()
    assert f"Version {IDS[2]}, the newest: 3 files" in (said := capsys.readouterr().out)
    assert "champion of tyre: none yet; promote: if_better" in said
    tracking.serving = ServiceUnavailable("The MLflow server gave no answer.")
    chosen()
    assert "champion of tyre: not known, MLflow does not say" in capsys.readouterr().out


def _at(uuid: str) -> Any:
    return dataclasses.replace(VERSION, id=IDS[0], snapshot_uuid=uuid)


def test_a_scheduled_or_backfilled_run_takes_what_was_current_then(versions, tracking):
    assert chosen(run_type="scheduled", logical_date=DAYS[1] + timedelta(hours=1)).dataset_version.id == IDS[1]
    assert chosen(run_type="backfill", logical_date=DAYS[0]).dataset_version.id == IDS[0]


def test_a_run_that_means_now_takes_the_newest(versions, tracking):
    assert chosen().dataset_version.id == IDS[2]
    assert chosen(logical_date=None).dataset_version.id == IDS[2]


def test_a_date_before_the_first_version_skips_a_scheduled_run_and_fails_one_that_named_it(versions, tracking, capsys):
    with pytest.raises(AirflowSkipException, match=rf"no version at .*2026-11-01.*first one is {IDS[0]}.*Nothing"):
        chosen(run_type="backfill", logical_date=datetime(2026, 11, 1, tzinfo=UTC))
    assert "Dataset tyre_images had no version at 2026-11-01 00:00:00 UTC: the first one" in capsys.readouterr().out
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


@pytest.mark.parametrize(
    ("key", "meant"), [("seeds", "seed"), ("Promote", "promote"), ("as-of", "as_of"), ("repeat", "repeat_run")]
)
def test_a_misspelt_key_of_the_configuration_is_answered_with_the_one_meant(tracking, key, meant):
    with pytest.raises(AirflowFailException, match=rf"'{key}' \(did you mean '{meant}'\?\).*does not know"):
        chosen(conf={"seed": 3, key: 1})


def test_an_unknown_key_is_answered_with_the_known_ones_and_known_ones_pass(versions, tracking):
    with pytest.raises(AirflowFailException, match=r"with 'xyzzy', 'foo', which .* knows dataset_version, as_of"):
        chosen(conf={"xyzzy": 1, "foo": None})
    assert chosen(conf=dict(PARAMS)).dataset_version.id == IDS[2]


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


def test_drift_starts_a_training_from_the_champion_where_it_asks_for_that(versions, tracking):
    tracking.serving = CHAMPION
    operator = RunChooseOperator(
        task_id="choose",
        dataset="tyre_images",
        model="tyre",
        parameters=["seed", "start"],
        champion_parameters=["start"],
    )

    def started(how: str) -> Any:
        extra = {"drift": {"start": how}, "dataset_version": {"id": IDS[1], "dataset": "tyre_images"}}
        events = {drift_asset("tyre"): [SimpleNamespace(extra=extra)]}
        record = chosen(
            operator, params={"start": "anew"}, run_type="asset_triggered", logical_date=None, events=events
        )
        assert record.dataset_version.id == IDS[1]
        return record.parameters["start"]

    assert started("champion") == CHAMPION.run_key
    assert started("anew") == "anew"
