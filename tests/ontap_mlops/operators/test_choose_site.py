"""Which data a run takes at another site, where a volume of the same name holds copies of the snapshots."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.ontap import marks, snapshots, volumes
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.records import DatasetVersion, RunRecord
from tests.ontap_mlops.operators.run_context import TRAINING, context

GIB = 1024**3
OLD, NEW = "v20261117t120000z00000001", "v20261118t120000z00000002"
SITES = "sites:\n  west: {ontap_conn_id: ontap_west, svm: svm_west, cache_bytes: 1GB}\n"
DATASETS = "datasets:\n  tyres: {source: s3://lake/tyre/, volume: tyres}\n"


class Tracking:
    records: dict[str, Any] = {}

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    def training_record(self, key: str) -> Any:
        return self.records[key]

    def find_training(self, **wanted: Any) -> None:
        return None

    def champion(self, model: str) -> None:
        return None


@pytest.fixture
def tracking(monkeypatch: pytest.MonkeyPatch) -> type[Tracking]:
    from ontap_mlops.hooks import mlflow

    class Fresh(Tracking):
        records: dict[str, Any] = {}

    monkeypatch.setattr(mlflow, "MlflowHook", Fresh)
    return Fresh


@pytest.fixture
def there(ontap, client, tracking, tmp_path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The site's SVM; both versions are at home, and the older one is there too."""
    (tmp_path / "sites.yaml").write_text(SITES)
    (tmp_path / "datasets.yaml").write_text(DATASETS)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setenv(
        "AIRFLOW_CONN_ONTAP_WEST", ontap.connection(extra={"verify": ontap.emulator.ca, "svm": "svm_west"})
    )
    client.create("Svm", {"name": "svm_west"}, asked="create SVM svm_west")
    make(client, "svm1", OLD, NEW)
    make(client, "svm_west", OLD)
    return "svm_west"


def make(client: Any, svm: str, *ids: str) -> None:
    volume = volumes.ensure(client, svm=svm, name="tyres", size_bytes=GIB, comment=marks.mark("dataset tyres"))
    for id_ in ids:
        facts = {"dataset": "tyres", "digest": f"sha256:{id_[-8:]}", "files": 3, "bytes": 9, "run": id_}
        snapshots.ensure(client, volume_uuid=volume.uuid, name=f"mlops_{id_}", comment=json.dumps(facts))


def chosen(site: str = "west", **run: Any) -> RunRecord:
    operator = RunChooseOperator(
        task_id="choose",
        dataset="tyres",
        model="tyre",
        parameters=["seed"],
        site=site,
        ontap_conn_id="ontap_default" if site == "home" else "ontap_west",
    )
    return RunRecord.from_json(operator.execute(context(logical_date=None, **run)))


def test_a_run_at_a_site_takes_what_is_there_and_never_promotes(there: str) -> None:
    record = chosen(params={"promote": "always"})
    assert (record.dataset_version.id, record.dataset_version.svm, record.site) == (OLD, there, "west")
    assert record.promote == "never", "the claim on the model is at home"
    at_home = chosen("home", params={"promote": "always"})
    assert (at_home.dataset_version.id, at_home.dataset_version.svm, at_home.promote) == (NEW, "svm1", "always")


def test_a_version_that_is_not_there_yet_says_how_to_bring_it(there: str) -> None:
    with pytest.raises(
        AirflowFailException, match=rf"no version '{NEW}' on volume svm_west:tyres; .*: {OLD}\. Site west"
    ):
        chosen(params={"dataset_version": NEW})


def test_a_site_without_a_copy_says_how_to_make_one(there: str, client) -> None:
    volumes.delete(client, svm=there, name="tyres")
    with pytest.raises(
        AirflowFailException, match="no version at site west, in volume svm_west:tyres: run the DAG repl"
    ):
        chosen()


def test_a_training_at_home_is_repeated_at_the_site_on_its_copy_of_the_snapshot(there: str, tracking) -> None:
    home = chosen("home", params={"dataset_version": OLD}).dataset_version
    tracking.records = {"r1": dataclasses.replace(TRAINING, dataset_version=home)}
    there_too = chosen(params={"repeat_run": "r1"}).dataset_version
    assert (there_too.id, there_too.digest, there_too.svm) == (home.id, home.digest, there)
    assert there_too.snapshot_uuid != home.snapshot_uuid


@pytest.mark.parametrize("change", [{"id": NEW}, {"digest": "sha256:other"}])
def test_another_version_is_not_taken_for_the_repeated_one(there: str, tracking, change: dict[str, str]) -> None:
    home = chosen("home", params={"dataset_version": OLD}).dataset_version
    wanted: DatasetVersion = dataclasses.replace(home, **{"snapshot_uuid": "s9", **change})
    tracking.records = {"r1": dataclasses.replace(TRAINING, dataset_version=wanted)}
    with pytest.raises(
        AirflowFailException, match="is not at site west. Site west may be behind home: run the DAG repl"
    ):
        chosen(params={"repeat_run": "r1"})


def test_an_unknown_site_is_told_with_the_known_ones(there: str) -> None:
    with pytest.raises(ValueError, match=r"no site 'east' in .*sites\.yaml; it has \['west'\]"):
        chosen("east")
