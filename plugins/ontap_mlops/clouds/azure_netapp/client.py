"""Microsoft's client with what every call needs: where it works, and errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ontap_mlops.clouds import errors

SERVICE = "Azure NetApp Files"
_BY_CODE: dict[str, type[errors.CloudError]] = {
    **dict.fromkeys(
        ("InvalidAuthenticationToken", "ExpiredAuthenticationToken", "AuthenticationFailed"), errors.LoginRefused
    ),
    **dict.fromkeys(("AuthorizationFailed", "LinkedAuthorizationFailed"), errors.NotAllowed),
    **dict.fromkeys(("QuotaExceeded", "SubscriptionQuotaExceeded"), errors.OverQuota),
    **dict.fromkeys(("TooManyRequests", "ServerBusy", "InternalServerError"), errors.TooBusy),
    **dict.fromkeys(("AnotherOperationInProgress", "OperationNotAllowedInCurrentState"), errors.InUse),
    **dict.fromkeys(("InvalidResourceLocation", "LocationNotAvailableForResourceType"), errors.InvalidRequest),
}
_BY_WORDS = (
    (re.compile("not delegated|delegat", re.IGNORECASE), errors.InvalidRequest),
    (re.compile("quota|exceed|not enough|insufficient|too small", re.IGNORECASE), errors.OverQuota),
    (re.compile("already exists|creation ?token .*(in use|unique)", re.IGNORECASE), errors.NameTaken),
)


@dataclass(frozen=True, kw_only=True)
class Client:
    """``api`` is a NetAppManagementClient; the names are those that a task does not give."""

    api: Any
    resource_group: str
    account: str
    location: str

    def close(self) -> None:
        self.api.close()

    def call(self, asked: str, function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """``function`` of the client in the resource group and account. Raises the errors of ``clouds.errors``."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

        try:
            return function(self.resource_group, self.account, *arguments, **more)
        except HttpResponseError as error:
            if error.response is None and isinstance(error, ClientAuthenticationError):
                raise errors.refused("Microsoft's login service", asked, error.message, errors.LoginRefused) from None
            raise refused(asked, error.status_code or 0, *_told(error)) from None
        except AzureError as error:
            errors.no_answer(f"{SERVICE}, resource group {self.resource_group!r},", asked, error)

    def begin(self, asked: str, function: Callable[..., Any], *arguments: Any, **more: Any) -> str:
        """Begin long work; the address at which Azure tells how it stands, empty when it is over already."""

        def address(response: Any, *_: Any) -> str:
            headers = response.http_response.headers
            return headers.get("Azure-AsyncOperation") or ""

        return self.call(asked, function, *arguments, **more, polling=False, cls=address).result() or ""

    def operation(self, address: str, asked: str) -> Mapping[str, Any] | None:
        """How work stands; None when Azure has forgotten it."""
        from azure.core.rest import HttpRequest

        def get(*_: Any) -> Any:
            answer = self.api.send_request(HttpRequest("GET", address))
            if answer.status_code != 404:
                answer.raise_for_status()
            return answer

        answer = self.call(asked, get)
        return None if answer.status_code == 404 else answer.json()


def refused(asked: str, status: int, code: str, message: str) -> errors.CloudError:
    """The error for an answer, or for work that failed."""
    kind = _BY_CODE.get(code)
    if kind is None:
        kind = next((kind for words, kind in _BY_WORDS if words.search(message)), None) or errors.kind_of(status)
    error = errors.refused(SERVICE, asked, f"{code or f'HTTP {status}'}, {message}", kind)
    if "delegat" in message:
        return kind(f"{error} Delegate the subnet to Microsoft.NetApp/volumes.")
    return error


def _told(error: Any) -> tuple[str, str]:
    inner = error.error
    return (
        (str(inner.code or ""), str(inner.message or error.reason))
        if inner
        else ("", str(error.reason or error.message))
    )
