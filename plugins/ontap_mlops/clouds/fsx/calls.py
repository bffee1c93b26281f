"""One call to Amazon FSx, its errors as sentences of ``clouds.errors``."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds import aws, errors

_CODES: dict[str, type[errors.CloudError]] = {
    **dict.fromkeys(("ServiceLimitExceeded", "TooManyAccessPoints"), errors.OverQuota),
    "BackupInProgress": errors.InUse,
    "AccessPointAlreadyOwnedByYou": errors.NameTaken,
}


def call(client: Any, operation: str, key: str | None = None, *, asked: str, **parameters: Any) -> Any:
    """Return the answer of ``client.<operation>``, or its ``key``. Raises the errors of ``clouds.errors``."""
    return aws.call(client, operation, key, asked=asked, service="FSx", codes=_CODES, **parameters)


def pages(client: Any, operation: str, key: str, *, asked: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return what a listing holds, over all of its pages."""
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        more: dict[str, Any] = {"NextToken": token} if token else {}
        answer = call(client, operation, asked=asked, **parameters, **more)
        found += answer.get(key) or []
        token = answer.get("NextToken")
        if not token:
            return found
