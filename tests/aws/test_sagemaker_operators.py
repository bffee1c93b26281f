"""Notebook instances are started and stopped for sure, batch transforms run once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops.clouds.errors import BadState, NotFound, OperationFailed
from ontap_mlops.operators.sagemaker import (
    SageMakerNotebookStartOperator,
    SageMakerNotebookStopOperator,
    SageMakerTransformOperator,
)
from ontap_mlops.triggers.polling import WaitTimedOut
from tests.aws.local_aws import IMAGE, ROLE, LocalAws

NAME = "fsxn-ontap"


def run(kind: type, context: Any, **arguments: Any) -> Any:
    facts = {"task_id": "t", "poll_interval_s": 0.02, "deferrable": False}
    operator = kind(**{**facts, **({} if "source" in arguments else {"notebook": NAME}), **arguments})
    ExecutorSafeguard.tracker.set(operator)
    return operator.execute(context)


def states(aws: LocalAws) -> str:
    return aws.notebooks[NAME]["NotebookInstanceStatus"]


def test_an_instance_is_started_for_a_run_and_has_stopped_when_the_teardown_ends(aws: LocalAws, context) -> None:
    aws.notebook(NAME)
    assert run(SageMakerNotebookStartOperator, context)["state"] == "InService"
    assert run(SageMakerNotebookStartOperator, context)["state"] == "InService", "a retry joins its own"
    assert run(SageMakerNotebookStopOperator, context)["state"] == "Stopped"
    assert aws.seen.count("POST StartNotebookInstance") == aws.seen.count("POST StopNotebookInstance") == 1


def test_one_that_is_stopping_is_waited_for_and_one_that_is_starting_is_stopped_when_it_can_be(aws, context) -> None:
    aws.notebook(NAME, "Stopping")
    assert run(SageMakerNotebookStartOperator, context)["state"] == "InService"
    aws.notebooks[NAME] |= {"NotebookInstanceStatus": "Pending", "looks": 2}
    assert run(SageMakerNotebookStopOperator, context)["state"] == "Stopped"


def test_one_in_which_somebody_works_is_neither_taken_nor_stopped(aws: LocalAws, context) -> None:
    aws.notebook(NAME, "InService")
    with pytest.raises(BadState, match="is InService already, started not by us: stop it"):
        run(SageMakerNotebookStartOperator, context)
    assert run(SageMakerNotebookStopOperator, context)["state"] == "left alone"
    assert states(aws) == "InService"
    assert run(SageMakerNotebookStopOperator, context, whoever=True)["state"] == "Stopped"


def test_one_that_is_not_there_or_does_not_start_is_a_sentence_and_costs_nothing(aws: LocalAws, context) -> None:
    with pytest.raises(NotFound, match="has no notebook instance 'fsxn-ontap'; make it there first"):
        run(SageMakerNotebookStartOperator, context)
    assert run(SageMakerNotebookStopOperator, context, whoever=True)["state"] == "gone"
    aws.notebook(NAME, "Failed")
    with pytest.raises(BadState, match="does not start"):
        run(SageMakerNotebookStartOperator, context)
    assert run(SageMakerNotebookStopOperator, context)["state"] == "Failed"


def test_a_stop_that_does_not_end_fails_the_teardown(aws: LocalAws, context) -> None:
    aws.notebook(NAME)
    run(SageMakerNotebookStartOperator, context)
    aws.stays[NAME] = "Stopping"
    with pytest.raises(WaitTimedOut, match="not over after 0.2 s; SageMaker goes on with it"):
        run(SageMakerNotebookStopOperator, context, wait_limit_s=0.2)


def test_a_batch_transform_answers_for_every_object_once(aws: LocalAws, context, monkeypatch) -> None:
    client = aws.client("sagemaker", aws.url)
    container = {"Image": IMAGE, "ModelDataUrl": "s3://staging/x"}
    client.create_model(ModelName="tyre-v1", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    for name in ("a", "b"):
        aws.s3.put_object(Bucket="staging", Key=f"in/{name}", Body=name.encode())
    monkeypatch.setattr(aws, "_answer", lambda model, body, kind: (0, body.decode().upper()))
    facts = {"model_name": "tyre-v1", "source": "s3://staging/in/", "target": "s3://staging/out"}
    for _ in range(2):
        assert run(SageMakerTransformOperator, context, **facts)["output"] == "s3://staging/out"
    assert aws.s3.get_object(Bucket="staging", Key="out/b.out")["Body"].read() == b"B"
    assert aws.seen.count("POST CreateTransformJob") == 1
    aws.broken = {"tyre-v1"}
    with pytest.raises(OperationFailed, match="See job logs"):
        run(SageMakerTransformOperator, context, **{**facts, "task_id": "again"})


def test_the_dag_of_the_docs_stops_the_instance_whatever_becomes_of_the_training(monkeypatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sagemaker.md").read_text()
    (code,) = re.findall(r"```python\n(from datetime.*?)```", page, re.DOTALL)
    told: dict[str, Any] = {}
    exec(code, told)
    start, train, stop = told["start"], told["train"], told["stop"]
    assert (start.is_setup, stop.is_teardown) == (True, True)
    assert stop.upstream_task_ids == {"start", "train"}
    assert train.upstream_task_ids == {"start"}
