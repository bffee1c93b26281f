"""Google's client with what every call needs: where it works, and errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ontap_mlops.clouds import errors

SERVICE = "Google Cloud NetApp Volumes"
# google.rpc.Code, as operations that failed tell it.
_BY_CODE: dict[int, type[errors.CloudError]] = {
    3: errors.InvalidRequest,
    5: errors.NotFound,
    6: errors.NameTaken,
    7: errors.NotAllowed,
    8: errors.OverQuota,
    9: errors.InvalidRequest,
    10: errors.InUse,
    14: errors.TooBusy,
    16: errors.LoginRefused,
}
_FULL = re.compile("quota|capacity|not enough|insufficient|too small", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Client:
    """``api`` is a NetAppClient."""

    api: Any
    project: str
    location: str
    timeout_s: float = 60.0

    def close(self) -> None:
        self.api.transport.close()

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    def call(self, asked: str, function: Callable[..., Any], **request: Any) -> Any:
        """``function`` of the client, once. Raises the errors of ``clouds.errors``."""
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError, TransportError

        try:
            return function(**request, retry=None, timeout=self.timeout_s)
        except GoogleAPICallError as error:
            raise refused(asked, int(error.code or 0), error.message) from None
        except (TransportError, RetryError, OSError) as error:
            errors.no_answer(f"{SERVICE}, project {self.project!r},", asked, error)
        except GoogleAuthError as error:
            raise errors.refused("Google's login service", asked, str(error), errors.LoginRefused) from None

    def begin(self, asked: str, function: Callable[..., Any], **request: Any) -> str:
        """Begin long work; the name of its operation."""
        return self.call(asked, function, **request).operation.name

    def operation(self, name: str) -> Any | None:
        """How work stands; None when Google has forgotten it."""
        try:
            return self.call(f"show operation {name!r}", self.api.get_operation, request={"name": name})
        except errors.NotFound:
            return None


def refused(asked: str, status: int, message: str) -> errors.CloudError:
    """The error for an answer with an HTTP status."""
    kind = errors.kind_of(status)
    if status == 409 and "already exists" in message.lower():
        kind = errors.NameTaken
    if status in (400, 429) and _FULL.search(message):
        kind = errors.OverQuota
    return errors.refused(SERVICE, asked, f"HTTP {status}, {message}", kind)


def failed(asked: str, code: int, message: str) -> errors.CloudError:
    """The error for work that ended badly; one whose reason may pass is temporary."""
    kind = errors.OverQuota if _FULL.search(message) else _BY_CODE.get(code, errors.OperationFailed)
    return errors.refused(SERVICE, asked, message, kind)
