"""One call to a service of AWS through boto3, its errors as sentences of ``clouds.errors``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ontap_mlops.clouds import errors

_NONE: Mapping[str, type[errors.CloudError]] = {}
_BY_CODE: dict[str, type[errors.CloudError]] = {
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"), errors.NotAllowed
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), errors.LoginRefused),
    **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException"), errors.LoginRefused),
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "InvalidSignatureException", "MissingAuthenticationToken"), errors.LoginRefused
    ),
    **dict.fromkeys(("Throttling", "ThrottlingException", "TooManyRequestsException"), errors.TooBusy),
    **dict.fromkeys(("InternalServerError", "InternalFailure", "ServiceUnavailable"), errors.TooBusy),
}
_LOGIN = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "SSOError",
)


def call(
    client: Any,
    operation: str,
    key: str | None = None,
    *,
    asked: str,
    service: str,
    codes: Mapping[str, type[errors.CloudError]] = _NONE,
    **parameters: Any,
) -> Any:
    """Return the answer of ``client.<operation>``, or its ``key``. Raises the errors of ``clouds.errors``.

    :param asked: what is wanted of which object, as it follows "was asked to".
    :param service: what messages call the service.
    :param codes: classes of errors by the service's own codes, where they differ from those all services have.
    """
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection

    where = f"{service} in {client.meta.region_name}"
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as error:
        told = error.response.get("Error", {})
        code, status = str(told.get("Code")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        kind = codes.get(code) or _kind(code, status)
        raise errors.refused(where, asked, f"{code}, {told.get('Message')}", kind) from None
    except (HTTPClientError, NoConnection) as error:
        errors.no_answer(where, asked, error)
    except BotoCoreError as error:
        kind = errors.LoginRefused if type(error).__name__ in _LOGIN else errors.InvalidRequest
        raise errors.refused(where, asked, str(error), kind) from None
    if key is not None and key not in answer:
        raise errors.Unreachable(f"{where} was asked to {asked}, and what came back says nothing of it. Is it a proxy?")
    return answer if key is None else answer[key]


def _kind(code: str, status: int) -> type[errors.CloudError]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.endswith("NotFound"):
        return errors.NotFound
    return errors.kind_of(status)
