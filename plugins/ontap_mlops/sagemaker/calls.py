"""One call to SageMaker or a service beside it, its errors as sentences of ``clouds.errors``."""

from __future__ import annotations

import re
from typing import Any

from ontap_mlops.clouds import aws, errors

_CODES: dict[str, type[errors.CloudError]] = {
    "ResourceNotFound": errors.NotFound,
    "ResourceNotFoundException": errors.NotFound,
    "ParameterNotFound": errors.NotFound,
    "NoSuchKey": errors.NotFound,
    "NoSuchBucket": errors.NotFound,
    "ResourceInUse": errors.InUse,
    "ConflictException": errors.InUse,
    "ResourceLimitExceeded": errors.OverQuota,
}
_TITLES = {
    "sagemaker": "SageMaker",
    "sagemaker-runtime": "The SageMaker endpoint",
    "logs": "CloudWatch Logs",
    "ssm": "Parameter Store",
    "s3": "S3",
}
# SageMaker has one code, ValidationException, for what is wrong and for what is not there.
_ABSENT = re.compile(r"could not find|does not exist|not ?found|cannot find", re.IGNORECASE)
_LIMIT = re.compile(r"is (\d+) \w+, with current utilization of (\d+) \w+ and a request delta of (\d+)")


def call(client: Any, operation: str, key: str | None = None, *, asked: str, **parameters: Any) -> Any:
    """Return the answer of ``client.<operation>``, or its ``key``. Raises the errors of ``clouds.errors``.

    What is not there is NotFound. A quota used up by others is TooBusy, since it passes when they end; one that is too
    small for the request alone is OverQuota.
    """
    service = client.meta.service_model.service_name
    try:
        return aws.call(
            client, operation, key, asked=asked, service=_TITLES.get(service, service), codes=_CODES, **parameters
        )
    except errors.OverQuota as error:
        limit = _LIMIT.search(str(error))
        if limit and int(limit[3]) <= int(limit[1]):
            raise errors.TooBusy(str(error)) from None
        raise
    except errors.InvalidRequest as error:
        if operation.startswith(("describe", "stop", "delete", "start")) and _ABSENT.search(str(error)):
            raise errors.NotFound(str(error)) from None
        raise


def found(client: Any, operation: str, *, asked: str, **parameters: Any) -> dict[str, Any] | None:
    """The same for what may not be there; None when it is not."""
    try:
        return dict(call(client, operation, asked=asked, **parameters))
    except errors.NotFound:
        return None
