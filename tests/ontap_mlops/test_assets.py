"""One asset per dataset and per model, by name: which SVM holds it is the connection's business."""

from __future__ import annotations

import pytest
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization

from ontap_mlops import assets, registry, settings


def test_an_asset_is_named_after_its_dataset_or_model() -> None:
    dataset = registry.Dataset(name="tyres", source="s3://lake/tyre/", volume="tyre_volume", svm="svm7")
    made = assets.dataset_asset(dataset)
    assert (made.name, made.uri, made.group) == ("dataset/tyres", "ontap://dataset/tyres", "dataset")
    assert made == assets.dataset_asset("tyres")
    assert assets.model_asset("tyre").uri == "ontap://model/tyre"


def test_airflow_reads_an_address_of_ours_in_one_form_only() -> None:
    assert Asset("ontap://Dataset/tyres/").uri == "ontap://dataset/tyres"
    for wrong in ("ontap://svm1/tyres", "ontap://dataset", "ontap://dataset/a/b", "ontap://model/a?b=c"):
        with pytest.raises(ValueError, match="give ontap://dataset/NAME"):
            Asset(wrong)


def test_openlineage_knows_an_asset_by_the_same_name() -> None:
    told = assets.convert_asset_to_openlineage(assets.model_asset("tyre"), None)
    assert (told.namespace, told.name) == ("ontap", "model/tyre")


WATCHED = """datasets:
  tyres: {source: "s3://lake/tyre/", volume: tyre_volume, ontap_conn_id: ontap_b, watch: {adopt: "weekly.*"}}
  clicks: {source: "s3://lake/ctr/", volume: clicks}
"""


def test_a_dataset_is_watched_by_the_same_trigger_in_whichever_dag_names_it(tmp_path, monkeypatch) -> None:
    (tmp_path / "datasets.yaml").write_text(WATCHED)
    monkeypatch.setenv(settings.variable("config_dir"), str(tmp_path))
    (by_name,), (by_value,) = (assets.dataset_asset(d).watchers for d in ("tyres", registry.dataset("tyres")))
    assert by_name.trigger.serialize() == by_value.trigger.serialize()
    _, facts = by_name.trigger.serialize()
    assert (facts["volume"], facts["ontap_conn_id"], facts["asset"]) == ("tyre_volume", "ontap_b", "dataset/tyres")
    assert facts["adopt_names"] == ["weekly.*"]
    assert not assets.dataset_asset("clicks").watchers and not assets.dataset_asset("unknown").watchers


def test_a_broken_datasets_file_takes_the_watch_and_not_the_dag(tmp_path, monkeypatch) -> None:
    (tmp_path / "datasets.yaml").write_text("datasets: [")
    monkeypatch.setenv(settings.variable("config_dir"), str(tmp_path))
    assert not assets.dataset_asset("tyres").watchers


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        (assets.snapshots_asset("images_*", name="weekly.*", svm="svm2"), "snapshots/svm2,images_*,weekly.*"),
        (assets.snapshots_asset("images"), "snapshots/images"),
        (assets.snapshots_asset("image?", label="gold", ontap_conn_id="ontap_b"), "snapshots/image%3F,gold,ontap_b"),
        (assets.mirror_asset("tyre_copy", ontap_conn_id="ontap_remote"), "mirror/tyre_copy,ontap_remote"),
    ],
)
def test_a_dag_with_a_watched_asset_can_be_stored_and_read_again(asset: Asset, name: str) -> None:
    assert asset.name == name and asset.watchers[0].trigger.asset == name
    with DAG(dag_id="on_event", schedule=[asset]) as dag:
        pass
    stored = DagSerialization.to_dict(dag)
    assert "OntapEventTrigger" in str(stored)
    DagSerialization.from_dict(stored)


def test_what_an_event_carries_reads_the_same_whoever_told_it() -> None:
    record = {"dataset_version": {"id": "v1"}}
    assert assets.told(record) == record
    assert assets.told({"from_trigger": True, "payload": record}) == record
    assert assets.told({"from_trigger": True, "payload": None}) == {"from_trigger": True, "payload": None}
    assert assets.told(None) == {}
