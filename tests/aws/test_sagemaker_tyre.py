"""The tyre program trains on SageMaker from a private bucket; the model is served there, one version after another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.workload import Mount, State, Workload
from tasks.common.data import open_target
from tasks.tyre import samples
from tests.aws.local_aws import LocalAws, until
from tests.lake import Lake


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A private bucket, which only its own keys open, with tyres under ``data/``."""
    folder = tmp_path_factory.mktemp("ontap")
    (folder / "lake").mkdir()
    lake = Lake(folder)
    lake.start()
    samples.bring(open_target(str(folder / "lake" / "data")), list(samples.plan(48, seed=1, revision=1)), processes=1)
    yield lake
    lake.stop()


def training(bucket: Lake, name: str) -> Workload:
    record = {"run_key": "r20261127t000000z00000000"}
    run = {"run": record, "data": "s3://lake/data", "folders": {"workspace": "{workspace}"}}
    return Workload(
        name=name,
        program="tasks.tyre.train",
        arguments=("--epochs", "1", "--batch-size", "8"),
        mounts={"workspace": Mount(svm="svm1", junction_path="/ws", bucket="lake")},
        secrets=bucket.environment,
        run=run,
    )


@pytest.fixture
def trained(aws: LocalAws, place: dict[str, Any], bucket: Lake) -> dict[str, Any]:
    runner = places.runner(place)
    runner.submit(training(bucket, "r-tyre-train"))
    status = until(lambda: None if (status := runner.status("r-tyre-train")).state.active else status, 180)
    assert status.state is State.SUCCEEDED, (status, runner.logs("r-tyre-train")[0])
    return runner.result("r-tyre-train")


def test_tyres_are_trained_from_the_private_bucket_and_the_model_is_in_it_afterwards(trained, aws, bucket) -> None:
    assert trained["epochs"] == 1
    assert trained["data"]["training"] + trained["data"]["held_out"] == 48
    left = bucket.contents(".mlops/run")
    assert set(trained["files"]) < set(left)
    assert json.loads(left["model.json"])["data"]["digest"] == trained["data"]["digest"]
    described = json.dumps(aws.jobs["r-tyre-train"], default=str)
    assert bucket.environment["AWS_SECRET_ACCESS_KEY"] not in described
    fetched = Path(aws.folder).glob("r-tyre-train-*/ontap/workspace/data")
    assert list(fetched) == [], "images are read from the bucket as they are needed, not copied as files too"
