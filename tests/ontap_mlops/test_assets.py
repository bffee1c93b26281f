"""One asset per dataset and per model, by name: which SVM holds it is the connection's business."""

from __future__ import annotations

import pytest
from airflow.sdk import Asset

from ontap_mlops import assets, registry


def test_an_asset_is_named_after_its_dataset_or_model() -> None:
    dataset = registry.Dataset(name="tyres", source="s3://lake/tyre/", volume="tyre_volume", svm="svm7")
    made = assets.dataset_asset(dataset)
    assert (made.name, made.uri, made.group) == ("dataset/tyres", "ontap://dataset/tyres", "dataset")
    assert made == assets.dataset_asset("tyres")
    assert assets.model_asset("tyre").uri == "ontap://model/tyre"


def test_airflow_reads_an_address_of_ours_in_one_form_only() -> None:
    assert Asset("ontap://Dataset/tyres/").uri == "ontap://dataset/tyres"
    for wrong in ("ontap://svm1/tyres", "ontap://dataset", "ontap://dataset/a/b", "ontap://model/a?b=c"):
        with pytest.raises(ValueError, match="give ontap://dataset/NAME or ontap://model/NAME"):
            Asset(wrong)


def test_openlineage_knows_an_asset_by_the_same_name() -> None:
    told = assets.convert_asset_to_openlineage(assets.model_asset("tyre"), None)
    assert (told.namespace, told.name) == ("ontap", "model/tyre")
