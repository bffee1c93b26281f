"""What a program is told of its run, and which folders it gets."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ontap_mlops.operators.program import ProgramOperator
from ontap_mlops.records import Workspace
from tests.ontap_mlops.operators.run_context import CHAMPION, VERSION, claim, context, record


def workspace(bucket: str = "") -> dict[str, Any]:
    return Workspace(
        run_key="r1",
        svm="svm1",
        volume="mlops_ws_r1",
        volume_uuid="w",
        junction_path="/mlops_ws_r1",
        bucket=bucket,
        dataset_version=VERSION,
    ).to_json()


def made(results: dict[str, Any] | None = None, *, bucket: str = "", **arguments: Any) -> Any:
    known = {
        "choose": record().to_json(),
        "create_workspace": workspace(bucket),
        "claim": claim().to_json(),
        **(results or {}),
    }
    arguments = {"volumes": {"workspace": "", "models": "tyre_models"}, "mlflow_conn_id": None, **arguments}
    operator = ProgramOperator(task_id="promote.train", program="tasks.tyre.train", **arguments)
    return operator.workload(context(known))


def test_the_run_file_holds_the_record_the_data_and_the_folders():
    workload = made()
    assert workload.run["run"] == record().to_json()
    assert workload.run["step"] == "train", "without the group"
    assert workload.run["data"] == "{workspace}/data"
    assert workload.run["folders"] == {"models": "{models}", "workspace": "{workspace}"}
    assert workload.mounts["workspace"].junction_path == "/mlops_ws_r1"
    assert workload.arguments == ()


def test_data_is_read_through_the_bucket_where_the_workspace_has_one(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_S3", '{"conn_type": "aws", "login": "key", "password": "secret"}')
    workload = made(bucket="mlops-ws-r1")
    assert workload.run["data"] == "s3://mlops-ws-r1/data"
    assert workload.secrets["AWS_ACCESS_KEY_ID"] == "key"


def test_keys_of_buckets_are_given_to_no_program_that_reads_folders(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_S3", '{"conn_type": "aws", "login": "key", "password": "secret"}')
    assert made().secrets == {}


def test_the_champion_to_judge_against_is_a_folder_of_the_model_volume():
    champion = made(champion=True).run["champion"]
    assert champion == {"folder": "{models}/r20261119t060000z00000003", "version": 3, "run_key": CHAMPION.run_key}
    assert made().run["champion"] is None, "only where it is asked for"


def test_a_champion_on_another_volume_gets_a_mount_of_its_own():
    old = dataclasses.replace(CHAMPION, volume="models", folder="models/tyre/r1")
    workload = made({"claim": claim(champion=old).to_json()}, champion=True)
    assert workload.run["champion"]["folder"] == "{champion}/models/tyre/r1"
    assert workload.mounts["champion"].junction_path == "/models"


def test_the_model_to_use_is_the_registered_version_or_else_the_champion():
    new = dataclasses.replace(CHAMPION, version=4, folder="r4")
    assert made({"promote.register": new.to_json()}, model=True).arguments == ("--model", "{models}/r4")
    assert made(model=True).arguments == ("--model", "{models}/r20261119t060000z00000003")


def test_an_instance_of_a_mapped_program_is_told_which_one_it_is():
    assert made(each_flag="engine", step="dask", flags={"trees": 3}).arguments == (
        "--trees",
        "3",
        "--engine",
        "dask",
    )


def test_a_program_without_a_workspace_asks_for_none():
    workload = made({"create_workspace": None}, volumes={"results": "ctr_results"})
    assert workload.run["data"] is None
    assert list(workload.mounts) == ["results"]


def test_a_task_whose_run_has_settled_nothing_says_so():
    with pytest.raises(ValueError, match="Task choose of this run returned None.*let it run first, or clear it"):
        ProgramOperator(task_id="train", program="tasks.tyre.train").workload(context({}))
