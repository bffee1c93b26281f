"""Errors of Kubernetes' API as sentences, and whether trying again can help.

This is the one place that knows the API's answers. Above it only the names below exist: ``KubernetesTemporaryError``
may pass by itself, ``KubernetesPermanentError`` stays until somebody changes something.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any


class KubernetesError(Exception):
    """``status`` is the HTTP status of the answer; None where none came. ``reason`` is the API's own word for it."""

    advice = ""

    def __init__(self, message: str, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class KubernetesTemporaryError(KubernetesError):
    """The same request may succeed later."""


class KubernetesPermanentError(KubernetesError):
    """The same request will be refused again until somebody changes something."""


class Unreachable(KubernetesTemporaryError):
    """No answer came, so whether the cluster did the work is not known."""

    advice = "Check the connection's address and the network; the next try looks for what this one may have made"


class TooBusy(KubernetesTemporaryError):
    """It answered that it cannot serve the request now (HTTP 429 or 5xx)."""

    advice = "Try again later; if it stays, look at the API server's log"


class Conflict(KubernetesTemporaryError):
    """Somebody else changed the object meanwhile, or it is being deleted."""

    advice = "Try again"


class OverQuota(KubernetesTemporaryError):
    """The namespace's quota is used up by what runs there now; what ends gives room."""

    advice = "Wait for what runs in the namespace to end, or have its ResourceQuota raised"


class BeyondQuota(KubernetesPermanentError):
    """It asks for more than the namespace's quota allows when nothing else runs."""

    advice = "Ask for less, or have the namespace's ResourceQuota raised"


class LoginRefused(KubernetesPermanentError):
    """The token or certificate of the connection is not accepted, or has expired."""

    advice = "Renew the token or certificate of the connection"


class NotAllowed(KubernetesPermanentError):
    """The account may not do this."""

    advice = "Give the connection's account a Role that allows it"


class NotFound(KubernetesPermanentError):
    """There is no such object, or no namespace for it."""

    advice = "Check name and namespace"


class NoSuchKind(KubernetesPermanentError):
    """The cluster's API does not have this kind of object."""

    advice = "Install what brings it (its CustomResourceDefinition), or use a newer cluster"


class NameTaken(KubernetesPermanentError):
    """The name belongs to an object without our mark, or to another one than was asked for."""

    advice = "Choose another name, or remove that object"


class InvalidRequest(KubernetesPermanentError):
    """The request contradicts the API's rules."""

    advice = "Correct the value"


class InUse(KubernetesTemporaryError):
    """Something uses the object, which is left alone until that ends."""

    advice = "Wait until that ends, or end it"


class NotReady(KubernetesPermanentError):
    """The cluster did not do it within the time limit; another try would wait for the same."""

    advice = "Mend what it names, or give it more time"


class ConnectionUnusable(KubernetesPermanentError):
    """The connection describes no cluster."""

    advice = "Correct the connection (type kubernetes)"


_QUOTA = re.compile(
    r"exceeded quota: (?P<name>[^,]+), requested: (?P<requested>.+?), used: .+?, limited: (?P<limited>.+)"
)
_QUANTITY = re.compile(r"(?P<number>[0-9.]+(?:e[0-9]+)?)(?P<unit>m|k|[KMGTPE]i?)?")
_UNITS = {"m": Decimal("0.001"), "k": Decimal(1000), "": Decimal(1)}
_UNITS |= {letter: Decimal(1000) ** power for power, letter in enumerate("KMGTPE", 1)}
_UNITS |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)}


@contextmanager
def told(cluster: str, asked: str) -> Iterator[None]:
    """Turn what the client library raises inside into one of the errors above.

    ``asked`` completes the sentence "Kubernetes at HOST was asked to ...".
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise of_answer(cluster, asked, error.status, error.body, error.reason) from None
    except (HTTPError, OSError) as error:
        raise sentence(Unreachable, cluster, asked, f"no answer came ({_cause(error)})") from None


def of_answer(cluster: str, asked: str, status: int | None, body: Any, http_reason: str | None = "") -> KubernetesError:
    """Return the error for an answer of the API: its HTTP status and its body, a ``Status`` object as JSON or text."""
    answer = _answer(body)
    said, reason = str(answer.get("message") or http_reason or "no reason given"), str(answer.get("reason") or "")
    return sentence(_kind(status or 0, reason, said), cluster, asked, said, status=status, reason=reason)


def sentence(
    kind: type[KubernetesError], cluster: str, asked: str, said: str, *, status: int | None = None, reason: str = ""
) -> KubernetesError:
    """Return an error of this kind: what was asked, what came back, what to do."""
    text = f"Kubernetes at {cluster} was asked to {asked} and answered: {short(said)}. {kind.advice}."
    return kind(text.replace("answered: no answer", "gave none: no answer"), status=status, reason=reason)


def short(text: object) -> str:
    return " ".join(str(text or "no reason given").split())[:500].rstrip(". ")


def beyond_quota(said: str) -> bool | None:
    """Whether a refusal by quota asks for more than the quota holds when empty; None when it is no such refusal."""
    match = _QUOTA.search(said)
    if match is None:
        return None
    requested, limited = _amounts(match["requested"]), _amounts(match["limited"])
    return any(amount > limited[name] for name, amount in requested.items() if name in limited)


def _kind(status: int, reason: str, said: str) -> type[KubernetesError]:
    beyond = beyond_quota(said)
    if beyond is not None:
        return BeyondQuota if beyond else OverQuota
    if status >= 500 or status in (408, 425, 429) or status == 0:
        return TooBusy
    if status == 409:
        return NameTaken if reason == "AlreadyExists" else Conflict
    if status == 403 and "being terminated" in said:
        return Conflict
    return {401: LoginRefused, 403: NotAllowed, 404: NotFound}.get(status, InvalidRequest)


def _answer(body: Any) -> dict[str, Any]:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    try:
        answer = json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return {"message": body}
    return answer if isinstance(answer, dict) else {}


def _amounts(text: str) -> dict[str, Decimal]:
    """Amounts by name of ``cpu=5,memory=1Gi``; what is no amount is left out."""
    amounts: dict[str, Decimal] = {}
    for pair in text.split(","):
        name, _, value = pair.strip().partition("=")
        match = _QUANTITY.fullmatch(value.strip())
        try:
            amounts[name] = Decimal(match["number"]) * _UNITS[match["unit"] or ""] if match else Decimal("NaN")
        except InvalidOperation:
            continue
    return {name: amount for name, amount in amounts.items() if not amount.is_nan()}


def _cause(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return short(str(error) or type(error).__name__)
