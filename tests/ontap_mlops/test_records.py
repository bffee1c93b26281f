import json

import pytest

from ontap_mlops.records import Claim, DatasetVersion, Deployment, ModelVersion

VERSION = DatasetVersion(
    dataset="tyre_images",
    id="v20261120t063000z01234567",
    svm="svm1",
    volume="tyre_images",
    volume_uuid="u1",
    snapshot="mlops_v20261120t063000z01234567",
    snapshot_uuid="u2",
    created_at="2026-11-20T06:30:00+00:00",
    digest="sha256:0123456789abcdef",
    files=600,
    bytes=9_000_000,
)
MODEL = ModelVersion(
    model="tyre",
    version=3,
    run_key="r20261120t063000zfedcba98",
    mlflow_run_id="m1",
    dataset_version=VERSION,
    svm="svm1",
    volume="models",
    folder="models/tyre/r20261120t063000zfedcba98",
    digest="sha256:aa",
    snapshot="mlops_r20261120t063000zfedcba98",
    snapshot_uuid="u3",
    created_at="2026-11-20T06:40:00+00:00",
    code_commit="abc",
)
DEPLOYMENT = Deployment(
    model_version=MODEL, endpoint="http://localhost/v2", previous_version=None, proof={"class": "good"}, deployed_at="x"
)


def test_a_deployment_travels_as_json_and_leads_back_to_the_snapshot():
    back = Deployment.from_json(json.loads(json.dumps(DEPLOYMENT.to_json())))
    assert back == DEPLOYMENT
    assert back.model_version.dataset_version.snapshot_uuid == "u2"


def test_a_foreign_record_is_refused_with_the_keys_named():
    with pytest.raises(ValueError, match=r"not a DatasetVersion: missing \['bytes', .*"):
        DatasetVersion.from_json({"dataset": "tyres", "size": 3})


def test_a_record_written_by_a_newer_release_is_read_without_the_fields_it_adds():
    newer = {**DEPLOYMENT.to_json(), "region": "eu"}
    newer["model_version"] = {**newer["model_version"], "licence": "x", "schema": 7}
    assert Deployment.from_json(newer) == DEPLOYMENT


def test_a_newer_record_that_cannot_be_read_says_so():
    with pytest.raises(ValueError, match=r"missing \['bytes', .*newer release \(schema 7, this one reads 1\): upgrade"):
        DatasetVersion.from_json({"schema": 7, "dataset": "tyres"})


def test_an_older_record_without_a_schema_is_read():
    older = VERSION.to_json()
    del older["schema"], older["source"]
    assert DatasetVersion.from_json(older) == VERSION


def test_a_record_inside_a_record_may_be_absent():
    claim = Claim(model="tyre", run_key="r1", held=True)
    assert Claim.from_json(claim.to_json()) == claim
    held = Claim(model="tyre", run_key="r1", held=True, champion=MODEL)
    assert Claim.from_json(json.loads(json.dumps(held.to_json()))).champion == MODEL
