"""Which systems are watched for drift: defaults, mistakes with file and line, and what trainings make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ontap_mlops import assets, drift_watches, registry
from ontap_mlops.config_file import ConfigError
from ontap_mlops.pipelines.dag import _schedule

ROOT = Path(__file__).resolve().parents[2]
ENTRY = """drift:
  ctr:
    dataset: ctr_days
    model: click_through
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))

    def write(text: str) -> Path:
        (tmp_path / "drift.yaml").write_text(text)
        return tmp_path / "drift.yaml"

    return write


def test_the_shipped_watches_are_of_systems_that_have_a_reader() -> None:
    readers = {file.stem for file in (ROOT / "tasks" / "drift" / "systems").glob("[a-z]*.py")}
    assert set(drift_watches.watches()) <= readers


def test_an_entry_gets_its_defaults(write: Callable[[str], Path]) -> None:
    write(ENTRY)
    (watch,) = drift_watches.usable().values()
    assert (watch.schedule, watch.on_new_versions, watch.window_days) == ("@daily", True, 1)
    assert (watch.approval, watch.approval_days, watch.start, watch.train_on) == (True, 7, "champion", "versions")
    assert drift_watches.of_model("click_through") == watch and drift_watches.of_model("tyre") is None


def test_mistakes_are_named_with_their_line_and_leave_the_others_usable(write: Callable[[str], Path]) -> None:
    path = write(ENTRY + "  tyre:\n    dataset: tyre_images\n    model: tyre\n    start: scratch\n")
    assert list(drift_watches.usable()) == ["ctr"]
    with pytest.raises(ConfigError, match=rf"{path}:8: 'scratch' is not one of"):
        drift_watches.watches()
    path = write(ENTRY + "  again:\n    dataset: ctr_days\n    model: click_through\n")
    with pytest.raises(ConfigError, match=rf"{path}:5: model 'click_through' is watched by 'ctr' already"):
        drift_watches.watches()


def test_without_the_file_nothing_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert drift_watches.usable() == {} and drift_watches.of_model("tyre") is None


def test_a_training_is_started_by_drift_too_or_by_drift_alone(write: Callable[[str], Path]) -> None:
    values = {"name": "ctr_days", "source": "s3://lake/ctr", "volume": "ctr_days", "size": "1GB", "svm": "svm1"}
    dataset = registry.as_dataset(values)
    by_version, by_drift = assets.dataset_asset(dataset).uri, assets.drift_asset("click_through").uri
    write(ENTRY)
    made = _schedule("@daily", dataset, "click_through")
    assert {asset.uri for asset in made.asset_condition.objects} == {by_version, by_drift}
    unwatched = _schedule("@daily", dataset, "another")
    assert unwatched.asset_condition.uri == by_version
    write(ENTRY + "    train_on: drift\n")
    assert [asset.uri for asset in _schedule("@daily", dataset, "click_through")] == [by_drift]
