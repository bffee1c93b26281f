"""What OpenLineage is told, by Airflow's own extractor: versions are read and made under the names of their assets."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
from airflow.providers.openlineage.extractors.base import DefaultExtractor
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops import assets
from ontap_mlops.operators import lineage
from ontap_mlops.operators.deployments import DeploymentConfirmOperator
from ontap_mlops.operators.models import ModelRegisterOperator
from ontap_mlops.operators.versions import DatasetVersionCreateOperator
from ontap_mlops.operators.workspaces import WorkspaceCreateOperator
from ontap_mlops.records import Workspace
from tests.ontap_mlops.operators.running import Run
from tests.ontap_mlops.test_records import DEPLOYMENT, MODEL, VERSION

WORKSPACE = Workspace(
    run_key="r20261120t063000zfedcba98",
    svm="svm1",
    volume="mlops_ws_r20261120t063000zfedcba98",
    volume_uuid="u9",
    junction_path="/mlops_ws_r20261120t063000zfedcba98",
    bucket="",
    dataset_version=VERSION,
)
DATASET = {"name": "tyre_images", "source": "s3://lake/tyre/", "volume": "tyre", "svm": "svm1"}


def told(operator: Any) -> Any:
    return DefaultExtractor(operator).extract_on_complete(None)


def names(parts: list[Any]) -> list[tuple[str, str, str | None]]:
    version = [part.facets["version"].datasetVersion if "version" in part.facets else None for part in parts]
    return [(part.namespace, part.name, found) for part, found in zip(parts, version, strict=True)]


def test_a_task_that_makes_a_version_tells_its_source_and_what_it_made(ontap, client, volume, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    run, checked = Run(), {"digest": "sha256:" + "a" * 64, "files": 3, "bytes": 9}
    operator = DatasetVersionCreateOperator(task_id="freeze", dataset=DATASET, checked=checked)
    assert told(operator) is None, "nothing before anything is made"
    ExecutorSafeguard.tracker.set(operator)
    made = operator.execute(run.context("freeze"))
    facets = told(operator)
    assert names(facets.inputs) == [("s3://lake", "tyre", None)]
    assert names(facets.outputs) == [("ontap", "dataset/tyre_images", made["id"])]
    counted = facets.outputs[0].outputFacets["outputStatistics"]
    assert (counted.fileCount, counted.size) == (3, 9)


@pytest.mark.parametrize(
    ("record", "read", "made"),
    [
        (WORKSPACE, ("dataset/tyre_images", VERSION.id), (f"volume/svm1/{WORKSPACE.volume}", WORKSPACE.run_key)),
        (MODEL, ("dataset/tyre_images", VERSION.id), ("model/tyre", "3")),
        (DEPLOYMENT, ("model/tyre", "3"), ("service/tyre", "3")),
    ],
    ids=["workspace", "model version", "deployment"],
)
def test_each_record_leads_from_what_was_read_to_what_was_made(record, read, made) -> None:
    mixin = lineage.LineageMixin()
    mixin.tell_lineage(record)
    facets = mixin.get_openlineage_facets_on_complete(None)
    assert facets is not None
    assert names(facets.inputs) == [("ontap", *read)]
    assert names(facets.outputs) == [("ontap", *made)]


def test_lineage_and_assets_use_the_same_names() -> None:
    for asset, parts in (
        (assets.dataset_asset("tyre_images"), lineage.parts(dataclasses.replace(VERSION, source=""))),
        (assets.model_asset("tyre"), lineage.parts(MODEL)),
    ):
        known = assets.convert_asset_to_openlineage(asset, None)
        assert (known.namespace, known.name) == parts[1][0][:2]


def test_every_operator_that_makes_a_version_tells() -> None:
    makers = (DatasetVersionCreateOperator, WorkspaceCreateOperator, ModelRegisterOperator, DeploymentConfirmOperator)
    for operator in makers:
        assert issubclass(operator, lineage.LineageMixin)
        assert "self.tell_lineage(" in inspect.getsource(operator), operator
