"""One call to Amazon FSx, its errors as sentences of ``clouds.errors``."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds import errors

_BY_CODE: dict[str, type[errors.CloudError]] = {
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"), errors.NotAllowed
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), errors.LoginRefused),
    **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException"), errors.LoginRefused),
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "InvalidSignatureException", "MissingAuthenticationToken"), errors.LoginRefused
    ),
    **dict.fromkeys(("ServiceLimitExceeded", "TooManyAccessPoints"), errors.OverQuota),
    **dict.fromkeys(("Throttling", "ThrottlingException", "TooManyRequestsException"), errors.TooBusy),
    **dict.fromkeys(("InternalServerError", "InternalFailure", "ServiceUnavailable"), errors.TooBusy),
    "BackupInProgress": errors.InUse,
    "AccessPointAlreadyOwnedByYou": errors.NameTaken,
}
_LOGIN = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "SSOError",
)


def call(client: Any, operation: str, key: str | None = None, *, asked: str, **parameters: Any) -> Any:
    """Return the answer of ``client.<operation>``, or its ``key``. Raises the errors of ``clouds.errors``."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection

    service = f"FSx in {client.meta.region_name}"
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as error:
        told = error.response.get("Error", {})
        code, status = str(told.get("Code")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        raise errors.refused(service, asked, f"{code}, {told.get('Message')}", _kind(code, status)) from None
    except (HTTPClientError, NoConnection) as error:
        errors.no_answer(service, asked, error)
    except BotoCoreError as error:
        kind = errors.LoginRefused if type(error).__name__ in _LOGIN else errors.InvalidRequest
        raise errors.refused(service, asked, str(error), kind) from None
    if key is not None and key not in answer:
        raise errors.Unreachable(
            f"{service} was asked to {asked}, and what came back says nothing of it. Is it a proxy?"
        )
    return answer if key is None else answer[key]


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


def _kind(code: str, status: int) -> type[errors.CloudError]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.endswith("NotFound"):
        return errors.NotFound
    return errors.kind_of(status)
