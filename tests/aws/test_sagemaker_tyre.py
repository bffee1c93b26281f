"""The tyre program trains on SageMaker from a private bucket; the model is served there, one version after another."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.clouds.errors import BadState, NotOurs
from ontap_mlops.compute import places
from ontap_mlops.compute.workload import Mount, State, Workload
from ontap_mlops.records import ModelVersion
from ontap_mlops.serving.kind import ProofFailed, kind
from tasks.common.data import open_target
from tasks.tyre import samples
from tests.aws.local_aws import IMAGE, ROLE, LocalAws, until
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


def version(number: int, digest: str) -> ModelVersion:
    known: dict[str, Any] = {field.name: "" for field in dataclasses.fields(ModelVersion)}
    facts = {"model": "tyre", "version": number, "digest": digest, "svm": "svm1", "volume": "tyre_models"}
    return ModelVersion(**{**known, **facts})


def serving(**options: Any) -> Any:
    facts = {"role_arn": ROLE, "image": IMAGE, "archives": "s3://staging/models", "poll_interval_s": 0.01}
    return kind("sagemaker", {**facts, **options})


def archived(aws: LocalAws, folder: Path) -> dict[str, Any]:
    """What the program of ``place`` says."""
    keys = {**aws.environment, "AWS_ENDPOINT_URL_S3": aws.moto, "RESULT_FILE": str(folder / "told.json")}
    command = [
        sys.executable,
        "-m",
        "tasks.models.archive",
        f"--model={folder}",
        "--to=s3://staging/models/x/model.tar.gz",
    ]
    subprocess.run(command, env={"PATH": os.environ["PATH"], **keys}, cwd=Path(__file__).parents[2], check=True)
    return json.loads((folder / "told.json").read_text())


def test_one_endpoint_goes_from_version_to_version_and_back_and_nothing_old_goes_on_costing(
    trained, aws: LocalAws, bucket: Lake
) -> None:
    serves, run = serving(), bucket.folder / "lake" / ".mlops" / "run"
    placed = archived(aws, run)
    assert (placed["url"], placed["input_shape"][1:]) == ("s3://staging/models/x/model.tar.gz", [3, 224, 224])
    one, two, three = version(1, "a" * 64), version(2, "b" * 64), version(3, "c" * 64)
    serves.load(one, placed)
    proof = serves.prove(one, placed, None)
    assert proof["version"] == 1
    assert set(proof["outputs"][0]) == set(trained["classes"]), "the archive's own code has answered"
    serves.activate(one)
    for each in (two, three):
        serves.load(each, placed)
        assert serves.serves(each)
        serves.activate(each)
    assert list(aws.endpoints) == ["tyre"], "no endpoint a day"
    assert [name.rpartition("-")[0] for name in aws.configs] == ["tyre-v2-bbbbbbbb", "tyre-v3-cccccccc"]
    assert list(aws.models) == ["tyre-v2-bbbbbbbb", "tyre-v3-cccccccc"]
    serves.put_back(three, {})
    assert (serves.serves(two), serves.serves(three)) == (True, False)
    serves.put_back(three, {})
    assert serves.serves(two), "what serves already is left alone"
    serves.load(three, placed)
    serves.load(three, placed)
    serves.put_back(three, {})
    assert serves.serves(two), "a repeated load has not forgotten what was before"


PLACED = {"url": "s3://staging/models/x/model.tar.gz", "input_shape": [-1, 2]}


def test_a_version_that_does_not_come_up_leaves_what_served_and_a_first_one_leaves_nothing(aws: LocalAws) -> None:
    serves, one, two = serving(), version(1, "a" * 64), version(2, "b" * 64)
    aws.broken = {"tyre-v1-aaaaaaaa"}
    with pytest.raises(BadState, match="did not pass the ping health check"):
        serves.load(one, PLACED)
    assert not serves.serves(one)
    aws.broken = {"tyre-v2-bbbbbbbb"}
    serves.load(one, PLACED)
    assert serves.serves(one), "the endpoint that failed was made anew"
    with pytest.raises(BadState, match="ping health check"):
        serves.load(two, PLACED)
    serves.put_back(two, {})
    assert serves.serves(one)
    serves.put_back(one, {})
    assert aws.endpoints == {}, "it replaced nothing, so nothing serves and nothing costs"


def test_an_endpoint_of_somebody_else_and_an_answer_without_numbers_are_refused(aws: LocalAws, monkeypatch) -> None:
    serves, one, two = serving(), version(1, "a" * 64), version(2, "b" * 64)
    serves.load(one, PLACED)
    aws.tags[aws.endpoints["tyre"]["EndpointArn"]] = []
    with pytest.raises(NotOurs, match="does not serve model tyre of ours"):
        serves.load(two, PLACED)
    assert serves.serves(one)
    for answer in ('"words"', "[]", "[NaN]", "no json"):
        monkeypatch.setattr(aws, "_answer", lambda *_, text=answer: (0, text))
        with pytest.raises(ProofFailed, match="without finite numbers"):
            serves.prove(one, PLACED, None)
    with pytest.raises(ValueError, match="archives .* or access_point"):
        serving(access_point="s3://alias")
