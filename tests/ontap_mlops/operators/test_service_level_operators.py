"""The setup that gives a volume a service level, the wait, and the teardown that puts it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops import service_levels
from ontap_mlops.config_file import ConfigError
from ontap_mlops.ontap import moves, qos, tiering
from ontap_mlops.operators.service_levels import OntapServiceLevelOperator, OntapServiceLevelPutBackOperator
from ontap_mlops.operators.until import WaitUntilOperator
from tests.ontap_mlops.conftest import SVM

LEVELS = """
service_levels:
  fast: {qos_policy: extreme, tiering: none}
  cold: {qos_policy: value, tiering: auto, aggregates: [aggr2], may_move: true}
  stays: {qos_policy: value, aggregates: [aggr2]}
"""
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def configured(ontap, volume, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    (tmp_path / "datasets.yaml").write_text("datasets:\n  tyres: {source: s3://lake/t/, volume: tyre}\n")
    (tmp_path / "service_levels.yaml").write_text(LEVELS)
    return tmp_path


def run(kind: type, run_id: str = "manual", **arguments: Any) -> Any:
    operator = kind(task_id="t", **arguments)
    ExecutorSafeguard.tracker.set(operator)
    return operator.execute({"dag_run": SimpleNamespace(dag_id="d", run_id=run_id, run_after=NOW)})


def give(level: str = "fast", **arguments: Any) -> Any:
    return run(OntapServiceLevelOperator, level=level, **({"dataset": "tyres", "hours": "2"} | arguments))


def test_a_dataset_gets_a_level_for_some_hours_and_what_it_had_comes_back(client, volume):
    given = give()
    assert given["until"] == (NOW + timedelta(hours=2)).isoformat()
    assert (given["volume"], given["qos_policy"], given["tiering"]) == ("tyre", "extreme", "none")
    assert given["before"] == {"qos_policy": "none", "tiering": "none"} and given["remarks"] == []
    back = run(OntapServiceLevelPutBackOperator, dataset="tyres")
    assert back == {"qos_policy": "none", "tiering": "none", "overdue": []}


def test_a_level_that_says_so_moves_the_volume_and_tiers_it_there(client, volume):
    given = give("cold", poll_interval_s=0.01)
    assert (given["aggregates"], given["tiering"], given["remarks"]) == (["aggr2"], "auto", [])
    assert moves.of(client, volume_uuid=volume.uuid).aggregates == ("aggr2",)
    run(OntapServiceLevelPutBackOperator, volume="tyre")
    assert tiering.of(client, volume=volume).policy == "none"
    assert moves.of(client, volume_uuid=volume.uuid).aggregates == ("aggr2",), "it stays where it was moved to"


def test_a_level_that_may_move_nothing_says_that_the_volume_stays(client, volume):
    given = give("stays", dataset="", volume="tyre")
    assert given["remarks"] == ["It stays on aggr1: level stays moves no volume."]


def test_a_level_whose_run_was_lost_is_put_back_by_the_next_one(client, volume, ontap):
    ontap.control("PUT", "/clock", {"offset_s": 86400})
    give(run_id="lost")
    assert run(OntapServiceLevelPutBackOperator, run_id="other", volume="tyre")["overdue"] == ["tyre"]
    assert qos.level(client, svm=SVM, volume="tyre").policy == "none"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"level": "best"}, r"no service level 'best' in .*; it has \['cold', 'fast', 'stays'\]"),
        ({"dataset": ""}, "name one of the two"),
        ({"volume": "tyre"}, "name one of the two"),
        ({"hours": ""}, "until is '' and hours is ''"),
        ({"hours": "", "until": "2020-01-01T00:00:00+00:00"}, "which is past"),
        ({"hours": "", "until": "tomorrow"}, "'tomorrow' is no time"),
        ({"hours": "", "until": "2030-01-01T00:00:00"}, "has no zone"),
    ],
    ids=str,
)
def test_a_form_that_cannot_be_changes_nothing(ontap, arguments, said):
    ontap.forget_requests()
    with pytest.raises(ValueError, match=said):
        give(**arguments)
    assert ontap.writes() == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{qos_policy: a b}", "one name without blanks"),
        ("{qos_policy: x, tiering: cold}", "'cold' is not one of all, auto, none, snapshot_only"),
        (
            "{qos_policy: x, tiering: none, cooling_days: 9}",
            "cooling_days need tiering snapshot_only or auto, not none",
        ),
        ("{qos: x}", "unknown key 'qos'"),
    ],
)
def test_a_mistake_in_one_level_is_said_with_its_line_and_leaves_the_others(configured, entry, said):
    (configured / "service_levels.yaml").write_text(LEVELS + f"  odd: {entry}\n")
    assert sorted(service_levels.usable()) == ["cold", "fast", "stays"]
    with pytest.raises(ConfigError, match=said):
        service_levels.level("odd")
    with pytest.raises(ConfigError):
        service_levels.levels()


def test_the_shipped_levels_are_right_and_no_file_is_no_level(configured):
    shipped = Path(__file__).parents[3] / "config" / "service_levels.yaml"
    assert sorted(service_levels.levels(shipped)) == ["extreme", "performance", "value"]
    (configured / "service_levels.yaml").unlink()
    assert service_levels.levels() == {}


def test_the_wait_is_in_the_triggerer_and_a_past_moment_ends_it_at_once():
    with pytest.raises(TaskDeferred) as deferred:
        run(WaitUntilOperator, until=(NOW + timedelta(hours=1)).isoformat(), deferrable=True)
    assert deferred.value.trigger.moment == NOW + timedelta(hours=1)
    run(WaitUntilOperator, until="2020-01-01T00:00:00+00:00", deferrable=True)
    run(WaitUntilOperator, until={"until": "2020-01-01T00:00:00+00:00"}, deferrable=True)
    run(WaitUntilOperator, until=(datetime.now(UTC) + timedelta(seconds=0.2)).isoformat(), deferrable=False)
    with pytest.raises(ValueError, match="'soon' is no time"):
        run(WaitUntilOperator, until="soon")
