"""Options come from Airflow's configuration, are read when asked for, and a mistake is explained."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ontap_mlops import registry, settings
from ontap_mlops.compute import places


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.OPTIONS:
        monkeypatch.delenv(settings.variable(name), raising=False)


def test_every_option_has_a_function_and_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/opt/airflow")
    assert {name: getattr(settings, name)() for name in settings.OPTIONS if name != "config_dir"} == {
        "programs_dir": None,
        "workloads_dir": Path("/opt/airflow/workloads"),
        "code_commit": "unknown",
        "clock_skew_s": 300,
        "now_within_s": 300,
        "snapshot_warning": 900,
        "keep_safety_snapshots_days": 30,
        "keep_failed_workspaces_days": 7,
        "lock_evidence_days": 0,
        "secret_store": "airflow-connection://ontap_s3",
        "secrets_dir": None,
        "use_pools": False,
        "deferrable": True,
        "hub_namespace_roots": {},
        "hub_actions": (),
    }


def test_an_option_is_read_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in ("0", "17"):
        monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CLOCK_SKEW_S", seconds)
        assert settings.clock_skew_s() == int(seconds)


def test_airflows_configuration_file_counts_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("[ontap_mlops]\nconfig_dir = /from/file\nsnapshot_warning = 5\n")
    code = "from ontap_mlops import settings; print(settings.config_dir(), settings.snapshot_warning())"
    variables = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__ONTAP_MLOPS__SNAPSHOT_WARNING": "6"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["/from/file", "6"]


@pytest.mark.parametrize("ask", [settings.config_dir, registry.datasets, places.places])
def test_without_a_config_dir_a_sentence_names_the_option(ask) -> None:
    with pytest.raises(ValueError, match=r"\[ontap_mlops\] config_dir is not set; set it, or AIRFLOW__ONTAP_MLOPS__"):
        ask()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("clock_skew_s", "soon", r"\[ontap_mlops\] clock_skew_s is 'soon'; give a whole number .*default 300"),
        ("keep_failed_workspaces_days", "-1", "is '-1'; give a whole number from 0"),
        ("use_pools", "maybe", "use_pools is 'maybe'; give True or False"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str, sentence: str) -> None:
    monkeypatch.setenv(settings.variable(name), text)
    with pytest.raises(ValueError, match=sentence):
        getattr(settings, name)()


def test_a_warning_can_be_off_while_a_manual_run_still_means_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CLOCK_SKEW_S", "0")
    assert (settings.clock_skew_s(), settings.now_within_s()) == (0, 300)
