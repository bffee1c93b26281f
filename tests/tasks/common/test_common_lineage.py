"""What MLflow is told of the data that a run read."""

from __future__ import annotations

import json

import pytest

from tasks.common.lineage import EVALUATION, TRAINING, column_schema, dataset
from tasks.common.run_file import RunFile
from tests.tasks.run_files import RUN

DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        ("s3://lake/tyre", "s3", "tyre"),
        ("/data/clicks/", "local", "clicks"),
        ("x", "local", "x"),
        ("s3://lake/a#b?c", "s3", "a#b?c"),
    ],
)
def test_by_hand_it_is_the_folder_and_the_digest_of_its_content(url: str, kind: str, name: str):
    found = dataset(None, url, DIGEST, profile={"rows": 5}, schema=column_schema({"label": "integer"}))
    told = found.as_input(TRAINING)["dataset"]
    assert (told["name"], told["source_type"], told["digest"]) == (name, kind, DIGEST[:36])
    assert json.loads(told["source"]) == {"uri": url}
    assert json.loads(told["profile"]) == {"rows": 5}
    assert json.loads(told["schema"]) == {"mlflow_colspec": [{"name": "label", "type": "integer"}]}


def test_of_a_run_it_is_the_version_wherever_it_is_read():
    found = dataset(RunFile(RUN), "s3://a-workspace/data", DIGEST, profile={"rows": 5}, schema={})
    told = found.as_input(EVALUATION)
    assert told["tags"] == [{"key": "mlflow.data.context", "value": "evaluation"}]
    assert told["dataset"]["name"] == "tyre_images (held out)"
    assert told["dataset"]["digest"] == RUN["dataset_version"]["digest"][:36]
    assert json.loads(told["dataset"]["profile"]) == {"files": 72, "bytes": 1000, "rows": 5}
    assert json.loads(told["dataset"]["source"])["uri"] == "ontap://svm1/tyre_images?snapshot=mlops_v1"
