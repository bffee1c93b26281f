"""The pools that are made with Airflow's database are those in which tasks wait."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ontap_mlops.operators.places import pool_of
from scripts import pools
from scripts.embedded import environment
from scripts.embedded.layout import ROOT, Layout


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "compute.yaml").write_text("places:\n  near: {kind: local, slots: 2}\n  far: {kind: local}\n")
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))


def test_each_place_has_a_pool_of_its_slots_that_counts_deferred_tasks(places) -> None:
    made = pools.pools()
    assert {name: (pool["slots"], pool["include_deferred"]) for name, pool in made.items()} == {
        "compute_near": (2, True),
        "compute_far": (4, True),
    }


def test_no_task_waits_in_a_pool_that_is_not_made(places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__USE_POOLS", "True")
    waited_in = {pool_of(compute) for compute in ("near", ["far", "near"], "{{ params.compute }}", "nowhere")}
    assert waited_in - {None} <= set(pools.pools())


def test_they_are_told_as_airflow_reads_them(places) -> None:
    done = subprocess.run([sys.executable, "-m", "scripts.pools"], cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout) == pools.pools(), done.stderr


def test_a_place_that_is_none_is_said_in_a_sentence(places, tmp_path: Path) -> None:
    (tmp_path / "compute.yaml").write_text("places:\n  near: {kind: nowhere}\n")
    done = subprocess.run([sys.executable, "-m", "scripts.pools"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("The pools could not be told: ") and "nowhere" in done.stderr


def test_the_services_use_them(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    ports = dict.fromkeys(("airflow", "ontap", "ontap_remote", "lake", "mlflow", "triton_http"), 1)
    assert environment.airflow(layout, ports)["AIRFLOW__ONTAP_MLOPS__USE_POOLS"] == "True"
