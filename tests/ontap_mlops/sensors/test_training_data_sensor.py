"""The gate before a training: nothing takes room at a place until the data is at the site where it is read."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred

from ontap_mlops.ontap import errors
from ontap_mlops.sensors.training_data import TrainingDataReadySensor
from ontap_mlops.triggers.together import WaitingTogetherTrigger
from tests.ontap_mlops.operators.running import Run
from tests.ontap_mlops.sensors.test_readiness_sensors import two  # noqa: F401 - a fixture

NO_VERSION = "v20200101t000000z00000000"


def waited(**arguments: Any) -> Any:
    facts = {"dataset": "tyre", "site": "west", "poke_interval": 0.05, "timeout": 0.2, "deferrable": False}
    return Run().execute(TrainingDataReadySensor, **{**facts, **arguments})


def test_at_home_nothing_is_asked_of_anybody(two) -> None:  # noqa: F811
    assert waited(site="home", version=NO_VERSION, within_min="1") == {}


def test_at_a_site_whatever_is_there_will_do_unless_something_is_asked(two) -> None:  # noqa: F811
    assert waited(version="", within_min="None") == {}


def test_a_version_is_waited_for_until_its_snapshot_has_come(two, capsys) -> None:  # noqa: F811
    version = two.version()
    with pytest.raises(AirflowSensorTimeout):
        waited(version=version.id)
    assert f"Waiting for version {version.id} of dataset tyre to be readable at west" in capsys.readouterr().out
    two.mirror()
    assert waited(version=version.id, timeout=90)["version"] == version.id


def test_a_mirror_is_waited_for_until_it_is_fresh(two, capsys) -> None:  # noqa: F811
    two.version()
    two.mirror()
    assert waited(within_min="60", timeout=90)["healthy"] is True
    two.there.control("PUT", "/clock", {"offset_s": 7200})
    with pytest.raises(AirflowSensorTimeout):
        waited(within_min="60")
    assert "lags more than 3600 s behind" in capsys.readouterr().out


def test_it_waits_in_the_triggerer_where_one_look_serves_all(two) -> None:  # noqa: F811
    with pytest.raises(TaskDeferred) as left:
        waited(version=NO_VERSION, deferrable=True)
    assert isinstance(left.value.trigger, WaitingTogetherTrigger)


@pytest.mark.parametrize("minutes", ["-1", "0", "soon"])
def test_what_is_no_number_of_minutes_is_one_sentence(two, minutes: str) -> None:  # noqa: F811
    with pytest.raises(ValueError, match=f"within_min is '{minutes}'; give a number of minutes above 0"):
        waited(within_min=minutes)


def test_without_a_mirror_its_lag_is_no_matter_of_waiting(two) -> None:  # noqa: F811
    with pytest.raises(errors.NotFound, match="is the destination of no mirror"):
        waited(within_min="5")
