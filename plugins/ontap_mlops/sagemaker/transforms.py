"""Batch transforms: a model answers for every object below a prefix."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.sagemaker.calls import call, found


def ensure(
    client: Any,
    *,
    name: str,
    model_name: str,
    source: str,
    target: str,
    content_type: str,
    instance_type: str,
    instances: int = 1,
) -> None:
    """Begin it once by name. One of that name over other data is NameTaken."""
    facts = _describe(client, name)
    if facts is not None:
        began = facts["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"], facts["ModelName"]
        if began != (source, model_name):
            raise errors.NameTaken(f"Batch transform {name!r} is of {began[1]} over {began[0]}; name another.")
        return
    call(
        client,
        "create_transform_job",
        asked=f"begin batch transform {name!r} of {source}",
        TransformJobName=name,
        ModelName=model_name,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": content_type,
        },
        TransformOutput={"S3OutputPath": target},
        TransformResources={"InstanceType": instance_type, "InstanceCount": instances},
    )


def look(client: Any, *, name: str) -> dict[str, Any]:
    """Raises OperationFailed, in SageMaker's words, for one that failed or was stopped."""
    facts = _describe(client, name)
    if facts is None:
        raise errors.NotFound(f"SageMaker has no batch transform {name!r} any more.")
    status = facts["TransformJobStatus"]
    if status in ("Failed", "Stopped"):
        raise errors.OperationFailed(f"Batch transform {name!r} {status}: {facts.get('FailureReason') or 'no reason'}")
    payload = {"name": name, "state": status, "output": facts["TransformOutput"]["S3OutputPath"]}
    return {"done": status == "Completed", "payload": payload}


def stop(client: Any, *, name: str) -> None:
    found(client, "stop_transform_job", asked=f"stop batch transform {name!r}", TransformJobName=name)


def _describe(client: Any, name: str) -> dict[str, Any] | None:
    return found(client, "describe_transform_job", asked=f"describe batch transform {name!r}", TransformJobName=name)
